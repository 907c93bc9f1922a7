//! Counts of requests by how they ended: four classes, from which all sums derive.

use crate::model::SpanStatus;

/// Success or failure, within the latency threshold or beyond it.
pub(super) const CLASSES: usize = 4;

const FAILED: usize = 1;
const SLOW: usize = 2;

/// Requests by class; the class is `FAILED` plus `SLOW`, each where it applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(pub(super) [u64; CLASSES]);

/// The class of a request; `None` when it does not count.
#[inline]
pub(super) fn class_of(outcome: SpanStatus, is_slow: bool) -> Option<usize> {
    let failed = match outcome {
        SpanStatus::Ok => 0,
        SpanStatus::Error => FAILED,
        SpanStatus::Cancelled => return None,
    };
    Some(if is_slow { failed + SLOW } else { failed })
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum = sum.saturating_add(count));
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum = sum.saturating_sub(count));
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0 == [0; CLASSES]
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(super) fn failed(&self) -> u64 {
        let [_, failed, _, failed_and_slow] = self.0;
        failed.saturating_add(failed_and_slow)
    }

    pub(super) fn slow(&self) -> u64 {
        let [_, _, slow, failed_and_slow] = self.0;
        slow.saturating_add(failed_and_slow)
    }

    /// Requests that did not conform.
    pub(super) fn bad(&self) -> u64 {
        let [_, failed, slow, failed_and_slow] = self.0;
        failed.saturating_add(slow).saturating_add(failed_and_slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_end_has_its_class_and_the_sums_agree() {
        let mut counts = Counts::default();
        let seen = [
            (SpanStatus::Ok, false, 1),
            (SpanStatus::Error, false, 10),
            (SpanStatus::Ok, true, 100),
            (SpanStatus::Error, true, 1_000),
        ];
        for (outcome, is_slow, times) in seen {
            counts.0[class_of(outcome, is_slow).unwrap()] += times;
        }
        assert_eq!((counts.total(), counts.failed(), counts.slow(), counts.bad()), (1_111, 1_010, 1_100, 1_110));
        assert_eq!(class_of(SpanStatus::Cancelled, false), None);
        assert_eq!(class_of(SpanStatus::Cancelled, true), None);
    }
}
