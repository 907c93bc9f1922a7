//! Pushing: every so often all metrics are read and sent.
//!
//! Owns the rounds, their bounds and their end. One round is under way at a time; one that takes longer than
//! the interval leaves out those that it overlaps. What is lost of a round costs resolution only: all values
//! are cumulative, and the next round has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tta_telemetry::{Health, HealthComponent, MetricCollector, MetricFamily, MetricSource, Name, Resource, Telemetry};

use super::super::client::{OtlpClient, Signal, sleep};
use super::super::counters::OtlpStatus;
use super::super::exporter::spawn;
use super::super::problem::{ExportError, ExportProblem, ExportProblems};
use super::super::settings::{ExportSettings, Protocol};
use super::batches::{Batch, batches, flat, one};
use super::{otlp, remote_write};

/// How metrics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PushFormat {
    /// OTLP, over gRPC or HTTP with protobuf.
    #[default]
    Otlp,
    /// Prometheus remote write 1.0; with the feature `remote-write`.
    RemoteWrite,
}

/// How metrics are pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushSettings {
    /// Where to, and how requests are retried; `batch_size` and the queue's bounds are those of spans and mean
    /// nothing here. Remote write is compressed by Snappy whatever `compression` says.
    pub export: ExportSettings,
    /// Default: OTLP.
    pub format: PushFormat,
    /// How often. Default 60 s; 1 s to 1 day. Requests are not retried for longer than this.
    pub interval: Duration,
    /// Series in a request, at most; the buckets of one histogram stay together. Default 100; 1 to 100,000.
    pub batch_size: usize,
}

impl PushSettings {
    /// The defaults, with these settings for the way there.
    #[must_use]
    pub fn to(export: ExportSettings) -> Self {
        Self { export, format: PushFormat::default(), interval: Duration::from_secs(60), batch_size: 100 }
    }

    /// Whether these settings can be used.
    ///
    /// # Errors
    /// All problems, with what is accepted.
    pub fn check(&self) -> Result<(), ExportProblems> {
        let mut found = self.export.check().err().map(|problems| problems.0).unwrap_or_default();
        let mut problem = |field: &str, given: String, accepted| found.push(ExportProblem::new(field, given, accepted));
        if !(Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&self.interval) {
            problem("interval", format!("{:?}", self.interval), "1 s to 1 day");
        }
        if !(1..=100_000).contains(&self.batch_size) {
            problem("batch_size", self.batch_size.to_string(), "1 to 100000 series");
        }
        if self.format == PushFormat::Otlp && self.export.protocol == Protocol::HttpJson {
            problem("protocol", "http/json for metrics".to_owned(), "grpc or http/protobuf for metrics");
        }
        if found.is_empty() { Ok(()) } else { Err(ExportProblems(found)) }
    }
}

/// Pushes an engine's metrics until it is stopped or dropped.
#[derive(Debug)]
pub struct MetricsPush(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: OtlpClient,
    telemetry: Telemetry,
    identity: Resource,
    format: PushFormat,
    interval: Duration,
    batch_size: u64,
    workers: usize,
    start_unix_ns: u64,
    rounds: AtomicU64,
    /// Asked for a last round, or to end without one.
    ending: Notify,
    end: Mutex<End>,
    ended: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Running,
    LastRound,
    AtOnce,
    Over,
}

impl MetricsPush {
    /// Starts pushing from a thread of its own: the first round is after one interval, by the engine's clock.
    /// `identity` is the resource of all metrics.
    ///
    /// # Errors
    /// The settings or files for TLS cannot be used, or the thread does not start.
    pub fn start(telemetry: &Telemetry, settings: &PushSettings, identity: Resource) -> Result<Self, ExportError> {
        settings.check()?;
        let mut export = settings.export.clone();
        export.retry.max_elapsed = export.retry.max_elapsed.min(settings.interval);
        let signal = match settings.format {
            PushFormat::Otlp => Signal::Metrics,
            PushFormat::RemoteWrite => Signal::RemoteWrite,
        };
        let clock = telemetry.clock().clone();
        let start_unix_ns = clock.unix_ns(clock.ticks());
        let shared = Arc::new(Shared {
            client: OtlpClient::new(&export, signal, clock)?,
            telemetry: telemetry.clone(),
            identity,
            format: settings.format,
            interval: settings.interval,
            batch_size: settings.batch_size as u64,
            workers: settings.export.max_export_workers,
            start_unix_ns,
            rounds: AtomicU64::new(0),
            ending: Notify::new(),
            end: Mutex::new(End::Running),
            ended: Condvar::new(),
        });
        let pushing = Arc::clone(&shared);
        spawn("tta-metrics", async move { pushing.run().await })?;
        Ok(Self(shared))
    }

