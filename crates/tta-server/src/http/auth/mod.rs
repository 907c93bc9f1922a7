//! Who may do what: bearer tokens, and the layer that asks for them.
//!
//! Tokens are kept as digests only, from the moment they are read; no text made here holds one.

mod require;
mod secret;
mod sources;
mod tokens;

pub(crate) use require::bearer;
pub use require::{Require, RequireService};
pub use secret::Secret;
pub(crate) use sources::load as load_tokens;
pub use sources::{TokenError, TokenSource};
pub(crate) use tokens::Caller;
pub use tokens::{Scope, Tokens};
