//! What a receiver answers, read by generated types and by ourselves.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use tta_otlp::{ErrorReply, ExportReply, Outcome, ReplyCode};

/// `google.rpc.Status` and what is in it, from its definition.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[test]
fn a_request_that_was_taken_whole_is_answered_by_an_empty_message() {
    let reply = ExportReply::of(&Outcome { accepted: 3, ..Outcome::default() });
    assert_eq!((reply.to_protobuf(), reply.to_json().as_str()), (Vec::new(), "{}"));
    assert_eq!(ExportReply::from_protobuf(b""), Ok(reply));
}

#[test]
fn what_was_refused_is_a_partial_success_with_the_count_and_the_reasons() {
    let outcome = Outcome { accepted: 3, refused: 2, reasons: vec!["a \"b\"".to_owned()], ..Outcome::default() };
    let reply = ExportReply::of(&outcome);
    let error_message = "a \"b\"; and 1 more".to_owned();
    let partial_success = Some(ExportTracePartialSuccess { rejected_spans: 2, error_message });
    let theirs = ExportTraceServiceResponse::decode(reply.to_protobuf().as_slice()).unwrap();
    assert_eq!(theirs, ExportTraceServiceResponse { partial_success });
    assert_eq!(reply.to_json(), r#"{"partialSuccess":{"errorMessage":"a \"b\"; and 1 more","rejectedSpans":"2"}}"#);
    assert_eq!(ExportReply::from_protobuf(&theirs.encode_to_vec()), Ok(reply));
}

#[test]
fn an_error_is_a_status_with_the_delay_after_which_to_try_again() {
    let reply = ErrorReply::new(ReplyCode::Unavailable, "busy").retry_after(Duration::from_millis(1_500));
    let theirs = Status::decode(reply.to_protobuf().as_slice()).unwrap();
    assert_eq!((theirs.code, theirs.message.as_str()), (14, "busy"));
    assert_eq!(theirs.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    let info = RetryInfo::decode(theirs.details[0].value.as_slice()).unwrap();
    assert_eq!(info.retry_delay, Some(Delay { seconds: 1, nanos: 500_000_000 }));
    let json = r#"{"code":14,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500000000s"}],"message":"busy"}"#;
    assert_eq!(reply.to_json(), json);
    assert_eq!(ErrorReply::from_protobuf(&theirs.encode_to_vec()), Ok(reply));

    let plain = ErrorReply::new(ReplyCode::InvalidArgument, "no");
    assert_eq!(plain.to_json(), r#"{"code":3,"message":"no"}"#);
    assert_eq!(Status::decode(plain.to_protobuf().as_slice()).unwrap().details, []);
    let whole = ErrorReply::new(ReplyCode::Unavailable, "").retry_after(Duration::from_secs(30));
    assert!(whole.to_json().contains(r#""retryDelay":"30s""#));
    assert_eq!(ErrorReply::from_protobuf(&whole.to_protobuf()), Ok(whole));
}

#[test]
fn answers_of_others_are_read_within_bounds_whatever_they_hold() {
    let detail = |type_url: &str, delay| Any {
        type_url: type_url.to_owned(),
        value: RetryInfo { retry_delay: Some(delay) }.encode_to_vec(),
    };
    let status = |details| Status { code: 99, message: "m".repeat(5_000), details }.encode_to_vec();
    let other = detail("type.googleapis.com/google.rpc.ErrorInfo", Delay { seconds: 5, nanos: 0 });
    let reply = ErrorReply::from_protobuf(&status(vec![other.clone()])).unwrap();
    assert_eq!((reply.code, reply.message.len(), reply.retry_after), (ReplyCode::Unknown, 1_024, None));
    let past = detail("x/google.rpc.RetryInfo", Delay { seconds: -5, nanos: -1 });
    let reply = ErrorReply::from_protobuf(&status(vec![past, other])).unwrap();
    assert_eq!(reply.retry_after, Some(Duration::ZERO));
    let error = ErrorReply::from_protobuf(b"<html>").unwrap_err();
    assert!(error.to_string().starts_with("not google.rpc.Status in protobuf: "), "{error}");
    let negative = ExportTracePartialSuccess { rejected_spans: -1, error_message: "warning".to_owned() };
    let body = ExportTraceServiceResponse { partial_success: Some(negative) }.encode_to_vec();
    let reply = ExportReply::from_protobuf(&body).unwrap();
    assert_eq!((reply.rejected_spans, reply.message.as_str()), (0, "warning"));
}

#[test]
fn every_code_reads_back_from_its_number() {
    let codes = [2, 3, 5, 7, 8, 12, 13, 14, 16];
    assert_eq!(codes.map(|number| ReplyCode::of(number).number()), codes);
    assert_eq!((ReplyCode::of(0), ReplyCode::of(4)), (ReplyCode::Unknown, ReplyCode::Unknown));
}
