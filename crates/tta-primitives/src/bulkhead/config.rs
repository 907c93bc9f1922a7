//! A bulkhead's parameters.

use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::Name;

use super::Bulkhead;
use super::room::Room;
use crate::policy::PolicyError;

/// Calls at once, and in the queue, that are accepted.
const MOST: usize = 1_000_000;
/// The longest wait that is accepted.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// Builds a [`Bulkhead`].
#[derive(Clone, Debug)]
#[must_use]
pub struct BulkheadBuilder {
    pub(super) name: Name,
    pub(super) max_concurrent: Option<usize>,
    pub(super) max_queued: usize,
    pub(super) max_wait: Option<Duration>,
}

impl BulkheadBuilder {
    /// How many calls may run at once, over all workflows and engines that use the bulkhead. No
    /// default; 1 to 1,000,000.
    pub fn max_concurrent(mut self, calls: usize) -> Self {
        self.max_concurrent = Some(calls);
        self
    }

    /// How many calls may wait for a permit. Default 0: what finds no permit is shed at once. At
    /// most 1,000,000.
    pub fn max_queued(mut self, calls: usize) -> Self {
        self.max_queued = calls;
        self
    }

    /// How long a call may wait for a permit: above 0, at most one day. Default: until its run's
    /// deadline, or until the run is told to stop; these bound the wait in any case. Needs
    /// `max_queued`.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range, or missing.
    pub fn build(self) -> Result<Bulkhead, PolicyError> {
        PolicyError::check("bulkhead", "name", &self.name, "not empty", !self.name.as_str().is_empty())?;
        let max_concurrent = self.max_concurrent.unwrap_or_default();
        let in_range = (1..=MOST).contains(&max_concurrent);
        match self.max_concurrent {
            Some(given) => PolicyError::check("bulkhead", "max_concurrent", given, "1 to 1000000", in_range)?,
            None => PolicyError::check("bulkhead", "max_concurrent", None::<usize>, "1 to 1000000", false)?,
        }
        let in_range = self.max_queued <= MOST;
        PolicyError::check("bulkhead", "max_queued", self.max_queued, "0 to 1000000", in_range)?;
        if let Some(wait) = self.max_wait {
            let in_range = !wait.is_zero() && wait <= LONGEST_WAIT;
            PolicyError::check("bulkhead", "max_wait", wait, "above 0, at most one day", in_range)?;
            let accepted = "none while max_queued is 0: nothing waits";
            PolicyError::check("bulkhead", "max_wait", wait, accepted, self.max_queued > 0)?;
        }
        Ok(Bulkhead(Arc::new(Room::new(self.name, max_concurrent, self.max_queued, self.max_wait))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_queued_by_default_and_no_wait_is_bounded() {
        let Bulkhead(room) = Bulkhead::named("db").max_concurrent(3).build().unwrap();
        assert_eq!((room.max_concurrent(), room.max_queued(), room.max_wait()), (3, 0, None));
    }

    #[test]
    fn every_parameter_outside_its_range_is_named_with_value_and_range() {
        let one = || Bulkhead::named("db").max_concurrent(1);
        let second = Duration::from_secs(1);
        let cases = [
            (Bulkhead::named("").max_concurrent(1), "bulkhead: `name` is \"\", accepted is not empty"),
            (Bulkhead::named("db"), "bulkhead: `max_concurrent` is None, accepted is 1 to 1000000"),
            (one().max_concurrent(0), "bulkhead: `max_concurrent` is 0, accepted is 1 to 1000000"),
            (one().max_concurrent(1_000_001), "bulkhead: `max_concurrent` is 1000001, accepted is 1 to 1000000"),
            (one().max_queued(1_000_001), "bulkhead: `max_queued` is 1000001, accepted is 0 to 1000000"),
            (
                one().max_queued(1).max_wait(Duration::ZERO),
                "bulkhead: `max_wait` is 0ns, accepted is above 0, at most one day",
            ),
            (
                one().max_queued(1).max_wait(86_401 * second),
                "bulkhead: `max_wait` is 86401s, accepted is above 0, at most one day",
            ),
            (
                one().max_wait(second),
                "bulkhead: `max_wait` is 1s, accepted is none while max_queued is 0: nothing waits",
            ),
        ];
        for (builder, want) in cases {
            assert_eq!(builder.build().unwrap_err().to_string(), want);
        }
        assert!(one().max_concurrent(1_000_000).max_queued(1_000_000).max_wait(86_400 * second).build().is_ok());
    }
}
