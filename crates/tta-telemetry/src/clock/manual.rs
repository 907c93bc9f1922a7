//! A clock that tests move by hand, with sleeps that wake when it passes their deadline.
//!
//! Owns the paused time and the list of sleepers. Knows no runtime: a sleep is a plain future.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Wall-clock start of every manual clock: 2026-01-01T00:00:00Z, so that outputs are the same in
/// every test run.
const START_UNIX_NS: u64 = 1_767_225_600_000_000_000;

/// The handle that moves a manual [`Clock`](super::Clock).
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    now_ns: u64,
    next_sleeper: u64,
    // Ordered by deadline; the second part keeps equal deadlines apart, first come first woken.
    sleepers: BTreeMap<(u64, u64), Waker>,
}

impl ManualClock {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Nanoseconds since this clock was made.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.with(|state| state.now_ns)
    }

    /// Moves time forward and wakes every sleep whose deadline has passed, in deadline order.
    pub fn advance(&self, by: Duration) {
        let by_ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let due = self.with(|state| {
            state.now_ns = state.now_ns.saturating_add(by_ns);
            let later = state.sleepers.split_off(&(state.now_ns.saturating_add(1), 0));
            std::mem::replace(&mut state.sleepers, later)
        });
        for waker in due.into_values() {
            waker.wake();
        }
    }

    /// Moves time to the earliest pending deadline and wakes it. Returns how far it moved, or
    /// `None` when nobody sleeps.
    pub fn advance_to_next(&self) -> Option<Duration> {
        let by = self.with(|state| {
            let (deadline, _) = state.sleepers.keys().next()?;
            Some(Duration::from_nanos(deadline.saturating_sub(state.now_ns)))
        })?;
        self.advance(by);
        Some(by)
    }

    /// How many sleeps are waiting.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.with(|state| state.sleepers.len())
    }

    /// A future that completes once the clock has moved `duration` past now.
    ///
    /// # Cancel safety
    /// Dropping it removes its waiter.
    #[must_use]
    pub fn sleep(&self, duration: Duration) -> ManualSleep {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let deadline_ns = self.now_ns().saturating_add(ns);
        ManualSleep { clock: self.clone(), deadline_ns, key: None }
    }

    pub(super) fn start_unix_ns(&self) -> u64 {
        START_UNIX_NS
    }

    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// See [`ManualClock::sleep`].
#[derive(Debug)]
pub struct ManualSleep {
    clock: ManualClock,
    deadline_ns: u64,
    key: Option<(u64, u64)>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let (deadline, known) = (this.deadline_ns, this.key);
        let key = this.clock.with(|state| {
            if state.now_ns >= deadline {
                if let Some(key) = known {
                    state.sleepers.remove(&key);
                }
                return None;
            }
            let key = known.unwrap_or_else(|| {
                state.next_sleeper += 1;
                (deadline, state.next_sleeper)
            });
            state.sleepers.insert(key, cx.waker().clone());
            Some(key)
        });
        this.key = key;
        if key.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.clock.with(|state| state.sleepers.remove(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(sleep: &mut ManualSleep) -> Poll<()> {
        Pin::new(sleep).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_sleep_ends_at_its_deadline_and_not_a_nanosecond_before() {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep(Duration::from_nanos(10));
        assert_eq!(poll(&mut sleep), Poll::Pending);
        clock.advance(Duration::from_nanos(9));
        assert_eq!(poll(&mut sleep), Poll::Pending);
        clock.advance(Duration::from_nanos(1));
        assert_eq!(poll(&mut sleep), Poll::Ready(()));
    }

    #[test]
    fn a_dropped_sleep_leaves_no_waiter_behind() {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep(Duration::from_secs(1));
        assert_eq!(poll(&mut sleep), Poll::Pending);
        assert_eq!(clock.sleepers(), 1);
        drop(sleep);
        assert_eq!(clock.sleepers(), 0);
        assert_eq!(clock.advance_to_next(), None);
    }

    #[test]
    fn advancing_to_the_next_deadline_moves_exactly_that_far() {
        let clock = ManualClock::new();
        let mut late = clock.sleep(Duration::from_secs(5));
        let mut early = clock.sleep(Duration::from_secs(2));
        assert_eq!(poll(&mut late), Poll::Pending);
        assert_eq!(poll(&mut early), Poll::Pending);
        assert_eq!(clock.advance_to_next(), Some(Duration::from_secs(2)));
        assert_eq!(poll(&mut early), Poll::Ready(()));
        assert_eq!(poll(&mut late), Poll::Pending);
    }
}
