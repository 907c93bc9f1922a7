//! A collector of a test's own, and traces to send to it.

mod collector;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use collector::{Collector, Reply, Seen};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource as OtlpResource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tta_otlp::export::{Endpoint, ExportSettings, OtlpSink, Protocol, RetryPolicy};
use tta_otlp::{OtlpCodec, OtlpLimits, decode_protobuf};
use tta_telemetry::receive::SpanCodec;
use tta_telemetry::{Clock, DecisionReason, Resource, SamplingDecision, Trace, TraceClass, TraceCounts, TraceId};

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn identity() -> Resource {
    Resource { service: "shop".into(), attributes: Vec::new(), dropped_attributes: 0, schema_url: String::new() }
}

/// Settings with short waits: what is there is sent at once.
pub(crate) fn settings(collector: &str, protocol: Protocol) -> ExportSettings {
    let retry = RetryPolicy {
        initial_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(20),
        max_elapsed: LONG,
    };
    let endpoint = Endpoint::Base(collector.to_owned());
    ExportSettings { endpoint, retry, timeout: LONG, export_interval: Duration::ZERO, ..ExportSettings::to(protocol) }
}

pub(crate) fn sink(settings: &ExportSettings) -> OtlpSink {
    OtlpSink::start(settings, identity(), Clock::system()).unwrap()
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Any::StringValue(value.to_owned()))
}

/// A span with everything, by a number.
fn rich_span(number: u8) -> Span {
    let values =
        vec![AnyValue { value: Some(Any::IntValue(7)) }, AnyValue { value: Some(Any::BytesValue(vec![0, 255])) }];
    Span {
        trace_id: vec![9; 16],
        span_id: vec![0, 0, 0, 0, 0, 0, 1, number],
        parent_span_id: if number == 0 { Vec::new() } else { vec![0, 0, 0, 0, 0, 0, 1, 0] },
        trace_state: "rojo=1,ot=th:c".to_owned(),
        name: format!("step {number} \u{e9}"),
        kind: 2,
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_000_000_500,
        attributes: vec![
            text("gen_ai.request.model", "m"),
            pair("ratio", Any::DoubleValue(0.5)),
            pair("cached", Any::BoolValue(false)),
            pair("list", Any::ArrayValue(ArrayValue { values })),
        ],
        dropped_attributes_count: 1,
        events: vec![Event {
            time_unix_nano: 1_700_000_000_000_000_100,
            name: "exception".to_owned(),
            attributes: vec![text("exception.type", "io")],
            dropped_attributes_count: 2,
        }],
        dropped_events_count: 3,
        links: vec![Link {
            trace_id: vec![8; 16],
            span_id: vec![7; 8],
            trace_state: "a=b".to_owned(),
            attributes: vec![text("why", "retry")],
            dropped_attributes_count: 4,
            flags: 0x101,
        }],
        dropped_links_count: 5,
        status: Some(Status { message: "too slow".to_owned(), code: 2 }),
        flags: 0x301,
    }
}

/// A request with everything a span, a scope and a resource may have.
pub(crate) fn rich_request(spans: u8) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope {
        name: "library".to_owned(),
        version: "2".to_owned(),
        attributes: vec![text("a", "b")],
        dropped_attributes_count: 6,
    };
    let resource = OtlpResource {
        attributes: vec![text("service.name", "flagd"), text("host.name", "h")],
        dropped_attributes_count: 7,
        ..OtlpResource::default()
    };
    let spans = (0..spans).map(rich_span).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: "s".to_owned() }];
    let resource_spans = ResourceSpans { resource: Some(resource), scope_spans, schema_url: "r".to_owned() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

/// The trace that a request is, as it is kept.
pub(crate) fn kept(request: &ExportTraceServiceRequest) -> Arc<Trace> {
    let limits = OtlpLimits::default();
    let codec = OtlpCodec::new(limits.clone());
    let mut spans = Vec::new();
    decode_protobuf(&request.encode_to_vec(), &limits, |source, _, bytes| spans.extend(codec.decode(source, bytes)))
        .unwrap();
    Arc::new(Trace {
        trace_id: TraceId::new(u128::from_be_bytes([9; 16])).unwrap(),
        root_span_id: spans[0].span_id,
        spans,
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "all" },
        adjusted_count: None,
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    })
}

/// A trace of so many spans.
pub(crate) fn trace(spans: u8) -> Arc<Trace> {
    kept(&rich_request(spans))
}

/// The spans of everything that was taken.
pub(crate) fn spans_of(seen: &[Seen]) -> usize {
    let requests = seen.iter().filter(|seen| seen.taken).map(Seen::traces);
    requests.flat_map(|request| request.resource_spans).flat_map(|r| r.scope_spans).map(|s| s.spans.len()).sum()
}

/// Asks until it is so, for as long as another thread may reasonably take.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let (gate, never) = (std::sync::Mutex::new(()), std::sync::Condvar::new());
    for _ in 0..12_000 {
        if is_so() {
            return;
        }
        // On real time: another thread has to do something.
        drop(never.wait_timeout(gate.lock().unwrap(), Duration::from_millis(5)).unwrap());
    }
    panic!("{what} did not come about");
}
