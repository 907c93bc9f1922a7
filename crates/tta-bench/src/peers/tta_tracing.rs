//! `tracing`'s spans in tta's runs, through the layer of `tta-tracing`.

use super::ours::Engine;
use crate::case::Fate;
use crate::expectation::Reports;
use crate::peer::{Peer, TracingPeer};
use ::tta_tracing::layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tta_primitives::Context;
use tta_telemetry::SpanStatus;

pub(super) struct TtaTracing {
    engine: Engine,
    context: Context,
}

/// Makes the layer the process's subscriber.
pub(crate) fn subscribe() -> anyhow::Result<()> {
    let subscriber = tracing_subscriber::registry().with(layer());
    Ok(tracing::subscriber::set_global_default(subscriber)?)
}

impl Peer for TtaTracing {
    const NAME: &'static str = "tta-tracing";
    const DROPPED: &'static str = "each trace is a run of tta's, whose root is one span more and has \
        its own statistics; when it ends, one decision is made for the whole trace, and its memory \
        goes back to the pool. The layer is at its defaults, with which it adds level, target, file \
        and line.";
    const KEPT: &'static str = "the same decision, then the trace is decoded in the background and \
        handed to a sink that counts its spans and frees it.";

    const REPORTS: Reports = Engine::REPORTS;

    fn start(fate: Fate) -> anyhow::Result<Self> {
        let engine = Engine::start(fate)?;
        subscribe()?;
        Ok(Self { context: Context::on(engine.0.clone()), engine })
    }

    fn settle(&self) {
        self.engine.settle();
    }

    fn finish(self) -> anyhow::Result<u64> {
        self.engine.finish()
    }
}

impl TracingPeer for TtaTracing {
    const OWN_SPANS_PER_TRACE: u32 = 1;

    #[inline]
    fn around(&self, record: impl FnOnce()) {
        let run = self.context.start_run("run", "bench");
        run.context().in_scope(record);
        run.end_as(SpanStatus::Ok);
    }
}
