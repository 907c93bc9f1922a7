//! A hedge's parameters, and what it knows and has done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tta_telemetry::{Clock, Usd};

use super::budget::Budget;
use crate::live_percentile::LivePercentile;
use crate::policy::PolicyError;

/// The longest delay that is accepted.
const LONGEST_DELAY: Duration = Duration::from_secs(3_600);
/// A percentile's delay is at least this: timers tell no less apart.
const SHORTEST_DELAY: Duration = Duration::from_millis(1);

/// When a second attempt is made beside one that takes too long. Clones are the same policy: they
/// share latencies, the bound on extra load, and statistics.
///
/// ```
/// use std::time::Duration;
/// use tta_primitives::{Context, Hedge, step};
/// # async fn fetch(id: u32) -> Result<u32, String> { Ok(id) }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let hedge = Hedge::at_percentile(0.95).initial_delay(Duration::from_millis(200)).build()?;
/// assert_eq!(step(fetch).hedge(hedge.clone()).run(7, &Context::new()).await?, 7);
/// assert_eq!((hedge.stats().calls, hedge.stats().hedged), (1, 0));
/// # Result::<(), Box<dyn std::error::Error>>::Ok(()) }).unwrap();
/// ```
///
/// Waiting for the 95th percentile before asking again costs about 5 % more calls and takes most
/// of the tail away (Dean and Barroso, *The Tail at Scale*, Communications of the ACM 56(2), 2013).
/// A dependency that is slow as a whole is spared: at most 10 % of calls are made again
/// ([`max_extra_share`](HedgeBuilder::max_extra_share)).
///
/// Give each step its own hedge when it goes by a percentile: latencies of different steps in one
/// say little of either. The same goes for engines whose clocks differ, as paused ones in tests do:
/// windows that begin on one clock cannot end on another.
#[derive(Clone, Debug)]
pub struct Hedge(pub(super) Arc<Policy>);

#[derive(Debug)]
pub(super) struct Policy {
    delay: Delay,
    max_hedges: u32,
    cost_per_call: Usd,
    /// `None`: whatever `max_hedges` allows.
    budget: Option<Budget>,
    calls: AtomicU64,
    hedged: AtomicU64,
    won_by_hedge: AtomicU64,
    skipped: AtomicU64,
    wasted_calls: AtomicU64,
}

#[derive(Debug)]
enum Delay {
    Fixed(Duration),
    Percentile { percentile: f64, initial: Duration, live: Box<LivePercentile> },
}

/// What a hedge has done since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HedgeStats {
    /// Calls that have begun.
    pub calls: u64,
    /// Those of them for which more than one attempt was made.
    pub hedged: u64,
    /// Those of them that another attempt than the first answered.
    pub won_by_hedge: u64,
    /// Calls for which an attempt was due but not made, because too many were made already.
    pub skipped: u64,
    /// Attempts that were made beyond one per call, by calls that have ended. One that was refused
    /// (rate limited, circuit open, bulkhead full) was not made.
    pub wasted_calls: u64,
    /// What those cost.
    pub waste: Usd,
}

/// Builds a [`Hedge`].
#[derive(Clone, Debug)]
#[must_use]
pub struct HedgeBuilder {
    when: When,
    initial_delay: Option<Duration>,
    min_samples: Option<u64>,
    window: Option<Duration>,
    max_hedges: u32,
    max_extra_share: f64,
    cost_per_call: Usd,
}

#[derive(Clone, Copy, Debug)]
enum When {
    After(Duration),
    AtPercentile(f64),
}

impl Hedge {
    /// Another attempt after a fixed delay: above 0, at most one hour.
    pub fn after(delay: Duration) -> HedgeBuilder {
        HedgeBuilder::new(When::After(delay))
    }

    /// Another attempt when the first takes longer than this share of recent ones, 0.5 to 0.999;
    /// at least a millisecond. What counts is how long first attempts took to succeed; one that a
    /// hedge overtook counts with the time it had, so that the tail is not forgotten.
    pub fn at_percentile(percentile: f64) -> HedgeBuilder {
        HedgeBuilder::new(When::AtPercentile(percentile))
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> HedgeStats {
        let policy = &*self.0;
        let wasted_calls = policy.wasted_calls.load(Ordering::Relaxed);
        HedgeStats {
            calls: policy.calls.load(Ordering::Relaxed),
            hedged: policy.hedged.load(Ordering::Relaxed),
            won_by_hedge: policy.won_by_hedge.load(Ordering::Relaxed),
            skipped: policy.skipped.load(Ordering::Relaxed),
            wasted_calls,
            waste: policy.waste(wasted_calls),
        }
    }
}

impl Policy {
    pub(super) fn max_hedges(&self) -> u32 {
        self.max_hedges
    }

    /// How long to wait before another attempt.
    pub(super) fn delay(&self, clock: &Clock) -> Duration {
        match &self.delay {
            Delay::Fixed(delay) => *delay,
            Delay::Percentile { initial, live, .. } => {
                live.get(clock).map_or(*initial, |delay| delay.clamp(SHORTEST_DELAY, LONGEST_DELAY))
            }
        }
    }

