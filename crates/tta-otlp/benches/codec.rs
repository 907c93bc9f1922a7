//! What a span costs on its way in and out: `cargo bench -p tta-otlp --bench codec`.
//!
//! Nanoseconds for a span of 10 attributes, the least of several rounds, in requests of 512 spans. Taking
//! a request apart, which happens to every span, should be well under 1,000.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tta_otlp::{OtlpCodec, OtlpLimits, decode_json, decode_protobuf, encode_traces};
use tta_telemetry::receive::SpanCodec;
use tta_telemetry::{
    DecisionReason, Resource, SamplingDecision, Source, SpanRecord, Trace, TraceClass, TraceCounts, TraceId,
};

const ROUNDS: usize = 60;
const SPANS: usize = 512;
const SPANS_PER_TRACE: usize = 8;

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Any::StringValue(value.to_owned()))
}

fn span(index: usize) -> Span {
    let trace = (index / SPANS_PER_TRACE + 1) as u128 * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834;
    let has_failed = index.is_multiple_of(32);
    let event = Event {
        time_unix_nano: 5,
        name: "message".to_owned(),
        attributes: vec![text("message.type", "SENT")],
        ..Event::default()
    };
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: (index as u64 + 1).to_be_bytes().to_vec(),
        parent_span_id: if index.is_multiple_of(SPANS_PER_TRACE) {
            Vec::new()
        } else {
            (index as u64).to_be_bytes().to_vec()
        },
        name: "oteldemo.ProductCatalogService/GetProduct".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_730_291_048_681_260_000,
        end_time_unix_nano: 1_730_291_048_688_013_000,
        attributes: vec![
            text("rpc.system", "grpc"),
            text("rpc.service", "oteldemo.ProductCatalogService"),
            text("rpc.method", "GetProduct"),
            text("app.product.id", "1YMWWN1N4O"),
            text("app.product.name", "Eclipsmart Travel Refractor Telescope"),
            text("net.peer.name", "productcatalogservice"),
            pair("net.peer.port", Any::IntValue(53_866)),
            pair("rpc.grpc.status_code", Any::IntValue(0)),
            pair("app.cached", Any::BoolValue(true)),
            text("user_agent.original", "grpc-go/1.66.0"),
        ],
        events: if index.is_multiple_of(4) { vec![event] } else { Vec::new() },
        status: has_failed.then(|| Status { code: 2, message: "no such product".to_owned() }),
        flags: 0x101,
        ..Span::default()
    }
}

fn request() -> ExportTraceServiceRequest {
    let resource = ["service.name", "service.version", "host.name", "telemetry.sdk.name", "telemetry.sdk.language"];
    let attributes = resource.iter().map(|key| text(key, "a value of some length")).collect();
    let scope = InstrumentationScope { name: "otelgrpc".to_owned(), version: "0.1".to_owned(), ..Default::default() };
    let spans = (0..SPANS).map(span).collect();
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(ResourceMessage { attributes, ..Default::default() }),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }],
            ..Default::default()
        }],
    }
}

/// The same in OTLP/JSON, as far as it differs from what the types would print: by hand.
fn json(request: &ExportTraceServiceRequest) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let value = |value: &Any| match value {
        Any::StringValue(text) => format!("{{\"stringValue\":\"{text}\"}}"),
        Any::IntValue(value) => format!("{{\"intValue\":\"{value}\"}}"),
        Any::BoolValue(value) => format!("{{\"boolValue\":{value}}}"),
        _ => "{}".to_owned(),
    };
    let pairs = |pairs: &[KeyValue]| {
        let pair = |pair: &KeyValue| {
            let any = pair.value.as_ref().and_then(|any| any.value.as_ref()).map_or(String::new(), value);
            format!("{{\"key\":\"{}\",\"value\":{any}}}", pair.key)
        };
        pairs.iter().map(pair).collect::<Vec<_>>().join(",")
    };
    let spans = request.resource_spans.iter().flat_map(|spans| &spans.scope_spans).flat_map(|spans| &spans.spans);
    let spans = spans.map(|span| {
        format!(
            "{{\"traceId\":\"{}\",\"spanId\":\"{}\",\"parentSpanId\":\"{}\",\"flags\":{},\"name\":\"{}\",\"kind\":{},\
             \"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{}\",\"attributes\":[{}],\"status\":{{}}}}",
            hex(&span.trace_id),
            hex(&span.span_id),
            hex(&span.parent_span_id),
            span.flags,
            span.name,
            span.kind,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            pairs(&span.attributes)
        )
    });
    let spans = spans.collect::<Vec<_>>().join(",");
    format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{spans}]}}]}}]}}")
}

