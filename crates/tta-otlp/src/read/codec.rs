//! One span's bytes to a record.
//!
//! Owns the mapping from OTLP's span to ours. Does not own attribute values.

use std::sync::Arc;

use tta_telemetry::receive::{SpanCodec, SpanKind};
use tta_telemetry::{Name, Received, Source, SpanEvent, SpanLink, SpanRecord, SpanStatus, StatusCode};

use super::head::{duration_ns, kind, parent_id, span_id, status_code, trace_id, trace_state};
use super::values::Values;
use crate::OtlpLimits;
use crate::wire::numbers::{event, link, span, status};
use crate::wire::{Fields, WireError};

/// Decodes spans that [`decode_protobuf`](crate::decode_protobuf) or
/// [`decode_json`](crate::decode_json) gave away, within bounds.
///
/// The record's kind is the span's kind in OTLP. Its status is an error where the status code says so,
/// else it is ok. What the bounds leave out is added to what the sender had lost already.
#[derive(Clone, Debug, Default)]
pub struct OtlpCodec {
    limits: OtlpLimits,
}

impl OtlpCodec {
    /// A codec with these bounds: those that the request was read with, or its spans' names differ
    /// from those in their heads.
    #[must_use]
    pub const fn new(limits: OtlpLimits) -> Self {
        Self { limits }
    }
}

impl SpanCodec for OtlpCodec {
    fn decode(&self, source: &Arc<Source>, bytes: &[u8]) -> Option<SpanRecord> {
        Decoding::new(&self.limits).span(source, bytes).ok().flatten()
    }
}

/// How many fields there are with this number: cheaper to count than to grow for.
fn count(mut fields: Fields<'_>, number: u32) -> Result<usize, WireError> {
    let mut count = 0;
    while let Some(field) = fields.next()? {
        count += usize::from(field.number == number);
    }
    Ok(count)
}

/// A span in the making.
struct Decoding<'a, 'l> {
    limits: &'l OtlpLimits,
    values: Values<'l>,
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    name: &'a str,
    kind: SpanKind,
    start_unix_ns: u64,
    end_unix_ns: u64,
    attributes: Vec<tta_telemetry::Attribute>,
    events: Vec<SpanEvent>,
    links: Vec<SpanLink>,
    /// Lost here, beside what the sender says.
    dropped: Dropped,
    said: Dropped,
    status_code: StatusCode,
    status_message: &'a str,
    trace_state: &'a str,
    flags: u32,
}

#[derive(Default)]
struct Dropped {
    attributes: u32,
    events: u32,
    links: u32,
}

impl<'a, 'l> Decoding<'a, 'l> {
    fn new(limits: &'l OtlpLimits) -> Self {
        Self {
            limits,
            values: Values::new(limits),
            span_id: &[],
            parent_span_id: &[],
            name: "",
            kind: SpanKind::default(),
            start_unix_ns: 0,
            end_unix_ns: 0,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            dropped: Dropped::default(),
            said: Dropped::default(),
            status_code: StatusCode::default(),
            status_message: "",
            trace_state: "",
            flags: 0,
        }
    }

    fn span(mut self, source: &Arc<Source>, bytes: &'a [u8]) -> Result<Option<SpanRecord>, WireError> {
        let mut fields = Fields::new(bytes);
        self.attributes.reserve_exact(count(fields, span::ATTRIBUTES)?.min(self.limits.attributes_per_span));
        while let Some(field) = fields.next()? {
            match field.number {
                span::SPAN_ID => self.span_id = field.bytes()?,
                span::TRACE_STATE => self.trace_state = field.text()?,
                span::PARENT_SPAN_ID => self.parent_span_id = field.bytes()?,
                span::NAME => self.name = field.text()?,
                span::KIND => self.kind = kind(field.varint()?),
                span::START_TIME_UNIX_NANO => self.start_unix_ns = field.fixed64()?,
                span::END_TIME_UNIX_NANO => self.end_unix_ns = field.fixed64()?,
                span::ATTRIBUTES => {
                    self.values.attribute(field.message()?, &mut self.attributes, &mut self.dropped.attributes)?;
                }
                span::DROPPED_ATTRIBUTES_COUNT => self.said.attributes = field.varint()? as u32,
                span::EVENTS => self.event(field.message()?)?,
                span::DROPPED_EVENTS_COUNT => self.said.events = field.varint()? as u32,
                span::LINKS => self.link(field.message()?)?,
                span::DROPPED_LINKS_COUNT => self.said.links = field.varint()? as u32,
                span::STATUS => self.status(field.message()?)?,
                span::FLAGS => self.flags = field.fixed32()?,
                _ => {}
            }
        }
        Ok(self.finish(source))
    }

