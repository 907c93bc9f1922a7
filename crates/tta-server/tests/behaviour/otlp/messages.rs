//! Requests as other programs write them, by the generated types; and a reader of `google.rpc.Status`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status as SpanStatus};
use prost::Message;

/// `google.rpc.Status`, from its definition.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Detail>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Detail {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// The end of every trace id here is large: `ot=th` of a sender may well have let it pass.
pub(crate) fn trace_id(trace: u64) -> Vec<u8> {
    ((u128::from(trace) << 64) | 0x00ff_ffff_ffff_ffff).to_be_bytes().to_vec()
}

/// A span of 2 ms; the parent 0 is none.
pub(crate) fn span(trace: u64, id: u64, parent: u64, name: &str) -> Span {
    Span {
        trace_id: trace_id(trace),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() },
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: 1_000 + id,
        end_time_unix_nano: 2_001_000 + id,
        ..Span::default()
    }
}

pub(crate) fn failed(span: Span) -> Span {
    Span { status: Some(SpanStatus { message: "no".to_owned(), code: 2 }), ..span }
}

pub(crate) fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub(crate) fn text(value: &str) -> Any {
    Any::StringValue(value.to_owned())
}

/// A request of one service.
pub(crate) fn request(service: &str, spans: Vec<Span>) -> Vec<u8> {
    let resource = Resource { attributes: vec![pair("service.name", text(service))], ..Resource::default() };
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}
