//! The breaker's parameters.

use std::fmt;
use std::time::Duration;

use tta_telemetry::Name;

use super::CircuitBreaker;
use super::rules::{Rates, Rules};
use super::window::Span;
use crate::error::{Error, ErrorKind, NeverMade};
use crate::policy::PolicyError;

const POLICY: &str = "circuit breaker";
const LONGEST: Duration = Duration::from_secs(86_400);
const SHORTEST_WINDOW: Duration = Duration::from_millis(1);
const LARGEST_WINDOW: usize = 100_000;
const CONSECUTIVE_FAILURES: u32 = 5;
const COUNT_WINDOW: usize = 100;
const MINIMUM_CALLS: u64 = 20;

pub(super) type Predicate = Box<dyn Fn(&Error) -> bool + Send + Sync>;

/// Builds a [`CircuitBreaker`].
///
/// ```
/// use std::time::Duration;
/// use tta_primitives::CircuitBreaker;
///
/// let search = CircuitBreaker::named("search").failure_rate(0.5).time_window(Duration::from_secs(30)).build()?;
/// let error = CircuitBreaker::named("search").failure_rate(0.5).count_window(10).minimum_calls(20).build().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "circuit breaker: `minimum_calls` is 20, accepted is 1 to the count window of 10"
/// );
/// # Ok::<(), tta_primitives::PolicyError>(())
/// ```
#[must_use]
pub struct CircuitBreakerBuilder {
    name: Name,
    consecutive_failures: Option<u32>,
    failure_rate: Option<f64>,
    slow_call_rate: Option<f64>,
    slow_call_duration: Option<Duration>,
    count_window: Option<usize>,
    time_window: Option<Duration>,
    minimum_calls: Option<u64>,
    recovery_timeout: Duration,
    success_threshold: u32,
    predicate: Option<Predicate>,
}

impl fmt::Debug for CircuitBreakerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether an error says that what the step calls does not work. Not when the call was not made
/// (`BulkheadFull`, `CircuitOpen`, `BudgetExceeded`, and `RateLimited`, which also says that the
/// other side works and wants fewer calls), was refused for its input, was cancelled, or met a
/// fault of ours (`ReplayMiss`, `Internal`).
pub(super) fn is_failure(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::Cancelled
            | ErrorKind::InvalidInput
            | ErrorKind::BulkheadFull
            | ErrorKind::CircuitOpen
            | ErrorKind::RateLimited
            | ErrorKind::BudgetExceeded
            | ErrorKind::ReplayMiss
            | ErrorKind::Internal
    ) && error.downcast_ref::<NeverMade>().is_none()
}

