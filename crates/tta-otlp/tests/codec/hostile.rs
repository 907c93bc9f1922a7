//! What is no request, and spans that are none.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tta_otlp::WireProblem;
use tta_telemetry::Value;

use crate::support::{pair, read, read_span, request, span, text};

/// A request of one span with these bytes in it.
fn with_bytes(inside: &[u8]) -> Vec<u8> {
    let mut spans = vec![0x12, (inside.len() + 28) as u8, 0x0a, 16];
    spans.extend([1; 16]);
    spans.extend([0x12, 8]);
    spans.extend([2; 8]);
    spans.extend(inside);
    let scopes = [&[0x12, spans.len() as u8][..], &spans].concat();
    [&[0x0a, scopes.len() as u8][..], &scopes].concat()
}

/// Where the bytes of [`with_bytes`] begin.
const INSIDE: usize = 34;

#[test]
fn a_body_that_is_no_protobuf_is_refused_whole_with_the_place() {
    for (inside, problem, offset) in [
        (&b"\x08"[..], WireProblem::CutNumber, 1),
        (b"\x2a\x05abc", WireProblem::CutField, 0),
        (b"\x2a\x02\xc3\x28", WireProblem::Utf8 { number: 5 }, 2),
        (b"\x28\x01", WireProblem::FieldType { number: 5 }, 0),
        (b"\x39abc", WireProblem::CutField, 0),
        (b"\x38\x01", WireProblem::FieldType { number: 7 }, 0),
        (b"\xa3\x06\xa4\x06", WireProblem::Group, 0),
        (b"\x0f", WireProblem::WireType, 0),
        (b"\x00\x00", WireProblem::FieldNumber, 0),
        (b"\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", WireProblem::LongNumber, 1),
        // In an attribute's value, an event, a link and the status.
        (b"\x4a\x05\x12\x03\x0a\x01\xff", WireProblem::Utf8 { number: 1 }, 6),
        (b"\x5a\x03\x12\x01\xff", WireProblem::Utf8 { number: 2 }, 4),
        (b"\x6a\x02\x0a\x10", WireProblem::CutField, 2),
        (b"\x7a\x02\x1d\x01", WireProblem::CutField, 2),
        (b"\x80\x01\x01", WireProblem::FieldType { number: 16 }, 0),
    ] {
        let body = with_bytes(inside);
        let error = read(&body).unwrap_err();
        assert_eq!((error.problem, error.offset), (problem, INSIDE + offset), "{inside:?}");
        assert_eq!(error.length, body.len());
    }
    let error = read(b"{\"resourceSpans\":[]}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "not ExportTraceServiceRequest in protobuf: a group, which OTLP has none of, at byte 0 of 20; accepted is \
         ExportTraceServiceRequest, uncompressed"
    );
}

#[test]
fn a_fault_at_the_end_leaves_no_span_behind() {
    let mut body = request(vec![span(); 3]).encode_to_vec();
    body.extend(b"\x0a\x05abc");
    let mut spans = 0;
    let limits = tta_otlp::OtlpLimits::default();
    let result = tta_otlp::decode_protobuf(&body, &limits, |_, _, _| spans += 1);
    assert_eq!((result.is_err(), spans), (true, 0));
}

#[test]
fn fields_that_otlp_does_not_have_are_skipped_wherever_they_are() {
    let unknown = b"\xa0\x1f\x07\xa5\x1f\x01\x02\x03\x04\xa1\x1f\x01\x02\x03\x04\x05\x06\x07\x08\xa2\x1f\x02\xff\xff";
    let body = with_bytes(unknown);
    let (outcome, got) = read(&[&unknown[..], &body, unknown].concat()).unwrap();
    assert_eq!((outcome.accepted, got[0].span.span_id.to_string().as_str()), (1, "0202020202020202"));
}

#[test]
fn spans_without_valid_ids_are_refused_one_by_one_with_the_first_reasons() {
    let spans = vec![
        Span { trace_id: vec![1; 15], ..span() },
        span(),
        Span { trace_id: vec![0; 16], ..span() },
        Span { span_id: Vec::new(), ..span() },
        Span { span_id: vec![0; 8], ..span() },
        Span { parent_span_id: vec![1; 7], ..span() },
    ];
    let (outcome, got) = read(&request(spans).encode_to_vec()).unwrap();
    assert_eq!((outcome.accepted, outcome.refused, got.len()), (1, 5, 1));
    assert_eq!(
        outcome.message(),
        "resource_spans[0].scope_spans[0].spans[0].trace_id has 15 bytes: expected 16, not all zero; \
         resource_spans[0].scope_spans[0].spans[2].trace_id is all zero: expected 16 bytes, not all zero; \
         resource_spans[0].scope_spans[0].spans[3].span_id has 0 bytes: expected 8, not all zero; and 2 more"
    );
    let root = read_span(Span { parent_span_id: vec![0; 8], ..span() });
    assert_eq!(root.span.parent_span_id, None);
}

