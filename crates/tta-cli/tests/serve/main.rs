//! The built `tta serve`: what real SDKs send it, what it answers, and how it ends.
//!
//! Senders of other languages are installed by `cargo xtask interop`; without them their tests are
//! skipped, but not with `CI=true`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr)]

mod ending;
mod hostile;
mod memory;
mod openapi;
mod relay;
mod sdk;
mod starting;
mod support;
mod telling;
mod tls;
mod tokens;
