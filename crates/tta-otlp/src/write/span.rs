//! One span on the way out.
//!
//! Owns the fields that all spans have, and those of received ones. Does not own what is said of our own
//! beyond that ([`own`](super::own)).

use tta_telemetry::propagation::TraceState;
use tta_telemetry::receive::SpanKind;
use tta_telemetry::sampling::{OtelState, Threshold};
use tta_telemetry::{Received, SpanEvent, SpanLink, SpanRecord, StatusCode, Trace};

use super::own;
use super::values::write_attributes;
use crate::wire::Writer;
use crate::wire::numbers::{event, link, span, status};

/// How much smaller a probability has to be to count as another: thresholds are rounded to 1 in 8,000.
const ROUNDING: f64 = 1.001;

/// The threshold of a trace as text, made once for spans that follow each other.
#[derive(Default)]
pub(super) struct StateOf {
    adjusted_count: Option<f64>,
    text: String,
}

impl StateOf {
    /// The `tracestate` of our own spans: how many traces this one stands for, where that is known.
    pub(super) fn of(&mut self, trace: &Trace) -> &str {
        if trace.adjusted_count != self.adjusted_count {
            self.adjusted_count = trace.adjusted_count;
            self.text.clear();
            if let Some(threshold) = trace.adjusted_count.and_then(threshold) {
                self.text.push_str("ot=th:");
                self.text.push_str(&threshold.to_string());
            }
        }
        &self.text
    }
}

/// The threshold of traces of which one stands for so many; `None` for a count below 1.
fn threshold(adjusted_count: f64) -> Option<Threshold> {
    Threshold::from_probability(1.0 / adjusted_count).ok()
}

pub(super) fn write(writer: &mut Writer<'_>, trace: &Trace, from: &SpanRecord, state: &mut StateOf) {
    writer.bytes(span::TRACE_ID, &trace.trace_id.get().to_be_bytes());
    writer.bytes(span::SPAN_ID, &from.span_id.get().to_be_bytes());
    match &from.received {
        Some(received) => match raised(&received.trace_state, trace.adjusted_count) {
            Some(state) => writer.bytes(span::TRACE_STATE, state.as_str().as_bytes()),
            None => writer.bytes(span::TRACE_STATE, received.trace_state.as_bytes()),
        },
        None => writer.bytes(span::TRACE_STATE, state.of(trace).as_bytes()),
    }
    if let Some(parent) = from.parent_span_id {
        writer.bytes(span::PARENT_SPAN_ID, &parent.get().to_be_bytes());
    }
    writer.bytes(span::NAME, from.name.as_bytes());
    let is_received = from.received.is_some();
    let kind = if is_received { received_kind(&from.kind) } else { own::kind(from) };
    writer.varint(span::KIND, kind as u64);
    writer.fixed64(span::START_TIME_UNIX_NANO, from.start_unix_ns);
    writer.fixed64(span::END_TIME_UNIX_NANO, from.end_unix_ns());
    if is_received {
        write_attributes(writer, span::ATTRIBUTES, &from.attributes);
    } else {
        own::write_attributes(writer, trace, from);
    }
    writer.varint(span::DROPPED_ATTRIBUTES_COUNT, from.dropped_attributes.into());
    for event in &from.events {
        writer.message(span::EVENTS, |writer| write_event(writer, event));
    }
    writer.varint(span::DROPPED_EVENTS_COUNT, from.dropped_events.into());
    for link in &from.links {
        writer.message(span::LINKS, |writer| write_link(writer, link));
    }
    writer.varint(span::DROPPED_LINKS_COUNT, from.dropped_links.into());
    match from.received.as_deref() {
        Some(received) => {
            write_status(writer, received);
            writer.fixed32(span::FLAGS, received.flags);
        }
        None => {
            own::write_status(writer, from);
            writer.fixed32(span::FLAGS, own::flags(trace, from));
        }
    }
}

/// A received `tracestate` with the threshold that this process applied beyond what it says, if it
/// did: else those who count spans behind us would count too few (OpenTelemetry, TraceState:
/// Probability Sampling). A trace whose weight nobody knows is left as it came.
fn raised(received: &str, adjusted_count: Option<f64>) -> Option<TraceState> {
    let count = adjusted_count.filter(|count| *count > ROUNDING)?;
    let state = TraceState::parse([received.as_bytes()]);
    let said = OtelState::read(&state);
    let before = said.threshold().map_or(1.0, Threshold::adjusted_count);
    (count > before * ROUNDING).then(|| said.with_threshold(threshold(count)).write(&state))
}

fn received_kind(kind: &str) -> SpanKind {
    SpanKind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap_or_default()
}

fn write_event(writer: &mut Writer<'_>, from: &SpanEvent) {
    writer.fixed64(event::TIME_UNIX_NANO, from.unix_ns);
    writer.bytes(event::NAME, from.name.as_bytes());
    write_attributes(writer, event::ATTRIBUTES, &from.attributes);
    writer.varint(event::DROPPED_ATTRIBUTES_COUNT, from.dropped_attributes.into());
}

fn write_link(writer: &mut Writer<'_>, from: &SpanLink) {
    writer.bytes(link::TRACE_ID, &from.trace_id.get().to_be_bytes());
    writer.bytes(link::SPAN_ID, &from.span_id.get().to_be_bytes());
    writer.bytes(link::TRACE_STATE, from.trace_state.as_bytes());
    write_attributes(writer, link::ATTRIBUTES, &from.attributes);
    writer.varint(link::DROPPED_ATTRIBUTES_COUNT, from.dropped_attributes.into());
    writer.fixed32(link::FLAGS, from.flags);
}

fn write_status(writer: &mut Writer<'_>, received: &Received) {
    if received.status_code == StatusCode::Unset && received.status_message.is_empty() {
        return;
    }
    writer.message(span::STATUS, |writer| {
        writer.bytes(status::MESSAGE, received.status_message.as_bytes());
        writer.varint(status::CODE, received.status_code as u64);
    });
}
