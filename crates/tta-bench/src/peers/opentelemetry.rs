//! The OpenTelemetry SDK's spans, started from an explicit parent context.

use crate::case::Fate;
use crate::peer::{Peer, SpanPeer};
use crate::workload::{Attributes, KEYS};
use ::opentelemetry::trace::{SpanBuilder, TraceContextExt as _, Tracer as _, TracerProvider as _};
use ::opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The SDK from the sampler on: what becomes of spans, whoever starts them.
pub(crate) struct Pipeline {
    provider: SdkTracerProvider,
    reported: Arc<AtomicU64>,
}

pub(super) struct OpenTelemetry {
    pipeline: Pipeline,
    tracer: SdkTracer,
    /// A root span's parent; made once, so that no root is charged for it.
    no_parent: Context,
}

/// Counts the spans of a batch, and frees them.
#[derive(Debug)]
struct Count(Arc<AtomicU64>);

impl SpanExporter for Count {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.fetch_add(std::hint::black_box(batch).len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Frees a span as soon as it closes, on the calling thread.
#[derive(Debug)]
struct Discard;

impl SpanProcessor for Discard {
    fn on_start(&self, _span: &mut Span, _parent: &Context) {}

    fn on_end(&self, span: SpanData) {
        drop(std::hint::black_box(span));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Pipeline {
    pub(crate) fn start(fate: Fate, sampler: Sampler) -> Self {
        let reported = Arc::new(AtomicU64::new(0));
        let builder = SdkTracerProvider::builder().with_sampler(sampler);
        let provider = match fate {
            Fate::Dropped => builder.with_span_processor(Discard),
            Fate::Kept => builder.with_batch_exporter(Count(Arc::clone(&reported))),
        }
        .build();
        Self { provider, reported }
    }

    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("tta-bench")
    }

    pub(super) fn settle(&self) {
        // A failure shows as spans missing from the count.
        self.provider.force_flush().ok();
    }

    pub(super) fn finish(self) -> anyhow::Result<u64> {
        self.provider.shutdown()?;
        Ok(self.reported.load(Ordering::Relaxed))
    }
}

impl Peer for OpenTelemetry {
    const NAME: &'static str = "opentelemetry_sdk";
    const DROPPED: &'static str = "a span processor that frees each span as it closes. The SDK has \
        no tail decision; this is a lower bound for any that could be added, because nothing is \
        held until the root closes. Who wants one today exports every span to a Collector: see \
        kept.";
    const KEPT: &'static str = "the batch processor at its defaults, with an exporter that counts \
        the spans and frees them: nothing is encoded or sent.";

    fn start(fate: Fate) -> anyhow::Result<Self> {
        let pipeline = Pipeline::start(fate, Sampler::AlwaysOn);
        Ok(Self { tracer: pipeline.tracer(), pipeline, no_parent: Context::new() })
    }

    fn settle(&self) {
        self.pipeline.settle();
    }

    fn finish(self) -> anyhow::Result<u64> {
        self.pipeline.finish()
    }
}

impl SpanPeer for OpenTelemetry {
    type Root = Context;

    #[inline]
    fn root(&self, attributes: &Attributes<'_>) -> Context {
        let span = builder(&self.tracer, "workflow", attributes).start_with_context(&self.tracer, &self.no_parent);
        Context::new().with_span(span)
    }

    #[inline]
    fn child(&self, root: &Context, attributes: &Attributes<'_>) {
        drop(builder(&self.tracer, "step", attributes).start_with_context(&self.tracer, root));
    }

    #[inline]
    fn end(&self, root: Context) {
        drop(root);
    }

    #[inline]
    fn solitary(&self, attributes: &Attributes<'_>) {
        self.child(&self.no_parent, attributes);
    }
}

#[inline]
fn builder(tracer: &SdkTracer, name: &'static str, attributes: &Attributes<'_>) -> SpanBuilder {
    let [attempt, kind, customer] = KEYS;
    tracer.span_builder(name).with_attributes([
        KeyValue::new(attempt, attributes.attempt),
        KeyValue::new(kind, attributes.kind),
        KeyValue::new(customer, attributes.customer.to_owned()),
    ])
}
