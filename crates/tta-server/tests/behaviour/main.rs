//! Metrics as those that scrape get them: over real sockets, from servers on this machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod consistency;
mod formats;
mod limits;
mod protobuf;
mod requests;
mod support;
