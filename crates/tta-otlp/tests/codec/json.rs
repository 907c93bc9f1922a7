//! OTLP/JSON: the mapping, what it refuses, and that it reads as the same request in protobuf.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value as Json, json};
use tta_otlp::{JsonError, OtlpLimits, Outcome, decode_json};
use tta_telemetry::{SpanStatus, Value};

use crate::support::{Got, collect, read, strategies};

fn read_json(body: &[u8]) -> Result<(Outcome, Vec<Got>), JsonError> {
    let limits = OtlpLimits::default();
    let mut got = Vec::new();
    let outcome = decode_json(body, &limits, collect(&limits, &mut got))?;
    Ok((outcome, got))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn any_json(value: &AnyValue) -> Json {
    match &value.value {
        None | Some(Any::StringValueStrindex(_)) => json!({}),
        Some(Any::StringValue(text)) => json!({"stringValue": text}),
        Some(Any::BoolValue(value)) => json!({"boolValue": value}),
        Some(Any::IntValue(value)) if value % 2 == 0 => json!({"intValue": value.to_string()}),
        Some(Any::IntValue(value)) => json!({"intValue": value}),
        Some(Any::DoubleValue(value)) if value.is_infinite() => json!({"doubleValue": "Infinity"}),
        Some(Any::DoubleValue(value)) => json!({"doubleValue": value}),
        Some(Any::BytesValue(bytes)) => json!({"bytesValue": STANDARD.encode(bytes)}),
        Some(Any::ArrayValue(list)) => {
            json!({"arrayValue": {"values": list.values.iter().map(any_json).collect::<Vec<_>>()}})
        }
        Some(Any::KvlistValue(list)) => json!({"kvlistValue": {"values": pairs_json(&list.values)}}),
    }
}

fn pairs_json(pairs: &[KeyValue]) -> Vec<Json> {
    pairs.iter().map(|pair| json!({"key": pair.key, "value": pair.value.as_ref().map(any_json)})).collect()
}

fn span_json(span: &Span) -> Json {
    let event = |event: &opentelemetry_proto::tonic::trace::v1::span::Event| {
        json!({"timeUnixNano": event.time_unix_nano.to_string(), "name": event.name,
            "attributes": pairs_json(&event.attributes), "droppedAttributesCount": event.dropped_attributes_count})
    };
    let link = |link: &opentelemetry_proto::tonic::trace::v1::span::Link| {
        json!({"traceId": hex(&link.trace_id), "spanId": hex(&link.span_id).to_uppercase(),
            "traceState": link.trace_state, "attributes": pairs_json(&link.attributes),
            "droppedAttributesCount": link.dropped_attributes_count, "flags": link.flags})
    };
    json!({"traceId": hex(&span.trace_id), "spanId": hex(&span.span_id), "parentSpanId": hex(&span.parent_span_id),
        "traceState": span.trace_state, "flags": span.flags, "name": span.name, "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(), "endTimeUnixNano": span.end_time_unix_nano,
        "attributes": pairs_json(&span.attributes), "droppedAttributesCount": span.dropped_attributes_count,
        "events": span.events.iter().map(event).collect::<Vec<_>>(), "droppedEventsCount": span.dropped_events_count,
        "links": span.links.iter().map(link).collect::<Vec<_>>(), "droppedLinksCount": span.dropped_links_count,
        "status": span.status.as_ref().map(|status| json!({"message": status.message, "code": status.code})),
        "aKeyOfTheFuture": {"with": ["anything", {"in": "it"}]}})
}

fn scope_json(spans: &ScopeSpans) -> Json {
    let scope = spans.scope.as_ref().map(|scope| {
        json!({"name": scope.name, "version": scope.version, "attributes": pairs_json(&scope.attributes),
            "droppedAttributesCount": scope.dropped_attributes_count})
    });
    json!({"spans": spans.spans.iter().map(span_json).collect::<Vec<_>>(), "scope": scope,
        "schemaUrl": spans.schema_url})
}

fn resource_json(spans: &ResourceSpans) -> Json {
    let resource = spans.resource.as_ref().map(|resource| {
        json!({"attributes": pairs_json(&resource.attributes),
            "droppedAttributesCount": resource.dropped_attributes_count})
    });
    json!({"scopeSpans": spans.scope_spans.iter().map(scope_json).collect::<Vec<_>>(), "resource": resource,
        "schemaUrl": spans.schema_url})
}

proptest! {
    #[test]
    fn json_reads_as_the_same_request_in_protobuf(request in strategies::request(), is_pretty: bool) {
        let json = json!({"resourceSpans": request.resource_spans.iter().map(resource_json).collect::<Vec<_>>()});
        let text = if is_pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }.unwrap();
        prop_assert_eq!(read_json(text.as_bytes()).unwrap(), read(&request.encode_to_vec()).unwrap());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        if let Err(error) = read_json(&bytes) {
            prop_assert!(!error.path.is_empty() && !error.message.is_empty());
        }
    }
}

