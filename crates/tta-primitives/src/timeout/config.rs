//! The timeout policy and its parameters.

use std::fmt;
use std::time::Duration;

use crate::policy::PolicyError;

/// How long a step may take.
///
/// ```
/// use std::time::Duration;
/// use tta_primitives::Timeout;
///
/// let policy = Timeout::after(Duration::from_secs(2)).grace_period(Duration::from_millis(100)).build()?;
/// # Ok::<(), tta_primitives::PolicyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    timeout: Duration,
    grace_period: Duration,
}

/// Builds a [`Timeout`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct TimeoutBuilder(Timeout);

impl Timeout {
    /// The step is told to stop after this time: above 0, at most 30 days. The run's deadline
    /// shortens it.
    pub fn after(timeout: Duration) -> TimeoutBuilder {
        TimeoutBuilder(Self { timeout, grace_period: Duration::ZERO })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn grace_period(&self) -> Duration {
        self.grace_period
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timeout {:?}", self.timeout)?;
        if !self.grace_period.is_zero() {
            write!(f, " + {:?} grace", self.grace_period)?;
        }
        Ok(())
    }
}

impl TimeoutBuilder {
    /// How long the step may still take to return once it was told to stop. Default 0; at most 30
    /// days.
    pub fn grace_period(mut self, grace: Duration) -> Self {
        self.0.grace_period = grace;
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn build(self) -> Result<Timeout, PolicyError> {
        const LONGEST: Duration = Duration::from_secs(30 * 86_400);
        let Timeout { timeout, grace_period } = self.0;
        let in_range = !timeout.is_zero() && timeout <= LONGEST;
        PolicyError::check("timeout", "timeout", timeout, "above 0, at most 30 days", in_range)?;
        PolicyError::check("timeout", "grace_period", grace_period, "0 to 30 days", grace_period <= LONGEST)?;
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_excess_are_refused_by_name() {
        let error = Timeout::after(Duration::ZERO).build().unwrap_err();
        assert_eq!(error.to_string(), "timeout: `timeout` is 0ns, accepted is above 0, at most 30 days");
        let day = Duration::from_secs(86_400);
        assert!(Timeout::after(31 * day).build().is_err());
        let error = Timeout::after(day).grace_period(31 * day).build().unwrap_err();
        assert_eq!(error.parameter, "grace_period");
    }

    #[test]
    fn the_grace_period_is_none_by_default() {
        let policy = Timeout::after(Duration::from_millis(50)).build().unwrap();
        assert_eq!((policy.grace_period(), policy.to_string()), (Duration::ZERO, "timeout 50ms".to_owned()));
    }
}
