//! Engines that have ended or record nothing, and senders without the right token.

use std::time::Duration;

use prost::Message;
use tonic::Code;
use tta_otlp::{ErrorReply, ReplyCode};
use tta_server::{ServerLimits, ServerSettings, TokenSource};

use super::messages::{Status, request, span};
use super::support::{JSON, Lab, PROTOBUF, TRACES, frame, rate, settings};
use crate::guard::support::{ADMIN, LONG, READ, WRITE};

fn body() -> Vec<u8> {
    request("shop", vec![span(1, 1, 0, "work")])
}

#[tokio::test]
async fn an_engine_that_has_ended_says_when_to_come_again() {
    let lab = Lab::new().await;
    lab.take(&body()).await;
    assert!(lab.telemetry.shutdown(LONG).await.complete);
    for kind in [PROTOBUF, JSON] {
        let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
            {"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7"}]}]}]}"#;
        let bytes = if kind == JSON { json.to_vec() } else { body() };
        let reply = lab.post(&[kind], &bytes).await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")), "{}", reply.text());
        assert!(reply.text().contains("\"code\":14,\"message\":\"this engine has ended\""), "{}", reply.text());
        let reply = lab.post(&[kind, "accept: application/x-protobuf"], &bytes).await;
        let status = Status::decode(reply.body.as_slice()).unwrap();
        assert_eq!((reply.status, status.code), (503, 14));
        assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    }
    let call = lab.export(&body()).await;
    assert_eq!(call.said(), (Code::Unavailable, "this engine has ended"));
    let details = ErrorReply::from_protobuf(call.status.details()).unwrap();
    assert_eq!((details.code, details.retry_after), (ReplyCode::Unavailable, Some(Duration::from_secs(5))));
    assert_eq!((lab.receiver.status().spans, lab.receiver.status().after_end), (1, 5));
}

#[tokio::test]
async fn an_engine_that_records_nothing_says_so_and_is_not_asked_again() {
    let lab = Lab::of(|builder| builder.enabled(false), &settings(ServerLimits::default())).await;
    let said = "this engine records nothing: `enabled` is false";
    let reply = lab.post(&[PROTOBUF], &body()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (501, None));
    assert!(reply.text().contains(&format!("\"code\":12,\"message\":\"{said}\"")), "{}", reply.text());
    let call = lab.export(&body()).await;
    assert_eq!(call.said(), (Code::Unimplemented, said));
    assert_eq!(ErrorReply::from_protobuf(call.status.details()).unwrap().retry_after, None);
}

#[tokio::test]
async fn spans_are_taken_from_those_who_may_write() {
    let token = |token: &str| vec![TokenSource::Value(token.into())];
    let tokens = ServerSettings {
        read_tokens: token(READ),
        write_tokens: token(WRITE),
        admin_tokens: token(ADMIN),
        ..settings(ServerLimits::default())
    };
    let lab = Lab::of(|builder| builder.sampling_policy(rate(1.0)), &tokens).await;
    let none = (401, Code::Unauthenticated);
    let other = (403, Code::PermissionDenied);
    let may = (200, Code::Ok);
    for (token, (status, code)) in [("", none), ("0123456789abcdef", none), (READ, other), (WRITE, may), (ADMIN, may)] {
        let bearer = format!("Bearer {token}");
        let header = format!("authorization: {bearer}");
        let headers = [PROTOBUF, header.as_str()];
        let reply = lab.post(if token.is_empty() { &headers[..1] } else { &headers }, &body()).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        let with: &[_] = if token.is_empty() { &[] } else { &[("authorization", bearer.as_str())] };
        let call = lab.call(TRACES, with, &frame(0, &body())).await;
        assert_eq!(call.status.code(), code, "{}", call.status.message());
        assert!(token.is_empty() || !(reply.text().contains(token) || call.status.message().contains(token)));
    }
    assert_eq!(lab.receiver.status().spans, 4);
}
