//! Sampling from outside: agreement with the original implementation, and that what is said of all
//! traces holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

mod conformance;
mod coverage;
mod hooks;
mod latency;
mod presumed;
