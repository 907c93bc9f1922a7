//! What is sent arrives, whatever the collector does: real sockets, and generated types as the second reader.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr)]

mod configured;
mod failures;
mod metrics;
mod outage;
mod prometheus;
mod support;
mod tls;
mod traces;
