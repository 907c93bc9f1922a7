//! A trace as Tempo gives it: in JSON by a schema of OTLP's, in protobuf as other programs' types read it.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status, TracesData};
use prost::Message;
use serde_json::{Value as Json, json};
use tta_telemetry::{SpanRecord, Trace};

use super::support::{SECOND, Served, full, order, span, trace};
use super::tempo::{check, key_values};

const ID: &str = "000000000000000000000000000000a1";
/// As Grafana's backend asks.
const GRAFANA: &str = "accept: application/protobuf\r\n";

/// `tempopb.TraceByIDResponse`, written from Tempo's `tempo.proto`.
#[derive(Clone, PartialEq, Message)]
struct TraceByIdResponse {
    #[prost(message, optional, tag = "1")]
    trace: Option<TracesData>,
    #[prost(message, optional, tag = "2")]
    metrics: Option<()>,
    #[prost(int32, tag = "3")]
    status: i32,
    #[prost(string, tag = "4")]
    message: String,
}

/// `ResourceSpans` by OTLP's JSON: ids in hexadecimal, enumerations as numbers, 64 bits as text.
pub(crate) fn resource_spans() -> Json {
    let hex = |digits: &str| json!({"type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$")});
    let nano = json!({"type": "string", "pattern": "^[0-9]+$"});
    let count = json!({"type": "integer", "minimum": 0});
    let link = json!({
        "type": "object", "required": ["traceId", "spanId"],
        "properties": {"traceId": hex("32"), "spanId": hex("16"), "attributes": key_values(), "flags": count}
    });
    let event = json!({
        "type": "object", "required": ["timeUnixNano", "name"],
        "properties": {"timeUnixNano": nano, "name": {"type": "string"}, "attributes": key_values()}
    });
    let span = json!({
        "type": "object", "required": ["traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"],
        "properties": {
            "traceId": hex("32"), "spanId": hex("16"), "parentSpanId": hex("16"),
            "kind": {"type": "integer", "minimum": 0, "maximum": 5}, "startTimeUnixNano": nano, "endTimeUnixNano": nano,
            "attributes": key_values(), "events": {"type": "array", "items": event}, "links": {"type": "array", "items": link},
            "status": {"type": "object", "properties": {"code": {"enum": [0, 1, 2]}, "message": {"type": "string"}}},
            "droppedAttributesCount": count, "droppedEventsCount": count, "droppedLinksCount": count, "flags": count
        }
    });
    let scope = json!({"type": "object", "properties": {"name": {"type": "string"}, "version": {"type": "string"}, "attributes": key_values()}});
    json!({"type": "array", "minItems": 1, "items": {
        "type": "object", "required": ["resource", "scopeSpans"], "properties": {
            "resource": {"type": "object", "properties": {"attributes": key_values()}},
            "scopeSpans": {"type": "array", "items": {
                "type": "object", "required": ["scope", "spans"],
                "properties": {"scope": scope, "spans": {"type": "array", "items": span, "minItems": 1}}
            }}
        }
    }})
}

