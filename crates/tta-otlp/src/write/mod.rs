//! Kept traces to an `ExportTraceServiceRequest` in protobuf.
//!
//! Owns how spans are grouped by who recorded them. Does not own a span's mapping ([`span`]), or how
//! many spans make a request: an exporter does.

mod own;
mod span;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use tta_telemetry::{Resource, Scope, Source, SpanRecord, Trace};

use crate::wire::Writer;
use crate::wire::numbers::{request, resource, resource_spans, scope, scope_spans};
use values::write_attributes;

/// The scope of our own spans.
const SCOPE_NAME: &str = "tta";
const SCOPE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Appends a request with all spans of these traces to a buffer.
///
/// `identity` is the resource of spans that were recorded here. Spans that another process recorded keep
/// their own, and what they were; see [`encode_spans`].
pub fn encode_traces<'t>(traces: impl IntoIterator<Item = &'t Trace>, identity: &Resource, out: &mut Vec<u8>) {
    let spans = traces.into_iter().flat_map(|trace| trace.spans.iter().map(move |span| (trace, span)));
    encode_spans(spans, identity, out);
}

/// Appends a request with these spans, each with its trace, to a buffer: a large trace can go in several.
///
/// Spans are grouped by resource and scope, in the order in which these first come. Bytes that are
/// appended to those of an earlier request are, with them, one request.
///
/// Spans recorded here become OpenTelemetry's like this:
/// - kind: `SERVER` and `CLIENT` for calls over HTTP, what a span of `tracing` says (`otel.kind`), else
///   `INTERNAL`; the primitive is the attribute `tta.kind`;
/// - status: `ERROR` with `error.message` for failures, else unset; `tta.cancelled` and
///   `tta.error.handled` where it was cancelled or its error handled;
/// - `tracestate`: `ot=th:...` by the trace's adjusted count, on every span, as spans are counted singly;
/// - on the root also `sampling.reason`, `sampling.rate`, `sampling.sampler` and `sampling.adjusted_count`.
///
/// Received spans are written as they came. Only the threshold in their `tracestate` is raised, when this
/// process kept the trace with a smaller probability than they say.
pub fn encode_spans<'t>(
    spans: impl IntoIterator<Item = (&'t Trace, &'t SpanRecord)>,
    identity: &Resource,
    out: &mut Vec<u8>,
) {
    let mut writer = Writer::new(out);
    for group in group(spans) {
        writer.message(request::RESOURCE_SPANS, |writer| {
            let resource = group.resource.map_or(identity, Arc::as_ref);
            writer.message(resource_spans::RESOURCE, |writer| write_resource(writer, resource));
            for (source, spans) in &group.scopes {
                writer.message(resource_spans::SCOPE_SPANS, |writer| write_scope_spans(writer, *source, spans));
            }
            writer.bytes(resource_spans::SCHEMA_URL, resource.schema_url.as_bytes());
        });
    }
}

type Spans<'t> = Vec<(&'t Trace, &'t SpanRecord)>;

/// The spans of one resource; `None` are our own.
struct Group<'t> {
    resource: Option<&'t Arc<Resource>>,
    scopes: Vec<(Option<&'t Arc<Source>>, Spans<'t>)>,
}

/// Spans share who recorded them, so that comparing addresses is enough: where two are equal and not the
/// same, there are two groups.
fn group<'t>(spans: impl IntoIterator<Item = (&'t Trace, &'t SpanRecord)>) -> Vec<Group<'t>> {
    let mut groups: Vec<Group<'t>> = Vec::new();
    let mut places: HashMap<Option<*const Source>, (usize, usize)> = HashMap::new();
    let mut resources: HashMap<Option<*const Resource>, usize> = HashMap::new();
    for (trace, span) in spans {
        let source = span.received.as_deref().map(|received| &received.source);
        let place = *places.entry(source.map(Arc::as_ptr)).or_insert_with(|| {
            let resource = source.map(|source| &source.resource);
            let at = *resources.entry(resource.map(Arc::as_ptr)).or_insert_with(|| {
                groups.push(Group { resource, scopes: Vec::new() });
                groups.len() - 1
            });
            let scope = groups.get_mut(at).map_or(0, |group| {
                group.scopes.push((source, Vec::new()));
                group.scopes.len() - 1
            });
            (at, scope)
        });
        if let Some((_, spans)) = groups.get_mut(place.0).and_then(|group| group.scopes.get_mut(place.1)) {
            spans.push((trace, span));
        }
    }
    groups
}

pub(crate) fn write_resource(writer: &mut Writer<'_>, from: &Resource) {
    write_attributes(writer, resource::ATTRIBUTES, &from.attributes);
    writer.varint(resource::DROPPED_ATTRIBUTES_COUNT, from.dropped_attributes.into());
}

fn write_scope_spans(writer: &mut Writer<'_>, source: Option<&Arc<Source>>, spans: &Spans<'_>) {
    writer.message(scope_spans::SCOPE, |writer| match source {
        Some(source) => write_scope(writer, &source.scope),
        None => {
            writer.bytes(scope::NAME, SCOPE_NAME.as_bytes());
            writer.bytes(scope::VERSION, SCOPE_VERSION.as_bytes());
        }
    });
    let mut state = span::StateOf::default();
    for (trace, span) in spans {
        writer.message(scope_spans::SPANS, |writer| span::write(writer, trace, span, &mut state));
    }
    if let Some(source) = source {
        writer.bytes(scope_spans::SCHEMA_URL, source.scope.schema_url.as_bytes());
    }
}

fn write_scope(writer: &mut Writer<'_>, from: &Scope) {
    writer.bytes(scope::NAME, from.name.as_bytes());
    writer.bytes(scope::VERSION, from.version.as_bytes());
    write_attributes(writer, scope::ATTRIBUTES, &from.attributes);
    writer.varint(scope::DROPPED_ATTRIBUTES_COUNT, from.dropped_attributes.into());
}
