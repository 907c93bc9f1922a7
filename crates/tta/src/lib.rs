//! Compose async work from small primitives; see, measure and explain every step of every run.
//!
//! ```
//! use tta::prelude::*;
//!
//! async fn validate(text: String) -> Result<String, String> {
//!     if text.trim().is_empty() { Err("the text is empty".into()) } else { Ok(text) }
//! }
//! async fn words(text: String) -> Result<usize, String> { Ok(text.split_whitespace().count()) }
//! async fn longest(text: String) -> Result<String, String> {
//!     Ok(text.split_whitespace().max_by_key(|word| word.len()).unwrap_or_default().to_owned())
//! }
//! async fn report((words, longest): (usize, String)) -> Result<String, String> {
//!     Ok(format!("{words} words, the longest is `{longest}`"))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let triage = workflow("triage", validate) >> (step(words) | longest) >> report;
//! let telemetry = Telemetry::builder().sink(TextSink::new(std::io::stderr())).build()?;
//! let said = triage.run("compose and see".to_owned(), &Context::on(telemetry.clone())).await?;
//! assert_eq!(said, "3 words, the longest is `compose`");
//! let report = telemetry.shutdown(std::time::Duration::from_secs(5)).await; // prints the trace
//! assert!(report.complete);
//! # anyhow::Ok(()) }).unwrap();
//! ```
//!
//! This crate is a facade without logic: the primitives live in `tta-primitives`, the engine in
//! `tta-telemetry`, files in `tta-host`, HTTP in `tta-http`, OTLP in `tta-otlp`, Redis in
//! `tta-redis`, what is served in `tta-server`, `tracing` in `tta-tracing`. The program `tta serve` (`tta-cli`)
//! is `tta::server::Services` with settings from a file, the environment and arguments.
//!
//! # Features
//! - `record` (default): recording. Without it primitives run, ids propagate, and the recorder is
//!   not compiled in.
//! - `host` (default): trace files, `tta::host`.
//! - `http`: propagation over HTTP and a run for each request of a server, `tta::http`; with
//!   `axum` route templates and an extractor, with `reqwest` spans for the calls of a client.
//! - `otlp`: the OpenTelemetry protocol, read and written, `tta::otlp`; with `otlp-export` kept traces
//!   and metrics are sent to a collector.
//! - `redis`: cached values and memories in Redis, `tta::redis`; with `redis-cluster` in a cluster,
//!   with `redis-tls` over TLS, with `redis-messagepack` as MessagePack.
//! - `server`: what there is to say of an engine over HTTP, as routes for a server of axum or at addresses of
//!   its own: health, metrics for Prometheus, queries of kept traces (also as Jaeger and Tempo answer them), the
//!   configuration and changing it, and the way in for spans of other processes, OTLP over gRPC and HTTP; and
//!   a server with limits, TLS and tokens for any axum routes; `tta::server`.
//! - `tower`: services of tower as steps, and workflows as services.
//! - `tracing`: spans and events of libraries inside steps, and logs that carry ids, `tta::tracing`.
//! - `test-util`: the test kit, `tta::testing`.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

#[cfg(doctest)]
mod docs;

#[cfg(feature = "host")]
pub use tta_host as host;
#[cfg(feature = "http")]
pub use tta_http as http;
#[cfg(feature = "otlp")]
pub use tta_otlp as otlp;
#[cfg(feature = "test-util")]
pub use tta_primitives::testing;
pub use tta_primitives::*;
#[cfg(feature = "redis")]
pub use tta_redis as redis;
#[cfg(feature = "server")]
pub use tta_server as server;
pub use tta_telemetry as telemetry;
pub use tta_telemetry::{MemorySink, Name, Sampling, Telemetry, TextSink, Usd, Value, ValueRef};
#[cfg(feature = "tracing")]
pub use tta_tracing as tracing;

/// What most programs need: `use tta::prelude::*;`.
pub mod prelude {
    pub use tta_primitives::{
        Bulkhead, Cache, CacheKey, CircuitBreaker, Context, Error, ErrorKind, Hedge, IntoError, Memory, Primitive,
        RateLimit, Repeat, Retry, Route, Timeout, Workflow, blocking, either, fallback, named, parallel, router, saga,
        step, switch, sync, traced, try_traced, when, with_context, workflow,
    };
    pub use tta_telemetry::{MemorySink, Sampling, Telemetry, TextSink};
}
