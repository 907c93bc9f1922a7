//! tta's recorder, through the API that primitives use.

use crate::case::Fate;
use crate::expectation::Reports;
use crate::peer::{Peer, SpanPeer};
use crate::workload::{Attributes, KEYS};
use std::sync::Arc;
use std::time::Duration;
use tta_telemetry::{ActiveTrace, Sampling, Sink, SinkError, Telemetry, Trace, ValueRef};

const PATIENCE: Duration = Duration::from_secs(60);

/// tta's engine: what becomes of spans, whoever starts them.
pub(super) struct Engine(pub(super) Telemetry);

pub(super) struct Ours(Engine);

/// Looks at the finished traces, and frees them. The engine counts their spans.
struct Count;

impl Sink for Count {
    fn name(&self) -> &str {
        "count"
    }

    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError> {
        std::hint::black_box(traces);
        Ok(())
    }
}

impl Engine {
    pub(super) const REPORTS: Reports = if cfg!(feature = "record") { Reports::Everything } else { Reports::Nothing };

    pub(super) fn start(fate: Fate) -> anyhow::Result<Self> {
        let sampling = match fate {
            Fate::Dropped => Sampling::KeepNone,
            Fate::Kept => Sampling::KeepAll,
        };
        Ok(Self(Telemetry::builder().sampling(sampling).sink(Count).build()?))
    }

    pub(super) fn settle(&self) {
        let _ = self.0.flush_blocking(PATIENCE);
    }

    pub(super) fn finish(self) -> anyhow::Result<u64> {
        let report = self.0.shutdown_blocking(PATIENCE);
        anyhow::ensure!(report.complete, "the shutdown did not finish in time");
        Ok(report.sinks.iter().map(|sink| sink.exported_spans).sum())
    }
}

impl Peer for Ours {
    const NAME: &'static str = "tta";
    const DROPPED: &'static str = "everything is recorded; when the root closes, one decision is \
        made for the whole trace, and its memory goes back to the pool.";
    const KEPT: &'static str = "the same decision, then the trace is decoded in the background and \
        handed to a sink that counts its spans and frees it: nothing is encoded or sent.";

    const REPORTS: Reports = Engine::REPORTS;

    fn start(fate: Fate) -> anyhow::Result<Self> {
        Ok(Self(Engine::start(fate)?))
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn finish(self) -> anyhow::Result<u64> {
        self.0.finish()
    }
}

impl SpanPeer for Ours {
    type Root = ActiveTrace;

    #[inline]
    fn root(&self, attributes: &Attributes<'_>) -> ActiveTrace {
        let [attempt, kind, customer] = KEYS;
        let mut root = self.0.0.start_trace("workflow");
        root.set(attempt, attributes.attempt);
        root.set(kind, ValueRef::literal(attributes.kind));
        root.set(customer, attributes.customer);
        root
    }

    #[inline]
    fn child(&self, root: &ActiveTrace, attributes: &Attributes<'_>) {
        let [attempt, kind, customer] = KEYS;
        let mut span = root.span("step", "lambda");
        span.set(attempt, attributes.attempt);
        span.set(kind, ValueRef::literal(attributes.kind));
        span.set(customer, attributes.customer);
        span.end();
    }

    #[inline]
    fn end(&self, root: ActiveTrace) {
        root.end();
    }
}
