//! Kept traces and metrics sent to a collector, over HTTP and gRPC.
//!
//! Owns the settings, the client with its retries, the bounded queue between an engine and the network,
//! and pushing metrics. Does not own the messages ([`encode_spans`](crate::encode_spans) writes them), or
//! reading the environment, which it is given ([`ExportSettings::from_variables`]).
//!
//! The parts, from the caller to the wire: `sink` encodes a batch and puts it in `queue`; the workers of
//! `exporter` take it out and call `client`, which tries until it is taken or given up; `counters`
//! says what came of it. `configured` makes all of it from a configuration.

mod client;
#[cfg(feature = "config")]
mod configured;
mod counters;
mod environment;
mod exporter;
mod metrics;
mod problem;
mod queue;
mod replay;
mod settings;
mod sink;
mod split;
mod tls;

pub use client::{Delivery, OtlpClient, Signal};
#[cfg(feature = "config")]
pub use configured::{ConfiguredExport, ExportPlan};
pub use counters::{DropCause, Drops, OtlpStatus};
pub use exporter::OtlpExporter;
pub use metrics::{MetricsPush, PushFormat, PushSettings};
pub use problem::{ExportError, ExportProblem, ExportProblems};
pub use replay::{count_spans, json_line_to_protobuf, shift_times, split_request, times_of};
pub use settings::{Compression, Endpoint, ExportSettings, Headers, Protocol, RetryPolicy, TlsFiles};
pub use sink::OtlpSink;
