//! An `ExportTraceServiceRequest` in JSON, as OTLP writes it.
//!
//! Owns the way from JSON to the same message in protobuf, so that there is one way to read spans. Does
//! not own the messages ([`messages`] lists them) or how they are read.
//!
//! OTLP's JSON is that of protobuf with exceptions: ids are hexadecimal, enumerations are numbers, and
//! keys are in lowerCamelCase only (OTLP specification 1.x, "JSON Protobuf Encoding").

mod messages;
mod print;
mod scalars;
mod transcode;

pub use print::print_json;
#[cfg(feature = "export-http")]
pub(crate) use transcode::transcode;

use std::sync::Arc;

use thiserror::Error;
use tta_telemetry::Source;
use tta_telemetry::receive::SpanHead;

use crate::{OtlpLimits, Outcome, decode_protobuf};

/// A body that is no request in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not an ExportTraceServiceRequest in OTLP/JSON: {path}: {message}, at line {line} column {column}")]
pub struct JsonError {
    /// Where in the message, such as `resourceSpans[0].scopeSpans[0].spans[2].traceId`; `body` for the
    /// whole.
    pub path: String,
    /// What is wrong and what is accepted. Holds nothing of what was given but its type.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1; 0 where the line has none.
    pub column: usize,
}

/// Reads a request in OTLP/JSON, as [`decode_protobuf`] reads one in protobuf.
///
/// The bytes that are given with a span are those of the span in protobuf, so that
/// [`OtlpCodec`](crate::OtlpCodec) decodes them all. Keys that OTLP does not know are skipped.
///
/// # Errors
/// The body is not such a message. Then no span was given.
pub fn decode_json(
    body: &[u8],
    limits: &OtlpLimits,
    each: impl FnMut(&Arc<Source>, &SpanHead<'_>, &[u8]),
) -> Result<Outcome, JsonError> {
    let message = transcode::transcode(body)?;
    let mut each = each;
    decode_protobuf(&message, limits, |source, head, bytes| each(source, head, bytes)).map_err(|error| {
        debug_assert!(false, "what we write ourselves is well-formed: {error}");
        JsonError { path: "body".to_owned(), message: error.problem.to_string(), line: 1, column: 0 }
    })
}
