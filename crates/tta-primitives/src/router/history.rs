//! The last routing decisions.
//!
//! Written when a route's call has ended, never while one is chosen, and only by whoever finds the
//! list free: a caller that does not is counted instead of made to wait.
//!
//! It belongs to the router and not to a run's state: a run's own decisions are on its span, and a
//! key and a box in the state would cost every run more than the decision itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use tta_telemetry::{Name, Ticks, TraceId};

use super::reason::RouteReason;

/// One decision of a router, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoutingDecision {
    /// The route taken.
    pub route: Name,
    /// Why.
    pub reason: RouteReason,
    /// What came of it.
    pub outcome: RouteOutcome,
    /// When the route's call ended, in nanoseconds since the Unix epoch, by the clock of the engine
    /// that the router met first.
    pub ended_unix_ns: u64,
    /// The run it was made in.
    pub trace_id: Option<TraceId>,
}

/// What came of a route's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteOutcome {
    /// It answered.
    Succeeded,
    /// It failed.
    Failed,
    /// It was not done: rate limited, circuit open, or bulkhead full.
    Refused,
    /// It was dropped, or told to stop.
    Cancelled,
}

/// A decision as it is kept: the route by its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) route: usize,
    pub(super) reason: RouteReason,
    pub(super) outcome: RouteOutcome,
    pub(super) ended: Ticks,
    pub(super) trace_id: Option<TraceId>,
}

#[derive(Debug)]
pub(super) struct History {
    limit: usize,
    last: Mutex<VecDeque<Entry>>,
    skipped: AtomicU64,
}

impl History {
    /// Of the last `limit` decisions; 0 keeps none.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, last: Mutex::new(VecDeque::with_capacity(limit)), skipped: AtomicU64::new(0) }
    }

    #[inline]
    pub(super) fn add(&self, entry: impl FnOnce() -> Entry) {
        if self.limit == 0 {
            return;
        }
        let mut last = match self.last.try_lock() {
            Ok(last) => last,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.skipped.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
        if last.len() == self.limit {
            last.pop_front();
        }
        last.push_back(entry());
    }

    /// Oldest first.
    pub(super) fn read(&self) -> Vec<Entry> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    pub(super) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(route: usize) -> Entry {
        let (reason, outcome) = (RouteReason::Cheapest, RouteOutcome::Succeeded);
        Entry { route, reason, outcome, ended: 0, trace_id: None }
    }

    #[test]
    fn only_the_last_ones_are_kept() {
        let history = History::new(3);
        (0..5).for_each(|route| history.add(|| entry(route)));
        assert_eq!(history.read().iter().map(|entry| entry.route).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(history.skipped(), 0);
        let none = History::new(0);
        none.add(|| entry(1));
        assert_eq!((none.read().len(), none.skipped()), (0, 0));
    }

    #[test]
    fn a_writer_that_finds_it_busy_is_counted_and_goes_on() {
        let history = History::new(3);
        let busy = history.last.lock().unwrap();
        history.add(|| entry(1));
        drop(busy);
        assert_eq!((history.read().len(), history.skipped()), (0, 1));
    }

    #[test]
    fn of_many_writers_each_is_kept_or_counted() {
        let history = History::new(10_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2_000).for_each(|route| history.add(|| entry(route))));
            }
        });
        assert_eq!(history.read().len() as u64 + history.skipped(), 8_000);
    }
}
