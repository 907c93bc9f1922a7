//! The JSON of a trace: one object on one line.
//!
//! Owns the format and its version. Does not own files; see [`TraceFileSink`](crate::TraceFileSink)
//! and [`read_traces`](crate::read_traces).
//!
//! ```text
//! {"version":1,"trace_id":"32 hex digits","root_span_id":"16 hex digits",
//!  "class":"failed|cancelled|normal",
//!  "decision":{"keep":true,"rate":1.0,"reason":"sampling_rate_one","sampler":"keep_all"},
//!  "incomplete":false,"late":false,"dropped":{"over_span_limit":0,"over_byte_limit":0},
//!  "spans":[{"span_id":"16 hex digits","parent_span_id":null,"name":"...","kind":"...",
//!    "start_unix_ns":0,"duration_ns":0,"status":"ok|error|cancelled","handled":false,
//!    "attributes":{"key":true},"events":[{"name":"...","unix_ns":0,"attributes":{}}],
//!    "links":[{"trace_id":"...","span_id":"...","attributes":{}}],
//!    "dropped_attributes":0,"truncated_attributes":0,"dropped_events":0,"dropped_links":0}]}
//! ```
//!
//! What a reader has to know:
//! - Integers use all 64 bits; read them as such (times do not fit a double).
//! - Attributes keep their order. A key that was set twice is written twice; the last one wins.
//! - An attribute is `true` or `false`, an integer, a float (always with a fraction or an
//!   exponent), a text, or a list of texts. Floats that JSON has no number for are
//!   `{"float":"NaN"}`, `{"float":"Infinity"}` and `{"float":"-Infinity"}`, so that a text `NaN`
//!   stays a text. A NaN loses its sign and payload.
//! - Attributes that came from other processes may also be `null`, a list of any values,
//!   `{"bytes":"hex digits"}` and `{"map":{"key":true}}`.
//! - A span that another process recorded has `"received":{"source":0,"status_code":"unset|ok|error",
//!   "status_message":"...","trace_state":"...","flags":0}`; who recorded it is in the line's
//!   `"sources":[{"service":"...","resource":{...},"scope":{...}}]`, by number from 0.
//! - [`to_json`] writes `version` and `trace_id` first and no line break anywhere.
//!
//! What [`from_json`] accepts beyond that: fields in any order, unknown fields (skipped), and
//! absent ones that have a natural zero (`incomplete`, `late`, `dropped`, `parent_span_id`,
//! `handled`, `attributes`, `events`, `links` and the counters). An integer attribute outside of `i64` is
//! read as the nearest float. A `sampler` that this version does not know is read as `other`.

mod attributes;
mod received;
mod wire;

use thiserror::Error;
use tta_telemetry::{Trace, format};

use wire::TraceLine;

/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// The longest line that is written or read, without its line break: 64 MiB.
pub const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// How a line of [`to_json`] starts: what follows is the trace id.
pub(crate) const LINE_START: &str = "{\"version\":1,\"trace_id\":\"";

/// Messages quote the text they are about, which may be of any length.
const MESSAGE_CHARACTERS: usize = 300;

/// Why a text is not the JSON of a trace, or a trace has none.
// The message is what serde_json said, clipped; the original is not kept as a source, because it
// would repeat the message and quote the text unclipped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("column {column}: {message}")]
pub struct TraceJsonError {
    column: usize,
    message: String,
    cut_off: bool,
}

impl TraceJsonError {
    /// Where, in bytes from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What was wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the text is right as far as it goes, and ends too early.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.cut_off
    }
}

impl From<serde_json::Error> for TraceJsonError {
    fn from(error: serde_json::Error) -> Self {
        let (text, position) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
        let message = text.strip_suffix(&position).unwrap_or(&text);
        Self {
            column: error.column().max(1),
            message: format::clip(message, MESSAGE_CHARACTERS),
            cut_off: error.is_eof(),
        }
    }
}

/// Writes a trace as one JSON object without line breaks.
///
/// # Errors
/// Never for what the model can hold today; the serializer's contract allows for it.
pub fn to_json(trace: &Trace) -> Result<String, TraceJsonError> {
    Ok(serde_json::to_string(&TraceLine::from(trace))?)
}

/// [`to_json`] at the end of a buffer. After an error the buffer is as before.
pub(crate) fn append_json(trace: &Trace, buffer: &mut Vec<u8>) -> Result<(), TraceJsonError> {
    let before = buffer.len();
    serde_json::to_writer(&mut *buffer, &TraceLine::from(trace)).map_err(|error| {
        buffer.truncate(before);
        error.into()
    })
}

/// Reads a trace back: the inverse of [`to_json`].
///
/// # Errors
/// The text is not UTF-8, not JSON, ends too early, has another version, or holds a value of the
/// wrong type or range.
pub fn from_json(json: &[u8]) -> Result<Trace, TraceJsonError> {
    Ok(Trace::try_from(serde_json::from_slice::<TraceLine<'_>>(json)?)?)
}

/// The trace id alone, whatever else the object holds.
pub(crate) fn trace_id_of(json: &[u8]) -> Option<tta_telemetry::TraceId> {
    serde_json::from_slice::<wire::IdOnly>(json).ok().map(|line| line.trace_id())
}

#[cfg(test)]
mod tests;
