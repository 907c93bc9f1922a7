//! One finished span.

use std::fmt;
use std::str::FromStr;

use super::{Attribute, Name, Received, Value};
use crate::id::{SpanId, TraceId};

/// How a span ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpanStatus {
    /// It returned.
    Ok,
    /// It failed or panicked; `error.type` and `error.message` say how.
    Error,
    /// It was dropped before its end: cancelled by its caller, a sibling or a timeout.
    Cancelled,
}

impl SpanStatus {
    /// The stable string: `ok`, `error` or `cancelled`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SpanStatus::Ok => "ok",
            SpanStatus::Error => "error",
            SpanStatus::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for SpanStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SpanStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ok" => Ok(SpanStatus::Ok),
            "error" => Ok(SpanStatus::Error),
            "cancelled" => Ok(SpanStatus::Cancelled),
            other => Err(format!("`{other}` is not a span status: expected ok, error or cancelled")),
        }
    }
}

/// One finished span: a step, an attempt, a branch, a route, or the run itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanRecord {
    /// This span.
    pub span_id: SpanId,
    /// The span it ran under; `None` for the root of a trace that began here.
    pub parent_span_id: Option<SpanId>,
    /// The name of the workflow, step or function; `attempt` for attempts.
    pub name: Name,
    /// What kind of primitive ran: `sequential`, `lambda`, `attempt`, ... Of a received span its
    /// OpenTelemetry kind: `internal`, `server`, `client`, `producer`, `consumer` or `unspecified`.
    pub kind: Name,
    /// Start, in nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// Duration on the monotonic clock.
    pub duration_ns: u64,
    /// How it ended.
    pub status: SpanStatus,
    /// An error that a retry, a fallback or a join stopped from failing the run.
    pub handled: bool,
    /// In the order in which they were set.
    pub attributes: Vec<Attribute>,
    /// In order of time.
    pub events: Vec<SpanEvent>,
    /// Spans of other traces that this one has to do with, in the order in which they were added.
    pub links: Vec<SpanLink>,
    /// Attributes that exceeded the engine's `attributes_per_span`.
    pub dropped_attributes: u32,
    /// Attribute values that were cut at the engine's `attribute_bytes`.
    pub truncated_attributes: u32,
    /// Events that exceeded the engine's `events_per_span`.
    pub dropped_events: u32,
    /// Links that exceeded the engine's `links_per_span`.
    pub dropped_links: u32,
    /// What it has beyond our own spans, when another process recorded it.
    pub received: Option<Box<Received>>,
}

/// A span of another trace, or of another branch of this one, that a span has to do with.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanLink {
    /// The other span's trace.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
    /// Details: why it matters.
    pub attributes: Vec<Attribute>,
    /// Attributes that a received link has lost.
    pub dropped_attributes: u32,
    /// The other trace's W3C `tracestate`, where a received link has one.
    pub trace_state: String,
    /// The W3C flags of a received link, as they came.
    pub flags: u32,
}

/// Something that happened at one instant inside a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanEvent {
    /// What happened.
    pub name: Name,
    /// When, in nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// Details.
    pub attributes: Vec<Attribute>,
    /// Attributes that a received event has lost.
    pub dropped_attributes: u32,
}

impl SpanLink {
    /// A link without details.
    #[must_use]
    pub const fn new(trace_id: TraceId, span_id: SpanId) -> Self {
        Self { trace_id, span_id, attributes: Vec::new(), dropped_attributes: 0, trace_state: String::new(), flags: 0 }
    }
}

impl SpanEvent {
    /// An event without details.
    #[must_use]
    pub const fn new(name: Name, unix_ns: u64) -> Self {
        Self { name, unix_ns, attributes: Vec::new(), dropped_attributes: 0 }
    }
}

impl SpanRecord {
    /// A root span that took no time and returned, without details.
    #[must_use]
    pub const fn new(span_id: SpanId, name: Name, kind: Name) -> Self {
        Self {
            span_id,
            parent_span_id: None,
            name,
            kind,
            start_unix_ns: 0,
            duration_ns: 0,
            status: SpanStatus::Ok,
            handled: false,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            dropped_attributes: 0,
            truncated_attributes: 0,
            dropped_events: 0,
            dropped_links: 0,
            received: None,
        }
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        // The last one set wins, also when an annotation came later than the span's own.
        self.attributes.iter().rev().find(|attribute| attribute.key == *key).map(|attribute| &attribute.value)
    }

    /// End, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn end_unix_ns(&self) -> u64 {
        self.start_unix_ns.saturating_add(self.duration_ns)
    }
}
