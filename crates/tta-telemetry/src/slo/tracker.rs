//! One objective of one primitive or workflow: counting, and reading.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::config::{Slo, SloError};
use super::counts::{CLASSES, Counts, class_of};
use super::state::{SloState, SloStateError};
use super::status::{SloStatus, budget_remaining};
use super::timeline::{RING_BYTES, Timeline};
use super::watch::{Callback, Watches, tell};
use crate::metrics::CounterArray;
use crate::model::{Name, SpanStatus};

/// Counts the requests of one primitive or workflow against one [`Slo`].
///
/// ```
/// use tta_telemetry::{Slo, SloTracker, SpanStatus};
///
/// let tracker = SloTracker::new("payments", Slo::named("availability").target(0.9).build()?);
/// let now_unix_ns = 1_800_000_000_000_000_000;
/// for request in 0..100 {
///     let outcome = if request < 5 { SpanStatus::Error } else { SpanStatus::Ok };
///     tracker.record(outcome, 1_000_000);
/// }
/// let status = tracker.status(now_unix_ns);
/// assert_eq!((status.compliance, status.error_budget_remaining), (0.95, 0.5));
/// assert_eq!(status.burn_rates[0].rate, 0.5);
/// # Ok::<(), tta_telemetry::SloError>(())
/// ```
///
/// # Exactness
/// Every request is counted once, in the bucket of the moment at which [`SloTracker::advance`] (or
/// a read, which does the same) finds it. It can be late by the time between two advances; let
/// that be a second or so. Counts are exact; a window is measured up to one bucket too long, which
/// [`SloStatus`] states for each.
///
/// # Memory
/// 25,216 bytes of buckets whatever arrives, and the cells: 1 KiB, and 128 bytes for each thread
/// that records, up to 64 of them. At most [`SloTracker::MAX_HEAP_BYTES`], budget callbacks apart.
///
/// # Clocks
/// The time given is the wall clock's. Steps forward of any size let counts grow old by as much:
/// whether a machine slept or its clock was wrong cannot be told from here. A step back of at most
/// a minute is waited for: time stands still until the clock is there again. After a larger one
/// time goes on from where the clock is now, and what was counted keeps its age.
#[derive(Debug)]
pub struct SloTracker {
    subject: Name,
    slo: Slo,
    /// `u64::MAX` without a threshold, so that there is one comparison either way.
    threshold_ns: u64,
    cells: CounterArray<CLASSES>,
    folded: Mutex<Folded>,
    /// The bits of what was left of the budget when last looked at.
    last_remaining: AtomicU64,
    callback_panics: AtomicU64,
}

/// What has been taken over from the cells.
#[derive(Debug)]
struct Folded {
    seen: [u64; CLASSES],
    timeline: Timeline,
    watches: Watches,
    is_restored: bool,
}

impl SloTracker {
    /// What one tracker holds on the heap at most, in bytes, budget callbacks apart.
    pub const MAX_HEAP_BYTES: usize = RING_BYTES + 11 * 1024;

    /// Starts counting for a primitive or workflow, by its name.
    #[must_use]
    pub fn new(subject: impl Into<Name>, slo: Slo) -> Self {
        let timeline = Timeline::new(&slo);
        Self {
            subject: subject.into(),
            threshold_ns: slo.latency_threshold_ns().unwrap_or(u64::MAX),
            slo,
            cells: CounterArray::default(),
            folded: Mutex::new(Folded {
                seen: [0; CLASSES],
                timeline,
                watches: Watches::default(),
                is_restored: false,
            }),
            last_remaining: AtomicU64::new(1.0_f64.to_bits()),
            callback_panics: AtomicU64::new(0),
        }
    }

    /// The primitive or workflow.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The objective.
    #[must_use]
    pub fn slo(&self) -> &Slo {
        &self.slo
    }

    /// Counts one request; a cancelled one does not count. Takes a few nanoseconds, allocates only
    /// when a thread first records here, and never blocks.
    #[inline]
    pub fn record(&self, outcome: SpanStatus, duration_ns: u64) {
        // One store of the thread's own: the class says both whether it failed and whether it was
        // slow.
        if let Some(class) = class_of(outcome, duration_ns > self.threshold_ns) {
            self.cells.add(class, 1);
        }
    }

