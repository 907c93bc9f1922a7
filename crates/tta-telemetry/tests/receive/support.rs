//! A codec of our own, whose spans are a few numbers, and an engine that receives them.

use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::receive::{ReceiveLimits, Receiver, SpanCodec, SpanHead, SpanKind};
use tta_telemetry::sampling::SamplingPolicy;
use tta_telemetry::{
    Clock, ManualClock, MemorySink, Received, Resource, Scope, Source, SpanId, SpanRecord, SpanStatus, StatusCode,
    Telemetry, Trace, TraceId,
};

/// Decodes `trace state|span|parent|start|duration|failed`, of a client where `|client` follows; anything else
/// is no span.
pub(crate) struct TextCodec;

impl SpanCodec for TextCodec {
    fn decode(&self, source: &Arc<Source>, bytes: &[u8]) -> Option<SpanRecord> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (state, numbers) = text.split_once('|')?;
        let (numbers, kind) = numbers.strip_suffix("|client").map_or((numbers, "server"), |rest| (rest, "client"));
        let numbers: Vec<u64> = numbers.split('|').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let [span, parent, start, duration, failed] = numbers[..] else { return None };
        Some(SpanRecord {
            parent_span_id: SpanId::new(parent),
            start_unix_ns: start,
            duration_ns: duration,
            status: if failed == 1 { SpanStatus::Error } else { SpanStatus::Ok },
            received: Some(Box::new(Received {
                source: Arc::clone(source),
                status_code: if failed == 1 { StatusCode::Error } else { StatusCode::Unset },
                status_message: String::new(),
                trace_state: state.to_owned(),
                flags: 1,
            })),
            ..SpanRecord::new(SpanId::new(span)?, format!("op {span}").into(), kind.into())
        })
    }
}

pub(crate) fn source(service: &'static str) -> Arc<Source> {
    let resource =
        Resource { service: service.into(), attributes: Vec::new(), dropped_attributes: 0, schema_url: String::new() };
    let scope = Scope::new("lib".into(), "1".into());
    Arc::new(Source { resource: Arc::new(resource), scope })
}

/// A span as a test sees it.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) trace: u128,
    pub(crate) span: u64,
    pub(crate) parent: u64,
    pub(crate) ms: u64,
    pub(crate) failed: bool,
    pub(crate) state: &'static str,
}

pub(crate) fn root(trace: u128) -> Sent {
    Sent { trace, span: 1, parent: 0, ms: 5, failed: false, state: "" }
}

pub(crate) fn child(trace: u128, span: u64, parent: u64) -> Sent {
    Sent { span, parent, ..root(trace) }
}

pub(crate) struct Lab {
    pub(crate) telemetry: Telemetry,
    pub(crate) receiver: Receiver,
    pub(crate) sink: MemorySink,
    pub(crate) time: ManualClock,
}

impl Lab {
    pub(crate) fn new(policy: SamplingPolicy, limits: ReceiveLimits) -> Self {
        let (clock, time) = Clock::manual();
        let sink = MemorySink::new();
        let builder = Telemetry::builder().clock(clock).sampling_policy(policy).sink(sink.clone());
        let telemetry = builder.by_hand().build().unwrap();
        let receiver = telemetry.receiver(TextCodec, limits).unwrap();
        Self { telemetry, receiver, sink, time }
    }

    pub(crate) fn send(&self, source: &Arc<Source>, sent: Sent) -> bool {
        self.send_bytes(source, sent, encoded(sent).as_bytes())
    }

    pub(crate) fn send_bytes(&self, source: &Arc<Source>, sent: Sent, bytes: &[u8]) -> bool {
        self.receiver.receive(source, &head(sent), bytes)
    }

    /// Lets time pass; what was decided and kept meanwhile.
    pub(crate) fn after(&self, seconds: u64) -> Vec<Arc<Trace>> {
        self.time.advance(Duration::from_secs(seconds));
        let report = self.telemetry.flush_blocking(Duration::from_secs(5));
        assert!(report.complete);
        self.sink.take()
    }
}

pub(crate) fn head(sent: Sent) -> SpanHead<'static> {
    SpanHead {
        trace_id: TraceId::new(sent.trace).unwrap(),
        span_id: SpanId::new(sent.span).unwrap(),
        parent_span_id: SpanId::new(sent.parent),
        name: "op",
        kind: SpanKind::Server,
        start_unix_ns: sent.span,
        duration_ns: sent.ms * 1_000_000,
        status: if sent.failed { StatusCode::Error } else { StatusCode::Unset },
        error_type: "",
        trace_state: sent.state,
        cost: None,
    }
}

pub(crate) fn encoded(sent: Sent) -> String {
    let Sent { span, parent, ms, failed, state, .. } = sent;
    format!("{state}|{span}|{parent}|{span}|{}|{}", ms * 1_000_000, u8::from(failed))
}

/// The ids of a trace's spans, in its order.
pub(crate) fn ids(trace: &Trace) -> Vec<u64> {
    trace.spans.iter().map(|span| span.span_id.get()).collect()
}