    /// What a graph says of it.
    pub(super) fn note(&self) -> String {
        match &self.delay {
            Delay::Fixed(delay) => format!("hedge after {delay:?}"),
            Delay::Percentile { percentile, .. } => format!("hedge at {percentile}"),
        }
    }

    #[inline]
    pub(super) fn call_begins(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(budget) = &self.budget {
            budget.earn();
        }
    }

    /// Whether another attempt may be made; counts it if not.
    pub(super) fn may_hedge(&self) -> bool {
        let may = self.budget.as_ref().is_none_or(Budget::spend);
        self.skipped.fetch_add(u64::from(!may), Ordering::Relaxed);
        may
    }

    /// How long a first attempt took, or has taken when another overtook it.
    pub(super) fn first_took(&self, time: Duration, clock: &Clock) {
        if let Delay::Percentile { live, .. } = &self.delay {
            live.record(time, clock);
        }
    }

    /// A call for which more than one attempt was made has ended.
    pub(super) fn hedged_call_ends(&self, wasted: u64, won_by_hedge: bool) {
        self.hedged.fetch_add(1, Ordering::Relaxed);
        self.won_by_hedge.fetch_add(u64::from(won_by_hedge), Ordering::Relaxed);
        self.wasted_calls.fetch_add(wasted, Ordering::Relaxed);
    }

    /// What so many calls cost.
    pub(super) fn waste(&self, calls: u64) -> Usd {
        Usd::from_nanos(self.cost_per_call.nanos().saturating_mul(calls))
    }
}

impl HedgeBuilder {
    fn new(when: When) -> Self {
        Self {
            when,
            initial_delay: None,
            min_samples: None,
            window: None,
            max_hedges: 1,
            max_extra_share: 0.1,
            cost_per_call: Usd::ZERO,
        }
    }

    /// The delay while too few latencies are known for the percentile, as at the start and after
    /// two windows without a call. Default 1 s; above 0, at most one hour. With a fixed delay it
    /// means nothing and is refused, as are `min_samples` and `window`.
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = Some(delay);
        self
    }

    /// How many latencies make a percentile. Default: as many as it takes for one to lie beyond
    /// it, 20 for 0.95 and 1,000 for 0.999, and at least 20. 1 to 100,000.
    pub fn min_samples(mut self, samples: u64) -> Self {
        self.min_samples = Some(samples);
        self
    }

    /// How long latencies count: those of the last one to two windows. Default 60 s; 1 s to one
    /// day.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// How many attempts may be made beside the first, each a delay after the one before. Default
    /// 1; 1 to 10.
    pub fn max_hedges(mut self, hedges: u32) -> Self {
        self.max_hedges = hedges;
        self
    }

    /// How many attempts may be made beyond the first ones, as a share of calls; ten more are saved
    /// up for bursts, and are there at the start. When they are used up, calls go on with what they
    /// have and are counted ([`HedgeStats::skipped`]). Default 0.1, twice what hedging at the 95th
    /// percentile needs; 0.001 to 10; from `max_hedges` on
    /// there is no bound. 0 would never hedge and is refused.
    pub fn max_extra_share(mut self, share: f64) -> Self {
        self.max_extra_share = share;
        self
    }

