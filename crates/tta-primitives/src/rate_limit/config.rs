//! A rate limit's parameters.

use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::Name;

use super::core::Core;
use super::gcra::Quota;
use super::lanes::PerClock;
use super::{KeyedRateLimit, RateKey, RateLimit};
use crate::policy::PolicyError;

/// The slowest and the fastest rate that are accepted, in calls per second.
const RATES: std::ops::RangeInclusive<f64> = 1e-6..=1e6;
/// The longest time that a whole burst may take to be refilled.
const LONGEST_REFILL: Duration = Duration::from_secs(365 * 86_400);
/// The longest wait that is accepted.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// Keys that are accepted.
const MOST_KEYS: usize = 1_000_000;

/// Builds a [`RateLimit`], or a [`KeyedRateLimit`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimitBuilder {
    name: Name,
    rate: Option<Rate>,
    burst: u32,
    wait: Option<Duration>,
    max_keys: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Rate {
    PerSecond(f64),
    Per(u32, Duration),
}

impl Rate {
    fn in_words(self) -> String {
        match self {
            Rate::PerSecond(rate) => format!("{rate}/s"),
            Rate::Per(count, period) => format!("{count}/{period:?}"),
        }
    }
}

impl RateLimitBuilder {
    pub(super) fn new(name: Name) -> Self {
        Self { name, rate: None, burst: 1, wait: None, max_keys: None }
    }

    /// Calls per second: 0.000001 to 1,000,000. One of this and [`per`](Self::per) is needed; the
    /// last one given counts.
    pub fn per_second(mut self, calls: f64) -> Self {
        self.rate = Some(Rate::PerSecond(calls));
        self
    }

    /// Calls per period: at least 1, and a period above 0, which come to a rate that
    /// [`per_second`](Self::per_second) accepts. `per(100, minute)` spaces calls by 600 ms; it does
    /// not admit 100 at the start of each minute unless the burst does.
    pub fn per(mut self, calls: u32, period: Duration) -> Self {
        self.rate = Some(Rate::Per(calls, period));
        self
    }

    /// How many calls may come at one moment after a pause. Default 1: calls are admitted evenly
    /// spaced. At least 1, and no more than come in 365 days; 0 would admit nothing and is
    /// refused. In any time `t` at most `burst + rate * t` calls are admitted.
    pub fn burst(mut self, calls: u32) -> Self {
        self.burst = calls;
        self
    }

    /// Fails calls over the limit at once. The default.
    pub fn shed(mut self) -> Self {
        self.wait = None;
        self
    }

