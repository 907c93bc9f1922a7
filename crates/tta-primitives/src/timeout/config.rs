//! The timeout policy and its parameters.

use std::fmt;
use std::time::Duration;

use crate::policy::PolicyError;

/// The longest time that is accepted.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

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
    idle_timeout: Option<Duration>,
}

/// Builds a [`Timeout`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct TimeoutBuilder(Timeout);

impl Timeout {
    /// The step is told to stop after this time: above 0, at most 30 days. The run's deadline
    /// shortens it.
    pub fn after(timeout: Duration) -> TimeoutBuilder {
        TimeoutBuilder(Self { timeout, grace_period: Duration::ZERO, idle_timeout: None })
    }

    /// The step is told to stop when it has not called
    /// [`Context::progress`](crate::Context::progress) for this time, however long it takes in
    /// all (at most 30 days): for streams and batches of unknown length. See
    /// [`TimeoutBuilder::idle_timeout`].
    pub fn when_idle(idle_timeout: Duration) -> TimeoutBuilder {
        Self::after(LONGEST).idle_timeout(idle_timeout)
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    pub(super) fn grace_period(&self) -> Duration {
        self.grace_period
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.idle_timeout {
            Some(idle) if self.timeout == LONGEST => write!(f, "idle timeout {idle:?}")?,
            Some(idle) => write!(f, "timeout {:?}, idle {idle:?}", self.timeout)?,
            None => write!(f, "timeout {:?}", self.timeout)?,
        }
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

    /// The step is also told to stop when it has not called
    /// [`Context::progress`](crate::Context::progress) for this time: above 0, at most the
    /// timeout. The clock starts with the step. Default: off.
    pub fn idle_timeout(mut self, idle_timeout: Duration) -> Self {
        self.0.idle_timeout = Some(idle_timeout);
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn build(self) -> Result<Timeout, PolicyError> {
        let Timeout { timeout, grace_period, idle_timeout } = self.0;
        let in_range = !timeout.is_zero() && timeout <= LONGEST;
        PolicyError::check("timeout", "timeout", timeout, "above 0, at most 30 days", in_range)?;
        PolicyError::check("timeout", "grace_period", grace_period, "0 to 30 days", grace_period <= LONGEST)?;
        if let Some(idle) = idle_timeout {
            let in_range = !idle.is_zero() && idle <= timeout;
            PolicyError::check("timeout", "idle_timeout", idle, "above 0, at most the timeout", in_range)?;
        }
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
        let idle = |idle| Timeout::after(day).idle_timeout(idle).build();
        let error = idle(Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "timeout: `idle_timeout` is 0ns, accepted is above 0, at most the timeout");
        assert!(idle(2 * day).is_err() && idle(day).is_ok());
    }

    #[test]
    fn grace_and_idle_timeout_are_none_by_default() {
        let policy = Timeout::after(Duration::from_millis(50)).build().unwrap();
        assert_eq!((policy.grace_period(), policy.to_string()), (Duration::ZERO, "timeout 50ms".to_owned()));
        assert_eq!(policy.idle_timeout(), None);
        let idle = Timeout::when_idle(Duration::from_secs(1)).build().unwrap();
        assert_eq!((idle.timeout(), idle.to_string()), (LONGEST, "idle timeout 1s".to_owned()));
        let both = Timeout::after(Duration::from_secs(9)).idle_timeout(Duration::from_secs(1)).build().unwrap();
        assert_eq!(both.to_string(), "timeout 9s, idle 1s");
    }
}
