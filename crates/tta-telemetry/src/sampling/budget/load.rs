//! How much is kept at which probability: what a budget knows of a window.
//!
//! A trace whose own probability is `p` is kept with `min(p, q)` under a budget's probability `q`,
//! when both are taken of the same randomness, and with `p * q` otherwise. So a window is summed up
//! by how many traces there were of each `p`, in 57 classes of a factor of two, and no trace's
//! randomness is looked at: the threshold of the next window cannot depend on who was lucky.
//!
//! Worked example: of 1,000 traces at `p = 0.1` about 100 are kept. For at most 40 of them `q` has
//! to be 0.04, and `1,000 * min(0.1, 0.04)` is 40.

use crate::metrics::CounterArray;
use crate::sampling::head::Selection;

/// Classes of probability: class `c` is from 2^-c to below 2^(1-c); the smallest probability is 2^-56.
const CLASSES: usize = 57;
/// Of each class: traces, their mantissas, bytes, bytes times mantissas; and the same in all for
/// those whose probability multiplies (whose mantissa is the probability itself).
const CELLS: usize = 4 * (CLASSES + 1);
/// A mantissa of 1: coarse enough that sums of bytes do not overflow (16 PB).
const ONE: f64 = 1_024.0;
/// The bits of a number that are not sign or exponent.
const MANTISSA: u64 = (1 << 52) - 1;

/// Counts what is offered, by threads that do not wait for each other.
#[derive(Debug, Default)]
pub(super) struct Offers(CounterArray<CELLS>);

/// What was offered until some time.
#[derive(Clone, Debug)]
pub(super) struct Reading([u64; CELLS]);

/// What is limited.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Traces,
    Bytes,
}

/// What was offered in a window: how much of each probability.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// Amount and mean probability.
    classes: Vec<(f64, f64)>,
    /// Amount times probability.
    multiplied: f64,
}

impl Offers {
    #[inline]
    pub(super) fn add(&self, selection: Selection, bytes: u64) {
        let (class, mantissa) = match selection {
            Selection::Threshold(threshold) => {
                // Taken apart by its bits: a logarithm would cost more than all the rest.
                let bits = threshold.probability().to_bits();
                let class = 1_023_u64.saturating_sub(bits >> 52) as usize;
                (class.min(CLASSES - 1), f64::from_bits((bits & MANTISSA) | (1_023 << 52)))
            }
            Selection::Rate(rate) => (CLASSES, rate),
            Selection::Unknown => (CLASSES, 1.0),
            Selection::Never => return,
        };
        let mantissa = (mantissa * ONE + 0.5) as u64;
        self.0.add_each(4 * class, [1, mantissa, bytes, bytes.wrapping_mul(mantissa)]);
    }

    pub(super) fn read(&self) -> Reading {
        Reading(self.0.read())
    }
}

impl Reading {
    pub(super) const fn nothing() -> Self {
        Self([0; CELLS])
    }

    /// What came since an earlier reading.
    pub(super) fn since(&self, earlier: &Self, what: What) -> Load {
        let offset = match what {
            What::Traces => 0,
            What::Bytes => 2,
        };
        let cell = |index: usize| {
            let of = |reading: &Self| reading.0.get(index).copied().unwrap_or(0);
            of(self).wrapping_sub(of(earlier)) as f64
        };
        let class = |class: usize| {
            let (amount, mantissas) = (cell(4 * class + offset), cell(4 * class + offset + 1) / ONE);
            let scale = (-(class as f64)).exp2();
            (amount > 0.0).then(|| (amount, mantissas / amount * scale))
        };
        let multiplied = cell(4 * CLASSES + offset + 1) / ONE;
        Load { classes: (0..CLASSES).filter_map(class).collect(), multiplied }
    }

    /// How many traces came since an earlier reading, whatever their probability.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().step_by(4).sum()
    }
}

impl Load {
    /// How much of it is expected to be kept at a budget's probability. Not less than it is: within
    /// a class all count as if they had its mean probability, and the mean of `min(p, q)` is not
    /// above the `min` of the mean.
    fn kept_at(&self, probability: f64) -> f64 {
        let of_classes: f64 = self.classes.iter().map(|(amount, mean)| amount * mean.min(probability)).sum();
        of_classes + self.multiplied * probability
    }

