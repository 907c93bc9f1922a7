//! Traces in Jaeger's JSON, mapped as OpenTelemetry's specification says ("OpenTelemetry to Jaeger
//! transformation").

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tta_telemetry::store::StoredTrace;
use tta_telemetry::{Attribute, Received, Resource, Source, SpanRecord, StatusCode, Value};

use crate::api::views::span::{status_code, status_message};
use crate::api::views::value::{AnyValue, base64, double};

/// Processes that one is compared with before it is a new one.
const COMPARED: usize = 16;
/// The largest whole number that every reader of JSON keeps.
const EXACT: u64 = (1 << 53) - 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trace<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    spans: Vec<Span<'a>>,
    processes: BTreeMap<String, Process<'a>>,
    warnings: Option<Vec<&'static str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    flags: u32,
    operation_name: &'a str,
    references: Vec<Reference>,
    /// In microseconds since 1970.
    start_time: u64,
    /// In microseconds.
    duration: u64,
    tags: Vec<Tag<'a>>,
    logs: Vec<Log<'a>>,
    #[serde(rename = "processID")]
    process_id: String,
    warnings: Option<Vec<&'static str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: &'static str,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Serialize)]
struct Tag<'a> {
    key: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    value: TagValue<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum TagValue<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
}

#[derive(Serialize)]
struct Log<'a> {
    /// In microseconds since 1970.
    timestamp: u64,
    fields: Vec<Tag<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Process<'a> {
    service_name: &'a str,
    tags: Vec<Tag<'a>>,
}

impl<'a> Trace<'a> {
    pub(super) fn of(trace: &'a StoredTrace) -> Self {
        let mut processes = Processes { own_service: trace.own_service.as_str(), known: Vec::new() };
        let spans = trace.spans();
        let id = trace.trace_id.to_string();
        let spans = spans.into_iter().map(|span| Span::of(&id, span, &mut processes)).collect();
        let warnings = trace.is_incomplete().then(|| vec!["the trace was decided about before its end"]);
        Self { trace_id: id, spans, processes: processes.finish(), warnings }
    }
}

/// Processes of one trace; `None` is our own.
struct Processes<'a> {
    own_service: &'a str,
    known: Vec<Option<&'a Arc<Resource>>>,
}

impl<'a> Processes<'a> {
    fn id(&mut self, received: Option<&'a Received>) -> String {
        let wanted = received.map(|received| &received.source.resource);
        let is_same = |known: &Option<&Arc<Resource>>| match (known, wanted) {
            (Some(known), Some(wanted)) => Arc::ptr_eq(known, wanted) || known.as_ref() == wanted.as_ref(),
            (None, None) => true,
            _ => false,
        };
        let near = self.known.iter().enumerate().rev().take(COMPARED).find(|(_, known)| is_same(known));
        let place = match near {
            Some((place, _)) => place,
            None => {
                self.known.push(wanted);
                self.known.len() - 1
            }
        };
        format!("p{}", place + 1)
    }

    fn finish(self) -> BTreeMap<String, Process<'a>> {
        let process = |resource: Option<&'a Arc<Resource>>| match resource {
            None => Process { service_name: self.own_service, tags: Vec::new() },
            Some(resource) => {
                let others = resource.attributes.iter().filter(|attribute| attribute.key != *"service.name");
                Process { service_name: resource.service.as_str(), tags: others.map(tag).collect() }
            }
        };
        self.known.iter().enumerate().map(|(place, known)| (format!("p{}", place + 1), process(*known))).collect()
    }
}

