//! An engine that tests drive by hand: no threads, a clock that stands still, the same ids every
//! time.

// Each test file uses a part of this.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{
    Clock, IdSource, Limits, ManualClock, MemorySink, Sampling, ShutdownReport, Telemetry, Trace, TraceTree,
};

/// Longer than any test waits: whoever gives this deadline does not expect it to be reached.
pub(crate) const LONG: Duration = Duration::from_secs(600);

pub(crate) struct ByHand {
    pub(crate) telemetry: Telemetry,
    pub(crate) memory: MemorySink,
    pub(crate) clock: ManualClock,
}

impl ByHand {
    pub(crate) fn new(sampling: Sampling) -> Self {
        Self::with(sampling, Limits::default())
    }

    pub(crate) fn with(sampling: Sampling, limits: Limits) -> Self {
        let (clock, hand) = Clock::manual();
        let memory = MemorySink::with_capacity(100_000);
        let telemetry = Telemetry::builder()
            .clock(clock)
            .ids(IdSource::seeded(1))
            .sampling(sampling)
            .limits(limits)
            .sink(memory.clone())
            .by_hand()
            .build()
            .unwrap();
        Self { telemetry, memory, clock: hand }
    }

    pub(crate) fn advance_ms(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    /// Flushes and takes what arrived since the last time.
    pub(crate) fn traces(&self) -> Vec<Arc<Trace>> {
        assert!(self.telemetry.flush_blocking(LONG).complete);
        self.memory.take()
    }

    /// Flushes and takes the only trace that arrived.
    pub(crate) fn only_trace(&self) -> Arc<Trace> {
        let mut traces = self.traces();
        assert_eq!(traces.len(), 1);
        traces.remove(0)
    }
}

/// Limits of a queue that nothing in a test fills.
pub(crate) fn roomy() -> Limits {
    Limits { queue_spans: 10_000_000, queue_bytes: 1 << 40, ..Limits::default() }
}

pub(crate) fn tree(trace: &Trace) -> String {
    TraceTree::new(trace).timing(false).attributes(true).to_string()
}

pub(crate) fn names(trace: &Trace) -> Vec<&str> {
    trace.spans.iter().map(|span| span.name.as_str()).collect()
}

/// What the sink of this name says of itself in a report.
pub(crate) fn sink<'r>(report: &'r ShutdownReport, name: &str) -> &'r tta_telemetry::SinkStatus {
    report.sinks.iter().find(|sink| sink.name == name).unwrap()
}
