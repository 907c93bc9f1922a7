//! Sampling from outside: agreement with the original implementation, that what is said of all
//! traces holds, and a program's own samplers and processors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

mod conformance;
mod coverage;
mod hooks;
#[cfg(feature = "record")]
mod latency;
#[cfg(feature = "record")]
mod presumed;
#[cfg(feature = "record")]
mod processors;
#[cfg(feature = "record")]
mod samplers;
#[cfg(feature = "record")]
mod support;
