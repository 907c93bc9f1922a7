//! Metrics sent to those who do not scrape.
//!
//! Owns the rounds of pushing and both forms. Does not own the metrics: an engine is asked for them.

mod batches;
mod otlp;
mod push;
mod remote_write;

pub use push::{MetricsPush, PushFormat, PushSettings};
