//! The threads behind a sink: workers that take encoded requests from the queue and send them.
//!
//! Owns the runtime and its end. One thread with a runtime of its own serves all workers: they wait for the
//! network nearly always, and a sink must not depend on the runtime of the program, which may be stopped, or
//! none. Blocking clients would need a thread for each worker.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Builder;
use tta_telemetry::{Clock, Health, HealthComponent, MetricCollector, MetricSource, Name};

use super::client::{OtlpClient, Signal};
use super::counters::{DropCause, OtlpStatus};
use super::problem::ExportError;
use super::queue::Queue;
use super::settings::ExportSettings;

/// How long a batch waits for room while the collector takes what it gets: beyond it the oldest give way.
const PATIENCE: Duration = Duration::from_millis(20);

/// The exporter behind an [`OtlpSink`](super::OtlpSink): its state, for reports. Clones are the same one.
#[derive(Clone, Debug)]
pub struct OtlpExporter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: OtlpClient,
    queue: Queue,
}

impl OtlpExporter {
    /// Starts the thread. [`stop`](Self::stop) ends it.
    pub(super) fn start(settings: &ExportSettings, clock: Clock) -> Result<Self, ExportError> {
        let client = OtlpClient::new(settings, Signal::Traces, clock.clone())?;
        let queue = Queue::new(settings, clock);
        let exporter = Self(Arc::new(Shared { client, queue }));
        let workers = settings.max_export_workers;
        let shared = Arc::clone(&exporter.0);
        spawn("tta-otlp", async move {
            let working = join_all((0..workers).map(|_| shared.work()));
            tokio::select! {
                _ = working => {}
                () = shared.queue.stopped() => {}
            }
        })?;
        Ok(exporter)
    }

    /// Hands an encoded request over. Spans that were lost for it are counted and returned.
    pub(super) fn offer(&self, body: Vec<u8>, spans: u64) -> u64 {
        let Shared { client, queue } = &*self.0;
        // A collector that takes nothing is not waited for.
        let patience = if client.counters().is_failing() { Duration::ZERO } else { PATIENCE };
        let lost = queue.push(body, spans, patience);
        if lost > 0 {
            client.counters().dropped(DropCause::QueueFull, lost);
        }
        lost
    }

    /// Waits until all was sent or given up, at most so long; the spans that are left. Requests that wait for
    /// their next attempt try at once.
    pub(super) fn wait_idle(&self, limit: Duration, hurry: bool) -> u64 {
        if hurry {
            self.0.client.hurry();
        }
        self.0.queue.wait_idle(limit)
    }

    /// Ends the workers; what is left is counted.
    pub(super) fn stop(&self) {
        let Shared { client, queue } = &*self.0;
        queue.stop(|left| client.counters().dropped(DropCause::Shutdown, left));
    }

    /// What was sent so far, and what waits.
    #[must_use]
    pub fn status(&self) -> OtlpStatus {
        let (queued, in_flight) = self.0.queue.lengths();
        OtlpStatus { queued, in_flight, ..self.0.client.status() }
    }

    /// The exporter as a component of health, named `otlp`: degraded from a failed attempt until something is
    /// taken again. To be kept as long as it is to be asked, and registered with
    /// [`Telemetry::watch_health`](tta_telemetry::Telemetry::watch_health).
    #[must_use]
    pub fn health_component(&self) -> Arc<dyn HealthComponent> {
        Arc::new(self.clone())
    }

    /// What was sent and lost, as metrics: `telemetry_sent_total`, `telemetry_sending`, `telemetry_dropped_total`. To
    /// be kept as long as it is to be asked, and registered with
    /// [`Telemetry::watch_metrics`](tta_telemetry::Telemetry::watch_metrics).
    #[must_use]
    pub fn metric_source(&self) -> Arc<dyn MetricSource> {
        Arc::new(self.clone())
    }
}

impl MetricSource for OtlpExporter {
    fn collect(&self, out: &mut MetricCollector) {
        self.status().collect("otlp", "sent_spans", out);
    }
}

impl HealthComponent for OtlpExporter {
    fn name(&self) -> Name {
        Name::from_static("otlp")
    }

    fn health(&self) -> Health {
        self.status().health()
    }
}

impl Shared {
    async fn work(&self) {
        while let Some(job) = self.queue.next().await {
            self.client.deliver(job.body, job.spans).await;
            if !self.queue.done(job.spans) {
                // The answer came at the last moment: what became of them has been counted.
                self.client.counters().not_dropped(DropCause::Shutdown, job.spans);
            }
        }
    }
}

/// Runs a future on a thread with a runtime of its own. The thread is not waited for: what the future may
/// have left, as the look-up of a name, ends with the process.
pub(super) fn spawn(name: &str, work: impl Future<Output = ()> + Send + 'static) -> Result<(), ExportError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(ExportError::Thread)?;
    let thread = std::thread::Builder::new().name(name.to_owned());
    let run = move || {
        runtime.block_on(work);
        runtime.shutdown_background();
    };
    thread.spawn(run).map_err(ExportError::Thread)?;
    Ok(())
}
