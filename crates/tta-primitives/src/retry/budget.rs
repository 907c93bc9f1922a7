//! A bound on retries over all calls of a policy, so that retries cannot become the load.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tta_telemetry::{Clock, MetricCollector, MetricSource, Name, Ticks, catalog};

use crate::context::Context;
use crate::engines::Engines;
use crate::policy::PolicyError;

/// Retries are counted in thousandths.
const ONE: u64 = 1_000;
/// Seconds of the reserve that may be saved up.
const SAVED_SECONDS: u64 = 10;

/// Allows a share of calls to be retried, and some retries per second besides.
///
/// A token bucket (as in Finagle's and tower's retry budgets): every call deposits its share,
/// every retry withdraws one, and time adds the reserve. It starts full. Clones share the budget.
#[derive(Clone, Debug)]
pub struct RetryBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    deposit: u64,
    per_second: u64,
    capacity: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    balance: u64,
    refilled: Option<Ticks>,
}

impl RetryBudget {
    /// A budget of `share` retries per call (0.2 is 20 %; 0 to 10) and `per_second` besides (0 to
    /// 1,000,000); up to ten seconds' worth of the latter is saved up, and one retry at least.
    ///
    /// # Errors
    /// A parameter outside its range.
    pub fn new(share: f64, per_second: u32) -> Result<Self, PolicyError> {
        let policy = "retry budget";
        PolicyError::check(policy, "share", share, "0 to 10", (0.0..=10.0).contains(&share))?;
        PolicyError::check(policy, "per_second", per_second, "0 to 1000000", per_second <= 1_000_000)?;
        Ok(Self::unchecked((share * ONE as f64) as u64, u64::from(per_second)))
    }

    fn unchecked(deposit: u64, per_second: u64) -> Self {
        // Without a reserve the share alone must be able to add up to one retry.
        let capacity = (per_second * SAVED_SECONDS * ONE).max(if deposit > 0 { ONE.max(deposit) } else { 0 });
        let state = Mutex::new(State { balance: capacity, refilled: None });
        Self(Arc::new(Inner { deposit, per_second, capacity, state }))
    }

    /// 20 % of calls and 10 per second.
    pub(super) fn standard() -> Self {
        Self::unchecked(ONE / 5, 10)
    }

    /// Retries that could be made now.
    #[must_use]
    pub fn remaining(&self, clock: &Clock) -> u64 {
        self.with(clock, |state| state.balance / ONE)
    }

    /// What is left of the most there can be, 0 to 1, without taking note of the time.
    fn share_left(&self, clock: &Clock) -> f64 {
        let inner = &*self.0;
        let state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        let earned = state.refilled.map_or(0, |last| self.earned(clock.nanos_between(last, clock.ticks())));
        let balance = u128::from(state.balance).saturating_add(earned).min(u128::from(inner.capacity));
        if inner.capacity == 0 { 0.0 } else { balance as f64 / inner.capacity as f64 }
    }

    /// What the reserve earns in so much time.
    fn earned(&self, nanos: u64) -> u128 {
        u128::from(nanos) * u128::from(self.0.per_second * ONE) / 1_000_000_000
    }

    pub(super) fn deposit(&self, clock: &Clock) {
        self.with(clock, |state| state.balance = (state.balance + self.0.deposit).min(self.0.capacity));
    }

    /// Takes one retry out, if there is one.
    pub(super) fn withdraw(&self, clock: &Clock) -> bool {
        self.with(clock, |state| match state.balance.checked_sub(ONE) {
            Some(rest) => {
                state.balance = rest;
                true
            }
            None => false,
        })
    }

    fn with<R>(&self, clock: &Clock, f: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.ticks();
        let last = *state.refilled.get_or_insert(now);
        let earned = self.earned(clock.nanos_between(last, now));
        if earned > 0 {
            // Time is used up only when it earned something, so that small steps add up.
            state.balance = state.balance.saturating_add(earned as u64).min(self.0.capacity);
            state.refilled = Some(now);
        }
        f(&mut state)
    }
}

/// The budget of one step's retries, told to the engines it is used from as that step's.
#[derive(Debug)]
pub(super) struct WatchedBudget(Arc<Watched>);

#[derive(Debug)]
struct Watched {
    step: Name,
    budget: RetryBudget,
    engines: Engines,
    /// Of the engine that was met first: engines that share a budget share a clock.
    clock: OnceLock<Clock>,
}

impl WatchedBudget {
    pub(super) fn new(step: Name, budget: RetryBudget) -> Self {
        Self(Arc::new(Watched { step, budget, engines: Engines::default(), clock: OnceLock::new() }))
    }

    /// A call was made.
    #[inline]
    pub(super) fn deposit(&self, cx: &Context) {
        if !self.0.engines.is_first(cx.telemetry().engine_id()) {
            self.meet(cx);
        }
        self.0.budget.deposit(cx.clock());
    }

    #[cold]
    fn meet(&self, cx: &Context) {
        self.0.clock.get_or_init(|| cx.clock().clone());
        if self.0.engines.meet(cx.telemetry().engine_id()) {
            let source: Arc<dyn MetricSource> = self.0.clone();
            cx.telemetry().watch_metrics(&source);
        }
    }
}

impl MetricSource for Watched {
    fn collect(&self, out: &mut MetricCollector) {
        if let Some(clock) = self.clock.get() {
            out.number(&catalog::RETRY_BUDGET, &[&self.step], self.budget.share_left(clock));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn without_a_reserve_one_retry_comes_from_five_calls() {
        let (clock, _) = Clock::manual();
        let budget = RetryBudget::new(0.2, 0).unwrap();
        assert!(budget.withdraw(&clock), "it starts full");
        assert!(!budget.withdraw(&clock));
        for _ in 0..4 {
            budget.deposit(&clock);
        }
        assert!(!budget.withdraw(&clock));
        budget.deposit(&clock);
        assert!(budget.withdraw(&clock));
    }

    #[test]
    fn the_reserve_grows_with_time_up_to_ten_seconds_worth() {
        let (clock, hand) = Clock::manual();
        let budget = RetryBudget::new(0.0, 2).unwrap();
        assert_eq!(budget.remaining(&clock), 20);
        assert_eq!((0..100).filter(|_| budget.withdraw(&clock)).count(), 20);
        for _ in 0..15 {
            hand.advance(Duration::from_millis(100));
            let _ = budget.remaining(&clock);
        }
        assert_eq!(budget.remaining(&clock), 3);
        hand.advance(Duration::from_secs(3_600));
        assert_eq!(budget.remaining(&clock), 20);
    }

    #[test]
    fn parameters_outside_their_range_are_named() {
        let error = RetryBudget::new(f64::NAN, 1).unwrap_err();
        assert_eq!(error.to_string(), "retry budget: `share` is NaN, accepted is 0 to 10");
        assert!(RetryBudget::new(0.1, 1_000_001).is_err());
    }
}
