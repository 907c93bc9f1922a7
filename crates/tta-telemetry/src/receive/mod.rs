//! Spans that other processes recorded: assembled to traces, counted, decided about as a whole.
//!
//! Owns what is known of a span before it is decoded, and how traces come together. Does not own
//! any wire form: a [`SpanCodec`] does, and decodes those spans only whose trace is kept.
//!
//! A span arrives with its request's other spans, checked and still in its wire form. What
//! counting and deciding need of it is a [`SpanHead`]; the rest stays bytes, copied into its
//! trace's buffer. Most traces are dropped, and so most spans are never decoded.

use std::sync::Arc;

use crate::id::{SpanId, TraceId};
use crate::model::{Source, SpanRecord, StatusCode};
use crate::money::Usd;

/// How spans lie in memory until their trace is decided about, and what they are then.
pub trait SpanCodec: Send + Sync + 'static {
    /// The span in these bytes, which were given with its [`SpanHead`]; `None` when they are none:
    /// that is counted. So is a panic.
    fn decode(&self, source: &Arc<Source>, bytes: &[u8]) -> Option<SpanRecord>;
}

/// What OpenTelemetry calls a span's kind: which side of a call it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SpanKind {
    /// It says nothing.
    #[default]
    Unspecified,
    /// Work inside a process.
    Internal,
    /// The side that is called.
    Server,
    /// The side that calls.
    Client,
    /// Puts a message into a queue.
    Producer,
    /// Takes a message from a queue.
    Consumer,
}

impl SpanKind {
    /// All of them, each at its number in OTLP.
    pub const ALL: [Self; 6] =
        [Self::Unspecified, Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// The stable string: `unspecified`, `internal`, `server`, `client`, `producer` or `consumer`.
    /// It is the [kind](SpanRecord::kind) of a received span.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SpanKind::Unspecified => "unspecified",
            SpanKind::Internal => "internal",
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
        }
    }
}

/// What is known of a received span before it is decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpanHead<'a> {
    /// Its trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// The span it ran under; `None` for the root of its trace.
    pub parent_span_id: Option<SpanId>,
    /// What it did.
    pub name: &'a str,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// Start, in nanoseconds since the Unix epoch; 0 where it is not known.
    pub start_unix_ns: u64,
    /// How long it took; 0 where its end lies before its start, or its start is not known.
    pub duration_ns: u64,
    /// How it ended.
    pub status: StatusCode,
    /// Its `error.type`; empty where it says none.
    pub error_type: &'a str,
    /// Its W3C `tracestate`; empty for none.
    pub trace_state: &'a str,
    /// What it says that it cost.
    pub cost: Option<Usd>,
}

mod limits;
mod status;

#[cfg(feature = "record")]
mod assembly;
#[cfg(feature = "record")]
mod decide;
#[cfg(feature = "record")]
mod facts;
#[cfg(feature = "record")]
mod pending;
#[cfg(feature = "record")]
mod receiver;
#[cfg(not(feature = "record"))]
mod receiver_off;
#[cfg(feature = "record")]
mod remembered;
#[cfg(feature = "record")]
mod shard;

#[cfg(feature = "record")]
pub(crate) use assembly::Assembly;
pub use limits::ReceiveLimits;
#[cfg(feature = "record")]
pub use receiver::{Intake, Receiver};
#[cfg(not(feature = "record"))]
pub use receiver_off::{Intake, Receiver};
pub use status::{ReceiverStatus, Refused};
