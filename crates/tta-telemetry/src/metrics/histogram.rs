//! A mergeable percentile histogram.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::buckets::{PAGE, PAGES, bounds, locate, middle};

/// Counts of values by size, with a relative error of at most 1 % (0.79 %) at every quantile.
///
/// Values are whole numbers, usually nanoseconds, over all of `u64`. Memory is allocated by power
/// of two touched: 512 bytes each, about 2.5 KiB for durations that spread over a factor of 30, at
/// most 30 KiB. Merging two histograms gives exactly the histogram of both inputs.
///
/// ```
/// use tta_telemetry::Histogram;
/// let mut histogram = Histogram::default();
/// (1..=1000).for_each(|value| histogram.record(value * 1_000));
/// let p99 = histogram.quantile(0.99).unwrap();
/// assert!((985_000..=995_000).contains(&p99));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    // Page p of `buckets`; short when the high pages are empty.
    pages: Vec<Option<Box<[u64; PAGE]>>>,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl Histogram {
    /// Adds one value.
    pub fn record(&mut self, value: u64) {
        let (page, within) = locate(value);
        self.add(page, within, 1);
        self.absorb(1, value, value, value);
    }

    /// Adds everything another histogram holds.
    pub fn merge(&mut self, other: &Self) {
        for (page, counts) in other.pages.iter().enumerate() {
            for (within, count) in counts.iter().flat_map(|counts| counts.iter().enumerate()) {
                self.add(page, within, *count);
            }
        }
        self.absorb(other.count, other.sum, other.min, other.max);
    }

    /// Adds `count` to one bucket; totals come separately, by [`Histogram::absorb`].
    pub(super) fn add(&mut self, page: usize, within: usize, count: u64) {
        if count == 0 || page >= PAGES {
            return;
        }
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        if let Some(slot) = self.pages.get_mut(page) {
            let counts = slot.get_or_insert_with(|| Box::new([0; PAGE]));
            if let Some(bucket) = counts.get_mut(within) {
                *bucket = bucket.saturating_add(count);
            }
        }
    }

    /// Adds the totals of values whose buckets were added by [`Histogram::add`].
    pub(super) fn absorb(&mut self, count: u64, sum: u64, min: u64, max: u64) {
        if count == 0 {
            return;
        }
        self.min = if self.count == 0 { min } else { self.min.min(min) };
        self.max = self.max.max(max);
        self.count = self.count.saturating_add(count);
        self.sum = self.sum.saturating_add(sum);
    }

    /// The buckets that hold something, smallest values first: page, place within it, count.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (usize, usize, u64)> + '_ {
        let all = self.pages.iter().enumerate().flat_map(|(page, counts)| {
            let counts = counts.iter().flat_map(|counts| counts.iter().enumerate());
            counts.map(move |(within, count)| (page, within, *count))
        });
        all.filter(|(_, _, count)| *count > 0)
    }

    /// The narrow buckets that hold something, smallest values first: which values belong to each,
    /// and how many it holds. What other forms of histogram are made from.
    ///
    /// ```
    /// use tta_telemetry::Histogram;
    /// let mut histogram = Histogram::default();
    /// [7, 7, 1_000_000].map(|value| histogram.record(value));
    /// let buckets: Vec<_> = histogram.buckets_with_bounds().collect();
    /// assert_eq!(buckets, [(7..=7, 2), (999_424..=1_007_615, 1)]);
    /// ```
    pub fn buckets_with_bounds(&self) -> impl Iterator<Item = (RangeInclusive<u64>, u64)> + '_ {
        self.buckets().map(|(page, within, count)| {
            let (low, high) = bounds(page, within);
            (low..=high, count)
        })
    }

    /// How many values one bucket holds.
    pub(super) fn bucket(&self, page: usize, within: usize) -> u64 {
        let counts = self.pages.get(page).and_then(Option::as_ref);
        counts.and_then(|counts| counts.get(within)).copied().unwrap_or(0)
    }

    /// Replaces the sum: for a histogram that serves as a baseline.
    pub(super) fn set_sum(&mut self, sum: u64) {
        self.sum = sum;
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their exact sum, saturating.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The exact smallest value; `None` when empty.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The exact largest value; `None` when empty.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The value at quantile `q` by nearest rank: the smallest recorded value such that at least
    /// `q` of all values are no larger. `q` is clamped to `0.0..=1.0`; `None` when empty.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).clamp(1, self.count);
        let mut seen = 0;
        for (page, counts) in self.pages.iter().enumerate() {
            for (within, count) in counts.iter().flat_map(|counts| counts.iter().enumerate()) {
                seen += count;
                if seen >= rank {
                    // Not `clamp`: cells that are written meanwhile may be read with the ends crossed.
                    return Some(middle(page, within).max(self.min).min(self.max));
                }
            }
        }
        Some(self.max)
    }

    /// [`Histogram::quantile`] of nanoseconds, as a duration.
    #[must_use]
    pub fn quantile_duration(&self, q: f64) -> Option<Duration> {
        self.quantile(q).map(Duration::from_nanos)
    }

    /// Bytes this histogram holds on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let pages = self.pages.iter().flatten().count();
        self.pages.capacity() * std::mem::size_of::<Option<Box<[u64; PAGE]>>>() + pages * PAGE * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(sorted: &[u64], q: f64) -> u64 {
        let rank = ((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
        sorted[rank - 1]
    }

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        histogram
    }

    #[test]
    fn an_empty_histogram_has_no_quantiles() {
        let empty = Histogram::default();
        assert_eq!((empty.quantile(0.5), empty.min(), empty.max(), empty.count()), (None, None, None, 0));
    }

    #[test]
    fn a_single_value_is_every_quantile_exactly() {
        let one = of(&[123_456_789]);
        for q in [0.0, 0.5, 0.999, 1.0, -1.0, 2.0] {
            assert_eq!(one.quantile(q), Some(123_456_789));
        }
    }

    #[test]
    fn memory_is_capped_whatever_arrives() {
        let mut histogram = Histogram::default();
        for shift in 0..64 {
            histogram.record(1 << shift);
        }
        assert!(histogram.heap_bytes() < 40_000, "{}", histogram.heap_bytes());
    }

    proptest! {
        #[test]
        fn every_quantile_is_within_one_percent(
            mut values in prop::collection::vec(1_000_u64..3_600_000_000_000, 1..400),
            q in 0.0_f64..=1.0,
        ) {
            let histogram = of(&values);
            values.sort_unstable();
            let want = exact(&values, q) as f64;
            let got = histogram.quantile(q).unwrap() as f64;
            prop_assert!((got - want).abs() <= want * 0.01, "q {} want {} got {}", q, want, got);
        }

        #[test]
        fn heavy_tails_stay_within_one_percent(seed in prop::collection::vec(0.000_001_f64..1.0, 1..400), q in 0.0_f64..=1.0) {
            // Pareto with shape 0.5: neither mean nor variance exists.
            let mut values: Vec<u64> = seed.iter().map(|u| (1_000.0 / (u * u)) as u64).collect();
            let histogram = of(&values);
            values.sort_unstable();
            let want = exact(&values, q) as f64;
            let got = histogram.quantile(q).unwrap() as f64;
            prop_assert!((got - want).abs() <= want * 0.01);
        }

        #[test]
        fn merging_is_the_same_as_recording_both(
            a in prop::collection::vec(any::<u64>(), 0..100),
            b in prop::collection::vec(any::<u64>(), 0..100),
        ) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let both = of(&[a, b].concat());
            prop_assert_eq!(merged.count(), both.count());
            prop_assert_eq!(merged, both);
        }
    }
}
