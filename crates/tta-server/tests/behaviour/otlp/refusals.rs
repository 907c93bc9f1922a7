//! Every way in which a request is refused, and in which form it is told.

use prost::Message;
use serde_json::{Value as Json, json};
use tonic::Code;
use tta_server::ServerLimits;

use super::messages::{Status, request, span};
use super::support::{JSON, Lab, PROTOBUF, TRACES, frame, get, gzip_frame, rate, settings};
use crate::support::Reply;

const WANTS_PROTOBUF: &str = "accept: application/x-protobuf";

fn body() -> Vec<u8> {
    request("shop", vec![span(1, 1, 0, "work")])
}

/// A problem that is at once the JSON of `google.rpc.Status`: status, code and what is wrong.
fn problem(reply: &Reply) -> (u16, i64, String) {
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{}", reply.text());
    let json: Json = serde_json::from_str(&reply.text()).unwrap();
    assert_eq!((&json["status"], &json["detail"]), (&json!(reply.status), &json["message"]));
    (reply.status, json["code"].as_i64().unwrap(), json["detail"].as_str().unwrap().to_owned())
}

/// The same in protobuf.
fn status(reply: &Reply) -> (u16, i32, String) {
    assert_eq!(reply.header("content-type"), Some("application/x-protobuf"), "{}", reply.head);
    let Status { code, message, details } = Status::decode(reply.body.as_slice()).unwrap();
    assert_eq!(details, []);
    (reply.status, code, message)
}

