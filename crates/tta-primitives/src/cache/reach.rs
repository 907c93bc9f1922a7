//! Whether the store can be reached, and leaving it alone for a moment when it cannot.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tta_telemetry::{Clock, Health, Ticks};

use super::store::StoreError;

/// Failures in a row after which the store is left alone.
pub(super) const FAILURES_BEFORE_REST: u32 = 5;
/// For how long; then one operation tries it.
pub(super) const REST: Duration = Duration::from_secs(1);

/// How operations of one sort, reads or writes, have gone of late.
#[derive(Debug)]
pub(super) struct Reach {
    what: &'static str,
    /// Whether the last operation failed: all that is looked at while all is well.
    is_troubled: AtomicBool,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    failures: u32,
    reason: String,
    since_unix_ns: u64,
    tried_at: Ticks,
}

impl Reach {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, is_troubled: AtomicBool::new(false), trouble: Mutex::default() }
    }

    /// Whether to try now. While the store rests, one operation each [`REST`] may.
    #[inline]
    pub(super) fn may_try(&self, clock: &Clock) -> bool {
        !self.is_troubled.load(Ordering::Relaxed) || self.may_try_again(clock)
    }

    #[cold]
    fn may_try_again(&self, clock: &Clock) -> bool {
        let mut trouble = self.lock();
        if trouble.failures < FAILURES_BEFORE_REST {
            return true;
        }
        let now = clock.ticks();
        let is_rested = clock.between(trouble.tried_at, now) >= REST;
        if is_rested {
            trouble.tried_at = now;
        }
        is_rested
    }

    #[inline]
    pub(super) fn succeeded(&self) {
        if self.is_troubled.load(Ordering::Relaxed) {
            self.recovered();
        }
    }

    #[cold]
    fn recovered(&self) {
        let mut trouble = self.lock();
        *trouble = Trouble::default();
        // Under the lock: a failure that comes next is not taken back.
        self.is_troubled.store(false, Ordering::Relaxed);
    }

    /// A value that cannot be encoded says nothing about the store.
    #[cold]
    pub(super) fn failed(&self, error: &StoreError, clock: &Clock) {
        if matches!(error, StoreError::Encoding(_)) {
            return;
        }
        let mut trouble = self.lock();
        let now = clock.ticks();
        if trouble.failures == 0 {
            trouble.since_unix_ns = clock.unix_ns(now);
        }
        trouble.failures = trouble.failures.saturating_add(1);
        trouble.tried_at = now;
        trouble.reason = error.to_string();
        self.is_troubled.store(true, Ordering::Relaxed);
    }

    /// What is wrong, while the last operation failed.
    pub(super) fn health(&self) -> Option<Health> {
        let trouble = self.lock();
        let reason = || format!("{} failed {} times in a row: {}", self.what, trouble.failures, trouble.reason);
        (trouble.failures > 0).then(|| Health::degraded(reason()).since(trouble.since_unix_ns))
    }

    fn lock(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone() -> StoreError {
        StoreError::Unavailable("gone".to_owned())
    }

    #[test]
    fn after_failures_in_a_row_one_operation_a_second_tries_and_a_success_ends_it() {
        let (clock, hand) = Clock::manual();
        let reach = Reach::new("reads");
        for _ in 0..FAILURES_BEFORE_REST {
            assert!(reach.may_try(&clock));
            reach.failed(&gone(), &clock);
        }
        assert!(!reach.may_try(&clock));
        hand.advance(REST - Duration::from_nanos(1));
        assert!(!reach.may_try(&clock));
        hand.advance(Duration::from_nanos(1));
        assert_eq!((reach.may_try(&clock), reach.may_try(&clock)), (true, false));
        let health = reach.health().unwrap();
        assert_eq!(
            health.reason.as_deref(),
            Some("reads failed 5 times in a row: the cache store cannot be reached: gone")
        );
        reach.succeeded();
        assert_eq!((reach.may_try(&clock), reach.health()), (true, None));
    }

    #[test]
    fn a_value_that_cannot_be_encoded_is_not_the_stores_trouble() {
        let (clock, _) = Clock::manual();
        let reach = Reach::new("writes");
        (0..9).for_each(|_| reach.failed(&StoreError::Encoding("no".to_owned()), &clock));
        assert_eq!((reach.may_try(&clock), reach.health()), (true, None));
    }
}