    /// What one attempt costs, to say what those beyond the first ones cost
    /// ([`HedgeStats::waste`], `hedge.waste_usd`), and to enter that into the engine's
    /// [cost report](tta_telemetry::Telemetry::cost_report) (category `hedge`): not where attempts
    /// say themselves what they spend. Default nothing: then nothing is said.
    pub fn cost_per_call(mut self, cost: Usd) -> Self {
        self.cost_per_call = cost;
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn build(self) -> Result<Hedge, PolicyError> {
        let delay = self.delay()?;
        let in_range = (1..=10).contains(&self.max_hedges);
        PolicyError::check("hedge", "max_hedges", self.max_hedges, "1 to 10", in_range)?;
        let share = self.max_extra_share;
        PolicyError::check("hedge", "max_extra_share", share, "0.001 to 10", (0.001..=10.0).contains(&share))?;
        let zero = AtomicU64::default;
        Ok(Hedge(Arc::new(Policy {
            delay,
            max_hedges: self.max_hedges,
            cost_per_call: self.cost_per_call,
            budget: (share < f64::from(self.max_hedges)).then(|| Budget::new(share)),
            calls: zero(),
            hedged: zero(),
            won_by_hedge: zero(),
            skipped: zero(),
            wasted_calls: zero(),
        })))
    }

    fn delay(&self) -> Result<Delay, PolicyError> {
        let check = |parameter, given: &dyn std::fmt::Debug, accepted, within| {
            PolicyError::check("hedge", parameter, given, accepted, within)
        };
        let is_delay = |delay: Duration| !delay.is_zero() && delay <= LONGEST_DELAY;
        let percentile = match self.when {
            When::After(delay) => {
                check("after", &delay, "above 0, at most one hour", is_delay(delay))?;
                let none = "none with a fixed delay";
                if let Some(initial) = self.initial_delay {
                    check("initial_delay", &initial, none, false)?;
                }
                check("min_samples", &self.min_samples, none, self.min_samples.is_none())?;
                check("window", &self.window, none, self.window.is_none())?;
                return Ok(Delay::Fixed(delay));
            }
            When::AtPercentile(percentile) => percentile,
        };
        check("at_percentile", &percentile, "0.5 to 0.999", (0.5..=0.999).contains(&percentile))?;
        let initial = self.initial_delay.unwrap_or(Duration::from_secs(1));
        check("initial_delay", &initial, "above 0, at most one hour", is_delay(initial))?;
        // Rounded first: 1 / (1 - 0.95) is a little more than 20.
        let enough = ((1.0 / (1.0 - percentile)).round() as u64).max(20);
        let min_samples = self.min_samples.unwrap_or(enough);
        check("min_samples", &min_samples, "1 to 100000", (1..=100_000).contains(&min_samples))?;
        let window = self.window.unwrap_or(Duration::from_secs(60));
        let in_range = window >= Duration::from_secs(1) && window <= Duration::from_secs(86_400);
        check("window", &window, "1 s to one day", in_range)?;
        Ok(Delay::Percentile {
            percentile,
            initial,
            live: Box::new(LivePercentile::new(percentile, window, min_samples)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_percentile_starts_with_a_second_and_counts_after_enough_latencies() {
        let (clock, _) = Clock::manual();
        for (percentile, enough) in [(0.5, 20), (0.95, 20), (0.99, 100), (0.999, 1_000)] {
            let Hedge(policy) = Hedge::at_percentile(percentile).build().unwrap();
            for _ in 1..enough {
                policy.first_took(Duration::from_millis(100), &clock);
            }
            assert_eq!(policy.delay(&clock), SECOND, "{percentile}");
            // It is computed again after a sixteenth of what is known, at the latest.
            (0..=enough / 16).for_each(|_| policy.first_took(Duration::from_millis(100), &clock));
            let delay = policy.delay(&clock).as_secs_f64();
            assert!((0.098..=0.102).contains(&delay), "{percentile}: {delay}");
        }
    }

    #[test]
    fn a_percentile_is_a_millisecond_at_least() {
        let (clock, _) = Clock::manual();
        let Hedge(policy) = Hedge::at_percentile(0.95).min_samples(1).build().unwrap();
        policy.first_took(Duration::from_micros(3), &clock);
        assert_eq!(policy.delay(&clock), Duration::from_millis(1));
    }

    #[test]
    fn one_hedge_ten_percent_and_no_cost_by_default() {
        let Hedge(policy) = Hedge::after(SECOND).build().unwrap();
        assert_eq!((policy.max_hedges(), policy.waste(5)), (1, Usd::ZERO));
        assert_eq!((0..20).filter(|_| policy.may_hedge()).count(), 10);
        (0..10).for_each(|_| policy.call_begins());
        assert_eq!((0..20).filter(|_| policy.may_hedge()).count(), 1);
    }

    #[test]
    fn every_parameter_outside_its_range_is_named_with_value_and_range() {
        let (after, at) = (|| Hedge::after(SECOND), || Hedge::at_percentile(0.95));
        let delay = "above 0, at most one hour";
        let fixed = "none with a fixed delay";
        let cases = [
            (Hedge::after(Duration::ZERO), "after", "0ns", delay),
            (Hedge::after(3_601 * SECOND), "after", "3601s", delay),
            (Hedge::at_percentile(0.49), "at_percentile", "0.49", "0.5 to 0.999"),
            (Hedge::at_percentile(1.0), "at_percentile", "1.0", "0.5 to 0.999"),
            (Hedge::at_percentile(f64::NAN), "at_percentile", "NaN", "0.5 to 0.999"),
            (at().initial_delay(Duration::ZERO), "initial_delay", "0ns", delay),
            (at().min_samples(0), "min_samples", "0", "1 to 100000"),
            (at().min_samples(100_001), "min_samples", "100001", "1 to 100000"),
            (at().window(SECOND / 2), "window", "500ms", "1 s to one day"),
            (after().initial_delay(SECOND), "initial_delay", "1s", fixed),
            (after().min_samples(5), "min_samples", "Some(5)", fixed),
            (after().window(SECOND), "window", "Some(1s)", fixed),
            (after().max_hedges(0), "max_hedges", "0", "1 to 10"),
            (after().max_hedges(11), "max_hedges", "11", "1 to 10"),
            (after().max_extra_share(0.0), "max_extra_share", "0.0", "0.001 to 10"),
            (after().max_extra_share(10.1), "max_extra_share", "10.1", "0.001 to 10"),
            (after().max_extra_share(f64::NAN), "max_extra_share", "NaN", "0.001 to 10"),
        ];
        for (builder, parameter, given, accepted) in cases {
            let want = format!("hedge: `{parameter}` is {given}, accepted is {accepted}");
            assert_eq!(builder.build().unwrap_err().to_string(), want);
        }
    }
}
