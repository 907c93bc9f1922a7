//! What must hold for any bytes that arrive as an OTLP request.
//!
//! Owns the invariants. Does not own where the bytes come from: libFuzzer, the corpus, or a property
//! test.

use tta_otlp::{OtlpCodec, OtlpLimits, Outcome, decode_json, decode_protobuf, encode_traces};
use tta_telemetry::receive::SpanCodec;
use tta_telemetry::{
    Attribute, DecisionReason, Resource, SamplingDecision, SpanRecord, Trace, TraceClass, TraceCounts, TraceId, Value,
};

/// Reads the input as a request in protobuf and panics when an invariant does not hold.
pub fn check_protobuf(input: &[u8]) {
    for limits in [OtlpLimits::default(), small()] {
        let mut spans = Vec::new();
        match read_protobuf(input, &limits, &mut spans) {
            Ok(outcome) => check_spans(&outcome, &spans, &limits),
            Err(error) => {
                assert!(spans.is_empty() && error.offset <= input.len() && error.length == input.len());
                assert!(error.to_string().len() < 300, "{error}");
            }
        }
    }
}

/// Reads the input as a request in JSON and panics when an invariant does not hold.
pub fn check_json(input: &[u8]) {
    for limits in [OtlpLimits::default(), small()] {
        let mut spans = Vec::new();
        let codec = OtlpCodec::new(limits.clone());
        let read = decode_json(input, &limits, |source, head, bytes| {
            spans.push((head.trace_id, decoded(&codec, source, bytes)));
        });
        match read {
            Ok(outcome) => check_spans(&outcome, &spans, &limits),
            Err(error) => {
                assert!(spans.is_empty() && !error.path.is_empty() && !error.message.is_empty());
                let lines = input.split(|byte| *byte == b'\n').count();
                assert!((1..=lines).contains(&error.line), "{error}");
            }
        }
    }
}

type Spans = Vec<(TraceId, SpanRecord)>;

fn small() -> OtlpLimits {
    OtlpLimits {
        spans_per_request: 3,
        attributes_per_span: 2,
        source_attributes_per_request: 3,
        attribute_bytes: 16,
        events_per_span: 1,
        links_per_span: 0,
        value_depth: 1,
    }
}

fn decoded(codec: &OtlpCodec, source: &std::sync::Arc<tta_telemetry::Source>, bytes: &[u8]) -> SpanRecord {
    match codec.decode(source, bytes) {
        Some(span) => span,
        None => unreachable!("what was checked can be decoded"),
    }
}

fn read_protobuf(input: &[u8], limits: &OtlpLimits, spans: &mut Spans) -> Result<Outcome, tta_otlp::ProtobufError> {
    let codec = OtlpCodec::new(limits.clone());
    decode_protobuf(input, limits, |source, head, bytes| {
        let span = decoded(&codec, source, bytes);
        assert_eq!((span.span_id, span.parent_span_id), (head.span_id, head.parent_span_id));
        assert_eq!((&*span.name, &*span.kind), (head.name, head.kind.as_str()));
        assert_eq!((span.start_unix_ns, span.duration_ns), (head.start_unix_ns, head.duration_ns));
        spans.push((head.trace_id, span));
    })
}

fn check_spans(outcome: &Outcome, spans: &Spans, limits: &OtlpLimits) {
    assert_eq!(outcome.accepted, spans.len());
    assert!(spans.len() <= limits.spans_per_request);
    assert_eq!(outcome.reasons.len(), outcome.refused.min(3));
    for (_, span) in spans {
        assert!(span.name.len() <= limits.attribute_bytes);
        assert!(span.attributes.len() <= limits.attributes_per_span);
        assert!(span.events.len() <= limits.events_per_span && span.links.len() <= limits.links_per_span);
        for attribute in &span.attributes {
            check_attribute(attribute, limits);
        }
    }
    // What goes out reads back, and goes out the same.
    let first = written(spans);
    let mut again = Vec::new();
    let read = read_protobuf(&first, limits, &mut again);
    assert!(read.is_ok_and(|outcome| outcome.accepted == spans.len() && outcome.refused == 0));
    assert_eq!(written(&again), first);
}

fn check_attribute(attribute: &Attribute, limits: &OtlpLimits) {
    assert!(attribute.key.len() <= limits.attribute_bytes);
    assert!(text_bytes(&attribute.value) <= limits.attribute_bytes);
    assert!(depth(&attribute.value) <= limits.value_depth);
}

fn text_bytes(value: &Value) -> usize {
    match value {
        Value::Str(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(texts) => texts.iter().map(|text| text.len() + 4).sum(),
        Value::Array(values) => values.iter().map(|value| text_bytes(value) + 4).sum(),
        Value::Map(entries) => entries.iter().map(|entry| entry.key.len() + text_bytes(&entry.value) + 4).sum(),
        _ => 0,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::List(_) => 1,
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|entry| depth(&entry.value)).max().unwrap_or(0),
        _ => 0,
    }
}

fn written(spans: &Spans) -> Vec<u8> {
    let traces: Vec<Trace> = spans.iter().map(|(trace_id, span)| trace(*trace_id, span.clone())).collect();
    let identity =
        Resource { service: "fuzz".into(), attributes: Vec::new(), dropped_attributes: 0, schema_url: String::new() };
    let mut out = Vec::new();
    encode_traces(&traces, &identity, &mut out);
    out
}

fn trace(trace_id: TraceId, span: SpanRecord) -> Trace {
    Trace {
        trace_id,
        root_span_id: span.span_id,
        spans: vec![span],
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "all" },
        adjusted_count: Some(1.0),
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}