#[tokio::test]
async fn a_trace_is_otlp_with_all_that_was_sent() {
    let served = Served::start().await;
    served.put(Trace { incomplete: true, ..order(0xa1) });
    let v1 = served.json(&format!("/tempo/api/traces/{ID}")).await;
    let v2 = served.json("/tempo/api/v2/traces/A1").await;
    check(&json!({"type": "object", "required": ["batches"], "properties": {"batches": resource_spans()}}), &v1);
    let trace =
        json!({"type": "object", "required": ["resourceSpans"], "properties": {"resourceSpans": resource_spans()}});
    check(
        &json!({"type": "object", "required": ["trace"], "properties": {"trace": trace, "status": {"enum": ["COMPLETE", "PARTIAL"]}}}),
        &v2,
    );
    assert_eq!((&v1["batches"], &v2["status"]), (&v2["trace"]["resourceSpans"], &json!("PARTIAL")));
    let string = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let [own, stock] = [&v1["batches"][0], &v1["batches"][1]];
    assert_eq!(own["resource"]["attributes"], json!([string("service.name", "shop")]));
    assert_eq!(
        (&own["scopeSpans"][0]["scope"]["name"], &own["scopeSpans"][0]["spans"][0]["kind"]),
        (&json!("tta"), &json!(1))
    );
    let resource = json!({
        "attributes": [string("service.name", "stock"), {"key": "host.cpus", "value": {"intValue": "4"}}],
        "droppedAttributesCount": 5
    });
    assert_eq!((&stock["resource"], &stock["schemaUrl"]), (&resource, &json!("https://example.org/resource")));
    let span = json!({
        "traceId": ID, "spanId": "0000000000000002", "parentSpanId": "0000000000000001", "traceState": "ot=th:c,x=y",
        "flags": 257, "name": "GET /cart", "kind": 2, "startTimeUnixNano": "2000000001", "endTimeUnixNano": "2500000001",
        "attributes": [
            string("http.route", "/cart/{id}"),
            {"key": "http.status_code", "value": {"intValue": "503"}},
            {"key": "big", "value": {"intValue": "9223372036854775807"}},
            {"key": "ratio", "value": {"doubleValue": 0.5}},
            {"key": "nan", "value": {"doubleValue": "NaN"}},
            {"key": "raw", "value": {"bytesValue": "3q0="}},
            {"key": "tags", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}},
            {"key": "mixed", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"boolValue": true}]}}},
            {"key": "map", "value": {"kvlistValue": {"values": [string("k", "v")]}}},
            {"key": "empty"}
        ],
        "droppedAttributesCount": 1,
        "events": [{
            "timeUnixNano": "2000000005", "name": "exception",
            "attributes": [string("exception.type", "OutOfStock")], "droppedAttributesCount": 8
        }],
        "droppedEventsCount": 3,
        "links": [{
            "traceId": "0000000000000000000000000000feed", "spanId": "000000000000beef", "traceState": "a=b",
            "attributes": [string("why", "retry")], "droppedAttributesCount": 7, "flags": 1
        }],
        "droppedLinksCount": 4,
        "status": {"code": 2, "message": "no \"stock\""}
    });
    assert_eq!(stock["scopeSpans"][0]["spans"], json!([span]));
}

fn any(value: Any) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn key(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    self::key(key, any(Any::StringValue(value.to_owned())))
}

/// The span that [`full`] stands for, of [`order`]'s trace.
fn stock_span() -> Span {
    let list = |values: Vec<Any>| {
        let values = values.into_iter().map(|value| AnyValue { value: Some(value) }).collect();
        any(Any::ArrayValue(ArrayValue { values }))
    };
    let id = |number: u128| number.to_be_bytes().to_vec();
    Span {
        trace_id: id(0xa1),
        span_id: 2_u64.to_be_bytes().to_vec(),
        // Kept with a quarter of the probability, not half of it.
        trace_state: "ot=th:c,x=y".into(),
        parent_span_id: 1_u64.to_be_bytes().to_vec(),
        flags: 0x101,
        name: "GET /cart".into(),
        kind: 2,
        start_time_unix_nano: 2 * SECOND + 1,
        end_time_unix_nano: 2 * SECOND + 1 + SECOND / 2,
        attributes: vec![
            text("http.route", "/cart/{id}"),
            key("http.status_code", any(Any::IntValue(503))),
            key("big", any(Any::IntValue(i64::MAX))),
            key("ratio", any(Any::DoubleValue(0.5))),
            key("nan", any(Any::DoubleValue(f64::INFINITY))),
            key("raw", any(Any::BytesValue(vec![0xde, 0xad]))),
            key("tags", list(vec![Any::StringValue("a".into()), Any::StringValue("b".into())])),
            key("mixed", list(vec![Any::IntValue(1), Any::BoolValue(true)])),
            key("map", any(Any::KvlistValue(KeyValueList { values: vec![text("k", "v")] }))),
            key("empty", None),
        ],
        dropped_attributes_count: 1,
        events: vec![Event {
            time_unix_nano: 2 * SECOND + 5,
            name: "exception".into(),
            attributes: vec![text("exception.type", "OutOfStock")],
            dropped_attributes_count: 8,
        }],
        dropped_events_count: 3,
        links: vec![Link {
            trace_id: id(0xfeed),
            span_id: 0xbeef_u64.to_be_bytes().to_vec(),
            trace_state: "a=b".into(),
            attributes: vec![text("why", "retry")],
            dropped_attributes_count: 7,
            flags: 1,
        }],
        dropped_links_count: 4,
        status: Some(Status { code: 2, message: "no \"stock\"".into() }),
    }
}

