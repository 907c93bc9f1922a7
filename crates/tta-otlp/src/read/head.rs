//! What is known of a span before it is decoded, and whether its bytes are in order.
//!
//! Owns one pass over a span, without allocation. What it lets through, the codec decodes.

use std::fmt;

use tta_telemetry::propagation::TraceState;
use tta_telemetry::receive::{SpanHead, SpanKind};
use tta_telemetry::{SpanId, StatusCode, TraceId, Usd};

use super::values::{Plain, check_key_value};
use crate::OtlpLimits;
use crate::limits::cut;
use crate::wire::numbers::{event, link, span, status};
use crate::wire::{Field, Fields, WireError};

/// Why a span is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    /// An id that has not so many bytes, or is all zero.
    Id { field: &'static str, given: usize, expected: usize },
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Invalid::Id { field, given, expected } = *self;
        if given == expected {
            write!(f, "{field} is all zero: expected {expected} bytes, not all zero")
        } else {
            write!(f, "{field} has {given} bytes: expected {expected}, not all zero")
        }
    }
}

pub(super) fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    TraceId::new(u128::from_be_bytes(bytes.try_into().ok()?))
}

pub(super) fn span_id(bytes: &[u8]) -> Option<SpanId> {
    SpanId::new(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// A root has no parent, which some senders write as zeros; `Err` when it is neither an id nor none.
pub(super) fn parent_id(bytes: &[u8]) -> Result<Option<SpanId>, Invalid> {
    match bytes.len() {
        0 => Ok(None),
        8 => Ok(span_id(bytes)),
        given => Err(Invalid::Id { field: "parent_span_id", given, expected: 8 }),
    }
}

/// The kind of a number; those that OTLP may have one day say nothing today.
pub(super) fn kind(number: u64) -> SpanKind {
    // An enumeration is 32 bits wide, whatever was written.
    SpanKind::ALL.get(number as u32 as usize).copied().unwrap_or_default()
}

/// The status code of a number.
pub(super) fn status_code(number: u64) -> StatusCode {
    match number as u32 {
        1 => StatusCode::Ok,
        2 => StatusCode::Error,
        _ => StatusCode::Unset,
    }
}

/// How long a span took: 0 where that is not known, because its start is 0, which says that nobody knows, or
/// lies behind its end.
pub(super) fn duration_ns(start_unix_ns: u64, end_unix_ns: u64) -> u64 {
    if start_unix_ns == 0 { 0 } else { end_unix_ns.saturating_sub(start_unix_ns) }
}

/// A `tracestate` as it is kept: longer than the specification lets anybody pass on, it is none.
pub(super) fn trace_state(text: &str) -> &str {
    if text.len() > TraceState::MAX_BYTES { "" } else { text }
}

/// What the attributes say that a span cost, in dollars.
#[derive(Clone, Copy, Default)]
struct Cost {
    own: Option<f64>,
    gen_ai: Option<f64>,
    in_other_currency: bool,
    llm: Option<f64>,
}

impl Cost {
    /// Our own convention first, then OpenTelemetry's, then `OpenInference`'s. What is no amount counts
    /// as none.
    fn amount(self) -> Option<Usd> {
        let gen_ai = self.gen_ai.filter(|_| !self.in_other_currency);
        self.own.or(gen_ai).or(self.llm).and_then(|dollars| Usd::from_dollars(dollars).ok())
    }
}

/// Checks every byte of a span, and finds its head.
///
/// The outer error is that of the whole request, the inner one of this span.
pub(super) fn check<'a>(bytes: &'a [u8], limits: &OtlpLimits) -> Result<Result<SpanHead<'a>, Invalid>, WireError> {
    let mut found = Found::default();
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        match field.number {
            span::TRACE_ID => found.trace_id = field.bytes()?,
            span::SPAN_ID => found.span_id = field.bytes()?,
            span::TRACE_STATE => found.trace_state = field.text()?,
            span::PARENT_SPAN_ID => found.parent_span_id = field.bytes()?,
            span::NAME => found.name = field.text()?,
            span::KIND => found.kind = kind(field.varint()?),
            span::START_TIME_UNIX_NANO => found.start_unix_ns = field.fixed64()?,
            span::END_TIME_UNIX_NANO => found.end_unix_ns = field.fixed64()?,
            span::ATTRIBUTES => found.attribute(field, limits)?,
            span::DROPPED_ATTRIBUTES_COUNT | span::DROPPED_EVENTS_COUNT | span::DROPPED_LINKS_COUNT => {
                field.varint()?;
            }
            span::EVENTS => check_event(field.message()?, limits)?,
            span::LINKS => check_link(field.message()?, limits)?,
            span::STATUS => found.status(field.message()?)?,
            span::FLAGS => {
                field.fixed32()?;
            }
            _ => {}
        }
    }
    Ok(found.head(limits))
}