impl CircuitBreakerBuilder {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            consecutive_failures: None,
            failure_rate: None,
            slow_call_rate: None,
            slow_call_duration: None,
            count_window: None,
            time_window: None,
            minimum_calls: None,
            recovery_timeout: Duration::from_secs(60),
            success_threshold: 2,
            predicate: None,
        }
    }

    /// Opens after so many failures one after another. Default 5, or off when a rate is set and
    /// this is not; 1 or more, 1 opens at the first failure. Beside a rate, whichever is reached
    /// first opens.
    pub fn consecutive_failures(mut self, failures: u32) -> Self {
        self.consecutive_failures = Some(failures);
        self
    }

    /// Opens when this share of the calls in the window, or more, failed. Default: off; above 0,
    /// at most 1 (all of them).
    pub fn failure_rate(mut self, rate: f64) -> Self {
        self.failure_rate = Some(rate);
        self
    }

    /// Opens when this share of the calls in the window, or more, was slow, whether they failed or
    /// not; a probe that is slow then counts as failed. Needs
    /// [`slow_call_duration`](Self::slow_call_duration). Default: off; above 0, at most 1.
    pub fn slow_call_rate(mut self, rate: f64) -> Self {
        self.slow_call_rate = Some(rate);
        self
    }

    /// From how long on a call is slow. No default; above 0, at most one day; only with
    /// [`slow_call_rate`](Self::slow_call_rate).
    pub fn slow_call_duration(mut self, duration: Duration) -> Self {
        self.slow_call_duration = Some(duration);
        self
    }

    /// Takes rates over the last so many calls. Default 100, unless there is a
    /// [`time_window`](Self::time_window); 1 to 100,000 (one takes two bytes); only with a rate.
    pub fn count_window(mut self, calls: usize) -> Self {
        self.count_window = Some(calls);
        self
    }

    /// Takes rates over the calls of the last so much time, in ten slices that are forgotten one
    /// by one, so that between nine and ten tenths of it count. Default: a
    /// [`count_window`](Self::count_window); 1 ms to one day; only with a rate.
    pub fn time_window(mut self, duration: Duration) -> Self {
        self.time_window = Some(duration);
        self
    }

    /// Rates are not looked at while the window holds fewer calls. Default 20, or the count window
    /// where that is smaller; 1 or more, at most the count window; only with a rate.
    pub fn minimum_calls(mut self, calls: u64) -> Self {
        self.minimum_calls = Some(calls);
        self
    }

    /// How long it stays open before it lets a call through. Default 60 s; above 0, at most one
    /// day.
    pub fn recovery_timeout(mut self, timeout: Duration) -> Self {
        self.recovery_timeout = timeout;
        self
    }

    /// How many probes, one after another, must succeed before it closes. Default 2; 1 or more.
    pub fn success_threshold(mut self, successes: u32) -> Self {
        self.success_threshold = successes;
        self
    }

    /// Which errors count as failures, instead of the default; others count as neither failure nor
    /// success, like calls that are dropped. It is asked once for every error; when it panics, the
    /// panic is the step's error and the call counts as neither.
    ///
    /// Default: all kinds but cancelled and invalid input, which say nothing about what is called;
    /// bulkhead full, circuit open, rate limited and budget exceeded, by which the call was not
    /// made or was put off, as by a deadline that passed while it waited for a bulkhead; and replay miss and internal, which are faults on this side.
    pub fn counts_as_failure(mut self, predicate: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.predicate = Some(Box::new(predicate));
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range, or that contradicts another.
    pub fn build(self) -> Result<CircuitBreaker, PolicyError> {
        let check = |parameter, given: &dyn fmt::Debug, accepted: &'static str, within| {
            PolicyError::check(POLICY, parameter, given, accepted, within)
        };
        check("name", &self.name.as_str(), "not empty", !self.name.as_str().is_empty())?;
        if let Some(failures) = self.consecutive_failures {
            check("consecutive_failures", &failures, "1 or more", failures > 0)?;
        }
        let rates = self.rates()?;
        let in_range = |duration: Duration| !duration.is_zero() && duration <= LONGEST;
        let recovery = self.recovery_timeout;
        check("recovery_timeout", &recovery, "above 0, at most one day", in_range(recovery))?;
        check("success_threshold", &self.success_threshold, "1 or more", self.success_threshold > 0)?;
        let default = rates.is_none().then_some(CONSECUTIVE_FAILURES);
        let rules = Rules {
            consecutive_failures: self.consecutive_failures.or(default),
            rates,
            recovery_ns: nanos(recovery),
            success_threshold: self.success_threshold,
        };
        Ok(CircuitBreaker::new(self.name, rules, self.predicate))
    }

    fn rates(&self) -> Result<Option<Rates>, PolicyError> {
        let rate = |parameter, rate: Option<f64>| match rate {
            Some(rate) => PolicyError::check(POLICY, parameter, rate, "above 0, at most 1", rate > 0.0 && rate <= 1.0),
            None => Ok(()),
        };
        rate("failure_rate", self.failure_rate)?;
        rate("slow_call_rate", self.slow_call_rate)?;
        let slow = self.slow_calls()?;
        if self.failure_rate.is_none() && slow.is_none() {
            refuse_beside("count_window", self.count_window, "none without a rate")?;
            refuse_beside("time_window", self.time_window, "none without a rate")?;
            refuse_beside("minimum_calls", self.minimum_calls, "none without a rate")?;
            return Ok(None);
        }
        let (span, minimum_calls) = self.window()?;
        Ok(Some(Rates { span, minimum_calls, failure: self.failure_rate, slow }))
    }

    /// The rate and the duration, both or neither.
    fn slow_calls(&self) -> Result<Option<(f64, u64)>, PolicyError> {
        let parameter = "slow_call_duration";
        match (self.slow_call_rate, self.slow_call_duration) {
            (Some(rate), Some(limit)) => {
                let in_range = !limit.is_zero() && limit <= LONGEST;
                PolicyError::check(POLICY, parameter, limit, "above 0, at most one day", in_range)?;
                Ok(Some((rate, nanos(limit))))
            }
            (Some(_), None) => {
                let accepted = "above 0, at most one day, with slow_call_rate";
                Err(PolicyError { policy: POLICY, parameter, given: "not set".to_owned(), accepted: accepted.into() })
            }
            (None, limit) => refuse_beside(parameter, limit, "none without slow_call_rate").map(|()| None),
        }
    }

    /// Over what rates are taken, and from how many calls on.
    fn window(&self) -> Result<(Span, u64), PolicyError> {
        if let Some(time) = self.time_window {
            if self.count_window.is_some() {
                refuse_beside("time_window", self.time_window, "none beside count_window")?;
            }
            let in_range = (SHORTEST_WINDOW..=LONGEST).contains(&time);
            PolicyError::check(POLICY, "time_window", time, "1 ms to one day", in_range)?;
            let minimum = self.minimum_calls.unwrap_or(MINIMUM_CALLS);
            PolicyError::check(POLICY, "minimum_calls", minimum, "1 or more", minimum > 0)?;
            return Ok((Span::TimeNs(nanos(time)), minimum));
        }
        let calls = self.count_window.unwrap_or(COUNT_WINDOW);
        PolicyError::check(POLICY, "count_window", calls, "1 to 100000", (1..=LARGEST_WINDOW).contains(&calls))?;
        let minimum = self.minimum_calls.unwrap_or(MINIMUM_CALLS.min(calls as u64));
        let accepted = format!("1 to the count window of {calls}");
        PolicyError::check(POLICY, "minimum_calls", minimum, accepted, (1..=calls as u64).contains(&minimum))?;
        Ok((Span::Calls(calls), minimum))
    }
}

/// Refuses a parameter that has no meaning beside, or without, another.
fn refuse_beside(
    parameter: &'static str,
    given: Option<impl fmt::Debug>,
    accepted: &'static str,
) -> Result<(), PolicyError> {
    given.map_or(Ok(()), |given| PolicyError::check(POLICY, parameter, given, accepted, false))
}

/// At most one day, as checked.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