/// The least nanoseconds for one span.
fn least_ns(mut work: impl FnMut()) -> f64 {
    let mut round = || {
        let start = Instant::now();
        for _ in 0..8 {
            work();
        }
        start.elapsed().as_nanos() as f64 / (8 * SPANS) as f64
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn traces(spans: &[(TraceId, SpanRecord)]) -> Vec<Trace> {
    let decision = SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "all" };
    let trace = |spans: &[(TraceId, SpanRecord)]| {
        let (trace_id, root) = spans.first()?;
        Some(Trace {
            trace_id: *trace_id,
            root_span_id: root.span_id,
            spans: spans.iter().map(|(_, span)| span.clone()).collect(),
            decision,
            adjusted_count: Some(1.0),
            class: TraceClass::Normal,
            dropped: TraceCounts::default(),
            incomplete: false,
            late: false,
        })
    };
    spans.chunks(SPANS_PER_TRACE).filter_map(trace).collect()
}

fn main() {
    let request = request();
    let bytes = request.encode_to_vec();
    let json = json(&request);
    let limits = OtlpLimits::default();
    let codec = OtlpCodec::new(limits.clone());
    let mut parts: Vec<(Arc<Source>, TraceId, &[u8])> = Vec::new();
    decode_protobuf(&bytes, &limits, |source, head, bytes| parts.push((Arc::clone(source), head.trace_id, bytes)))
        .expect("the request is well-formed");
    let spans: Vec<(TraceId, SpanRecord)> =
        parts.iter().filter_map(|(source, trace_id, bytes)| Some((*trace_id, codec.decode(source, bytes)?))).collect();
    let received = traces(&spans);
    let mut own = received.clone();
    own.iter_mut().flat_map(|trace| &mut trace.spans).for_each(|span| span.received = None);
    let identity =
        Resource { service: "x".into(), attributes: Vec::new(), dropped_attributes: 0, schema_url: String::new() };
    let mut out = Vec::new();

    println!("{} bytes for a span in protobuf, {} in JSON", bytes.len() / SPANS, json.len() / SPANS);
    let scan = |body: &[u8]| {
        decode_protobuf(black_box(body), &limits, |source, head, bytes| {
            black_box((source, head, bytes));
        })
    };
    println!("scan, protobuf            {:7.0} ns", least_ns(|| drop(black_box(scan(&bytes)))));
    let read_json = || {
        decode_json(black_box(json.as_bytes()), &limits, |source, head, bytes| {
            black_box((source, head, bytes));
        })
    };
    println!("scan, JSON                {:7.0} ns", least_ns(|| drop(black_box(read_json()))));
    let decode = || parts.iter().for_each(|(source, _, bytes)| drop(black_box(codec.decode(source, bytes))));
    println!("decode a kept span        {:7.0} ns", least_ns(decode));
    let mut encode = |traces: &[Trace]| {
        out.clear();
        encode_traces(black_box(traces), &identity, &mut out);
        black_box(out.len());
    };
    println!("encode a received span    {:7.0} ns", least_ns(|| encode(&received)));
    println!("encode a span of our own  {:7.0} ns", least_ns(|| encode(&own)));
    let theirs = || drop(black_box(ExportTraceServiceRequest::decode(black_box(bytes.as_slice()))));
    println!("prost decodes a span      {:7.0} ns", least_ns(theirs));
    println!("prost encodes a span      {:7.0} ns", least_ns(|| drop(black_box(request.encode_to_vec()))));
}