    fn status(&mut self, mut fields: Fields<'a>) -> Result<(), WireError> {
        while let Some(field) = fields.next()? {
            match field.number {
                status::MESSAGE => self.status_message = field.text()?,
                status::CODE => self.status_code = status_code(field.varint()?),
                _ => {}
            }
        }
        Ok(())
    }

    fn event(&mut self, mut fields: Fields<'a>) -> Result<(), WireError> {
        if self.events.len() >= self.limits.events_per_span {
            self.dropped.events = self.dropped.events.saturating_add(1);
            return Ok(());
        }
        let (mut name, mut unix_ns, mut said, mut dropped) = ("", 0, 0, 0);
        let mut attributes = Vec::new();
        while let Some(field) = fields.next()? {
            match field.number {
                event::TIME_UNIX_NANO => unix_ns = field.fixed64()?,
                event::NAME => name = field.text()?,
                event::ATTRIBUTES => self.values.attribute(field.message()?, &mut attributes, &mut dropped)?,
                event::DROPPED_ATTRIBUTES_COUNT => said = field.varint()? as u32,
                _ => {}
            }
        }
        let name = self.values.name(name);
        self.events.push(SpanEvent { name, unix_ns, attributes, dropped_attributes: dropped.saturating_add(said) });
        Ok(())
    }

    /// A link to nothing is no link: one without valid ids counts as dropped.
    fn link(&mut self, mut fields: Fields<'a>) -> Result<(), WireError> {
        let (mut trace, mut span, mut state, mut flags, mut said, mut dropped) = (None, None, "", 0, 0, 0);
        let mut attributes = Vec::new();
        while let Some(field) = fields.next()? {
            match field.number {
                link::TRACE_ID => trace = trace_id(field.bytes()?),
                link::SPAN_ID => span = span_id(field.bytes()?),
                link::TRACE_STATE => state = field.text()?,
                link::ATTRIBUTES if self.links.len() < self.limits.links_per_span => {
                    self.values.attribute(field.message()?, &mut attributes, &mut dropped)?;
                }
                link::DROPPED_ATTRIBUTES_COUNT => said = field.varint()? as u32,
                link::FLAGS => flags = field.fixed32()?,
                _ => {}
            }
        }
        match (trace, span) {
            (Some(trace_id), Some(span_id)) if self.links.len() < self.limits.links_per_span => {
                let trace_state = trace_state(state).to_owned();
                let dropped_attributes = dropped.saturating_add(said);
                self.links.push(SpanLink { trace_id, span_id, attributes, dropped_attributes, trace_state, flags });
            }
            _ => self.dropped.links = self.dropped.links.saturating_add(1),
        }
        Ok(())
    }

    fn finish(mut self, source: &Arc<Source>) -> Option<SpanRecord> {
        let name = self.values.name(self.name);
        let status_message = self.values.text(self.status_message).to_owned();
        let received = Received {
            source: Arc::clone(source),
            status_code: self.status_code,
            status_message,
            trace_state: trace_state(self.trace_state).to_owned(),
            flags: self.flags,
        };
        let is_error = self.status_code == StatusCode::Error;
        Some(SpanRecord {
            span_id: span_id(self.span_id)?,
            parent_span_id: parent_id(self.parent_span_id).ok()?,
            name,
            kind: Name::from_static(self.kind.as_str()),
            start_unix_ns: self.start_unix_ns,
            duration_ns: duration_ns(self.start_unix_ns, self.end_unix_ns),
            status: if is_error { SpanStatus::Error } else { SpanStatus::Ok },
            handled: false,
            attributes: self.attributes,
            events: self.events,
            links: self.links,
            dropped_attributes: self.said.attributes.saturating_add(self.dropped.attributes),
            truncated_attributes: self.values.truncated,
            dropped_events: self.said.events.saturating_add(self.dropped.events),
            dropped_links: self.said.links.saturating_add(self.dropped.links),
            received: Some(Box::new(received)),
        })
    }
}
