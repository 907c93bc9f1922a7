//! The retry policy and its parameters.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::IdSource;

use super::backoff::{Jitter, delay};
use super::budget::RetryBudget;
use crate::error::{Error, ErrorKind, RetryHint};
use crate::policy::PolicyError;

/// When and how often a failed step is tried again. Clones share the budget.
///
/// ```
/// use std::time::Duration;
/// use tta_primitives::Retry;
///
/// let policy = Retry::new().max_retries(5).initial_delay(Duration::from_millis(100)).build()?;
/// # Ok::<(), tta_primitives::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Retry(Arc<Policy>);

type Predicate = Box<dyn Fn(&Error) -> bool + Send + Sync>;

struct Policy {
    max_retries: u32,
    initial_delay: Duration,
    backoff_base: f64,
    max_backoff: Duration,
    jitter: Jitter,
    retry_on: Option<Predicate>,
    budget: Option<RetryBudget>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("max_retries", &self.max_retries)
            .field("initial_delay", &self.initial_delay)
            .field("backoff_base", &self.backoff_base)
            .field("max_backoff", &self.max_backoff)
            .field("jitter", &self.jitter)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Retry`].
#[derive(Debug)]
#[must_use]
pub struct RetryBuilder(Policy);

impl Retry {
    /// Starts a policy with the defaults: 3 retries, delays of 1 s doubling up to 60 s with full
    /// jitter, and a budget of 20 % of calls and 10 per second.
    // A builder's start, in the form in which policies are read: `Retry::new().max_retries(5)`.
    #[allow(clippy::new_ret_no_self)]
    pub fn new() -> RetryBuilder {
        RetryBuilder(Policy {
            max_retries: 3,
            initial_delay: Duration::from_secs(1),
            backoff_base: 2.0,
            max_backoff: Duration::from_secs(60),
            jitter: Jitter::Full,
            retry_on: None,
            budget: Some(RetryBudget::standard()),
        })
    }

    /// Whether this error is worth another attempt.
    pub(super) fn retries(&self, error: &Error) -> bool {
        match &self.0.retry_on {
            Some(predicate) => predicate(error),
            None => retryable(error),
        }
    }

    pub(super) fn max_retries(&self) -> u32 {
        self.0.max_retries
    }

    pub(super) fn budget(&self) -> Option<&RetryBudget> {
        self.0.budget.as_ref()
    }

    pub(super) fn delay(&self, retry: u32, ids: &IdSource) -> Duration {
        let policy = &*self.0;
        delay((policy.initial_delay, policy.backoff_base, policy.max_backoff), policy.jitter, retry, ids)
    }
}

/// The default: a hint decides; otherwise everything but what another attempt cannot change.
fn retryable(error: &Error) -> bool {
    match error.retry_hint() {
        RetryHint::Never => false,
        RetryHint::Retry | RetryHint::After(_) => true,
        RetryHint::Unspecified => !matches!(
            error.kind(),
            ErrorKind::CircuitOpen
                | ErrorKind::InvalidInput
                | ErrorKind::Cancelled
                | ErrorKind::Panic
                | ErrorKind::BudgetExceeded
                | ErrorKind::Compensation
                | ErrorKind::ReplayMiss
                | ErrorKind::Internal
        ),
    }
}

impl RetryBuilder {
    /// How often to try again after the first attempt. Default 3; 0 to 100; 0 never retries.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.0.max_retries = retries;
        self
    }

    /// The delay before the first retry, before jitter. Default 1 s; above 0.
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.0.initial_delay = delay;
        self
    }

    /// By how much the delay grows from retry to retry. Default 2; 1 to 10.
    pub fn backoff_base(mut self, base: f64) -> Self {
        self.0.backoff_base = base;
        self
    }

    /// The longest delay that the policy itself chooses; a longer `Retry-After` is honoured.
    /// Default 60 s; at least `initial_delay`, at most one day.
    pub fn max_backoff(mut self, delay: Duration) -> Self {
        self.0.max_backoff = delay;
        self
    }

    /// How delays are spread. Default [`Jitter::Full`].
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.0.jitter = jitter;
        self
    }

    /// Which errors are tried again, instead of the default: what the error's hint says, otherwise
    /// all kinds but circuit open, invalid input, cancelled, panic, budget exceeded, compensation,
    /// replay miss and internal.
    pub fn retry_on(mut self, predicate: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.0.retry_on = Some(Box::new(predicate));
        self
    }

    /// The bound on retries over all calls; `None` for no bound. Default: 20 % of calls and 10 per
    /// second, shared by the clones of this policy.
    pub fn budget(mut self, budget: impl Into<Option<RetryBudget>>) -> Self {
        self.0.budget = budget.into();
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn build(self) -> Result<Retry, PolicyError> {
        let policy = &self.0;
        let check = |parameter, given: &dyn fmt::Debug, accepted, within| {
            PolicyError::check("retry", parameter, given, accepted, within)
        };
        check("max_retries", &policy.max_retries, "0 to 100", policy.max_retries <= 100)?;
        check("initial_delay", &policy.initial_delay, "above 0", !policy.initial_delay.is_zero())?;
        check("backoff_base", &policy.backoff_base, "1 to 10", (1.0..=10.0).contains(&policy.backoff_base))?;
        let in_range = policy.max_backoff >= policy.initial_delay && policy.max_backoff <= Duration::from_secs(86_400);
        check("max_backoff", &policy.max_backoff, "initial_delay to one day", in_range)?;
        Ok(Retry(Arc::new(self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::IntoError;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let Retry(policy) = Retry::new().build().unwrap();
        assert_eq!((policy.max_retries, policy.backoff_base, policy.jitter), (3, 2.0, Jitter::Full));
        assert_eq!((policy.initial_delay, policy.max_backoff), (Duration::from_secs(1), Duration::from_secs(60)));
        assert!(policy.budget.is_some() && policy.retry_on.is_none());
    }

    #[test]
    fn every_parameter_outside_its_range_is_named_with_value_and_range() {
        let second = Duration::from_secs(1);
        let cases = [
            (Retry::new().max_retries(101), "retry: `max_retries` is 101, accepted is 0 to 100"),
            (Retry::new().initial_delay(Duration::ZERO), "retry: `initial_delay` is 0ns, accepted is above 0"),
            (Retry::new().backoff_base(0.5), "retry: `backoff_base` is 0.5, accepted is 1 to 10"),
            (Retry::new().backoff_base(f64::NAN), "retry: `backoff_base` is NaN, accepted is 1 to 10"),
            (
                Retry::new().initial_delay(2 * second).max_backoff(second),
                "retry: `max_backoff` is 1s, accepted is initial_delay to one day",
            ),
        ];
        for (builder, want) in cases {
            assert_eq!(builder.build().unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn hints_come_before_kinds() {
        let policy = Retry::new().build().unwrap();
        assert!(policy.retries(&"x".with_kind(ErrorKind::App)));
        assert!(policy.retries(&"x".with_kind(ErrorKind::Timeout)));
        for kind in [ErrorKind::CircuitOpen, ErrorKind::InvalidInput, ErrorKind::Cancelled, ErrorKind::Panic] {
            assert!(!policy.retries(&"x".with_kind(kind)), "{kind}");
            assert!(policy.retries(&"x".with_kind(kind).with_retry_hint(RetryHint::Retry)));
        }
        assert!(!policy.retries(&"x".never_retry()));
        let panics_too = Retry::new().retry_on(|error| error.kind() == ErrorKind::Panic).build().unwrap();
        assert!(panics_too.retries(&"x".with_kind(ErrorKind::Panic)));
        assert!(!panics_too.retries(&"x".with_kind(ErrorKind::App)));
    }
}
