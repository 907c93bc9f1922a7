//! The same spans in every form they may have, and what is answered when some of them are wrong.

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use prost::Message;
use serde_json::{Value as Json, json};
use tonic::Code;
use tta_telemetry::{SpanRecord, SpanStatus, TraceId, Value};

use super::messages::{failed, pair, request, span, text, trace_id};
use super::support::{JSON, Lab, PROTOBUF, TRACES, frame, gzip_frame};
use crate::guard::support::gzip;

/// A root and a child that says all that a span can say.
fn two(trace: u64) -> Vec<Span> {
    let link = Link { trace_id: trace_id(99), span_id: vec![9; 8], flags: 1, ..Link::default() };
    let event = Event {
        time_unix_nano: 1_500,
        name: "seen".to_owned(),
        attributes: vec![pair("n", Any::IntValue(7))],
        ..Event::default()
    };
    let attributes = vec![pair("http.route", text("/cart/{id}")), pair("ratio", Any::DoubleValue(0.5))];
    let child = Span { attributes, events: vec![event], links: vec![link], ..span(trace, 2, 1, "charge") };
    vec![span(trace, 1, 0, "GET /cart/{id}"), failed(child)]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same in JSON: ids in hex, 64-bit numbers as text.
fn two_in_json(trace: u64) -> Vec<u8> {
    let id = hex(&trace_id(trace));
    let span = |id_of_span: u64, name: &str| {
        json!({"traceId": id, "spanId": format!("{id_of_span:016x}"), "name": name, "kind": 2,
               "startTimeUnixNano": (1_000 + id_of_span).to_string(), "endTimeUnixNano": (2_001_000 + id_of_span).to_string()})
    };
    let mut child = span(2, "charge");
    child["parentSpanId"] = json!("0000000000000001");
    child["attributes"] = json!([{"key": "http.route", "value": {"stringValue": "/cart/{id}"}},
                                 {"key": "ratio", "value": {"doubleValue": 0.5}}]);
    child["events"] =
        json!([{"timeUnixNano": "1500", "name": "seen", "attributes": [{"key": "n", "value": {"intValue": "7"}}]}]);
    child["links"] = json!([{"traceId": hex(&trace_id(99)), "spanId": hex(&[9; 8]), "flags": 1}]);
    child["status"] = json!({"message": "no", "code": 2});
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let spans = [span(1, "GET /cart/{id}"), child];
    let request = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans, "notKnown": 1}]}]});
    request.to_string().into_bytes()
}

fn check(spans: &[SpanRecord]) {
    let [root, child] = spans else { panic!("{spans:?}") };
    assert_eq!((root.name.as_str(), &*root.kind, root.parent_span_id), ("GET /cart/{id}", "server", None));
    assert_eq!((root.start_unix_ns, root.duration_ns, root.status), (1_001, 2_000_000, SpanStatus::Ok));
    assert_eq!(
        (child.name.as_str(), child.parent_span_id, child.status),
        ("charge", Some(root.span_id), SpanStatus::Error)
    );
    assert_eq!(child.attribute("http.route"), Some(&Value::Str("/cart/{id}".into())));
    assert_eq!(child.attribute("ratio"), Some(&Value::F64(0.5)));
    assert_eq!((child.events.len(), &*child.events[0].name), (1, "seen"));
    assert_eq!(child.links[0].trace_id.get(), u128::from_be_bytes(trace_id(99).try_into().unwrap()));
    let received = child.received.as_deref().unwrap();
    assert_eq!((received.service().as_str(), received.status_message.as_str()), ("shop", "no"));
}

#[tokio::test]
async fn a_span_is_the_same_in_whatever_form_it_came() {
    let lab = Lab::new().await;
    let packed = "content-encoding: gzip";
    let replies = [
        lab.post(&[PROTOBUF], &request("shop", two(1))).await,
        lab.post(&[PROTOBUF, packed], &gzip(&request("shop", two(2)))).await,
        lab.post(&["content-type: application/json; charset=utf-8"], &two_in_json(3)).await,
        lab.post(&[JSON, packed], &gzip(&two_in_json(4))).await,
    ];
    let said = replies.map(|reply| (reply.status, reply.header("content-type").map(str::to_owned), reply.text()));
    let empty = (200, Some("application/x-protobuf".to_owned()), String::new());
    let none = (200, Some("application/json".to_owned()), "{}".to_owned());
    assert_eq!(said, [empty.clone(), empty, none.clone(), none]);
    let plain = lab.export(&request("shop", two(5))).await;
    let gzipped = lab.call(TRACES, &[("grpc-encoding", "gzip")], &gzip_frame(&request("shop", two(6)))).await;
    for call in [plain, gzipped] {
        assert_eq!((call.said(), call.message.len()), ((Code::Ok, ""), 0));
    }
    let mut kept = lab.after(10);
    kept.sort_by_key(|trace| trace.trace_id);
    let want: Vec<_> =
        (1..=6).map(|trace| TraceId::new(u128::from_be_bytes(trace_id(trace).try_into().unwrap()))).collect();
    assert_eq!(kept.iter().map(|trace| Some(trace.trace_id)).collect::<Vec<_>>(), want);
    for trace in &kept {
        check(&trace.spans);
        assert_eq!(trace.spans[1].links, kept[0].spans[1].links);
        assert_eq!(trace.spans[1].events, kept[0].spans[1].events);
    }
    assert_eq!(lab.receiver.status().spans, 12);
}

