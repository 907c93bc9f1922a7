//! Our own traces in OpenTelemetry's terms, read by generated types.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tta_otlp::{encode_spans, encode_traces};
use tta_telemetry::{
    Attribute, DecisionReason, Resource, SamplingDecision, SpanEvent, SpanId, SpanLink, SpanRecord, SpanStatus, Trace,
    TraceId, Value,
};

use crate::support::{read_span, trace};

fn identity() -> Resource {
    let attribute =
        |key: &'static str, value: &'static str| Attribute { key: key.into(), value: Value::Str(value.into()) };
    Resource {
        service: "shop".into(),
        attributes: vec![attribute("service.name", "shop"), attribute("service.version", "1.2.3")],
        dropped_attributes: 0,
        schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
    }
}

fn record(id: u64, parent: Option<u64>, kind: &'static str) -> SpanRecord {
    SpanRecord {
        parent_span_id: parent.and_then(SpanId::new),
        start_unix_ns: 1_000,
        duration_ns: 500,
        ..SpanRecord::new(SpanId::new(id).unwrap(), "step".into(), kind.into())
    }
}

fn own(spans: Vec<SpanRecord>) -> Trace {
    let decision = SamplingDecision {
        keep: true,
        rate: 0.25,
        reason: DecisionReason::ProbabilisticHash,
        sampler: "probabilistic",
    };
    Trace { decision, adjusted_count: Some(4.0), ..trace(TraceId::new(7).unwrap(), spans) }
}

fn sent(traces: &[Trace]) -> ExportTraceServiceRequest {
    let mut out = Vec::new();
    encode_traces(traces, &identity(), &mut out);
    ExportTraceServiceRequest::decode(out.as_slice()).unwrap()
}

fn only_spans(request: ExportTraceServiceRequest) -> Vec<Span> {
    request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans).flat_map(|spans| spans.spans).collect()
}

/// The attributes as text, `key=value`.
fn attributes(span: &Span) -> Vec<String> {
    let value = |value: Any| match value {
        Any::StringValue(text) => text,
        Any::BoolValue(value) => value.to_string(),
        Any::IntValue(value) => value.to_string(),
        Any::DoubleValue(value) => format!("{value:?}"),
        other => format!("{other:?}"),
    };
    let pairs = span.attributes.iter().cloned();
    pairs.map(|pair| format!("{}={}", pair.key, value(pair.value.unwrap().value.unwrap()))).collect()
}

fn set(key: &'static str, value: Value) -> Attribute {
    Attribute { key: key.into(), value }
}

#[test]
fn a_trace_has_our_identity_our_scope_and_its_decision_on_the_root() {
    let request = sent(&[own(vec![record(1, None, "sequential"), record(2, Some(1), "lambda")])]);
    let [resource_spans] = &request.resource_spans[..] else { panic!("one resource") };
    assert_eq!(resource_spans.schema_url, "https://opentelemetry.io/schemas/1.37.0");
    assert_eq!(resource_spans.resource.as_ref().unwrap().attributes.len(), 2);
    let [scope_spans] = &resource_spans.scope_spans[..] else { panic!("one scope") };
    let scope = scope_spans.scope.as_ref().unwrap();
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("tta", env!("CARGO_PKG_VERSION")));
    let [root, child] = &scope_spans.spans[..] else { panic!("two spans") };
    assert_eq!(
        (root.trace_id.as_slice(), root.span_id.as_slice()),
        (&7_u128.to_be_bytes()[..], &1_u64.to_be_bytes()[..])
    );
    assert_eq!((root.parent_span_id.len(), child.parent_span_id.as_slice()), (0, &1_u64.to_be_bytes()[..]));
    assert_eq!((root.start_time_unix_nano, root.end_time_unix_nano, root.kind), (1_000, 1_500, 1));
    assert_eq!((root.status.clone(), root.flags, child.flags), (None, 0x101, 0x101));
    assert_eq!((root.trace_state.as_str(), child.trace_state.as_str()), ("ot=th:c", "ot=th:c"));
    assert_eq!(
        attributes(root),
        [
            "tta.kind=sequential",
            "sampling.reason=probabilistic_hash",
            "sampling.rate=0.25",
            "sampling.sampler=probabilistic",
            "sampling.adjusted_count=4.0",
        ]
    );
    assert_eq!(attributes(child), ["tta.kind=lambda"]);
}