#[derive(Default)]
struct Found<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    name: &'a str,
    trace_state: &'a str,
    error_type: &'a str,
    kind: SpanKind,
    start_unix_ns: u64,
    end_unix_ns: u64,
    status: StatusCode,
    cost: Cost,
}

impl<'a> Found<'a> {
    #[inline]
    fn attribute(&mut self, field: Field<'a>, limits: &OtlpLimits) -> Result<(), WireError> {
        let (key, value) = check_key_value(field.message()?, limits.value_depth)?;
        // The last one of a key wins, as everywhere.
        match key {
            "error.type" => self.error_type = value.text().unwrap_or_default(),
            "cost.usd" => self.cost.own = value.number(),
            "gen_ai.usage.cost.amount" => self.cost.gen_ai = value.number(),
            "gen_ai.usage.cost.currency" => {
                self.cost.in_other_currency = !matches!(value, Plain::Text(text) if text.eq_ignore_ascii_case("usd"));
            }
            "llm.cost.total" => self.cost.llm = value.number(),
            _ => {}
        }
        Ok(())
    }

    fn status(&mut self, mut fields: Fields<'a>) -> Result<(), WireError> {
        while let Some(field) = fields.next()? {
            match field.number {
                status::MESSAGE => {
                    field.text()?;
                }
                status::CODE => self.status = status_code(field.varint()?),
                _ => {}
            }
        }
        Ok(())
    }

    fn head(self, limits: &OtlpLimits) -> Result<SpanHead<'a>, Invalid> {
        let id = |field, bytes: &[u8], expected| Invalid::Id { field, given: bytes.len(), expected };
        Ok(SpanHead {
            trace_id: trace_id(self.trace_id).ok_or_else(|| id("trace_id", self.trace_id, 16))?,
            span_id: span_id(self.span_id).ok_or_else(|| id("span_id", self.span_id, 8))?,
            parent_span_id: parent_id(self.parent_span_id)?,
            name: cut(self.name, limits.attribute_bytes),
            kind: self.kind,
            start_unix_ns: self.start_unix_ns,
            duration_ns: duration_ns(self.start_unix_ns, self.end_unix_ns),
            status: self.status,
            error_type: cut(self.error_type, limits.attribute_bytes),
            trace_state: trace_state(self.trace_state),
            cost: self.cost.amount(),
        })
    }
}

fn check_event(mut fields: Fields<'_>, limits: &OtlpLimits) -> Result<(), WireError> {
    while let Some(field) = fields.next()? {
        match field.number {
            event::TIME_UNIX_NANO => drop(field.fixed64()?),
            event::NAME => drop(field.text()?),
            event::ATTRIBUTES => drop(check_key_value(field.message()?, limits.value_depth)?),
            event::DROPPED_ATTRIBUTES_COUNT => drop(field.varint()?),
            _ => {}
        }
    }
    Ok(())
}

fn check_link(mut fields: Fields<'_>, limits: &OtlpLimits) -> Result<(), WireError> {
    while let Some(field) = fields.next()? {
        match field.number {
            link::TRACE_ID | link::SPAN_ID => drop(field.bytes()?),
            link::TRACE_STATE => drop(field.text()?),
            link::ATTRIBUTES => drop(check_key_value(field.message()?, limits.value_depth)?),
            link::DROPPED_ATTRIBUTES_COUNT => drop(field.varint()?),
            link::FLAGS => drop(field.fixed32()?),
            _ => {}
        }
    }
    Ok(())
}