#[tokio::test]
async fn what_is_no_request_is_refused_with_the_place_and_leaves_nothing_behind() {
    let lab = Lab::new().await;
    let whole = body();
    let cut = &whole[..whole.len() - 1];
    let said = format!(
        "not ExportTraceServiceRequest in protobuf: a field is longer than the rest of its message, at byte 0 of {}; \
         accepted is ExportTraceServiceRequest, uncompressed",
        cut.len()
    );
    assert_eq!(problem(&lab.post(&[PROTOBUF], cut).await), (400, 3, said.clone()));
    assert_eq!(status(&lab.post(&[PROTOBUF, WANTS_PROTOBUF], cut).await), (400, 3, said.clone()));
    let call = lab.export(cut).await;
    assert_eq!(call.said(), (Code::InvalidArgument, said.as_str()));
    let details = Status::decode(call.status.details()).unwrap();
    assert_eq!((details.code, details.message), (3, said));
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"#;
    let (code, number, said) = problem(&lab.post(&[JSON], json).await);
    assert_eq!((code, number), (400, 3));
    assert!(said.contains(&format!("column {}", json.len())), "{said}");
    assert_eq!(status(&lab.post(&[JSON, WANTS_PROTOBUF], json).await), (400, 3, said));
    let (code, number, said) = problem(&lab.post(&[JSON], br#"{"resourceSpans": 7}"#).await);
    assert_eq!((code, number), (400, 3));
    assert!(said.contains("resourceSpans: found a number, expected a list of objects"), "{said}");
    // Not compressed, though it says so; and the other way round.
    assert_eq!(lab.post(&[PROTOBUF, "content-encoding: gzip"], &whole).await.status, 400);
    assert_eq!(problem(&lab.post(&[PROTOBUF], &crate::guard::support::gzip(&whole)).await).0, 400);
    assert_eq!((lab.receiver.status().spans, lab.after(60).len()), (0, 0));
}

#[tokio::test]
async fn content_types_are_not_guessed() {
    let lab = Lab::new().await;
    for (kind, given) in [("content-type: text/plain", "\"text/plain\""), ("x-kind: none", "none")] {
        let said = format!("the content type is {given}, accepted are application/x-protobuf and application/json");
        assert_eq!(problem(&lab.post(&[kind], &body()).await), (415, 3, said.clone()));
        assert_eq!(status(&lab.post(&[kind, WANTS_PROTOBUF], &body()).await), (415, 3, said));
    }
    assert_eq!(lab.post(&[PROTOBUF, "content-encoding: zstd"], &body()).await.status, 415);
    assert_eq!(lab.receiver.status().spans, 0);
}

#[tokio::test]
async fn signals_that_are_not_taken_and_methods_that_there_are_not_are_named() {
    let lab = Lab::new().await;
    for (signal, service) in [("metrics", "metrics.v1.MetricsService"), ("logs", "logs.v1.LogsService")] {
        let said = format!("{signal} are not taken, only traces, at /v1/traces");
        assert_eq!(problem(&lab.post_to(signal, &[PROTOBUF], b"").await), (501, 12, said));
        let call = lab.call(&format!("opentelemetry.proto.collector.{service}/Export"), &[], &frame(0, b"")).await;
        assert_eq!(call.said(), (Code::Unimplemented, format!("{signal} are not taken, only traces").as_str()));
    }
    assert_eq!(lab.post_to("profiles", &[PROTOBUF], b"").await.status, 404);
    let call = lab.call("opentelemetry.proto.collector.trace.v1.TraceService/Import", &[], &frame(0, b"")).await;
    assert_eq!(call.status.code(), Code::Unimplemented);
    let address = lab.running.addresses().otlp_http.unwrap();
    let got = get(address, "/v1/traces").await;
    assert_eq!((got.status, got.header("allow")), (405, Some("post")));
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let limits = ServerLimits { body_bytes: 64 << 10, decompressed_bytes: 128 << 10, ..ServerLimits::default() };
    let lab = Lab::of(|builder| builder.sampling_policy(rate(1.0)), &settings(limits)).await;
    let large = vec![0_u8; 65 << 10];
    assert_eq!(lab.post(&[PROTOBUF], &large).await.status, 413);
    let bomb = crate::guard::support::gzip(&vec![0_u8; 1 << 20]);
    assert_eq!(lab.post(&[PROTOBUF, "content-encoding: gzip"], &bomb).await.status, 413);
    let call = lab.export(&large).await;
    assert_eq!(call.status.code(), Code::ResourceExhausted, "{}", call.status.message());
    assert_eq!(lab.receiver.status().spans, 0);
}

#[tokio::test]
async fn a_message_of_grpc_is_bounded_also_when_it_is_decompressed() {
    let lab = Lab::new().await;
    let bomb = gzip_frame(&vec![0_u8; 33 << 20]);
    assert!(bomb.len() < 64 << 10);
    let call = lab.call(TRACES, &[("grpc-encoding", "gzip")], &bomb).await;
    assert_eq!(call.status.code(), Code::ResourceExhausted, "{}", call.status.message());
    // One that only says that it is so long.
    let claim = [&[0][..], &(33_u32 << 20).to_be_bytes(), &body()].concat();
    let call = lab.call(TRACES, &[], &claim).await;
    assert_eq!(call.said(), (Code::ResourceExhausted, "the message is too large; accepted are 33554432 bytes"));
    // One that ends before the length it says.
    let call = lab.call(TRACES, &[], &frame(0, &body())[..20]).await;
    assert_ne!(call.status.code(), Code::Ok);
    let call = lab.call(TRACES, &[("grpc-encoding", "gzip")], &frame(1, b"no gzip")).await;
    assert_ne!(call.status.code(), Code::Ok);
    assert_eq!(lab.receiver.status().spans, 0);
    // The connection's faults were its own.
    assert_eq!(lab.export(&body()).await.said(), (Code::Ok, ""));
}

#[tokio::test]
async fn the_bytes_of_a_message_of_grpc_are_those_that_the_settings_say() {
    const MOST: usize = 100_000;
    let limits = ServerLimits { body_bytes: 1 << 20, decompressed_bytes: MOST, ..ServerLimits::default() };
    let lab = Lab::of(|builder| builder.sampling_policy(rate(1.0)), &settings(limits)).await;
    // A message of exactly so many bytes: a field that the protocol does not know.
    let of = |bytes: usize| {
        let rest = u32::try_from(bytes - 4).unwrap();
        let length = [(rest & 0x7f | 0x80) as u8, (rest >> 7 & 0x7f | 0x80) as u8, (rest >> 14) as u8];
        [&[0x7a][..], &length, &vec![b'x'; bytes - 4]].concat()
    };
    assert_eq!(lab.export(&of(MOST)).await.said(), (Code::Ok, ""));
    let said = format!("the message is too large; accepted are {MOST} bytes");
    assert_eq!(lab.export(&of(MOST + 1)).await.said(), (Code::ResourceExhausted, said.as_str()));
    let gzip = [("grpc-encoding", "gzip")];
    assert_eq!(lab.call(TRACES, &gzip, &gzip_frame(&of(MOST))).await.said(), (Code::Ok, ""));
    let call = lab.call(TRACES, &gzip, &gzip_frame(&of(MOST + 1))).await;
    assert_eq!(call.status.code(), Code::ResourceExhausted);
    assert!(call.status.message().contains("100000 bytes"), "{}", call.status.message());
}

#[tokio::test]
async fn a_message_of_grpc_may_be_larger_than_usual_where_the_settings_say_so() {
    let limits = ServerLimits { decompressed_bytes: 40 << 20, ..ServerLimits::default() };
    let lab = Lab::of(|builder| builder.sampling_policy(rate(1.0)), &settings(limits)).await;
    let message = [&[0x7a, 0x80, 0x80, 0x80, 0x11][..], &vec![0; 34 << 20]].concat();
    let call = lab.call(TRACES, &[("grpc-encoding", "gzip")], &gzip_frame(&message)).await;
    assert_eq!(call.said(), (Code::Ok, ""));
}
