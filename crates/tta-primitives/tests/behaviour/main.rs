//! What the primitives promise, seen from outside: one module for each hazard.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod cache;
mod cache_flights;
mod cache_store;
mod cache_trouble;
mod cancellation;
mod composition;
mod conditional;
mod context;
mod current;
mod engines;
mod errors;
mod fallback;
mod graph;
mod idle;
mod instrument;
mod joins;
mod joins_losers;
mod many;
mod memory;
mod panics;
mod parallel;
mod places;
mod propagation;
mod repeat;
mod retry;
mod statistics;
mod support;
mod switch;
mod timeout;
mod tower;
