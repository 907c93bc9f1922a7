//! An `ExportTraceServiceRequest` in protobuf, taken apart without decoding its spans.
//!
//! Owns the way through a request, what is refused of it and why. Does not own what is found in a
//! span ([`head`]), or its decoding ([`codec`]).
//!
//! A request is checked as a whole before any span is given away: one that is refused has left
//! nothing behind, and may be sent again. Of each span 200 bytes are held until then.

mod codec;
mod head;
mod known;
mod source;
mod values;

use std::sync::Arc;

use thiserror::Error;
use tta_telemetry::receive::SpanHead;
use tta_telemetry::{Resource, Source};

use crate::OtlpLimits;
use crate::wire::numbers::{request, resource_spans, scope_spans};
use crate::wire::{Fields, WireError, WireProblem};
pub use codec::OtlpCodec;
use source::{ResourceParts, ScopeParts};

/// For how many spans room is made at once: less than half of what is held for each.
const USUAL_SPAN_BYTES: usize = 512;
/// Reasons that are kept of all for which spans were refused.
const MOST_REASONS: usize = 3;

/// What became of a request that was well-formed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Spans given away.
    pub accepted: usize,
    /// Spans that are invalid, or beyond the bound of one request.
    pub refused: usize,
    /// Why the first three were refused, each with the place in the request. Holds nothing that the
    /// sender wrote.
    pub reasons: Vec<String>,
    /// Attributes of resources and scopes that were left out or cut; a span counts its own.
    pub lost_source_attributes: u64,
}

impl Outcome {
    /// Why spans were refused, as the reply says it; empty when none were.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = self.reasons.join("; ");
        let more = self.refused.saturating_sub(self.reasons.len());
        if more > 0 {
            message.push_str(&format!("; and {more} more"));
        }
        message
    }

    #[cold]
    fn refuse(&mut self, reason: impl FnOnce() -> String) {
        self.refused += 1;
        if self.reasons.len() < MOST_REASONS {
            self.reasons.push(reason());
        }
    }
}

/// A body that is no request in protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not {expected} in protobuf: {problem}, at byte {offset} of {length}; accepted is {expected}, uncompressed")]
pub struct ProtobufError {
    /// What was expected: the message's name.
    pub expected: &'static str,
    /// What is wrong.
    pub problem: WireProblem,
    /// Where, in bytes from the beginning.
    pub offset: usize,
    /// The bytes that were given.
    pub length: usize,
}

impl ProtobufError {
    pub(crate) fn of(error: WireError, body: &[u8], expected: &'static str) -> Self {
        Self { expected, problem: error.problem, offset: error.offset_in(body), length: body.len() }
    }
}

/// A span that is in order, until the whole request is.
struct Checked<'a> {
    /// Its place in the list of sources.
    source: usize,
    head: SpanHead<'a>,
    bytes: &'a [u8],
}

/// Reads a request: `each` gets every span that is valid with who recorded it, what counting needs of
/// it, and its bytes, from which [`OtlpCodec`] makes a record.
///
/// Spans without valid ids and those beyond a bound are refused one by one. Fields that OTLP does not
/// know are skipped. Spans are given in the order of the request, those of one scope with one source.
///
/// # Errors
/// The body is not such a message. Then no span was given.
pub fn decode_protobuf<'a>(
    body: &'a [u8],
    limits: &OtlpLimits,
    mut each: impl FnMut(&Arc<Source>, &SpanHead<'a>, &'a [u8]),
) -> Result<Outcome, ProtobufError> {
    let mut reading = Reading::new(limits);
    reading.spans.reserve((body.len() / USUAL_SPAN_BYTES).min(limits.spans_per_request));
    reading.request(body).map_err(|error| ProtobufError::of(error, body, "ExportTraceServiceRequest"))?;
    for span in &reading.spans {
        if let Some(source) = reading.sources.get(span.source) {
            each(source, &span.head, span.bytes);
        }
    }
    reading.outcome.accepted = reading.spans.len();
    Ok(reading.outcome)
}

