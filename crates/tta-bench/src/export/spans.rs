//! The batch that is handed over again and again, each time with other trace ids: spans of calls by HTTP, as tta records them and as the
//! SDK has them.

use anyhow::Context as _;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tta_telemetry::{MemorySink, Sampling, Telemetry, Trace};

/// Spans of a batch: what SDKs send at most by default, and tta.
pub(super) const SPANS: usize = 512;
/// Spans of a trace; the last one of a batch has what is left.
pub(super) const TRACE_SPANS: usize = 10;
/// Attributes of a span.
pub(super) const ATTRIBUTES: usize = TEXTS.len() + NUMBERS.len() + 1;

const TEXTS: [(&str, &str); 7] = [
    ("http.request.method", "GET"),
    ("url.scheme", "https"),
    ("url.path", "/products/10000"),
    ("server.address", "products.example.com"),
    ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"),
    ("network.protocol.version", "1.1"),
    ("app.customer.tier", "gold"),
];
const NUMBERS: [(&str, i64); 2] = [("http.response.status_code", 200), ("server.port", 8_443)];
const TOTAL: (&str, f64) = ("app.cart.total", 12.5);
const PATIENCE: Duration = Duration::from_secs(60);

/// As an engine hands them to its sinks.
pub(super) fn traces() -> anyhow::Result<Vec<Arc<Trace>>> {
    let memory = MemorySink::with_capacity(SPANS);
    let telemetry = Telemetry::builder().sampling(Sampling::KeepAll).sink(memory.clone()).build()?;
    for trace in 0..SPANS.div_ceil(TRACE_SPANS) {
        let mut root = telemetry.start_trace("GET /cart");
        TEXTS.iter().for_each(|&(key, value)| root.set(key, value));
        NUMBERS.iter().for_each(|&(key, value)| root.set(key, value));
        root.set(TOTAL.0, TOTAL.1);
        for _ in 1..TRACE_SPANS.min(SPANS - trace * TRACE_SPANS) {
            let mut span = root.span("charge", "lambda");
            TEXTS.iter().for_each(|&(key, value)| span.set(key, value));
            NUMBERS.iter().for_each(|&(key, value)| span.set(key, value));
            span.set(TOTAL.0, TOTAL.1);
            span.end();
        }
        root.end();
    }
    anyhow::ensure!(telemetry.shutdown_blocking(PATIENCE).complete, "the shutdown did not finish in time");
    let traces = memory.take();
    let spans: usize = traces.iter().map(|trace| trace.spans.len()).sum();
    anyhow::ensure!(spans == SPANS, "{spans} spans were recorded: the recorder is compiled out or has lost some");
    let complete = traces.iter().flat_map(|trace| &trace.spans).all(|span| span.attributes.len() >= ATTRIBUTES);
    anyhow::ensure!(complete, "attributes are missing");
    Ok(traces)
}

/// As the SDK hands them to its processors.
pub(super) fn span_data() -> anyhow::Result<Vec<SpanData>> {
    let scope = InstrumentationScope::builder("shop.instrumentation").with_version("1.4.0").build();
    let texts = TEXTS.iter().map(|&(key, value)| KeyValue::new(key, value));
    let numbers = NUMBERS.iter().map(|&(key, value)| KeyValue::new(key, value));
    let attributes: Vec<_> = texts.chain(numbers).chain([KeyValue::new(TOTAL.0, TOTAL.1)]).collect();
    let start = UNIX_EPOCH.checked_add(Duration::from_secs(1_790_000_000)).context("no such time")?;
    let span = |index: usize| {
        let is_root = index.is_multiple_of(TRACE_SPANS);
        let trace_id = TraceId::from((index / TRACE_SPANS) as u128 + 1);
        let id = |index: usize| SpanId::from(index as u64 + 1);
        SpanData {
            span_context: SpanContext::new(trace_id, id(index), TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: if is_root { SpanId::INVALID } else { id(index - index % TRACE_SPANS) },
            parent_span_is_remote: false,
            span_kind: if is_root { SpanKind::Server } else { SpanKind::Internal },
            name: Cow::Borrowed(if is_root { "GET /cart" } else { "charge" }),
            start_time: start,
            end_time: start + Duration::from_micros(150),
            attributes: attributes.clone(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: scope.clone(),
        }
    };
    Ok((0..SPANS).map(span).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Without the recorder there are no spans.
    #[cfg(feature = "record")]
    #[test]
    fn both_batches_have_as_many_spans_with_as_many_attributes() {
        let traces = traces().unwrap();
        let ours: Vec<usize> = traces.iter().map(|trace| trace.spans.len()).collect();
        assert_eq!((ours.len(), ours.first(), ours.last()), (52, Some(&10), Some(&2)));
        let theirs = span_data().unwrap();
        assert_eq!(theirs.len(), SPANS);
        assert!(theirs.iter().all(|span| span.attributes.len() == ATTRIBUTES));
        let roots = theirs.iter().filter(|span| span.parent_span_id == SpanId::INVALID);
        assert_eq!(roots.count(), traces.len());
    }
}