/// A number that is none equals nothing, itself neither.
fn with_infinity_for_nan(mut span: Span) -> Span {
    for attribute in &mut span.attributes {
        if let Some(AnyValue { value: Some(Any::DoubleValue(value)) }) = &mut attribute.value {
            *value = if value.is_nan() { f64::INFINITY } else { *value };
        }
    }
    span
}

/// [`full`] without the attribute that equals nothing, itself neither.
fn numbered(id: u64, parent: u64) -> SpanRecord {
    let mut span = full(id, parent, "stock");
    span.attributes.retain(|attribute| attribute.key != *"nan");
    span
}

async fn v1(served: &Served, id: &str) -> TracesData {
    let reply = served.bytes(&format!("/tempo/api/traces/{id}"), GRAFANA).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/protobuf")));
    assert_eq!(reply.header("vary"), Some("accept"));
    TracesData::decode(reply.body.as_slice()).unwrap()
}

async fn v2(served: &Served, id: &str) -> TraceByIdResponse {
    let reply = served.bytes(&format!("/tempo/api/v2/traces/{id}"), GRAFANA).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/protobuf")));
    TraceByIdResponse::decode(reply.body.as_slice()).unwrap()
}

#[tokio::test]
async fn grafana_reads_every_part_of_a_trace_in_protobuf() {
    let served = Served::start().await;
    served.put(order(0xa1));
    let first = v1(&served, ID).await;
    let [own, stock] = first.resource_spans.as_slice() else { panic!("{first:?}") };
    assert_eq!(own.resource.as_ref().unwrap().attributes, [text("service.name", "shop")]);
    let order = &own.scope_spans[0].spans[0];
    assert_eq!((order.name.as_str(), order.kind, order.parent_span_id.len()), ("order", 1, 0));
    let resource = Resource {
        attributes: vec![text("service.name", "stock"), key("host.cpus", any(Any::IntValue(4)))],
        dropped_attributes_count: 5,
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        name: "lib".into(),
        version: "1.2".into(),
        attributes: vec![text("build", "abc")],
        dropped_attributes_count: 6,
    };
    assert_eq!((&stock.resource, &stock.scope_spans[0].scope), (&Some(resource), &Some(scope)));
    assert_eq!(
        (stock.schema_url.as_str(), stock.scope_spans[0].schema_url.as_str()),
        ("https://example.org/resource", "https://example.org/scope")
    );
    let spans: Vec<Span> = stock.scope_spans[0].spans.iter().cloned().map(with_infinity_for_nan).collect();
    assert_eq!(spans, [stock_span()]);
    // A number that is none equals nothing, so it is the text that is compared.
    let second = v2(&served, "A1").await;
    let want = TraceByIdResponse { trace: Some(first), metrics: None, status: 0, message: String::new() };
    assert_eq!(format!("{second:?}"), format!("{want:?}"));
}

