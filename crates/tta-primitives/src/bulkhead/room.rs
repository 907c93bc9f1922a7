//! A bulkhead's room: permits, the queue for them, and what became of the calls.
//!
//! Knows neither spans nor decisions. The queue is tokio's semaphore, which is fair: a permit that
//! comes free goes to the call that has waited longest, and a newcomer cannot take it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tta_telemetry::{MetricCollector, MetricSource, Name, Telemetry, catalog};

use super::{BulkheadFullError, BulkheadFullReason};
use crate::engines::Engines;

#[derive(Debug)]
pub(super) struct Room {
    name: Name,
    max_concurrent: usize,
    max_queued: usize,
    max_wait: Option<Duration>,
    permits: Semaphore,
    active: AtomicUsize,
    peak_active: AtomicUsize,
    queued: AtomicUsize,
    admitted: AtomicU64,
    waited: AtomicU64,
    queue_full: AtomicU64,
    waited_too_long: AtomicU64,
    gave_up: AtomicU64,
    engines: Engines,
}

/// What a bulkhead does now, and what it did since it was built. The numbers are read one after
/// another: while calls come and go they need not add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkheadStats {
    /// Calls that run.
    pub active: usize,
    /// Calls that wait for a permit.
    pub queued: usize,
    /// The most calls that ran at once.
    pub peak_active: usize,
    /// Calls that got in, at once or after a wait.
    pub admitted: u64,
    /// Those of them that had to wait.
    pub waited: u64,
    /// Calls shed because the queue was full.
    pub shed_queue_full: u64,
    /// Calls shed because they had waited for `max_wait`.
    pub shed_waited_too_long: u64,
    /// Calls that left the queue by themselves: dropped, told to stop, or at their run's deadline.
    pub gave_up: u64,
}

/// The right to run. Dropping it, however that comes about, gives it back.
#[derive(Debug)]
pub(super) struct Permit<'r> {
    room: &'r Room,
    _permit: SemaphorePermit<'r>,
}

/// A place in the queue. One that is dropped before [`Place::admit`] or [`Place::shed`] gave up.
#[derive(Debug)]
pub(super) struct Place<'r> {
    room: &'r Room,
    settled: bool,
}

impl Room {
    pub(super) fn new(name: Name, max_concurrent: usize, max_queued: usize, max_wait: Option<Duration>) -> Self {
        Self {
            name,
            max_concurrent,
            max_queued,
            max_wait,
            permits: Semaphore::new(max_concurrent),
            active: AtomicUsize::new(0),
            peak_active: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            admitted: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            queue_full: AtomicU64::new(0),
            waited_too_long: AtomicU64::new(0),
            gave_up: AtomicU64::new(0),
            engines: Engines::default(),
        }
    }

    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    pub(super) fn max_concurrent(&self) -> usize {
        self.max_concurrent
    }

    pub(super) fn max_queued(&self) -> usize {
        self.max_queued
    }

    pub(super) fn max_wait(&self) -> Option<Duration> {
        self.max_wait
    }

    /// Makes itself known to an engine, once.
    #[inline]
    pub(super) fn meet(self: &Arc<Self>, telemetry: &Telemetry) {
        if !self.engines.is_first(telemetry.engine_id()) {
            self.meet_other(telemetry);
        }
    }

    #[cold]
    fn meet_other(self: &Arc<Self>, telemetry: &Telemetry) {
        if self.engines.meet(telemetry.engine_id()) {
            let source: Arc<dyn MetricSource> = self.clone();
            telemetry.watch_metrics(&source);
        }
    }

