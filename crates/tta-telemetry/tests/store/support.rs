//! Traces as sinks get them, made by hand.

use std::sync::Arc;

use tta_telemetry::store::{MemoryTraceStore, TraceQuery, TraceStore};
use tta_telemetry::{
    Attribute, DecisionReason, Name, Received, Resource, SamplingDecision, Scope, Sink, Source, SpanId, SpanRecord,
    StatusCode, Trace, TraceClass, TraceCounts, TraceId, Value,
};

pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) fn attribute(key: &'static str, value: Value) -> Attribute {
    Attribute { key: key.into(), value }
}

pub(crate) fn text(value: &str) -> Value {
    Value::Str(value.to_owned().into())
}

/// A span of our own, a second long.
pub(crate) fn span(id: u64, parent: Option<u64>, name: &str) -> SpanRecord {
    SpanRecord {
        parent_span_id: parent.and_then(SpanId::new),
        start_unix_ns: id * SECOND,
        duration_ns: SECOND,
        ..SpanRecord::new(SpanId::new(id).unwrap(), Name::from(name.to_owned()), Name::from_static("lambda"))
    }
}

pub(crate) fn source(service: &str) -> Arc<Source> {
    let resource = Resource {
        attributes: vec![attribute("service.name", text(service)), attribute("host.name", text("box-1"))],
        ..Resource::new(Name::from(service.to_owned()))
    };
    let scope = Scope::new("lib".into(), "1".into());
    Arc::new(Source { resource: Arc::new(resource), scope })
}

/// The span as another process recorded it.
pub(crate) fn received(span: SpanRecord, source: &Arc<Source>) -> SpanRecord {
    let received = Received {
        source: Arc::clone(source),
        status_code: StatusCode::Unset,
        status_message: String::new(),
        trace_state: String::new(),
        flags: 1,
    };
    SpanRecord { received: Some(Box::new(received)), kind: "server".into(), ..span }
}

pub(crate) fn id(number: u128) -> TraceId {
    TraceId::new(number).unwrap()
}

pub(crate) fn trace(number: u128, spans: Vec<SpanRecord>) -> Trace {
    Trace {
        trace_id: id(number),
        root_span_id: spans[0].span_id,
        spans,
        decision: SamplingDecision { keep: true, rate: 0.5, reason: DecisionReason::ProbabilisticHash, sampler: "s" },
        adjusted_count: Some(2.0),
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}

/// A trace of one span.
pub(crate) fn small(number: u128, name: &str) -> Trace {
    trace(number, vec![span(number as u64, None, name)])
}

pub(crate) fn put(store: &MemoryTraceStore, trace: Trace) {
    store.clone().export(&[Arc::new(trace)]).unwrap();
}

/// The numbers of the traces that are found, in order.
pub(crate) fn found(store: &MemoryTraceStore, query: &TraceQuery) -> Vec<u128> {
    let page = store.search(query).unwrap();
    page.traces.iter().map(|summary| summary.trace_id.get()).collect()
}
