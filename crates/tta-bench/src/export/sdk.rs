//! OpenTelemetry's SDK: its batch processor, and its exporter of OTLP over HTTP.

use super::collector::{Collector, State};
use super::load::Exporter;
use super::spans::{self, TRACE_SPANS};
use crate::ingest::request::Traces;
use opentelemetry::trace::{SpanContext, TraceId};
use opentelemetry_otlp::{Protocol, SpanExporter as OtlpExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Sdk {
    processor: BatchSpanProcessor,
    taken: Arc<AtomicU64>,
    batch: Vec<SpanData>,
    ids: Traces,
    collector: Collector,
}

/// Counts what the exporter says that was taken.
#[derive(Debug)]
struct Counted(OtlpExporter, Arc<AtomicU64>);

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        self.0.export(batch).await?;
        self.1.fetch_add(spans, Ordering::Relaxed);
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

impl Sdk {
    /// At its defaults: a queue of 2,048 spans, batches of 512.
    pub(super) fn start(state: State) -> anyhow::Result<Self> {
        let collector = Collector::start(state)?;
        let builder = OtlpExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        let exporter = builder.with_endpoint(format!("http://{}/v1/traces", collector.address)).build()?;
        let taken = Arc::new(AtomicU64::new(0));
        let mut processor = BatchSpanProcessor::builder(Counted(exporter, Arc::clone(&taken))).build();
        processor.set_resource(&Resource::builder_empty().with_service_name("shop").build());
        Ok(Self { processor, taken, batch: spans::span_data()?, ids: Traces::new(1), collector })
    }
}

impl Exporter for Sdk {
    type Batch = Vec<SpanData>;

    const QUEUE_BATCHES: u64 = 4;

    fn state(&self) -> State {
        self.collector.state()
    }

    fn batch(&mut self) -> anyhow::Result<Vec<SpanData>> {
        let mut batch = self.batch.clone();
        for trace in batch.chunks_mut(TRACE_SPANS) {
            let id = TraceId::from_bytes(self.ids.next());
            for span in trace {
                let of = &span.span_context;
                span.span_context =
                    SpanContext::new(id, of.span_id(), of.trace_flags(), false, of.trace_state().clone());
            }
        }
        Ok(batch)
    }

    fn hand_over(&mut self, batch: Vec<SpanData>) -> anyhow::Result<()> {
        batch.into_iter().for_each(|span| self.processor.on_end(span));
        Ok(())
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        Ok(self.processor.force_flush()?)
    }

    fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    fn lost(&self, handed_over: u64) -> anyhow::Result<u64> {
        let taken = self.taken();
        anyhow::ensure!(taken <= handed_over, "{taken} spans were taken of {handed_over}");
        Ok(handed_over - taken)
    }
}