    /// Series that were sent and that were not, over all rounds.
    #[must_use]
    pub fn status(&self) -> OtlpStatus {
        self.0.client.status()
    }

    /// Rounds that have ended.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        self.0.rounds.load(Ordering::Relaxed)
    }

    /// Pushes once more and ends; whether that was done within the wait, and taken. Blocks the calling thread.
    #[must_use]
    pub fn stop(self, wait: Duration) -> bool {
        self.0.ask(End::LastRound);
        let end = self.0.end.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.ended.wait_timeout_while(end, wait, |end| *end != End::Over);
        let is_over = *waited.unwrap_or_else(PoisonError::into_inner).0 == End::Over;
        is_over && self.status().failing_since_unix_ns.is_none()
    }

    /// The push as a component of health, named `metrics_push`: degraded from a failed attempt until something
    /// is taken again. To be kept as long as it is to be asked.
    #[must_use]
    pub fn health_component(&self) -> Arc<dyn HealthComponent> {
        Arc::new(PushState(self.0.client.clone()))
    }

    /// What was pushed and lost, as metrics; see
    /// [`OtlpExporter::metric_source`](super::super::OtlpExporter::metric_source).
    #[must_use]
    pub fn metric_source(&self) -> Arc<dyn MetricSource> {
        Arc::new(PushState(self.0.client.clone()))
    }
}

impl Drop for MetricsPush {
    fn drop(&mut self) {
        self.0.ask(End::AtOnce);
    }
}

struct PushState(OtlpClient);

impl MetricSource for PushState {
    fn collect(&self, out: &mut MetricCollector) {
        self.0.status().collect("metrics_push", "sent_series", out);
    }
}

impl HealthComponent for PushState {
    fn name(&self) -> Name {
        Name::from_static("metrics_push")
    }

    fn health(&self) -> Health {
        self.0.status().health()
    }
}

impl Shared {
    fn ask(&self, how: End) {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if *end != End::Over {
            *end = how;
        }
        drop(end);
        self.ending.notify_waiters();
        self.ending.notify_one();
    }

    fn asked(&self) -> End {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self) {
        loop {
            if self.asked() == End::Running {
                tokio::select! {
                    () = sleep(self.client.clock(), self.interval) => {}
                    () = self.ending.notified() => {}
                }
            }
            let asked = self.asked();
            if asked == End::AtOnce {
                break;
            }
            tokio::select! {
                () = self.round() => {}
                () = self.asked_to_end_at_once() => break,
            }
            if asked == End::LastRound {
                break;
            }
        }
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = End::Over;
        self.ended.notify_all();
    }

    async fn asked_to_end_at_once(&self) {
        loop {
            let told = self.ending.notified();
            if self.asked() == End::AtOnce {
                return;
            }
            told.await;
        }
    }

    async fn round(&self) {
        let families = self.telemetry.collect_metrics();
        let clock = self.client.clock();
        let now = clock.unix_ns(clock.ticks());
        // Encoded one by one, when there is a place for it: a round holds no more than its readings.
        let left = Mutex::new(self.batches(&families).into_iter());
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = async || {
            while let Some(batch) = next() {
                let body = self.encode(&batch, now);
                self.client.deliver(body, batch.series).await;
            }
        };
        join_all((0..self.workers).map(|_| work())).await;
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    fn batches<'f>(&self, families: &'f [MetricFamily]) -> Vec<Batch<'f>> {
        batches(families, self.batch_size, if self.format == PushFormat::Otlp { one } else { flat })
    }

    fn encode(&self, batch: &Batch<'_>, now: u64) -> Vec<u8> {
        match self.format {
            PushFormat::Otlp => {
                let times = otlp::Times { start: self.start_unix_ns, now };
                otlp::encode(batch, &self.identity, times)
            }
            PushFormat::RemoteWrite => {
                remote_write::encode(batch, &remote_write::target(&self.identity), (now / 1_000_000) as i64)
            }
        }
    }
}