struct Reading<'a, 'l> {
    limits: &'l OtlpLimits,
    outcome: Outcome,
    sources: Vec<Arc<Source>>,
    spans: Vec<Checked<'a>>,
    /// Attributes that resources and scopes may still have.
    room: usize,
}

/// Where a span is, by the indices of its resource and its scope.
#[derive(Clone, Copy)]
struct Place {
    resource: usize,
    scope: usize,
}

impl<'a, 'l> Reading<'a, 'l> {
    fn new(limits: &'l OtlpLimits) -> Self {
        let room = limits.source_attributes_per_request;
        Self { limits, outcome: Outcome::default(), sources: Vec::new(), spans: Vec::new(), room }
    }

    fn request(&mut self, body: &'a [u8]) -> Result<(), WireError> {
        let mut fields = Fields::new(body);
        let mut index = 0;
        while let Some(field) = fields.next()? {
            if field.number == request::RESOURCE_SPANS {
                self.resource_spans(field.message()?, index)?;
                index += 1;
            }
        }
        Ok(())
    }

    /// Twice through the fields: the resource may be written behind its spans.
    fn resource_spans(&mut self, message: Fields<'a>, index: usize) -> Result<(), WireError> {
        let mut parts = ResourceParts::new(self.limits, self.room);
        let mut fields = message;
        while let Some(field) = fields.next()? {
            match field.number {
                resource_spans::RESOURCE => parts.resource(field.message()?)?,
                resource_spans::SCHEMA_URL => parts.schema_url = field.text()?,
                _ => {}
            }
        }
        let (resource, lost) = parts.finish();
        self.room = self.room.saturating_sub(resource.attributes.len());
        self.outcome.lost_source_attributes += lost;
        let resource = Arc::new(resource);
        let mut fields = message;
        let mut place = Place { resource: index, scope: 0 };
        while let Some(field) = fields.next()? {
            if field.number == resource_spans::SCOPE_SPANS {
                self.scope_spans(field.message()?, &resource, place)?;
                place.scope += 1;
            }
        }
        Ok(())
    }

    fn scope_spans(&mut self, message: Fields<'a>, resource: &Arc<Resource>, place: Place) -> Result<(), WireError> {
        let mut parts = ScopeParts::new(self.limits, self.room);
        let mut fields = message;
        while let Some(field) = fields.next()? {
            match field.number {
                scope_spans::SCOPE => parts.scope(field.message()?)?,
                scope_spans::SCHEMA_URL => parts.schema_url = field.text()?,
                _ => {}
            }
        }
        let (scope, lost) = parts.finish();
        self.room = self.room.saturating_sub(scope.attributes.len());
        self.outcome.lost_source_attributes += lost;
        let mut fields = message;
        let mut index = 0;
        let before = self.spans.len();
        while let Some(field) = fields.next()? {
            if field.number == scope_spans::SPANS {
                self.span(field.bytes()?, place, index)?;
                index += 1;
            }
        }
        // One that nobody needs would be held for nothing: two bytes are enough to write it.
        if self.spans.len() > before {
            self.sources.push(Arc::new(Source { resource: Arc::clone(resource), scope }));
        }
        Ok(())
    }

    fn span(&mut self, bytes: &'a [u8], place: Place, index: usize) -> Result<(), WireError> {
        let at = || format!("resource_spans[{}].scope_spans[{}].spans[{index}]", place.resource, place.scope);
        // Checked also beyond the bound: whether a body is a request does not depend on it.
        match head::check(bytes, self.limits)? {
            Ok(head) if self.spans.len() < self.limits.spans_per_request => {
                self.spans.push(Checked { source: self.sources.len(), head, bytes });
            }
            Ok(_) => {
                let most = self.limits.spans_per_request;
                self.outcome.refuse(|| format!("{} is beyond the {most} spans accepted in one request", at()));
            }
            Err(invalid) => self.outcome.refuse(|| format!("{}.{invalid}", at())),
        }
        Ok(())
    }
}
