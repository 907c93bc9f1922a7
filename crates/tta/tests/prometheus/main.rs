//! A real Prometheus scrapes an engine that runs workflows: what arrives is what the engine knows.
//!
//! Without the program the tests say in one line that they were skipped; with `CI=true` they fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr)]

mod counters;
mod document;
mod exemplars;
mod page;
mod quantiles;
mod rates;
mod series;
mod support;
