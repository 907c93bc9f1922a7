//! What every server here has in common: listening, limits, tokens, and replies that say what is wrong.
//!
//! - `listen`, `connection`, `streams`, `patient`, `half_closed`: sockets, places, protocols and their ends.
//! - `guard`: what stands between connections and routes.
//! - `auth`, `tls`, `binding`: who may ask, and over what.
//! - `lists`: headers that hold several things.
//! - `settings`, `limits`, `error`, `counters`, `problem`: what is told to a server and what it says.
//!
//! Owns sockets and bounds. Knows nothing of what is served.

pub(crate) mod auth;
mod binding;
mod connection;
mod counters;
mod error;
pub(crate) mod guard;
mod half_closed;
mod limits;
mod listen;
pub(crate) mod lists;
mod patient;
pub(crate) mod problem;
mod settings;
mod streams;
mod tls;

pub(crate) use auth::Caller;
pub use auth::{Require, RequireService, Scope, Secret, TokenError, TokenSource, Tokens};
pub use counters::ServerCounters;
pub use error::{ServerError, SettingsErrors};
pub(crate) use limits::MessageBytes;
pub use limits::{RateLimit, ServerLimits};
pub use listen::Server;
pub use problem::with_fallbacks;
pub use settings::{CheckedSettings, ServerSettings};
pub use tls::{TlsConfig, TlsError, TlsFiles};
