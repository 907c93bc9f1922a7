//! Engines with a sink of the test's choice, and runs of one span to send to it.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)]

use tta_telemetry::{Clock, IdSource, MemorySink, Sink, SpanStatus, Telemetry, TelemetryBuilder, TraceId};

/// An engine with this sink, driven by hand.
pub(crate) fn by_hand(sink: impl Sink) -> TelemetryBuilder {
    Telemetry::builder().clock(Clock::manual().0).ids(IdSource::seeded(1)).sink(sink).by_hand()
}

/// A run of one span that succeeds.
pub(crate) fn run(telemetry: &Telemetry) -> TraceId {
    run_with(telemetry, SpanStatus::Ok)
}

/// A run of one span that ends like this.
pub(crate) fn run_with(telemetry: &Telemetry, status: SpanStatus) -> TraceId {
    let mut run = telemetry.start_trace("run");
    let id = run.handle().trace_id().unwrap();
    run.set_status(status);
    run.end();
    id
}

/// The traces that a sink holds, oldest first.
pub(crate) fn ids(memory: &MemorySink) -> Vec<TraceId> {
    memory.traces().iter().map(|trace| trace.trace_id).collect()
}