#[test]
fn a_weight_that_nobody_knows_is_not_claimed() {
    let trace = Trace { adjusted_count: None, ..own(vec![record(1, Some(9), "sequential")]) };
    let [root] = &only_spans(sent(&[trace]))[..] else { panic!("one span") };
    assert_eq!(root.trace_state, "");
    assert!(!attributes(root).iter().any(|attribute| attribute.starts_with("sampling.adjusted_count")));
    // Its parent is in another process.
    assert_eq!(root.flags, 0x301);
}

#[test]
fn traces_of_one_batch_share_a_resource_and_keep_their_own_weights() {
    let rare = Trace { adjusted_count: Some(100.0), ..own(vec![record(2, None, "lambda")]) };
    let request = sent(&[own(vec![record(1, None, "lambda")]), rare, own(vec![record(3, None, "lambda")])]);
    assert_eq!(request.resource_spans.len(), 1);
    let states: Vec<String> = only_spans(request).into_iter().map(|span| span.trace_state).collect();
    assert_eq!(states, ["ot=th:c", "ot=th:fd70a", "ot=th:c"]);
}

#[test]
fn kinds_are_the_sides_of_calls_where_there_are_sides() {
    let with_kind = |kind: &'static str| SpanRecord {
        attributes: vec![set("otel.kind", Value::Str(kind.into()))],
        ..record(1, None, "tracing")
    };
    for (span, kind) in [
        (record(1, None, "http_server"), 2),
        (record(1, None, "http_client"), 3),
        (record(1, None, "lambda"), 1),
        (with_kind("server"), 2),
        (with_kind("client"), 3),
        (with_kind("producer"), 4),
        (with_kind("consumer"), 5),
        (with_kind("odd"), 1),
    ] {
        assert_eq!(only_spans(sent(&[own(vec![span.clone()])]))[0].kind, kind, "{span:?}");
    }
}

#[test]
fn a_failure_is_an_error_with_its_message_and_a_cancelled_step_is_not() {
    let failed = SpanRecord {
        status: SpanStatus::Error,
        handled: true,
        attributes: vec![
            set("error.type", Value::Str("timeout".into())),
            set("error.message", Value::Str("too slow".into())),
        ],
        ..record(2, Some(1), "lambda")
    };
    let cancelled =
        SpanRecord { status: SpanStatus::Cancelled, truncated_attributes: 2, ..record(3, Some(1), "lambda") };
    let spans = only_spans(sent(&[own(vec![record(1, None, "lambda"), failed, cancelled])]));
    let status = spans[1].status.clone().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "too slow"));
    assert_eq!(
        attributes(&spans[1]),
        ["error.type=timeout", "error.message=too slow", "tta.kind=lambda", "tta.error.handled=true"]
    );
    assert!(spans[1].events.is_empty());
    assert_eq!(spans[2].status, None);
    assert_eq!(attributes(&spans[2]), ["tta.kind=lambda", "tta.cancelled=true", "tta.truncated_attributes=2"]);
}

