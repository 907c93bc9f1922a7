//! tta and `tracing`, both ways: what libraries record with `tracing` inside a step becomes part of
//! that step, and log lines carry the ids of the run they were written in.
//!
//! ```
//! use tracing_subscriber::prelude::*;
//! use tta_primitives::{Context, Result, workflow};
//! # use tta_telemetry::{MemorySink, Telemetry, TraceTree};
//!
//! // A library that knows nothing of tta.
//! fn query(id: u32) -> u32 {
//!     let _span = tracing::info_span!("query", table = "orders", id).entered();
//!     tracing::info!("cache miss");
//!     id * 2
//! }
//!
//! tracing_subscriber::registry().with(tta_tracing::layer()).init();
//!
//! async fn load(id: u32) -> Result<u32> { Ok(query(id)) }
//! # let memory = MemorySink::new();
//! # let telemetry = Telemetry::builder().sink(memory.clone()).build().unwrap();
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let orders = workflow("orders", load);
//! assert_eq!(orders.run(21, &Context::on(telemetry.clone())).await?, 42);
//! # Result::<()>::Ok(()) }).unwrap();
//! # telemetry.shutdown_blocking(std::time::Duration::from_secs(5));
//! # let traces = memory.traces();
//! # let tree = TraceTree::new(&traces[0]).timing(false).to_string();
//! assert_eq!(tree, "\
//! orders
//! ╰─ load
//!    ╰─ query (tracing)
//! ");
//! ```
//!
//! # Library spans
//! [`layer`] goes into any registry, beside other layers and below any filter. A span that is made
//! inside a run hangs below the step it is made in; entering it makes it the place where steps,
//! other spans and [`Context::current`](tta_primitives::Context::current) go on, on whatever thread
//! or task that is. Outside a run nothing is recorded. See [`TracingLayer`] for all the rules.
//!
//! # Logs
//! [`logging`] writes events as lines of text or JSON, each with `trace_id`, `span_id` and
//! `correlation_id` when it is written inside a run. With [`log_decisions`] what primitives decide
//! is logged too.
//!
//! # Features
//! - `record` (default): recording. Without it the layer does nothing.
//! - `log`: [`logging::Logging::init`] turns records of the `log` crate into events.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod counters;
mod decisions;
mod layer;
pub mod logging;
mod text;

pub use counters::{TracingCounters, TracingCounts};
pub use decisions::{DECISION_TARGET, log_decisions};
pub use layer::{TracingLayer, layer};
