//! What the primitives promise, seen from outside: one module for each hazard.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod bulkhead;
mod cancellation;
mod circuit_breaker;
mod composition;
mod conditional;
mod context;
mod current;
mod decisions;
mod engines;
mod errors;
mod fallback;
mod graph;
mod hedge;
mod idle;
mod instrument;
mod joins;
mod joins_losers;
mod many;
mod panics;
mod parallel;
mod places;
mod propagation;
mod rate_limit;
mod repeat;
mod retry;
mod router;
mod router_latency;
mod router_parameters;
mod router_reroutes;
mod statistics;
mod support;
mod switch;
mod timeout;
mod tower;
