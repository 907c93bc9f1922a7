//! What our own spans are in OpenTelemetry's terms.
//!
//! Owns kinds, status, flags and the attributes that stand for what OTLP has no field for. Does not own
//! what received spans are: they say so themselves.

use tta_telemetry::receive::SpanKind;
use tta_telemetry::{SpanRecord, SpanStatus, StatusCode, Trace, Value};

use super::values::{write_count, write_last_attributes, write_number, write_text, write_true};
use crate::wire::Writer;
use crate::wire::numbers::{span, status};

/// W3C's flag `sampled`: what is exported was kept.
const SAMPLED: u32 = 0x01;
/// It is known whether the parent lies in another process (`SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`) ...
const HAS_IS_REMOTE: u32 = 0x100;
/// ... and it does (`SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`).
const IS_REMOTE: u32 = 0x200;

/// Kinds of spans that are one side of a call, by what `tta-http` calls them; else what a library said
/// through `tracing`. All other steps happen inside a process.
pub(super) fn kind(from: &SpanRecord) -> SpanKind {
    match from.kind.as_str() {
        "http_server" => SpanKind::Server,
        "http_client" => SpanKind::Client,
        _ => match from.attribute("otel.kind").and_then(Value::as_str) {
            Some("server") => SpanKind::Server,
            Some("client") => SpanKind::Client,
            Some("producer") => SpanKind::Producer,
            Some("consumer") => SpanKind::Consumer,
            _ => SpanKind::Internal,
        },
    }
}

/// Of a trace's spans only the root can have its parent elsewhere.
pub(super) fn flags(trace: &Trace, from: &SpanRecord) -> u32 {
    let is_remote = from.span_id == trace.root_span_id && from.parent_span_id.is_some();
    SAMPLED | HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 }
}

/// A failure is no `exception` event as well: every step that an error passes through has its
/// `error.type` and message, which is what the conventions for recording errors ask for; the events
/// would tell the same error once for each of them, and are deprecated there. Those that a
/// library recorded itself are events of the span, and go out as they are.
pub(super) fn write_attributes(writer: &mut Writer<'_>, trace: &Trace, from: &SpanRecord) {
    let field = span::ATTRIBUTES;
    write_last_attributes(writer, field, &from.attributes);
    write_text(writer, field, "tta.kind", &from.kind);
    if from.status == SpanStatus::Cancelled {
        write_true(writer, field, "tta.cancelled");
    }
    if from.handled {
        write_true(writer, field, "tta.error.handled");
    }
    if from.truncated_attributes > 0 {
        write_count(writer, field, "tta.truncated_attributes", from.truncated_attributes);
    }
    if from.span_id == trace.root_span_id {
        write_decision(writer, trace);
    }
}

fn write_decision(writer: &mut Writer<'_>, trace: &Trace) {
    let field = span::ATTRIBUTES;
    write_text(writer, field, "sampling.reason", trace.decision.reason.as_str());
    write_number(writer, field, "sampling.rate", trace.decision.rate);
    write_text(writer, field, "sampling.sampler", trace.decision.sampler);
    // Left out where nobody knows it: 1 would be a claim.
    if let Some(count) = trace.adjusted_count {
        write_number(writer, field, "sampling.adjusted_count", count);
    }
}

/// Success is unset, not `OK`: that is for people who overrule what instrumentation found. A cancelled
/// step is unset too, since OpenTelemetry has no status for it: it was told to stop, by its
/// caller, a faster sibling or a timeout, and as an error it would count against a step that did
/// nothing wrong. `tta.cancelled` tells it from success.
pub(super) fn write_status(writer: &mut Writer<'_>, from: &SpanRecord) {
    if from.status != SpanStatus::Error {
        return;
    }
    let message = from.attribute("error.message").and_then(Value::as_str).unwrap_or_default();
    writer.message(span::STATUS, |writer| {
        writer.bytes(status::MESSAGE, message.as_bytes());
        writer.varint(status::CODE, StatusCode::Error as u64);
    });
}
