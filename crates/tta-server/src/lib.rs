//! tta served over HTTP and gRPC: how an engine is, what it counted and kept, its configuration, and the way
//! in for spans of other processes.
//!
//! - [`router`]: all that can be asked and changed, as routes of a program that has a server already.
//! - [`Services`]: the same with more to choose, also at addresses of its own: what `tta serve` is made of.
//! - [`HealthApi`]: how the process is, `/health`, `/livez`, `/readyz`.
//! - [`QueryApi`]: kept traces, metrics, objectives, cost and sampling, `/api/v1`, `/jaeger`, `/tempo`.
//! - [`ConfigApi`]: the configuration in effect, and changing it, `/api/v1/config`.
//! - [`OtlpReceiver`]: takes spans, OTLP over gRPC and HTTP.
//! - [`MetricsServer`]: serves `/metrics` alone, at 127.0.0.1:9464 unless told otherwise.
//! - [`Page`]: the page of metrics alone, for any other way to serve it.
//! - [`Server`]: serves any routes within limits, with TLS and tokens: [`ServerSettings`].
//!
//! A page of metrics is written in the format that the request accepts ([`Format`]): the text format of
//! Prometheus, OpenMetrics with exemplars, or Protocol Buffers with native histograms; compressed by
//! gzip where that is accepted. Each page is made of one reading of the engine, piece by piece while it
//! is sent.
//!
//! Owns formats, routes, sockets and their bounds. Does not own what is measured, decided and kept
//! (`tta-telemetry`), or how OTLP is read (`tta-otlp`).
//!
//! ```
//! use axum::Router;
//! use tta_telemetry::Telemetry;
//!
//! let telemetry = Telemetry::builder().build()?;
//! // Beside a program's own routes, at /metrics, or below a path: /internal/metrics.
//! let app: Router = Router::new().merge(tta_server::router(&telemetry));
//! let below: Router = Router::new().nest("/internal", tta_server::router(&telemetry));
//! # let _ = (app, below);
//! # Ok::<(), tta_telemetry::BuildError>(())
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod api;
mod config;
mod health;
mod http;
mod jaeger;
mod metrics;
mod otlp;
#[doc(hidden)]
pub mod readers;
mod services;
mod tempo;

use axum::Router;
use tta_telemetry::Telemetry;

pub use crate::api::QueryApi;
pub use crate::config::{ConfigApi, ConfigApiBuilder, ConfigAudit};
pub use crate::health::{ExportInfo, HealthApi, HealthApiBuilder, Readiness, StorageStatus, StorageStatusSource};
pub use crate::http::{
    CheckedSettings, RateLimit, Require, RequireService, Scope, Secret, Server, ServerCounters, ServerError,
    ServerLimits, ServerSettings, SettingsErrors, TlsConfig, TlsError, TlsFiles, TokenError, TokenSource, Tokens,
    with_fallbacks,
};
pub use metrics::{Format, MetricsServer, MetricsServerBuilder, Page};
pub use otlp::OtlpReceiver;
pub use services::{Addresses, RunningServices, Services, ServicesReport};

/// All that is served of an engine, to be merged into or nested in a program's own routes: `/health` and
/// its parts, `/livez`, `/readyz`, `/metrics`, `/api/v1` with `/api/v1/config` and, when the engine was
/// built with a [trace store](tta_telemetry::TelemetryBuilder::trace_store), `/jaeger` and `/tempo`. It has
/// no fallback beside those below these paths.
///
/// Nobody is asked who they are, and a `PATCH` changes the configuration: a layer of the program's own, or
/// [`Services::tokens`], sees to that.
/// At most 8 readings of the engine are in memory, however many scrape; connections are for the
/// program's server to bound. Needs a tokio runtime with the time driver enabled.
pub fn router(telemetry: &Telemetry) -> Router {
    Services::new(telemetry).router()
}