    /// Takes over what was recorded since the last time, lets time pass, and fires budget callbacks
    /// that are due. To be called every second or so, in nanoseconds since the Unix epoch; after a
    /// long pause it costs no more than a few microseconds.
    pub fn advance(&self, now_unix_ns: u64) {
        self.fold(now_unix_ns, |_| ());
    }

    /// Advances, and reads everything at once.
    #[must_use]
    pub fn status(&self, now_unix_ns: u64) -> SloStatus {
        self.fold(now_unix_ns, |timeline| self.status_of(timeline))
    }

    /// What was left of the error budget at the last advance; 1 before the first. One load, for
    /// decisions on the hot path, as of a router that goes the cheap way while the budget is low.
    #[inline]
    #[must_use]
    pub fn last_budget_remaining(&self) -> f64 {
        f64::from_bits(self.last_remaining.load(Ordering::Relaxed))
    }

    /// Calls back when the error budget falls below `fraction`: once per crossing, and again only
    /// after it has been at `fraction` or above. It is looked at in every advance with at least
    /// [`Slo::minimum_events`] requests in the window; a budget that is below already fires at the
    /// next one, after a restart too. The callback runs in the thread that advances or reads; it
    /// may use the tracker. One that panics is counted ([`SloStatus::callback_panics`]).
    ///
    /// # Errors
    /// A fraction outside -100 to 1; a callback beyond the 16th.
    pub fn on_budget_below(
        &self,
        fraction: f64,
        callback: impl Fn(&SloStatus) + Send + Sync + 'static,
    ) -> Result<(), SloError> {
        let callback: Callback = std::sync::Arc::new(callback);
        self.folded().watches.add(&self.slo, fraction, callback)
    }

    /// Advances, and gives everything that should survive a restart.
    #[must_use]
    pub fn state(&self, now_unix_ns: u64) -> SloState {
        self.fold(now_unix_ns, |timeline| SloState::of(&self.subject, &self.slo, timeline))
    }

    /// Adds what an earlier tracker had counted, with its age; what this one has counted stays. The
    /// target and the minimum number of events may have changed since.
    ///
    /// # Errors
    /// The state is of another subject or objective, or of one with another latency threshold or
    /// window, by which its requests were judged; or a state was restored before. Nothing is
    /// changed then.
    pub fn restore(&self, state: &SloState) -> Result<(), SloStateError> {
        let saved = state.timeline(&self.subject, &self.slo)?;
        let mut folded = self.folded();
        if folded.is_restored {
            return Err(SloStateError::AlreadyRestored { slo: self.slo.name().clone() });
        }
        folded.is_restored = true;
        folded.timeline.merge(saved);
        self.keep_remaining(&folded.timeline);
        Ok(())
    }

    /// Bytes on the heap now, budget callbacks apart.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.folded().timeline.heap_bytes() + self.cells.heap_bytes()
    }

    /// Brings everything up to now and looks at it; then, without the lock, calls back.
    fn fold<T>(&self, now_unix_ns: u64, look: impl FnOnce(&Timeline) -> T) -> T {
        let mut folded = self.folded();
        let Folded { seen, timeline, watches, .. } = &mut *folded;
        timeline.advance(now_unix_ns);
        let cells = self.cells.read();
        let mut fresh = Counts(cells);
        fresh.subtract(&Counts(*seen));
        *seen = cells;
        timeline.add(&fresh);
        let remaining = self.keep_remaining(timeline);
        let enough = timeline.window().total() >= self.slo.minimum_events();
        let crossed = if enough { watches.crossed(remaining) } else { Vec::new() };
        let told = (!crossed.is_empty()).then(|| self.status_of(timeline));
        let seen = look(timeline);
        drop(folded);
        if let Some(status) = told {
            self.callback_panics.fetch_add(tell(&crossed, &status), Ordering::Relaxed);
        }
        seen
    }

    fn keep_remaining(&self, timeline: &Timeline) -> f64 {
        let remaining = budget_remaining(timeline.window(), &self.slo);
        self.last_remaining.store(remaining.to_bits(), Ordering::Relaxed);
        remaining
    }

    fn status_of(&self, timeline: &Timeline) -> SloStatus {
        SloStatus::of(&self.subject, &self.slo, timeline, self.callback_panics.load(Ordering::Relaxed))
    }

    fn folded(&self) -> std::sync::MutexGuard<'_, Folded> {
        self.folded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