    /// The greatest probability at which no more than this is kept; 1 when all of it is within.
    pub(super) fn probability_for(&self, most: f64) -> f64 {
        if self.kept_at(1.0) <= most {
            return 1.0;
        }
        let (mut low, mut high) = (0.0, 1.0);
        // What is kept grows with the probability; 64 halvings reach any probability there is.
        for _ in 0..64 {
            let middle = (low + high) / 2.0;
            if self.kept_at(middle) <= most { low = middle } else { high = middle }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::Threshold;

    fn offered(offers: &[(usize, Selection, u64)]) -> Reading {
        let cells = Offers::default();
        for (count, selection, bytes) in offers {
            (0..*count).for_each(|_| cells.add(*selection, *bytes));
        }
        cells.read()
    }

    fn probability(of: &Reading, what: What, most: f64) -> f64 {
        of.since(&Reading::nothing(), what).probability_for(most)
    }

    #[test]
    fn a_load_within_the_limit_is_kept_whole() {
        let tenth = Selection::Threshold(Threshold::from_probability(0.1).unwrap());
        assert_eq!(probability(&offered(&[(1_000, tenth, 0)]), What::Traces, 101.0), 1.0);
        assert_eq!(probability(&Reading::nothing(), What::Traces, 0.001), 1.0);
    }

    #[test]
    fn traces_of_one_probability_are_kept_with_the_share_that_fits() {
        for (rate, fits) in [(1.0, 40.0), (0.5, 40.0), (0.1, 40.0), (0.04, 39.0), (0.9, 1.0)] {
            let own = Selection::Threshold(Threshold::from_probability(rate).unwrap());
            let found = probability(&offered(&[(1_000, own, 0)]), What::Traces, fits);
            assert!((found - fits / 1_000.0).abs() < 1e-9, "{rate}, {fits}: {found}");
        }
    }

    #[test]
    fn traces_of_several_probabilities_share_what_fits_equally() {
        let threshold = |rate| Selection::Threshold(Threshold::from_probability(rate).unwrap());
        // 1,000 * min(1, q) + 10,000 * min(1/64, q) = 200 + 156.25 at q = 0.2.
        let load = offered(&[(1_000, threshold(1.0), 0), (10_000, threshold(1.0 / 64.0), 0)]);
        let found = probability(&load, What::Traces, 356.25);
        assert!((found - 0.2).abs() < 1e-9, "{found}");
        // Both below: 11,000 * q.
        let found = probability(&load, What::Traces, 110.0);
        assert!((found - 0.01).abs() < 1e-9, "{found}");
    }

    #[test]
    fn chance_of_another_kind_multiplies_and_unknown_chance_counts_whole() {
        // 1,000 * 0.5 * q + 100 * q = 60 at q = 0.1.
        let load = offered(&[(1_000, Selection::Rate(0.5), 7), (100, Selection::Unknown, 7), (9, Selection::Never, 7)]);
        let found = probability(&load, What::Traces, 60.0);
        assert!((found - 0.1).abs() < 1e-9, "{found}");
        assert!((probability(&load, What::Bytes, 420.0) - 0.1).abs() < 1e-9);
        assert_eq!(load.total(), 1_100);
    }

    #[test]
    fn bytes_count_by_what_each_trace_takes() {
        let half = Selection::Threshold(Threshold::from_probability(0.5).unwrap());
        let load = offered(&[(10, half, 1_000_000), (1_000, half, 10)]);
        // 10,010,000 bytes * q.
        let found = probability(&load, What::Bytes, 1_001_000.0);
        assert!((found - 0.1).abs() < 1e-9, "{found}");
    }

    #[test]
    fn the_rarest_trace_there_is_has_a_class() {
        let load = offered(&[(3, Selection::Threshold(Threshold::MAX), 1)]);
        assert_eq!(load.total(), 3);
        assert_eq!(probability(&load, What::Traces, 1.0), 1.0);
    }
}