    /// A permit if one is free: an exchange on the semaphore and two counts, without a lock.
    #[inline]
    pub(super) fn try_enter(&self) -> Option<Permit<'_>> {
        self.permits.try_acquire().ok().map(|permit| self.entered(permit))
    }

    #[inline]
    fn entered<'r>(&'r self, permit: SemaphorePermit<'r>) -> Permit<'r> {
        // Counted here rather than derived from the semaphore, so that the peak is exact.
        let active = self.active.fetch_add(1, Ordering::Relaxed) + 1;
        if active > self.peak_active.load(Ordering::Relaxed) {
            self.peak_active.fetch_max(active, Ordering::Relaxed);
        }
        self.admitted.fetch_add(1, Ordering::Relaxed);
        Permit { room: self, _permit: permit }
    }

    /// A place in the queue, or the error that there is none.
    pub(super) fn queue(&self) -> Result<Place<'_>, BulkheadFullError> {
        let more = |queued: usize| (queued < self.max_queued).then_some(queued + 1);
        match self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Place { room: self, settled: false }),
            Err(queued) => {
                self.queue_full.fetch_add(1, Ordering::Relaxed);
                Err(self.error(queued, BulkheadFullReason::QueueFull))
            }
        }
    }

    #[cold]
    fn error(&self, queued: usize, reason: BulkheadFullReason) -> BulkheadFullError {
        BulkheadFullError { name: self.name.clone(), max_concurrent: self.max_concurrent, queued, reason }
    }

    pub(super) fn stats(&self) -> BulkheadStats {
        BulkheadStats {
            active: self.active.load(Ordering::Relaxed),
            queued: self.queued.load(Ordering::Relaxed),
            peak_active: self.peak_active.load(Ordering::Relaxed),
            admitted: self.admitted.load(Ordering::Relaxed),
            waited: self.waited.load(Ordering::Relaxed),
            shed_queue_full: self.queue_full.load(Ordering::Relaxed),
            shed_waited_too_long: self.waited_too_long.load(Ordering::Relaxed),
            gave_up: self.gave_up.load(Ordering::Relaxed),
        }
    }
}

impl MetricSource for Room {
    fn collect(&self, out: &mut MetricCollector) {
        let counts = [(&catalog::BULKHEAD_ACTIVE, &self.active), (&catalog::BULKHEAD_QUEUE, &self.queued)];
        for (metric, count) in counts {
            out.number(metric, &[&self.name], count.load(Ordering::Relaxed) as f64);
        }
    }
}

impl<'r> Place<'r> {
    /// The next permit that comes free and nobody before waits for. `None` is never: the semaphore
    /// is not closed.
    pub(super) async fn permit(&self) -> Option<SemaphorePermit<'r>> {
        self.room.permits.acquire().await.ok()
    }

    /// Leaves the queue for the room.
    pub(super) fn admit(mut self, permit: SemaphorePermit<'r>) -> Permit<'r> {
        self.settled = true;
        self.room.waited.fetch_add(1, Ordering::Relaxed);
        self.room.entered(permit)
    }

    /// Leaves the queue for good after `limit`.
    pub(super) fn shed(mut self, limit: Duration) -> BulkheadFullError {
        self.settled = true;
        self.room.waited_too_long.fetch_add(1, Ordering::Relaxed);
        let others = self.room.queued.load(Ordering::Relaxed).saturating_sub(1);
        self.room.error(others, BulkheadFullReason::WaitedTooLong(limit))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.room.queued.fetch_sub(1, Ordering::Relaxed);
        if !self.settled {
            self.room.gave_up.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        // Before the permit goes back, which happens next: never more are active than permitted.
        self.room.active.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_never_hold_more_permits_than_there_are_and_none_is_lost() {
        const THREADS: u64 = 8;
        const ROUNDS: u64 = 2_000;
        let room = Room::new("db".into(), 3, 0, None);
        let inside = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        let Some(_permit) = room.try_enter() else {
                            assert!(room.queue().is_err());
                            continue;
                        };
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        let stats = room.stats();
        assert!(most.load(Ordering::SeqCst) <= 3 && stats.peak_active <= 3, "{stats:?}");
        assert!(stats.peak_active >= most.load(Ordering::SeqCst), "{stats:?}");
        assert_eq!((stats.admitted + stats.shed_queue_full, stats.active, stats.queued), (THREADS * ROUNDS, 0, 0));
        let permits: Vec<_> = (0..4).map_while(|_| room.try_enter()).collect();
        assert_eq!(permits.len(), 3);
    }
}
