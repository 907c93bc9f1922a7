//! Generated types to ours, slowly and without bounds.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tta_telemetry::receive::SpanKind;
use tta_telemetry::{
    Attribute, Name, Received, Resource, Scope, Source, SpanEvent, SpanId, SpanLink, SpanRecord, SpanStatus,
    StatusCode, TraceId, Value,
};

fn name(text: &str) -> Name {
    Name::from(text.to_owned())
}

fn value(from: Option<&AnyValue>) -> Value {
    match from.and_then(|value| value.value.as_ref()) {
        None | Some(Any::StringValueStrindex(_)) => Value::Empty,
        Some(Any::StringValue(text)) => Value::Str(text.clone().into()),
        Some(Any::BoolValue(value)) => Value::Bool(*value),
        Some(Any::IntValue(value)) => Value::I64(*value),
        Some(Any::DoubleValue(value)) => Value::F64(*value),
        Some(Any::BytesValue(bytes)) => Value::Bytes(bytes.clone()),
        Some(Any::ArrayValue(list)) => Value::from_list(list.values.iter().map(|item| value(Some(item))).collect()),
        Some(Any::KvlistValue(list)) => Value::Map(attributes(&list.values)),
    }
}

fn attributes(from: &[KeyValue]) -> Vec<Attribute> {
    from.iter().map(|pair| Attribute { key: name(&pair.key), value: value(pair.value.as_ref()) }).collect()
}

pub(crate) fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    TraceId::new(u128::from_be_bytes(bytes.try_into().ok()?))
}

pub(crate) fn span_id(bytes: &[u8]) -> Option<SpanId> {
    SpanId::new(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// Whether a span is one that a receiver takes.
pub(crate) fn is_valid(span: &Span) -> bool {
    trace_id(&span.trace_id).is_some() && span_id(&span.span_id).is_some() && matches!(span.parent_span_id.len(), 0 | 8)
}

pub(crate) fn source(resource_spans: &ResourceSpans, scope_spans: &ScopeSpans) -> Arc<Source> {
    let resource = resource_spans.resource.clone().unwrap_or_default();
    let resource_attributes = attributes(&resource.attributes);
    let service = resource_attributes.iter().rev().find(|attribute| attribute.key == "service.name");
    let service = service.and_then(|attribute| attribute.value.as_str()).filter(|service| !service.is_empty());
    let scope = scope_spans.scope.clone().unwrap_or_default();
    Arc::new(Source {
        resource: Arc::new(Resource {
            service: name(service.unwrap_or("unknown_service")),
            attributes: resource_attributes,
            dropped_attributes: resource.dropped_attributes_count,
            schema_url: resource_spans.schema_url.clone(),
        }),
        scope: Scope {
            name: name(&scope.name),
            version: name(&scope.version),
            attributes: attributes(&scope.attributes),
            dropped_attributes: scope.dropped_attributes_count,
            schema_url: scope_spans.schema_url.clone(),
        },
    })
}

fn status_code(number: i32) -> StatusCode {
    [StatusCode::Unset, StatusCode::Ok, StatusCode::Error].get(number as usize).copied().unwrap_or_default()
}

pub(crate) fn record(span: &Span, source: &Arc<Source>) -> SpanRecord {
    let event = |event: &opentelemetry_proto::tonic::trace::v1::span::Event| SpanEvent {
        name: name(&event.name),
        unix_ns: event.time_unix_nano,
        attributes: attributes(&event.attributes),
        dropped_attributes: event.dropped_attributes_count,
    };
    let link = |link: &opentelemetry_proto::tonic::trace::v1::span::Link| {
        Some(SpanLink {
            trace_id: trace_id(&link.trace_id)?,
            span_id: span_id(&link.span_id)?,
            attributes: attributes(&link.attributes),
            dropped_attributes: link.dropped_attributes_count,
            trace_state: link.trace_state.clone(),
            flags: link.flags,
        })
    };
    let links: Vec<SpanLink> = span.links.iter().filter_map(link).collect();
    let status = span.status.clone().unwrap_or_default();
    let code = status_code(status.code);
    let kind = SpanKind::ALL.get(span.kind as usize).copied().unwrap_or_default();
    SpanRecord {
        parent_span_id: span_id(&span.parent_span_id),
        start_unix_ns: span.start_time_unix_nano,
        duration_ns: match span.start_time_unix_nano {
            0 => 0,
            start => span.end_time_unix_nano.saturating_sub(start),
        },
        status: if code == StatusCode::Error { SpanStatus::Error } else { SpanStatus::Ok },
        attributes: attributes(&span.attributes),
        events: span.events.iter().map(event).collect(),
        dropped_links: span.dropped_links_count.saturating_add((span.links.len() - links.len()) as u32),
        links,
        dropped_attributes: span.dropped_attributes_count,
        dropped_events: span.dropped_events_count,
        received: Some(Box::new(Received {
            source: Arc::clone(source),
            status_code: code,
            status_message: status.message,
            trace_state: span.trace_state.clone(),
            flags: span.flags,
        })),
        ..SpanRecord::new(span_id(&span.span_id).unwrap(), name(&span.name), name(kind.as_str()))
    }
}

/// All spans that are valid, and how many are not.
pub(crate) fn records(request: &ExportTraceServiceRequest) -> (Vec<(TraceId, SpanRecord)>, usize) {
    let (mut records, mut refused) = (Vec::new(), 0);
    for resource_spans in &request.resource_spans {
        for scope_spans in &resource_spans.scope_spans {
            let source = source(resource_spans, scope_spans);
            for span in &scope_spans.spans {
                if is_valid(span) {
                    records.push((trace_id(&span.trace_id).unwrap(), record(span, &source)));
                } else {
                    refused += 1;
                }
            }
        }
    }
    (records, refused)
}

/// The request as it is when it has gone through a receiver and out again: without what is no span or
/// no link, without empty scopes, and with each default in one form.
pub(crate) fn forwarded(mut request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    for resource_spans in &mut request.resource_spans {
        resource_spans.resource.get_or_insert_default();
        for scope_spans in &mut resource_spans.scope_spans {
            scope_spans.scope.get_or_insert_default();
            scope_spans.spans.retain(is_valid);
            scope_spans.spans.iter_mut().for_each(forward_span);
        }
        resource_spans.scope_spans.retain(|scope_spans| !scope_spans.spans.is_empty());
    }
    request.resource_spans.retain(|resource_spans| !resource_spans.scope_spans.is_empty());
    request
}

fn forward_span(span: &mut Span) {
    if span_id(&span.parent_span_id).is_none() {
        span.parent_span_id.clear();
    }
    if !(0..=5).contains(&span.kind) {
        span.kind = 0;
    }
    span.end_time_unix_nano = span.end_time_unix_nano.max(span.start_time_unix_nano);
    let before = span.links.len();
    span.links.retain(|link| trace_id(&link.trace_id).is_some() && span_id(&link.span_id).is_some());
    span.dropped_links_count = span.dropped_links_count.saturating_add((before - span.links.len()) as u32);
    if let Some(status) = &mut span.status {
        status.code = if (0..=2).contains(&status.code) { status.code } else { 0 };
        if status.code == 0 && status.message.is_empty() {
            span.status = None;
        }
    }
}
