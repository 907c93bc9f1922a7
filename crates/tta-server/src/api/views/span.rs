//! A span as JSON: all that was recorded or sent of it.

use serde::Serialize;
use tta_telemetry::store::StoredTrace;
use tta_telemetry::{
    Attribute, Received, SpanEvent, SpanId, SpanLink, SpanRecord, SpanStatus, StatusCode, TraceId, Value,
};
use utoipa::ToSchema;

use super::super::time::iso;
use super::value::Attributes;

/// One span. Attributes are JSON's own types where JSON has them; else objects with one key: `$bytes`
/// (base64), `$int` (beyond 2^53), `$double` (`NaN`, `Infinity`, `-Infinity`), `$map` (a map whose first key begins
/// with `$`).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Span<'a> {
    /// 16 hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    span_id: String,
    /// The span it ran under; null for the root of the trace.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    parent_span_id: Option<String>,
    name: &'a str,
    /// The service that recorded it.
    service: &'a str,
    /// The kind of primitive (`sequential`, `lambda`, ...), or of a received span its OpenTelemetry kind
    /// (`internal`, `server`, `client`, `producer`, `consumer`, `unspecified`).
    kind: &'a str,
    /// Nanoseconds since 1970, as text: they have more digits than a double.
    #[schema(pattern = "^[0-9]+$")]
    start_unix_ns: String,
    #[schema(format = DateTime)]
    start_time: String,
    duration_ns: u64,
    status: Status<'a>,
    #[schema(value_type = Object)]
    attributes: Attributes<'a>,
    events: Vec<Event<'a>>,
    links: Vec<Link<'a>>,
    resource: Resource<'a>,
    scope: Option<Scope<'a>>,
    /// The W3C `tracestate` that a received span came with; empty for none.
    trace_state: &'a str,
    /// The W3C flags that a received span came with, and above them OpenTelemetry's.
    flags: Option<u32>,
    /// An error that a retry, a fallback or a join stopped from failing the run.
    handled: bool,
    dropped: SpanDropped,
}

/// How a span ended.
#[derive(Debug, Serialize, ToSchema)]
struct Status<'a> {
    /// `ok`, `error` or `cancelled`.
    outcome: &'static str,
    /// OpenTelemetry's: `unset`, `ok` or `error`. Of a received span as it came.
    code: &'static str,
    /// What a received span says of its failure, or `error.message` of our own; empty for nothing.
    message: &'a str,
}

/// What a span has lost.
#[derive(Debug, Serialize, ToSchema)]
struct SpanDropped {
    attributes: u32,
    /// Values that were cut.
    truncated_attributes: u32,
    events: u32,
    links: u32,
}

/// Something that happened at one instant inside a span.
#[derive(Debug, Serialize, ToSchema)]
struct Event<'a> {
    name: &'a str,
    /// Nanoseconds since 1970, as text.
    unix_ns: String,
    #[schema(format = DateTime)]
    time: String,
    #[schema(value_type = Object)]
    attributes: Attributes<'a>,
    dropped_attributes: u32,
}

/// A span that this one has to do with.
#[derive(Debug, Serialize, ToSchema)]
struct Link<'a> {
    trace_id: String,
    span_id: String,
    #[schema(value_type = Object)]
    attributes: Attributes<'a>,
    dropped_attributes: u32,
    trace_state: &'a str,
    flags: u32,
}

/// The process that recorded a span.
#[derive(Debug, Serialize, ToSchema)]
struct Resource<'a> {
    #[schema(value_type = Object)]
    attributes: ResourceAttributes<'a>,
    dropped_attributes: u32,
    schema_url: &'a str,
}

/// The library that recorded a span.
#[derive(Debug, Serialize, ToSchema)]
struct Scope<'a> {
    name: &'a str,
    version: &'a str,
    #[schema(value_type = Object)]
    attributes: Attributes<'a>,
    dropped_attributes: u32,
    schema_url: &'a str,
}

/// Those that came, or the name of our own service.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ResourceAttributes<'a> {
    Received(Attributes<'a>),
    Own {
        #[serde(rename = "service.name")]
        service: &'a str,
    },
}

impl<'a> Span<'a> {
    pub(crate) fn of(trace: &'a StoredTrace, span: &'a SpanRecord) -> Self {
        let received = span.received.as_deref();
        let service = trace.service_of(span).as_str();
        Self {
            span_id: span.span_id.to_string(),
            parent_span_id: span.parent_span_id.as_ref().map(SpanId::to_string),
            name: span.name.as_str(),
            service,
            kind: span.kind.as_str(),
            start_unix_ns: span.start_unix_ns.to_string(),
            start_time: iso(span.start_unix_ns),
            duration_ns: span.duration_ns,
            status: Status {
                outcome: span.status.as_str(),
                code: status_code(span).as_str(),
                message: status_message(span),
            },
            attributes: Attributes(&span.attributes),
            events: span.events.iter().map(event).collect(),
            links: span.links.iter().map(link).collect(),
            resource: resource(received, service),
            scope: received.map(scope),
            trace_state: received.map_or("", |received| &received.trace_state),
            flags: received.map(|received| received.flags),
            handled: span.handled,
            dropped: SpanDropped {
                attributes: span.dropped_attributes,
                truncated_attributes: span.truncated_attributes,
                events: span.dropped_events,
                links: span.dropped_links,
            },
        }
    }
}

/// What OpenTelemetry calls how a span ended. Our own spans that went well say nothing, as its instrumentation
/// does.
pub(crate) fn status_code(span: &SpanRecord) -> StatusCode {
    match (&span.received, span.status) {
        (Some(received), _) => received.status_code,
        (None, SpanStatus::Error) => StatusCode::Error,
        (None, SpanStatus::Ok | SpanStatus::Cancelled) => StatusCode::Unset,
    }
}

pub(crate) fn status_message(span: &SpanRecord) -> &str {
    match &span.received {
        Some(received) => &received.status_message,
        None => span.attribute("error.message").and_then(Value::as_str).unwrap_or_default(),
    }
}

fn event(event: &SpanEvent) -> Event<'_> {
    Event {
        name: event.name.as_str(),
        unix_ns: event.unix_ns.to_string(),
        time: iso(event.unix_ns),
        attributes: Attributes(&event.attributes),
        dropped_attributes: event.dropped_attributes,
    }
}

fn link(link: &SpanLink) -> Link<'_> {
    Link {
        trace_id: TraceId::to_string(&link.trace_id),
        span_id: link.span_id.to_string(),
        attributes: Attributes(&link.attributes),
        dropped_attributes: link.dropped_attributes,
        trace_state: &link.trace_state,
        flags: link.flags,
    }
}

fn resource<'a>(received: Option<&'a Received>, service: &'a str) -> Resource<'a> {
    let Some(resource) = received.map(|received| &received.source.resource) else {
        return Resource { attributes: ResourceAttributes::Own { service }, dropped_attributes: 0, schema_url: "" };
    };
    let attributes: &[Attribute] = &resource.attributes;
    Resource {
        attributes: ResourceAttributes::Received(Attributes(attributes)),
        dropped_attributes: resource.dropped_attributes,
        schema_url: &resource.schema_url,
    }
}

fn scope(received: &Received) -> Scope<'_> {
    let scope = &received.source.scope;
    Scope {
        name: scope.name.as_str(),
        version: scope.version.as_str(),
        attributes: Attributes(&scope.attributes),
        dropped_attributes: scope.dropped_attributes,
        schema_url: &scope.schema_url,
    }
}
