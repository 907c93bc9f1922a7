//! OTLP, the OpenTelemetry protocol, to and from the spans of `tta`.
//!
//! [`decode_protobuf`] and [`decode_json`] take the body of an `ExportTraceServiceRequest` apart
//! without decoding its spans: what counting and deciding need is given as a
//! [`SpanHead`](tta_telemetry::receive::SpanHead), the rest stays the span's bytes until its trace is
//! kept and [`OtlpCodec`] reads them. [`encode_traces`] writes kept traces, [`print_json`] what was
//! written as JSON, [`ExportReply`] and [`ErrorReply`] what a receiver answers.
//!
//! ```
//! use tta_otlp::{OtlpCodec, OtlpLimits, decode_json};
//! use tta_telemetry::receive::SpanCodec;
//!
//! let body = br#"{"resourceSpans":[{
//!   "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
//!   "scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7",
//!     "name":"checkout","kind":2,"startTimeUnixNano":"1000","endTimeUnixNano":"3000"}]}]}]}"#;
//! let limits = OtlpLimits::default();
//! let codec = OtlpCodec::new(limits.clone());
//! let mut spans = Vec::new();
//! let outcome = decode_json(body, &limits, |source, head, bytes| {
//!     assert_eq!((head.name, head.duration_ns), ("checkout", 2_000));
//!     spans.extend(codec.decode(source, bytes));
//! })?;
//! assert_eq!((outcome.accepted, outcome.refused), (1, 0));
//! assert_eq!(spans[0].received.as_ref().map(|received| received.service().as_str()), Some("shop"));
//! # Ok::<(), tta_otlp::JsonError>(())
//! ```
//!
//! With `export-http` the module `export` sends kept traces and metrics to a collector. Without it this crate
//! knows no sockets; it never knows primitives, storage or an HTTP server.
//!
//! # Features
//! - `export-http`: the sink, the client and the push of metrics, over HTTP. `export-grpc`: over gRPC, too.
//! - `remote-write`: metrics pushed by Prometheus remote write.
//! - `zstd`: requests compressed by Zstandard.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "export-http")]
pub mod export;
mod json;
mod limits;
mod read;
mod reply;
mod wire;
mod write;

pub use json::{JsonError, decode_json, print_json};
pub use limits::OtlpLimits;
pub use read::{OtlpCodec, Outcome, ProtobufError, decode_protobuf};
pub use reply::{ErrorReply, ExportReply, ReplyCode};
pub use wire::WireProblem;
pub use write::{encode_spans, encode_traces};
