//! Latency quantiles in conditions (`duration >= p99`): which one, and of how many executions at least.
//!
//! Does not own the durations: whoever asks rules has them.

use std::fmt;

use crate::metrics::Histogram;

/// A quantile of durations, as `p99` or `p99.9` in a rule: above 0 and below 100, with at most 4
/// digits after the point.
///
/// ```
/// use tta_telemetry::{Histogram, RuleSet};
///
/// let rules = RuleSet::parse(["tail: keep when duration >= p99.9"])?;
/// let [quantile] = rules.quantiles()[..] else { panic!("one is named") };
/// assert_eq!((quantile.to_string().as_str(), quantile.min_executions()), ("p99.9", 1_000));
/// let mut durations = Histogram::default();
/// (1..1_000).for_each(|ms| durations.record(ms * 1_000_000));
/// assert_eq!(quantile.of(&durations), None);
/// durations.record(1_000_000_000);
/// assert!(quantile.of(&durations).is_some_and(|ns| ns.abs_diff(999_000_000) < 9_990_000));
/// # Ok::<(), tta_telemetry::RuleSetError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantile(u32);

impl Quantile {
    /// Of one.
    const MILLIONTHS: u32 = 1_000_000;
    /// Fewer executions have no quantile that is worth a decision.
    const FEWEST: u64 = 100;

    /// In millionths; `None` at and beyond both ends.
    pub(super) const fn new(millionths: u32) -> Option<Self> {
        if millionths > 0 && millionths < Self::MILLIONTHS { Some(Self(millionths)) } else { None }
    }

    /// As a share, above 0 and below 1.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from(self.0) / f64::from(Self::MILLIONTHS)
    }

    /// Of how many executions it is defined: at least 100, and so many that one lies beyond it on
    /// either side (1,000 for `p99.9`).
    #[must_use]
    pub fn min_executions(self) -> u64 {
        let beyond = self.0.min(Self::MILLIONTHS - self.0);
        u64::from(Self::MILLIONTHS.div_ceil(beyond.max(1))).max(Self::FEWEST)
    }

    /// This quantile of durations, in nanoseconds; `None` of too few.
    #[must_use]
    pub fn of(self, durations: &Histogram) -> Option<u64> {
        if durations.count() < self.min_executions() { None } else { durations.quantile(self.get()) }
    }
}

/// As in a rule.
impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In percent: a number of at most 6 digits, which prints as short as it is.
        write!(f, "p{}", f64::from(self.0) / 10_000.0)
    }
}

impl fmt::Debug for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quantile({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_executions_are_needed_that_one_lies_beyond() {
        for (millionths, text, executions) in [
            (1, "p0.0001", 1_000_000),
            (500_000, "p50", 100),
            (990_000, "p99", 100),
            (995_000, "p99.5", 200),
            (999_000, "p99.9", 1_000),
            (999_999, "p99.9999", 1_000_000),
        ] {
            let quantile = Quantile::new(millionths).unwrap();
            assert_eq!((quantile.to_string().as_str(), quantile.min_executions()), (text, executions));
        }
        assert_eq!([0, 1_000_000, u32::MAX].map(Quantile::new), [None; 3]);
    }

    #[test]
    fn of_too_few_executions_there_is_none() {
        let median = Quantile::new(500_000).unwrap();
        let mut durations = Histogram::default();
        (1..100).for_each(|value| durations.record(value));
        assert_eq!(median.of(&durations), None);
        durations.record(100);
        assert_eq!(median.of(&durations), Some(50));
    }
}
