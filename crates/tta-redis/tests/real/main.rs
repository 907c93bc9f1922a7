//! Against a real `redis-server`, started by each test for itself: killed, stopped, filled.
//!
//! Without the program the tests say in one line that they were skipped; with `CI=true` they fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr)]

mod cache;
mod cluster;
mod conformance;
mod health;
mod loss;
mod memory;
mod support;
mod tls;
mod workflow;