#[tokio::test]
async fn a_message_of_grpc_may_be_uncompressed_though_compression_was_agreed_on() {
    let lab = Lab::new().await;
    let call = lab.call(TRACES, &[("grpc-encoding", "gzip")], &frame(0, &request("shop", two(1)))).await;
    assert_eq!(call.said(), (Code::Ok, ""));
    let other = lab.call(TRACES, &[("grpc-encoding", "zstd")], &frame(1, b"zstd")).await;
    assert_eq!(other.status.code(), Code::Unimplemented);
    // The client is told what would be taken.
    assert_eq!(other.headers["grpc-accept-encoding"], "gzip,identity");
}

#[tokio::test]
async fn spans_with_invalid_ids_are_refused_alone_and_the_reply_says_which() {
    let lab = Lab::new().await;
    let short = Span { trace_id: vec![1; 15], ..span(1, 2, 1, "short") };
    let zero = Span { span_id: vec![0; 8], ..span(1, 3, 1, "zero") };
    let parent = Span { parent_span_id: vec![1; 3], ..span(1, 4, 1, "parent") };
    let spans = |trace| vec![span(trace, 1, 0, "fine"), short.clone(), zero.clone(), parent.clone(), short.clone()];
    let at = |index: u32, what: &str| format!("resource_spans[0].scope_spans[0].spans[{index}].{what}");
    let said = [
        at(1, "trace_id has 15 bytes: expected 16, not all zero"),
        at(2, "span_id is all zero: expected 8 bytes, not all zero"),
        at(3, "parent_span_id has 3 bytes: expected 8, not all zero"),
        "and 1 more".to_owned(),
    ];
    let want = ExportTracePartialSuccess { rejected_spans: 4, error_message: said.join("; ") };
    let http = lab.post(&[PROTOBUF], &request("shop", spans(1))).await;
    assert_eq!((http.status, http.header("content-type")), (200, Some("application/x-protobuf")));
    let grpc = lab.export(&request("shop", spans(2))).await;
    assert_eq!(grpc.said(), (Code::Ok, ""));
    for body in [http.body, grpc.message] {
        let reply = ExportTraceServiceResponse::decode(body.as_slice()).unwrap();
        assert_eq!(reply.partial_success.as_ref(), Some(&want));
    }
    let span_in_json = |trace_id: &str, span_id: &str| json!({"traceId": trace_id, "spanId": span_id, "name": "x"});
    let fine = span_in_json(&hex(&trace_id(3)), "0000000000000001");
    let zero = span_in_json(&hex(&trace_id(3)), "0000000000000000");
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": [fine, zero]}]}]}).to_string();
    let reply = lab.post(&[JSON], body.as_bytes()).await;
    let json: Json = serde_json::from_str(&reply.text()).unwrap();
    let message = at(1, "span_id is all zero: expected 8 bytes, not all zero");
    assert_eq!((reply.status, json), (200, json!({"partialSuccess": {"rejectedSpans": "1", "errorMessage": message}})));
    // What was in order is kept: three traces of one span.
    assert_eq!(lab.after(60).iter().map(|trace| trace.spans.len()).collect::<Vec<_>>(), [1, 1, 1]);
}

#[tokio::test]
async fn spans_beyond_the_limit_of_their_trace_are_refused_in_a_reply_that_says_so() {
    let lab = Lab::new().await;
    let spans: Vec<_> = (1..=10_003).map(|id| span(1, id, id - 1, "step")).collect();
    let grpc = lab.export(&request("shop", spans)).await;
    let reply = ExportTraceServiceResponse::decode(grpc.message.as_slice()).unwrap().partial_success.unwrap();
    assert_eq!(
        (reply.rejected_spans, reply.error_message.as_str()),
        (3, "3 spans are beyond the limit of their trace")
    );
    assert_eq!((lab.receiver.status().spans, lab.receiver.status().over_span_limit), (10_000, 3));
}
