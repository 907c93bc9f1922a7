//! Requests made up, and a slow second reading of them by generated types.

pub(crate) mod convert;
pub(crate) mod strategies;

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tta_otlp::{OtlpCodec, OtlpLimits, Outcome, ProtobufError, decode_protobuf};
use tta_telemetry::receive::{SpanCodec, SpanHead};
use tta_telemetry::{
    DecisionReason, SamplingDecision, Source, SpanRecord, Trace, TraceClass, TraceCounts, TraceId, Usd,
};

/// A head, owned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    pub trace_id: TraceId,
    pub name: String,
    pub error_type: String,
    pub trace_state: String,
    pub cost: Option<Usd>,
}

/// A span that was given away, decoded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Got {
    pub head: Head,
    pub span: SpanRecord,
}

/// A visitor that decodes each span at once, and checks that its head says the same as the record.
pub(crate) fn collect<'g>(
    limits: &OtlpLimits,
    to: &'g mut Vec<Got>,
) -> impl FnMut(&Arc<Source>, &SpanHead<'_>, &[u8]) + 'g {
    let codec = OtlpCodec::new(limits.clone());
    move |source, head, bytes| {
        let span = codec.decode(source, bytes).expect("what was checked can be decoded");
        let received = span.received.as_deref().expect("it was received");
        assert_eq!((span.span_id, span.parent_span_id), (head.span_id, head.parent_span_id));
        assert_eq!((&*span.name, &*span.kind), (head.name, head.kind.as_str()));
        assert_eq!((span.start_unix_ns, span.duration_ns), (head.start_unix_ns, head.duration_ns));
        assert_eq!((received.status_code, received.trace_state.as_str()), (head.status, head.trace_state));
        assert!(Arc::ptr_eq(&received.source, source));
        let head = Head {
            trace_id: head.trace_id,
            name: head.name.to_owned(),
            error_type: head.error_type.to_owned(),
            trace_state: head.trace_state.to_owned(),
            cost: head.cost,
        };
        to.push(Got { head, span });
    }
}

pub(crate) fn read_within(bytes: &[u8], limits: &OtlpLimits) -> Result<(Outcome, Vec<Got>), ProtobufError> {
    let mut got = Vec::new();
    let outcome = decode_protobuf(bytes, limits, collect(limits, &mut got))?;
    assert_eq!(outcome.accepted, got.len());
    Ok((outcome, got))
}

pub(crate) fn read(bytes: &[u8]) -> Result<(Outcome, Vec<Got>), ProtobufError> {
    read_within(bytes, &OtlpLimits::default())
}

/// A request with these spans of one scope.
pub(crate) fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

/// The record of one span in a request of its own.
pub(crate) fn read_span(span: Span) -> Got {
    let (outcome, mut got) = read(&request(vec![span]).encode_to_vec()).unwrap();
    assert_eq!((outcome.accepted, outcome.refused), (1, 0));
    got.remove(0)
}

/// A valid span with nothing else.
pub(crate) fn span() -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "work".to_owned(), ..Span::default() }
}

pub(crate) fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Any::StringValue(value.to_owned()))
}

/// A trace of these spans, the first of them the root.
pub(crate) fn trace(trace_id: TraceId, spans: Vec<SpanRecord>) -> Trace {
    Trace {
        trace_id,
        root_span_id: spans[0].span_id,
        spans,
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "all" },
        adjusted_count: None,
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}
