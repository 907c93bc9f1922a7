//! tta's sink for OTLP.

use super::collector::{Collector, State};
use super::load::Exporter;
use super::spans;
use crate::ingest::request::Traces;
use anyhow::Context as _;
use std::sync::Arc;
use tta_otlp::export::{Endpoint, ExportSettings, OtlpSink};
use tta_telemetry::{Clock, Resource, Sink as _, Trace, TraceId};

pub(super) struct Ours {
    sink: OtlpSink,
    batch: Vec<Arc<Trace>>,
    ids: Traces,
    collector: Collector,
}

impl Ours {
    /// At its defaults.
    pub(super) fn start(state: State) -> anyhow::Result<Self> {
        let collector = Collector::start(state)?;
        let endpoint = Endpoint::Base(format!("http://{}", collector.address));
        let settings = ExportSettings { endpoint, ..ExportSettings::default() };
        let identity = Resource {
            service: "shop".into(),
            attributes: Vec::new(),
            dropped_attributes: 0,
            schema_url: String::new(),
        };
        let sink = OtlpSink::start(&settings, identity, Clock::system())?;
        Ok(Self { sink, batch: spans::traces()?, ids: Traces::new(1), collector })
    }
}

impl Exporter for Ours {
    type Batch = ();

    const QUEUE_BATCHES: u64 = 0;

    fn state(&self) -> State {
        self.collector.state()
    }

    fn batch(&mut self) -> anyhow::Result<()> {
        for trace in &mut self.batch {
            // The sink keeps none of them.
            let trace = Arc::get_mut(trace).context("a trace is held after it was handed over")?;
            trace.trace_id = TraceId::new(u128::from_be_bytes(self.ids.next())).context("no trace id")?;
        }
        Ok(())
    }

    fn hand_over(&mut self, (): ()) -> anyhow::Result<()> {
        self.sink.export(&self.batch).context("a batch was not handed over")
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        self.sink.flush().context("not all was sent in time")
    }

    fn taken(&self) -> u64 {
        self.sink.exporter().status().sent
    }

    fn lost(&self, handed_over: u64) -> anyhow::Result<u64> {
        let status = self.sink.exporter().status();
        let lost = status.dropped.total() + status.rejected;
        let accounted = status.sent + lost + status.queued + status.in_flight;
        anyhow::ensure!(accounted == handed_over, "of {handed_over} spans: {status:?}");
        Ok(lost)
    }
}
