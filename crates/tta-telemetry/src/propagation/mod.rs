//! W3C Trace Context level 2 and W3C Baggage: what a call to another process carries along.
//!
//! Owns the three headers as strings and bytes: their grammar, their bounds, and moving them
//! between a carrier of headers and [`TraceContext`] and [`Baggage`]. Does not own the header maps
//! of an HTTP library (they implement [`HeaderSource`] and [`HeaderSink`] elsewhere), what a
//! sampler does with a remote flag, or how a new trace gets its ids.
//!
//! Nothing that another process sends is an error here: a malformed `traceparent` reads as none,
//! so that a new trace starts, a malformed `tracestate` as empty, and a malformed baggage entry is
//! left out. What may be sent is checked when it is put in, so whatever [`inject`] writes reads
//! back as it was.
//!
//! ```
//! use std::collections::HashMap;
//! use tta_telemetry::propagation::{TRACEPARENT, extract, inject};
//! use tta_telemetry::{IdSource, propagation::TraceContext};
//!
//! let received = [
//!     ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
//!     ("tracestate", "rojo=00f067aa0ba902b7"),
//!     ("baggage", "correlation_id=42"),
//! ];
//! let incoming = extract(&received);
//! let parent = incoming.trace.expect("the header is well-formed");
//! assert!(parent.flags.is_sampled());
//! assert_eq!(incoming.baggage.get("correlation_id"), Some("42"));
//!
//! // A span of ours becomes the parent of whatever is called next.
//! let ours = TraceContext { span_id: IdSource::random().span_id(), ..parent };
//! let mut outgoing = HashMap::new();
//! inject(&ours, &incoming.baggage, &mut outgoing);
//! assert!(outgoing[TRACEPARENT].starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
//! ```

mod baggage;
mod carrier;
mod flags;
mod text;
mod traceparent;
mod tracestate;

pub use baggage::{Baggage, BaggageError};
pub use carrier::{BAGGAGE, HeaderSink, HeaderSource, Propagated, TRACEPARENT, TRACESTATE, extract, inject};
pub use flags::TraceFlags;
pub use traceparent::{TraceContext, Traceparent};
pub use tracestate::{TraceState, TraceStateError};

/// Bytes of `tracestate`, and of `baggage`, that are read at all; see [`TraceState::parse`] and
/// [`Baggage::parse`]. Bounds the time that hostile headers cost. Twice the longest list that the
/// grammar of `tracestate` allows, and four times the baggage that has to be passed on.
const MAX_INPUT_BYTES: usize = 32 * 1024;