#[test]
fn attributes_pass_unchanged_and_of_one_key_the_last_one_does() {
    let span = SpanRecord {
        attributes: vec![
            set("gen_ai.request.model", Value::Str("m".into())),
            set("gen_ai.usage.input_tokens", Value::I64(1)),
            set("ratio", Value::F64(0.5)),
            set("cached", Value::Bool(false)),
            set("chain", Value::List(vec!["a".to_owned(), "b".to_owned()])),
            set("gen_ai.usage.input_tokens", Value::I64(12)),
        ],
        events: vec![SpanEvent {
            attributes: vec![set("exception.type", Value::Str("io".into()))],
            ..SpanEvent::new("exception".into(), 1_200)
        }],
        links: vec![SpanLink {
            attributes: vec![set("why", Value::Str("retry".into()))],
            ..SpanLink::new(TraceId::new(8).unwrap(), SpanId::new(9).unwrap())
        }],
        dropped_attributes: 1,
        dropped_events: 2,
        dropped_links: 3,
        ..record(2, Some(1), "lambda")
    };
    let spans = only_spans(sent(&[own(vec![record(1, None, "lambda"), span])]));
    let span = &spans[1];
    let shown = attributes(span);
    assert_eq!(&shown[..3], ["gen_ai.request.model=m", "ratio=0.5", "cached=false"]);
    assert_eq!(&shown[4..], ["gen_ai.usage.input_tokens=12", "tta.kind=lambda"]);
    let Some(Any::ArrayValue(chain)) = span.attributes[3].value.clone().unwrap().value else { panic!("a list") };
    assert_eq!(chain.values.len(), 2);
    let event = &span.events[0];
    assert_eq!((event.name.as_str(), event.time_unix_nano, event.attributes.len()), ("exception", 1_200, 1));
    let link = &span.links[0];
    assert_eq!(
        (link.trace_id.as_slice(), link.span_id.as_slice()),
        (&8_u128.to_be_bytes()[..], &9_u64.to_be_bytes()[..])
    );
    assert_eq!((link.attributes.len(), link.flags, link.trace_state.as_str()), (1, 0, ""));
    let dropped = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count);
    assert_eq!(dropped, (1, 2, 3));
}

#[test]
fn spans_of_a_large_trace_go_in_several_requests_that_are_one_together() {
    let trace = own((1..=5).map(|id| record(id, (id > 1).then_some(1), "lambda")).collect());
    let mut out = Vec::new();
    for part in trace.spans.chunks(2) {
        encode_spans(part.iter().map(|span| (&trace, span)), &identity(), &mut out);
    }
    let request = ExportTraceServiceRequest::decode(out.as_slice()).unwrap();
    assert_eq!(request.resource_spans.len(), 3);
    let spans = only_spans(request);
    assert_eq!(spans.len(), 5);
    // The decision stands on the root only.
    assert_eq!(spans.iter().map(|span| span.attributes.len()).collect::<Vec<_>>(), [5, 1, 1, 1, 1]);
}

#[test]
fn a_received_span_that_was_kept_by_chance_here_says_so_in_its_threshold() {
    for (came, adjusted_count, goes) in [
        ("", Some(1.0), ""),
        ("", None, ""),
        ("rojo=1", Some(4.0), "ot=th:c,rojo=1"),
        ("ot=th:8;rv:0123456789abcd,rojo=1", Some(4.0), "ot=th:c;rv:0123456789abcd,rojo=1"),
        // It was chosen before it came, and counts as much.
        ("rojo=1,ot=th:c", Some(4.0), "rojo=1,ot=th:c"),
        ("ot=th:fd70a", Some(100.0), "ot=th:fd70a"),
        ("rojo=1,ot=th:c", None, "rojo=1,ot=th:c"),
    ] {
        let got = read_span(Span { trace_state: came.to_owned(), ..crate::support::span() });
        let trace = Trace { adjusted_count, ..trace(got.head.trace_id, vec![got.span]) };
        let spans = only_spans(sent(&[trace]));
        assert_eq!(spans[0].trace_state, goes, "{came} {adjusted_count:?}");
        assert!(spans[0].attributes.is_empty());
    }
}

#[test]
fn own_and_received_spans_of_one_trace_go_under_their_own_resources() {
    let received = read_span(crate::support::span()).span;
    let request = sent(&[own(vec![record(1, None, "lambda"), received, record(3, Some(1), "lambda")])]);
    let counts: Vec<usize> = request.resource_spans.iter().map(|spans| spans.scope_spans[0].spans.len()).collect();
    assert_eq!(counts, [2, 1]);
}

#[test]
fn nothing_to_send_is_an_empty_request() {
    assert_eq!(sent(&[]), ExportTraceServiceRequest::default());
}
