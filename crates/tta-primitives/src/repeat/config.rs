//! The repeat policy and its parameters.

use std::fmt;
use std::time::Duration;

use crate::policy::PolicyError;

/// How often steps run again on their own output, and how long between.
///
/// ```
/// use std::time::Duration;
/// use tta_primitives::Repeat;
///
/// let policy = Repeat::at_most(10).delay(Duration::from_secs(1)).build()?;
/// # Ok::<(), tta_primitives::PolicyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    max_iterations: u32,
    delay: Duration,
    keeps_last: bool,
}

/// Builds a [`Repeat`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct RepeatBuilder(Repeat);

impl Repeat {
    /// The steps run at most this often, the first time included: 1 to 1,000,000. Without the
    /// wanted output by then they fail, with an error of kind
    /// [`LimitReached`](crate::ErrorKind::LimitReached), unless
    /// [`or_keep_last`](RepeatBuilder::or_keep_last) says otherwise.
    pub fn at_most(max_iterations: u32) -> RepeatBuilder {
        RepeatBuilder(Self { max_iterations, delay: Duration::ZERO, keeps_last: false })
    }

    pub(super) fn max_iterations(&self) -> u32 {
        self.max_iterations
    }

    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    pub(super) fn keeps_last(&self) -> bool {
        self.keeps_last
    }
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "repeat at most {}", self.max_iterations)
    }
}

impl RepeatBuilder {
    /// How long to wait between the end of one iteration and the start of the next. Default 0: not
    /// at all; at most one day.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.0.delay = delay;
        self
    }

    /// The last output is the result when the wanted one did not come, and not an error; the span
    /// says so, by `repeat.outcome = limit_reached`. Default: an error.
    pub fn or_keep_last(mut self) -> Self {
        self.0.keeps_last = true;
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn build(self) -> Result<Repeat, PolicyError> {
        let Repeat { max_iterations, delay, .. } = self.0;
        let in_range = (1..=1_000_000).contains(&max_iterations);
        PolicyError::check("repeat", "max_iterations", max_iterations, "1 to 1000000", in_range)?;
        PolicyError::check("repeat", "delay", delay, "0 to one day", delay <= Duration::from_secs(86_400))?;
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_delay_by_default_and_reaching_the_bound_is_an_error() {
        let policy = Repeat::at_most(3).build().unwrap();
        assert_eq!((policy.max_iterations(), policy.delay(), policy.keeps_last()), (3, Duration::ZERO, false));
        assert_eq!(policy.to_string(), "repeat at most 3");
        assert!(Repeat::at_most(3).or_keep_last().build().unwrap().keeps_last());
    }

    #[test]
    fn parameters_outside_their_range_are_named_and_those_at_its_ends_accepted() {
        let day = Duration::from_secs(86_400);
        let refused = |builder: RepeatBuilder| builder.build().unwrap_err().to_string();
        assert_eq!(refused(Repeat::at_most(0)), "repeat: `max_iterations` is 0, accepted is 1 to 1000000");
        let message = "repeat: `max_iterations` is 1000001, accepted is 1 to 1000000";
        assert_eq!(refused(Repeat::at_most(1_000_001)), message);
        let over = Repeat::at_most(1).delay(day + Duration::from_nanos(1));
        assert_eq!(refused(over), "repeat: `delay` is 86400.000000001s, accepted is 0 to one day");
        let ends = [Repeat::at_most(1).delay(day), Repeat::at_most(1_000_000)].map(|builder| builder.build().unwrap());
        assert_eq!(
            ends.map(|policy| (policy.max_iterations(), policy.delay())),
            [(1, day), (1_000_000, Duration::ZERO)]
        );
    }
}
