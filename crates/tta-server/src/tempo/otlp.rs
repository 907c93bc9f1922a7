//! Traces as OTLP in JSON: ids in hexadecimal, enumerations and 64-bit numbers as OTLP/JSON has
//! them (whole numbers of 64 bits are texts, bytes are base64).

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use tta_telemetry::receive::SpanKind;
use tta_telemetry::store::StoredTrace;
use tta_telemetry::{Attribute, Source, SpanRecord, StatusCode, Value};

use crate::api::views::span::{status_code, status_message};
use crate::api::views::value::{base64, double};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeSpans<'a> {
    scope: Scope<'a>,
    spans: Vec<Span<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Scope<'a> {
    name: &'a str,
    version: &'a str,
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    parent_span_id: String,
    flags: u32,
    name: &'a str,
    kind: usize,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: u32,
    events: Vec<Event<'a>>,
    dropped_events_count: u32,
    links: Vec<Link<'a>>,
    dropped_links_count: u32,
    status: Status<'a>,
}

#[derive(Serialize)]
struct Status<'a> {
    code: u8,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    time_unix_nano: String,
    name: &'a str,
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<'a> {
    trace_id: String,
    span_id: String,
    trace_state: &'a str,
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: u32,
    flags: u32,
}

#[derive(Serialize)]
pub(super) struct KeyValue<'a> {
    key: &'a str,
    value: AnyValue<'a>,
}

/// One of `stringValue`, `intValue`, ...; an empty object for nothing.
struct AnyValue<'a>(Cow<'a, Value>);

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Values<T> {
            values: T,
        }
        let of = |value| AnyValue(Cow::Borrowed(value));
        let mut map = serializer.serialize_map(None)?;
        match self.0.as_ref() {
            Value::Bool(value) => map.serialize_entry("boolValue", value)?,
            Value::I64(value) => map.serialize_entry("intValue", &value.to_string())?,
            Value::F64(value) if value.is_finite() => map.serialize_entry("doubleValue", value)?,
            Value::F64(value) => map.serialize_entry("doubleValue", double(*value))?,
            Value::Str(text) => map.serialize_entry("stringValue", text)?,
            Value::List(texts) => {
                let text = |text: &String| AnyValue(Cow::Owned(Value::Str(text.clone().into())));
                let values: Vec<AnyValue<'_>> = texts.iter().map(text).collect();
                map.serialize_entry("arrayValue", &Values { values })?;
            }
            Value::Bytes(bytes) => map.serialize_entry("bytesValue", &base64(bytes))?,
            Value::Array(values) => {
                let values: Vec<AnyValue<'_>> = values.iter().map(of).collect();
                map.serialize_entry("arrayValue", &Values { values })?;
            }
            Value::Map(entries) => map.serialize_entry("kvlistValue", &Values { values: key_values(entries) })?,
            Value::Empty => {}
        }
        map.end()
    }
}

pub(super) fn key_values(attributes: &[Attribute]) -> Vec<KeyValue<'_>> {
    attributes.iter().map(key_value).collect()
}

fn key_value(attribute: &Attribute) -> KeyValue<'_> {
    KeyValue { key: attribute.key.as_str(), value: AnyValue(Cow::Borrowed(&attribute.value)) }
}

fn text<'a>(key: &'static str, text: &'a str) -> KeyValue<'a> {
    KeyValue { key, value: AnyValue(Cow::Owned(Value::Str(text.to_owned().into()))) }
}

/// The trace, by who recorded its spans, in the order in which they are first met.
pub(super) fn resource_spans(trace: &StoredTrace) -> Vec<ResourceSpans<'_>> {
    let mut groups: Vec<(Option<&Arc<Source>>, Vec<Span<'_>>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let id = trace.trace_id.to_string();
    for span in trace.spans() {
        let source = span.received.as_deref().map(|received| &received.source);
        let place = *places.entry(source.map(Arc::as_ptr)).or_insert_with(|| {
            groups.push((source, Vec::new()));
            groups.len() - 1
        });
        groups.get_mut(place).into_iter().for_each(|(_, spans)| spans.push(Span::of(&id, span)));
    }
    let own_service = trace.own_service.as_str();
    groups.into_iter().map(|(source, spans)| group(own_service, source.map(Arc::as_ref), spans)).collect()
}

fn group<'a>(own_service: &'a str, source: Option<&'a Source>, spans: Vec<Span<'a>>) -> ResourceSpans<'a> {
    let Some(source) = source else {
        let scope = Scope { name: "tta", ..Scope::default() };
        return ResourceSpans {
            resource: Resource { attributes: vec![text("service.name", own_service)], dropped_attributes_count: 0 },
            scope_spans: [ScopeSpans { scope, spans, schema_url: "" }],
            schema_url: "",
        };
    };
    let scope = Scope {
        name: source.scope.name.as_str(),
        version: source.scope.version.as_str(),
        attributes: key_values(&source.scope.attributes),
        dropped_attributes_count: source.scope.dropped_attributes,
    };
    ResourceSpans {
        resource: Resource {
            attributes: key_values(&source.resource.attributes),
            dropped_attributes_count: source.resource.dropped_attributes,
        },
        scope_spans: [ScopeSpans { scope, spans, schema_url: &source.scope.schema_url }],
        schema_url: &source.resource.schema_url,
    }
}

impl<'a> Span<'a> {
    fn of(trace_id: &str, span: &'a SpanRecord) -> Self {
        let received = span.received.as_deref();
        let mut attributes = key_values(&span.attributes);
        if received.is_none() {
            // OpenTelemetry has no kind for it.
            attributes.push(text("tta.kind", span.kind.as_str()));
        }
        let known = SpanKind::ALL.iter().position(|kind| kind.as_str() == span.kind.as_str());
        let event = |event: &'a tta_telemetry::SpanEvent| Event {
            time_unix_nano: event.unix_ns.to_string(),
            name: event.name.as_str(),
            attributes: key_values(&event.attributes),
            dropped_attributes_count: event.dropped_attributes,
        };
        let link = |link: &'a tta_telemetry::SpanLink| Link {
            trace_id: link.trace_id.to_string(),
            span_id: link.span_id.to_string(),
            trace_state: &link.trace_state,
            attributes: key_values(&link.attributes),
            dropped_attributes_count: link.dropped_attributes,
            flags: link.flags,
        };
        let code = match status_code(span) {
            StatusCode::Unset => 0,
            StatusCode::Ok => 1,
            StatusCode::Error => 2,
        };
        Self {
            trace_id: trace_id.to_owned(),
            span_id: span.span_id.to_string(),
            trace_state: received.map_or("", |received| &received.trace_state),
            parent_span_id: span.parent_span_id.map(|parent| parent.to_string()).unwrap_or_default(),
            flags: received.map_or(1, |received| received.flags),
            name: span.name.as_str(),
            kind: received.and(known).unwrap_or(1),
            start_time_unix_nano: span.start_unix_ns.to_string(),
            end_time_unix_nano: span.end_unix_ns().to_string(),
            attributes,
            dropped_attributes_count: span.dropped_attributes,
            events: span.events.iter().map(event).collect(),
            dropped_events_count: span.dropped_events,
            links: span.links.iter().map(link).collect(),
            dropped_links_count: span.dropped_links,
            status: Status { code, message: status_message(span) },
        }
    }
}
