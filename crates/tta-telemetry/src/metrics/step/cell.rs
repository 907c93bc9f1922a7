//! What one thread has counted of one step.

use std::sync::atomic::{AtomicU64, Ordering};

use super::read::StepTotals;
use crate::metrics::bounds::Bounds;
use crate::metrics::cells::add;
use crate::metrics::instruments::BucketedCell;
use crate::model::SpanStatus;

/// An execution may begin on one thread and finish on another.
#[derive(Debug, Default)]
pub(super) struct StepCell {
    begun: AtomicU64,
    /// The most that was begun here above what was finished here when the peak was last looked at.
    height: AtomicU64,
    success: AtomicU64,
    failure: AtomicU64,
    cancelled: AtomicU64,
    durations: BucketedCell,
}

impl StepCell {
    /// How many are under way here, when that is more than ever before.
    #[inline]
    pub(super) fn begin(&self, only_writer: bool) -> Option<u64> {
        add(&self.begun, 1, only_writer);
        let here = self.begun().wrapping_sub(self.finished()).cast_signed();
        // Below zero where more is finished than begun: then it is no height.
        let here = u64::try_from(here).unwrap_or(0);
        (here > self.height.load(Ordering::Relaxed)).then_some(here)
    }

    pub(super) fn set_height(&self, height: u64) {
        self.height.store(height, Ordering::Relaxed);
    }

    /// The outcome comes last and is read first: what is counted is in a bucket.
    #[inline]
    pub(super) fn finish(&self, duration_ns: u64, status: SpanStatus, bounds: &Bounds, only_writer: bool) {
        self.durations.record(duration_ns, bounds, only_writer);
        let outcome = match status {
            SpanStatus::Ok => &self.success,
            SpanStatus::Error => &self.failure,
            SpanStatus::Cancelled => &self.cancelled,
        };
        add(outcome, 1, only_writer);
    }

    #[inline]
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn finished(&self) -> u64 {
        let outcomes = [&self.success, &self.failure, &self.cancelled].map(|outcome| outcome.load(Ordering::Relaxed));
        outcomes.into_iter().fold(0, u64::wrapping_add)
    }

    pub(super) fn read_into(&self, totals: &mut StepTotals) {
        totals.success += self.success.load(Ordering::Relaxed);
        totals.failure += self.failure.load(Ordering::Relaxed);
        totals.cancelled += self.cancelled.load(Ordering::Relaxed);
        self.durations.read_into(&mut totals.values, &mut totals.below);
        totals.begun += self.begun();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.durations.heap_bytes()
    }
}