#[test]
fn values_nested_too_deep_become_nothing_and_never_exhaust_the_stack() {
    let nested = |depth: usize| {
        (0..depth).fold(Any::BoolValue(true), |inner, _| {
            Any::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(inner) }] })
        })
    };
    let depth = |mut value: &Value| {
        let mut depth = 0;
        while let Value::Array(items) = value {
            depth += 1;
            value = &items[0];
        }
        (depth, value.clone())
    };
    for (given, expected) in [(16, (16, Value::Bool(true))), (17, (16, Value::Empty)), (90, (16, Value::Empty))] {
        let got = read_span(Span { attributes: vec![pair("deep", nested(given))], ..span() });
        assert_eq!(depth(got.span.attribute("deep").unwrap()), expected);
        assert_eq!(got.span.truncated_attributes, u32::from(given > 16));
    }
    // Beyond what generated types read at all.
    let mut deep = Vec::new();
    for _ in 0..30_000 {
        for key in [0x0a, 0x2a] {
            let mut outer = vec![key];
            prost::encoding::encode_varint(deep.len() as u64, &mut outer);
            outer.append(&mut deep);
            deep = outer;
        }
    }
    // From the outside: an attribute (9) of a value (2).
    let wrap = |key: u8, inside: &[u8]| {
        let mut out = vec![key];
        prost::encoding::encode_varint(inside.len() as u64, &mut out);
        [&out[..], inside].concat()
    };
    let attribute = wrap(0x4a, &wrap(0x12, &deep));
    let span = [span().encode_to_vec(), attribute].concat();
    let body = wrap(0x0a, &wrap(0x12, &wrap(0x12, &span)));
    let (outcome, got) = read(&body).unwrap();
    assert_eq!((outcome.accepted, got[0].span.truncated_attributes), (1, 1));
}

#[test]
fn what_a_span_says_that_it_cost_is_found() {
    let cost = |attributes| read_span(Span { attributes, ..span() }).head.cost.map(tta_telemetry::Usd::nanos);
    let usd = |key: &str, dollars: f64| pair(key, Any::DoubleValue(dollars));
    assert_eq!(cost(vec![]), None);
    assert_eq!(cost(vec![usd("cost.usd", 0.002)]), Some(2_000_000));
    assert_eq!(cost(vec![pair("cost.usd", Any::IntValue(2))]), Some(2_000_000_000));
    assert_eq!(cost(vec![usd("gen_ai.usage.cost.amount", 0.5)]), Some(500_000_000));
    let amount = || usd("gen_ai.usage.cost.amount", 0.5);
    assert_eq!(cost(vec![text("gen_ai.usage.cost.currency", "usd"), amount()]), Some(500_000_000));
    assert_eq!(cost(vec![amount(), text("gen_ai.usage.cost.currency", "EUR")]), None);
    let llm = || usd("llm.cost.total", 0.25);
    assert_eq!(cost(vec![llm()]), Some(250_000_000));
    assert_eq!(cost(vec![llm(), amount(), text("gen_ai.usage.cost.currency", "EUR")]), Some(250_000_000));
    assert_eq!(cost(vec![llm(), amount(), usd("cost.usd", 1.0)]), Some(1_000_000_000));
    for none in [Any::DoubleValue(-1.0), Any::DoubleValue(f64::NAN), Any::StringValue("1".to_owned())] {
        assert_eq!(cost(vec![pair("cost.usd", none)]), None);
    }
}

#[test]
fn the_error_type_is_found_and_the_last_one_wins() {
    let got = read_span(Span { attributes: vec![text("error.type", "a"), text("error.type", "timeout")], ..span() });
    assert_eq!(got.head.error_type, "timeout");
    let got = read_span(Span { attributes: vec![pair("error.type", Any::IntValue(3))], ..span() });
    assert_eq!(got.head.error_type, "");
}