    /// Lets calls over the limit wait for their turn, for at most this time: above 0, at most one
    /// hour. A call whose turn comes later than that, or not before its run's deadline, fails at
    /// once and takes nothing.
    pub fn wait_up_to(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// How many keys are remembered by a limit [per key](Self::build_keyed). Default 10,000; 1 to
    /// 1,000,000.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = Some(keys);
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range, or missing.
    pub fn build(self) -> Result<RateLimit, PolicyError> {
        if let Some(keys) = self.max_keys {
            PolicyError::check("rate limit", "max_keys", keys, "none for a limit without keys", false)?;
        }
        Ok(RateLimit(Arc::new((self.core()?, PerClock::default()))))
    }

    /// Checks the parameters, for a limit that each key has for itself: see
    /// [`Workflow::rate_limit_by`](crate::Workflow::rate_limit_by).
    ///
    /// # Errors
    /// The first parameter outside its range, or missing.
    pub fn build_keyed<K: RateKey>(self) -> Result<KeyedRateLimit<K>, PolicyError> {
        let max_keys = self.max_keys.unwrap_or(10_000);
        let in_range = (1..=MOST_KEYS).contains(&max_keys);
        PolicyError::check("rate limit", "max_keys", max_keys, "1 to 1000000", in_range)?;
        Ok(KeyedRateLimit { core: Arc::new(self.core()?), keys: Arc::default(), max_keys })
    }

    fn core(self) -> Result<Core, PolicyError> {
        let check = |parameter, given: &dyn std::fmt::Debug, accepted, within| {
            PolicyError::check("rate limit", parameter, given, accepted, within)
        };
        check("name", &self.name, "not empty", !self.name.as_str().is_empty())?;
        let accepted = "0.000001 to 1000000";
        check("per_second", &None::<f64>, accepted, self.rate.is_some())?;
        let rate = self.rate.unwrap_or(Rate::PerSecond(0.0));
        let quota = match rate {
            Rate::PerSecond(rate) => {
                check("per_second", &rate, accepted, RATES.contains(&rate))?;
                Quota::per_second(rate, self.burst)
            }
            Rate::Per(count, period) => {
                let rate = f64::from(count) / period.as_secs_f64();
                let accepted = "0.000001 to 1000000 calls per second";
                check("per", &(count, period), accepted, !period.is_zero() && RATES.contains(&rate))?;
                Quota::new(count, period, self.burst)
            }
        };
        let accepted = "at least 1, refilled in at most 365 days";
        check("burst", &self.burst, accepted, self.burst >= 1 && quota.refill() <= LONGEST_REFILL)?;
        if let Some(wait) = self.wait {
            let in_range = !wait.is_zero() && wait <= LONGEST_WAIT;
            check("wait_up_to", &wait, "above 0, at most one hour", in_range)?;
        }
        Ok(Core::new(self.name, rate.in_words(), quota, self.wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ten() -> RateLimitBuilder {
        RateLimit::named("api").per_second(10.0)
    }

    #[test]
    fn calls_are_evenly_spaced_and_shed_by_default() {
        let limit = ten().build().unwrap();
        let core = &limit.0.0;
        assert_eq!((core.quota().interval(), core.quota().refill()), (SECOND / 10, SECOND / 10));
        assert_eq!(core.longest_wait(), None);
        assert_eq!(ten().wait_up_to(SECOND).shed().build().unwrap().0.0.longest_wait(), None);
        assert_eq!(ten().build_keyed::<u32>().unwrap().max_keys, 10_000);
    }

    #[test]
    fn every_parameter_outside_its_range_is_named_with_value_and_range() {
        let named = || RateLimit::named("api");
        let no_rate = "0.000001 to 1000000";
        let per = "0.000001 to 1000000 calls per second";
        let burst = "at least 1, refilled in at most 365 days";
        let wait = "above 0, at most one hour";
        let cases = [
            (RateLimit::named("").per_second(1.0), "name", "\"\"", "not empty"),
            (named(), "per_second", "None", no_rate),
            (named().per_second(0.0), "per_second", "0.0", no_rate),
            (named().per_second(f64::NAN), "per_second", "NaN", no_rate),
            (named().per_second(-1.0), "per_second", "-1.0", no_rate),
            (named().per_second(1_000_001.0), "per_second", "1000001.0", no_rate),
            (named().per(0, SECOND), "per", "(0, 1s)", per),
            (named().per(1, Duration::ZERO), "per", "(1, 0ns)", per),
            (named().per(1, Duration::from_nanos(999)), "per", "(1, 999ns)", per),
            (ten().burst(0), "burst", "0", burst),
            (named().per(1, SECOND).burst(31_536_001), "burst", "31536001", burst),
            (ten().wait_up_to(Duration::ZERO), "wait_up_to", "0ns", wait),
            (ten().wait_up_to(3_601 * SECOND), "wait_up_to", "3601s", wait),
            (ten().max_keys(5), "max_keys", "5", "none for a limit without keys"),
        ];
        for (builder, parameter, given, accepted) in cases {
            let want = format!("rate limit: `{parameter}` is {given}, accepted is {accepted}");
            assert_eq!(builder.build().unwrap_err().to_string(), want);
        }
        for keys in [0, 1_000_001] {
            let error = ten().max_keys(keys).build_keyed::<u32>().unwrap_err();
            assert_eq!(error.to_string(), format!("rate limit: `max_keys` is {keys}, accepted is 1 to 1000000"));
        }
        assert!(named().per(1, SECOND).burst(31_536_000).wait_up_to(3_600 * SECOND).build().is_ok());
    }
}
