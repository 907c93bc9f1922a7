//! Traces made by hand, and what can be seen of them.

use tta_telemetry::{
    Attribute, DecisionReason, Name, Redaction, RedactionBuilder, Redactor, SamplingDecision, SpanEvent, SpanId,
    SpanLink, SpanRecord, SpanStatus, Trace, TraceClass, TraceCounts, TraceId, TraceTree, Value,
};

pub(crate) fn redactor(redaction: RedactionBuilder) -> Redactor {
    Redactor::new(&redaction.build().unwrap(), [3; 32])
}

pub(crate) fn by_default() -> Redactor {
    redactor(Redaction::builder())
}

pub(crate) fn attribute(key: &str, value: Value) -> Attribute {
    Attribute { key: Name::from(key.to_owned()), value }
}

pub(crate) fn text(text: &str) -> Value {
    Value::Str(text.to_owned().into())
}

/// Where attributes can be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Root,
    Step,
    Event,
    Link,
    /// The attribute's text is the name of an event.
    EventName,
    /// The attribute's text is the name of a span.
    SpanName,
}

pub(crate) fn trace(attributes: Vec<(Place, Attribute)>) -> Trace {
    let id = |id| SpanId::new(id).unwrap();
    let of = |place: Place| -> Vec<Attribute> {
        let is_here = |(at, _): &&(Place, Attribute)| *at as u8 == place as u8;
        attributes.iter().filter(is_here).map(|(_, attribute)| attribute.clone()).collect()
    };
    let span = |span_id, parent_span_id, name: &'static str, attributes| SpanRecord {
        parent_span_id,
        start_unix_ns: 1_730_291_040_218_138_154,
        duration_ns: 1_000_000,
        status: SpanStatus::Error,
        attributes,
        ..SpanRecord::new(span_id, name.into(), "lambda".into())
    };
    let mut step = span(id(2), Some(id(1)), "step", of(Place::Step));
    step.events.push(SpanEvent { attributes: of(Place::Event), ..SpanEvent::new("event".into(), 1) });
    for attribute in of(Place::EventName) {
        step.events
            .push(SpanEvent { attributes: Vec::new(), ..SpanEvent::new(Name::from(attribute.value.to_string()), 2) });
    }
    step.links.push(SpanLink { attributes: of(Place::Link), ..SpanLink::new(TraceId::new(9).unwrap(), id(9)) });
    let mut spans = vec![span(id(1), None, "run", of(Place::Root)), step];
    for (number, attribute) in (3..).zip(of(Place::SpanName)) {
        spans.push(SpanRecord {
            name: Name::from(attribute.value.to_string()),
            ..span(id(number), Some(id(1)), "", Vec::new())
        });
    }
    Trace {
        trace_id: TraceId::new(1).unwrap(),
        root_span_id: id(1),
        spans,
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "all" },
        adjusted_count: None,
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}

/// Everything that can be seen of a trace.
pub(crate) fn printed(trace: &Trace) -> String {
    format!("{trace:?}\n{trace:#?}\n{}\n{}", TraceTree::new(trace), TraceTree::new(trace).attributes(true))
}
