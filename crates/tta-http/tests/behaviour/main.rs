//! What HTTP adds to a trace, with real servers and real clients on this machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod calls;
mod connections;
mod errors;
mod hostile;
mod requests;
mod services;
mod support;
mod trust;
mod unrecorded;