/// A request whose one span has this in it.
fn with(inside: &str) -> String {
    format!(
        "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[\n{{\"traceId\":\"{}\",\"spanId\":\"{}\",{inside}}}]}}]}}]}}",
        "4bf92f3577b34da6a3ce929d0e0e4736", "00F067AA0BA902B7"
    )
}

fn value(any: &str) -> Value {
    let body = with(&format!("\"attributes\":[{{\"key\":\"k\",\"value\":{any}}}]"));
    let (_, got) = read_json(body.as_bytes()).unwrap();
    got[0].span.attribute("k").unwrap().clone()
}

#[test]
fn every_form_of_a_value_that_the_mapping_allows_is_read() {
    assert_eq!(value(r#"{"intValue":"-9223372036854775808"}"#), Value::I64(i64::MIN));
    assert_eq!(value(r#"{"intValue":12}"#), Value::I64(12));
    assert_eq!(value(r#"{"intValue":1.2e1}"#), Value::I64(12));
    assert_eq!(value(r#"{"doubleValue":"-Infinity"}"#), Value::F64(f64::NEG_INFINITY));
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#), Value::F64(value) if value.is_nan()));
    assert_eq!(value(r#"{"doubleValue":3}"#), Value::F64(3.0));
    assert_eq!(value(r#"{"boolValue":false}"#), Value::Bool(false));
    assert_eq!(value(r#"{"stringValue":""}"#), Value::Str("".into()));
    assert_eq!(value(r#"{"stringValue":"\u00e9\n"}"#), Value::Str("é\n".into()));
    assert_eq!(value(r#"{"bytesValue":"-_8"}"#), Value::Bytes(vec![0xfb, 0xff]));
    assert_eq!(value(r#"{"arrayValue":{}}"#), Value::List(Vec::new()));
    assert_eq!(value(r#"{"kvlistValue":{"values":[]}}"#), Value::Map(Vec::new()));
    assert_eq!(value("null"), Value::Empty);
    assert_eq!(value(r#"{"stringValue":null,"newValue":[1]}"#), Value::Empty);
}

proptest! {
    #[test]
    fn a_double_is_read_to_its_last_bit(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let Value::F64(read) = value(&json!({ "doubleValue": number }).to_string()) else { panic!("a double") };
        prop_assert_eq!(read.to_bits(), bits, "{}", number);
    }
}

#[test]
fn status_and_kind_are_numbers_and_nothing_is_its_default() {
    let body = with(r#""kind":2,"status":{"code":2,"message":"no"},"events":null,"name":null,"flags":769"#);
    let (_, got) = read_json(body.as_bytes()).unwrap();
    let span = &got[0].span;
    assert_eq!((&*span.kind, span.status, &*span.name), ("server", SpanStatus::Error, ""));
    assert_eq!(span.span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(span.received.as_ref().map(|received| received.flags), Some(769));
}

#[test]
fn what_is_wrong_is_named_with_path_place_and_what_is_accepted_and_never_repeated() {
    let at = "resourceSpans[0].scopeSpans[0].spans[0]";
    let secret = "sk-12345678";
    for (inside, path, message) in [
        (
            r#""traceId":"xyz""#,
            ".traceId",
            "found another text, expected a text of hexadecimal digits, two for each byte",
        ),
        (
            r#""kind":"SPAN_KIND_SERVER""#,
            ".kind",
            "found a text, expected the number of an enumeration's value (its name is not accepted in OTLP/JSON)",
        ),
        (
            r#""kind":3000000000"#,
            ".kind",
            "found a number, expected the number of an enumeration's value (its name is not accepted in OTLP/JSON)",
        ),
        (r#""name":12"#, ".name", "found a number, expected a text"),
        (r#""name":["sk-12345678"]"#, ".name", "found a list, expected a text"),
        (r#""name":{"sk-12345678":1}"#, ".name", "found an object, expected a text"),
        (
            r#""startTimeUnixNano":"sk-12345678""#,
            ".startTimeUnixNano",
            "found a text, expected a whole number of 64 bits, or a text that holds one",
        ),
        (
            r#""startTimeUnixNano":-1"#,
            ".startTimeUnixNano",
            "found a number, expected a whole number of 64 bits, or a text that holds one",
        ),
        (r#""flags":4294967296"#, ".flags", "found a number, expected a whole number from 0 to 4294967295"),
        (r#""attributes":{}"#, ".attributes", "found an object, expected a list of objects"),
        (r#""attributes":[{"key":"a"},7]"#, ".attributes[1]", "found a number, expected an object"),
        (r#""attributes":[null]"#, ".attributes[0]", "found null, expected an object"),
        (
            r#""attributes":[{"value":{"intValue":"sk-12345678"}}]"#,
            ".attributes[0].value.intValue",
            "found a text, expected a whole number of 64 bits with sign, or a text that holds one",
        ),
        (
            r#""attributes":[{"value":{"doubleValue":"sk-12345678"}}]"#,
            ".attributes[0].value.doubleValue",
            "found a text, expected a number, or a text that holds one, `NaN`, `Infinity` or `-Infinity`",
        ),
        (
            r#""attributes":[{"value":{"boolValue":"sk-12345678"}}]"#,
            ".attributes[0].value.boolValue",
            "found a text, expected true or false",
        ),
        (
            r#""attributes":[{"value":{"bytesValue":"sk-12345678!"}}]"#,
            ".attributes[0].value.bytesValue",
            "found another text, expected a text of bytes in base64",
        ),
        (
            r#""attributes":[{"value":{"arrayValue":{"values":[{"stringValue":true}]}}}]"#,
            ".attributes[0].value.arrayValue.values[0].stringValue",
            "found true or false, expected a text",
        ),
    ] {
        let error = read_json(with(inside).as_bytes()).unwrap_err();
        assert_eq!((error.path.as_str(), error.message.as_str()), (&*format!("{at}{path}"), message), "{inside}");
        assert_eq!(error.line, 2, "{inside}");
        assert!(error.column > 60 && !error.to_string().contains(secret), "{error}");
    }
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for (body, path, line, column) in [
        ("", "body", 1, 0),
        ("[]", "body", 1, 2),
        ("7", "body", 1, 1),
        ("{\"resourceSpans\":[{}]} x", "body", 1, 24),
        ("{\"resourceSpans\":[\n{]}", "resourceSpans[0]", 2, 2),
        (
            "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a",
            "resourceSpans[0].scopeSpans[0].spans[0].name",
            1,
            53,
        ),
    ] {
        let error = read_json(body.as_bytes()).unwrap_err();
        assert_eq!((error.path.as_str(), error.line, error.column), (path, line, column), "{error}");
    }
}

#[test]
fn json_in_more_levels_than_anybody_writes_is_refused_and_does_not_exhaust_the_stack() {
    let open = r#"{"arrayValue":{"values":["#;
    let deep = with(&format!("\"attributes\":[{{\"value\":{}{}", open.repeat(50_000), "]}}".repeat(50_000)));
    let error = read_json(deep.as_bytes()).unwrap_err();
    assert_eq!(error.message, "recursion limit exceeded");
    // What is skipped is not built, and costs no stack.
    let unknown = with(&format!("\"unknown\":{}{}", "[".repeat(200_000), "]".repeat(200_000)));
    assert_eq!(read_json(unknown.as_bytes()).unwrap().0.accepted, 1);
}

#[test]
fn keys_of_protobuf_are_unknown_in_json() {
    let (outcome, got) = read_json(br#"{"resource_spans":[{"scope_spans":"sk-1"}]}"#).unwrap();
    assert_eq!((outcome.accepted, got.len()), (0, 0));
}
