//! The sink: kept traces as encoded requests, handed to the exporter.

use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{Clock, Resource, Sink, SinkError, SpanRecord, Trace};

use super::exporter::OtlpExporter;
use super::problem::ExportError;
use super::settings::ExportSettings;
use crate::encode_spans;

/// Sends kept traces to a collector.
///
/// Encoding is done on the sink's own thread; sending by up to `max_export_workers` requests at the same
/// time on another. While the collector is away, the newest spans wait in a bounded queue, and older ones are
/// dropped, counted in [`OtlpStatus`](super::OtlpStatus); nothing has to be restarted when it is back.
///
/// A flush waits until what was handed over is sent or given up, at most `timeout`. When the sink is dropped,
/// as the engine does at the end of a shutdown, what is left is dropped too, and counted.
///
/// ```
/// use tta_otlp::export::{Endpoint, ExportSettings, OtlpSink};
/// use tta_telemetry::{Clock, Resource, Telemetry};
///
/// let settings = ExportSettings { endpoint: Endpoint::Base("http://localhost:4318".into()), ..Default::default() };
/// let identity = Resource { service: "shop".into(), attributes: vec![], dropped_attributes: 0, schema_url: String::new() };
/// let sink = OtlpSink::start(&settings, identity, Clock::system())?;
/// let exporter = sink.exporter();
/// let telemetry = Telemetry::builder().sink(sink).build()?;
/// let health = exporter.health_component();
/// telemetry.watch_health(&health);
/// assert_eq!(exporter.status().sent, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct OtlpSink {
    exporter: OtlpExporter,
    identity: Resource,
    batch_size: usize,
    timeout: Duration,
    /// How long a batch is waited for, unless it is only handed over.
    waits: Option<Duration>,
}

impl OtlpSink {
    /// Starts the thread that sends. `identity` is the resource of spans that are recorded here; `clock` is
    /// the engine's, by which retries wait.
    ///
    /// # Errors
    /// The settings or files for TLS cannot be used, or the thread does not start.
    pub fn start(settings: &ExportSettings, identity: Resource, clock: Clock) -> Result<Self, ExportError> {
        let exporter = OtlpExporter::start(settings, clock)?;
        // No request takes longer: its last attempt begins before `max_elapsed`.
        let waits = settings.retry.max_elapsed.saturating_add(settings.timeout);
        Ok(Self {
            exporter,
            identity,
            batch_size: settings.batch_size,
            timeout: settings.timeout,
            waits: (!settings.async_export).then_some(waits),
        })
    }

    /// The exporter behind it, for its status and health.
    #[must_use]
    pub fn exporter(&self) -> OtlpExporter {
        self.exporter.clone()
    }

    fn offer(&self, spans: &[(&Trace, &SpanRecord)]) -> u64 {
        let mut body = Vec::new();
        encode_spans(spans.iter().copied(), &self.identity, &mut body);
        self.exporter.offer(body, spans.len() as u64)
    }
}

impl Sink for OtlpSink {
    fn name(&self) -> &str {
        "otlp"
    }

    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError> {
        let spans: Vec<(&Trace, &SpanRecord)> =
            traces.iter().flat_map(|trace| trace.spans.iter().map(move |span| (&**trace, span))).collect();
        let Some(waits) = self.waits else {
            for part in spans.chunks(self.batch_size) {
                // What gave way is counted: the status tells.
                let _ = self.offer(part);
            }
            return Ok(());
        };
        let before = self.exporter.status();
        for part in spans.chunks(self.batch_size) {
            self.offer(part);
            // One after the other: all of a batch may be more than the queue holds.
            self.exporter.wait_idle(waits, false);
        }
        let after = self.exporter.status();
        let lost = after.dropped.total() + after.queued + after.in_flight - before.dropped.total();
        if lost == 0 {
            return Ok(());
        }
        let why = after.last_error.unwrap_or_default();
        Err(SinkError::new(format!("{lost} of {} spans were not sent: {why}", spans.len())))
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        match self.exporter.wait_idle(self.timeout, true) {
            0 => Ok(()),
            left => Err(SinkError::new(format!("{left} spans are still on their way after {:?}", self.timeout))),
        }
    }
}

impl Drop for OtlpSink {
    fn drop(&mut self) {
        self.exporter.stop();
    }
}