impl<'a> Span<'a> {
    fn of(trace_id: &str, span: &'a SpanRecord, processes: &mut Processes<'a>) -> Self {
        let parent = span.parent_span_id.map(|parent| Reference {
            ref_type: "CHILD_OF",
            trace_id: trace_id.to_owned(),
            span_id: parent.to_string(),
        });
        let links = span.links.iter().map(|link| Reference {
            ref_type: "FOLLOWS_FROM",
            trace_id: link.trace_id.to_string(),
            span_id: link.span_id.to_string(),
        });
        let received = span.received.as_deref();
        let logs = span.events.iter().map(|event| Log {
            timestamp: event.unix_ns / 1_000,
            fields: std::iter::once(text_tag("event", event.name.as_str()))
                .chain(event.attributes.iter().map(tag))
                .collect(),
        });
        let is_cut = span.dropped_attributes + span.dropped_events + span.dropped_links + span.truncated_attributes > 0;
        Self {
            trace_id: trace_id.to_owned(),
            span_id: span.span_id.to_string(),
            flags: received.map_or(1, |received| received.flags & 0xff),
            operation_name: span.name.as_str(),
            references: parent.into_iter().chain(links).collect(),
            start_time: span.start_unix_ns / 1_000,
            duration: span.duration_ns / 1_000,
            tags: tags(span, received),
            logs: logs.collect(),
            process_id: processes.id(received),
            warnings: is_cut.then(|| vec!["attributes, events or links of the span were dropped or cut"]),
        }
    }
}

fn tags<'a>(span: &'a SpanRecord, received: Option<&'a Received>) -> Vec<Tag<'a>> {
    let mut tags: Vec<Tag<'a>> = span.attributes.iter().map(tag).collect();
    let kind = span_kind(span.kind.as_str());
    if !kind.is_empty() {
        tags.push(text_tag("span.kind", kind));
    }
    if received.is_none() {
        tags.push(text_tag("tta.kind", span.kind.as_str()));
    }
    match status_code(span) {
        StatusCode::Unset => {}
        StatusCode::Ok => tags.push(text_tag("otel.status_code", "OK")),
        StatusCode::Error => {
            tags.push(text_tag("otel.status_code", "ERROR"));
            tags.push(Tag { key: "error".into(), kind: "bool", value: TagValue::Bool(true) });
        }
    }
    let source: Option<&Source> = received.map(|received| received.source.as_ref());
    let named = [
        ("otel.status_description", status_message(span)),
        ("otel.scope.name", source.map_or("", |source| source.scope.name.as_str())),
        ("otel.scope.version", source.map_or("", |source| source.scope.version.as_str())),
        ("w3c.tracestate", received.map_or("", |received| &received.trace_state)),
    ];
    tags.extend(named.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| text_tag(key, text)));
    tags
}

/// Jaeger's word for a kind; none for one that says nothing. Primitives are work inside a process.
pub(super) fn span_kind(kind: &str) -> &str {
    match kind {
        "server" | "client" | "producer" | "consumer" => kind,
        "unspecified" => "",
        _ => "internal",
    }
}

fn text_tag<'a>(key: &'static str, text: &'a str) -> Tag<'a> {
    Tag { key: key.into(), kind: "string", value: TagValue::Text(text.into()) }
}

/// Jaeger has texts, truth values, numbers and bytes; others are JSON in a text.
fn tag(attribute: &Attribute) -> Tag<'_> {
    let (kind, value) = match &attribute.value {
        Value::Bool(value) => ("bool", TagValue::Bool(*value)),
        Value::I64(value) if value.unsigned_abs() <= EXACT => ("int64", TagValue::Int(*value)),
        Value::I64(value) => ("int64", TagValue::Text(value.to_string().into())),
        Value::F64(value) if value.is_finite() => ("float64", TagValue::Double(*value)),
        Value::F64(value) => ("string", TagValue::Text(double(*value).into())),
        Value::Str(text) => ("string", TagValue::Text(text.as_ref().into())),
        Value::Bytes(bytes) => ("binary", TagValue::Text(base64(bytes).into())),
        Value::Empty => ("string", TagValue::Text("".into())),
        other => {
            let text = serde_json::to_string(&AnyValue(other)).unwrap_or_default();
            ("string", TagValue::Text(text.into()))
        }
    };
    Tag { key: attribute.key.as_str().into(), kind, value }
}
