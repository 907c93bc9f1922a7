//! What the recorder counts about itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::receive::ReceiverStatus;

/// Counters of one engine since its start. Every bound of [`Limits`](crate::Limits) has one that
/// tells how often it bit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecorderCounters {
    /// Traces decided to be kept, early decisions included.
    pub traces_kept: u64,
    /// Traces decided to be dropped, early decisions included.
    pub traces_dropped: u64,
    /// Traces decided early because memory ran out (`live_bytes`).
    pub traces_evicted: u64,
    /// Traces decided early because `decision_wait` had passed or the engine shut down.
    pub traces_incomplete: u64,
    /// Runs that were not recorded at all: no memory could be freed, or the engine was shut down.
    pub runs_unrecorded: u64,
    /// Spans, events and annotations refused at `spans_per_trace`.
    pub spans_over_limit: u64,
    /// Spans, events and annotations refused at `live_bytes`.
    pub spans_over_bytes: u64,
    /// Attributes refused at `attributes_per_span`.
    pub attributes_dropped: u64,
    /// Attribute values cut at `attribute_bytes`, and names cut at 4 KiB.
    pub attributes_truncated: u64,
    /// Events refused at `events_per_span`, in kept traces.
    pub events_dropped: u64,
    /// Links that exceeded `links_per_span`.
    pub links_dropped: u64,
    /// Records that came after the decision and followed it to the sinks.
    pub late_kept: u64,
    /// Records that came after the decision to drop their trace.
    pub late_dropped: u64,
    /// Late records of kept traces that found the waiting list full or the engine shut down.
    pub late_lost: u64,
    /// Failed spans among `late_dropped`: errors that the decision could not know of.
    pub missed_error_spans: u64,
    /// Steps counted under `other` because too many different ones exist.
    pub steps_overflowed: u64,
    /// Primitives whose decisions are counted under `other` because too many different ones exist.
    pub decisions_overflowed: u64,
    /// Observers of decisions that panicked.
    pub observer_panics: u64,
    /// Attributes and names of events in which secrets were found, in kept traces.
    pub redacted: u64,
    /// Values that instruments refused: not numbers, infinite, negative or too large.
    pub measurements_refused: u64,
    /// Sources of metrics that panicked when they were asked.
    pub metric_source_panics: u64,
    /// Sources of metrics beyond the 1,000th that lives, which are not asked.
    pub metric_sources_refused: u64,
    /// What came from other processes, over all [receivers](crate::receive::Receiver). Their late
    /// spans and missed errors are also in the counters above.
    pub received: ReceiverStatus,
    /// Memory in use for traces now, in bytes, received ones among them.
    pub live_bytes: u64,
    /// Parallel branches that are running now.
    pub active_branches: u64,
}

/// How many branches of parallel primitives of one name are active. See
/// [`Telemetry::active_branches`](crate::Telemetry::active_branches).
///
/// ```
/// use tta_telemetry::{ActiveBranches, Telemetry};
/// let telemetry = Telemetry::builder().build()?;
/// let searches = telemetry.active_branches(&"search".into()); // once
/// let running = searches.as_ref().map(ActiveBranches::started); // for each branch
/// # #[cfg(feature = "record")]
/// assert_eq!(telemetry.counters().active_branches, 1);
/// drop(running);
/// assert_eq!(telemetry.counters().active_branches, 0);
/// # Ok::<(), tta_telemetry::BuildError>(())
/// ```
#[derive(Debug, Default)]
pub struct ActiveBranches(AtomicU64);

/// Counts a parallel branch as active until it is dropped.
#[derive(Debug)]
#[must_use = "the branch counts as active until this is dropped"]
pub struct ActiveBranch(Arc<ActiveBranches>);

impl ActiveBranches {
    /// Counts a branch as active until the guard is dropped.
    pub fn started(self: &Arc<Self>) -> ActiveBranch {
        self.0.fetch_add(1, Ordering::Relaxed);
        ActiveBranch(Arc::clone(self))
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for ActiveBranch {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
