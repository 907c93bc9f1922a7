//! Metrics as those that scrape get them, and servers as their clients find them: over real sockets, from servers on this machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod config;
mod consistency;
mod embedding;
mod formats;
mod guard;
mod health;
mod limits;
mod otlp;
mod protobuf;
mod requests;
mod support;