#[tokio::test]
async fn a_trace_that_is_partial_says_so_and_parts_that_came_late_are_in_it_once() {
    let served = Served::start().await;
    served.put(Trace { incomplete: true, ..trace(0xa1, vec![span(1, None, "order"), numbered(2, 1)]) });
    served.put(Trace { late: true, ..trace(0xa1, vec![numbered(7, 2), numbered(2, 1)]) });
    let found = v2(&served, ID).await;
    assert_eq!((found.status, found.message.as_str()), (1, "the trace was decided about before its end"));
    let ids = |data: &TracesData| -> Vec<u8> {
        let spans =
            data.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans);
        let mut ids: Vec<u8> = spans.map(|span| span.span_id[7]).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&found.trace.unwrap()), [1, 2, 7]);
    assert_eq!(ids(&v1(&served, ID).await), [1, 2, 7]);
}

#[tokio::test]
async fn both_forms_say_the_same() {
    let served = Served::start().await;
    served.put(trace(0xa1, vec![span(1, None, "order"), numbered(2, 1)]));
    let json = served.json(&format!("/tempo/api/v2/traces/{ID}")).await;
    let from_json: TracesData = serde_json::from_value(json["trace"].clone()).unwrap();
    assert_eq!(format!("{:?}", v1(&served, ID).await), format!("{from_json:?}"));
}

#[tokio::test]
async fn the_form_is_the_one_that_is_wanted_most_and_json_where_nothing_is_said() {
    let served = Served::start().await;
    served.put(trace(0xa1, vec![span(1, None, "alone")]));
    let (json, protobuf) = (Some("application/json"), Some("application/protobuf"));
    for (accept, status, kind) in [
        ("", 200, json),
        ("*/*", 200, json),
        ("nonsense", 200, json),
        ("application/*", 200, json),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 200, json),
        ("application/protobuf;q=0.5, application/json", 200, json),
        ("application/json, application/protobuf", 200, json),
        ("application/protobuf", 200, protobuf),
        ("Application/ProtoBuf; charset=utf-8", 200, protobuf),
        ("application/x-protobuf", 200, protobuf),
        ("application/protobuf, application/json;q=0.9, */*;q=0.1", 200, protobuf),
        ("*/*, application/protobuf", 200, protobuf),
        ("application/json;q=0, */*", 200, protobuf),
        ("text/plain", 406, Some("application/problem+json")),
        ("application/json;q=0", 406, Some("application/problem+json")),
    ] {
        for path in ["traces", "v2/traces"] {
            let reply = served.bytes(&format!("/tempo/api/{path}/a1"), &format!("accept: {accept}\r\n")).await;
            assert_eq!((reply.status, reply.header("content-type")), (status, kind), "{path} {accept}");
            if status == 406 {
                let body: Json = serde_json::from_slice(&reply.body).unwrap();
                assert_eq!(body["detail"], "accepted are application/json and application/protobuf");
            }
        }
    }
    // A request without a body may name any type of it.
    let headers = "accept: application/protobuf\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    assert_eq!(served.bytes("/tempo/api/traces/a1", headers).await.status, 200);
}

#[tokio::test]
async fn times_do_not_hide_a_trace_and_one_that_is_not_stored_is_a_404_in_either_form() {
    let served = Served::start().await;
    served.put(trace(0xa1, vec![span(1, None, "alone")]));
    for times in ["start=1&end=2", "start=99999&end=99999999", "start=9&end=1", "start=&end=", "mode=all"] {
        for path in ["traces", "v2/traces"] {
            assert_eq!(served.bytes(&format!("/tempo/api/{path}/{ID}?{times}"), GRAFANA).await.status, 200, "{times}");
        }
    }
    // Grafana asks version 1 after a 404 of version 2, and shows the body of that.
    for path in ["v2/traces", "traces"] {
        let reply = served.bytes(&format!("/tempo/api/{path}/b2"), GRAFANA).await;
        assert_eq!((reply.status, reply.header("content-type")), (404, Some("application/problem+json")));
        assert!(
            String::from_utf8(reply.body).unwrap().contains("trace 000000000000000000000000000000b2 is not stored")
        );
    }
    assert_eq!(served.bytes("/tempo/api/v2/traces/0", GRAFANA).await.status, 400);
}
