//! Exact counts below given limits, beside the log-linear buckets.
//!
//! A limit such as 1 ms lies inside of one log-linear bucket (0.999..1.008 ms): whatever is in
//! another bucket is below or above it as a whole. So only values in a bucket that a limit divides
//! are counted a second time, if they do not exceed it. All others cost one bit test.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::buckets::{PAGE, PAGES, bounds, locate};
use super::cells::add;
use super::histogram::Histogram;

/// The limits of a histogram's buckets, in whole multiples of its resolution.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// As they were given.
    limits: Arc<[f64]>,
    resolution: f64,
    /// Multiples of the resolution in one unit: a whole number where the resolution is one of a
    /// whole number, which dividing by the resolution would miss by a little.
    per_unit: f64,
    raw: Vec<u64>,
    /// The bucket of each limit, and whether the limit divides it.
    places: Vec<(usize, usize, bool)>,
    /// Which buckets of each page are divided.
    divided: Box<[u64; PAGES]>,
}

impl Bounds {
    /// Limits must be finite, not negative, and rise.
    pub(super) fn new(limits: &[f64], resolution: f64) -> Self {
        let inverse = 1.0 / resolution;
        let near = inverse.round();
        let per_unit = if (inverse - near).abs() < near * 1e-12 { near } else { inverse };
        // The saturating cast keeps limits ordered whatever rounding does.
        let raw: Vec<u64> = limits.iter().map(|limit| (limit * per_unit).round() as u64).collect();
        let mut divided = Box::new([0_u64; PAGES]);
        let mut places = Vec::with_capacity(raw.len());
        for limit in &raw {
            let (page, within) = locate(*limit);
            let divides = bounds(page, within).1 > *limit;
            if divides && let Some(mask) = divided.get_mut(page) {
                *mask |= 1 << within;
            }
            places.push((page, within, divides));
        }
        Self { limits: limits.into(), resolution, per_unit, raw, places, divided }
    }

    pub(super) fn limits(&self) -> &Arc<[f64]> {
        &self.limits
    }

    pub(super) fn resolution(&self) -> f64 {
        self.resolution
    }

    pub(super) fn per_unit(&self) -> f64 {
        self.per_unit
    }

    /// The place of the first limit that a value does not exceed; the number of limits if there is
    /// none.
    pub(super) fn bucket_of(&self, value: u64) -> usize {
        self.raw.partition_point(|limit| *limit < value)
    }

    #[inline]
    fn divides(&self, page: usize, within: usize) -> bool {
        self.divided.get(page).is_some_and(|mask| mask >> (within % PAGE) & 1 == 1)
    }

    /// How many values do not exceed each limit, never more than `count`.
    pub(super) fn cumulative(&self, values: &Histogram, below: &[u64], count: u64) -> Vec<u64> {
        let mut buckets = values.buckets().peekable();
        let mut whole = 0_u64;
        let mut cumulative = Vec::with_capacity(self.places.len());
        for (place, (page, within, divides)) in self.places.iter().enumerate() {
            // Everything in earlier buckets, and this one if the limit is its end.
            while let Some((_, _, held)) = buckets
                .next_if(|(p, w, _)| if *divides { (*p, *w) < (*page, *within) } else { (*p, *w) <= (*page, *within) })
            {
                whole = whole.saturating_add(held);
            }
            let part =
                if *divides { below.get(place).copied().unwrap_or(0).min(values.bucket(*page, *within)) } else { 0 };
            cumulative.push(whole.saturating_add(part).min(count));
        }
        cumulative
    }
}

/// What one thread has counted in buckets that limits divide.
#[derive(Debug, Default)]
pub(super) struct Below(OnceLock<Box<[AtomicU64]>>);

impl Below {
    /// Counts a value that lies in this bucket.
    #[inline]
    pub(super) fn count(&self, value: u64, (page, within): (usize, usize), bounds: &Bounds, only_writer: bool) {
        if bounds.divides(page, within) {
            self.count_divided(value, (page, within), bounds, only_writer);
        }
    }

    #[cold]
    fn count_divided(&self, value: u64, at: (usize, usize), bounds: &Bounds, only_writer: bool) {
        let cells = self.0.get_or_init(|| bounds.raw.iter().map(|_| AtomicU64::new(0)).collect());
        for ((cell, limit), (page, within, _)) in cells.iter().zip(&bounds.raw).zip(&bounds.places) {
            if (*page, *within) == at && value <= *limit {
                add(cell, 1, only_writer);
            }
        }
    }

    pub(super) fn read_into(&self, total: &mut Vec<u64>) {
        let Some(cells) = self.0.get() else { return };
        total.resize(total.len().max(cells.len()), 0);
        total.iter_mut().zip(cells).for_each(|(total, cell)| *total += cell.load(Ordering::Relaxed));
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.get().map_or(0, |cells| size_of_val(&**cells))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_below_limits_are_exact(
            mut limits in prop::collection::btree_set(0_u64..3_000, 1..20),
            values in prop::collection::vec(0_u64..4_000, 0..300),
            scale in prop::sample::select(vec![1_u64, 1_000, 1_000_003]),
        ) {
            limits.insert(1_000);
            let limits: Vec<u64> = limits.into_iter().map(|limit| limit * scale + scale / 3).collect();
            let values: Vec<u64> = values.into_iter().map(|value| value * scale + scale / 3).collect();
            let as_given: Vec<f64> = limits.iter().map(|limit| *limit as f64).collect();
            let bounds = Bounds::new(&as_given, 1.0);
            let (below, mut histogram) = (Below::default(), Histogram::default());
            for value in &values {
                histogram.record(*value);
                below.count(*value, locate(*value), &bounds, true);
            }
            let mut read = Vec::new();
            below.read_into(&mut read);
            let want: Vec<u64> =
                limits.iter().map(|limit| values.iter().filter(|value| *value <= limit).count() as u64).collect();
            prop_assert_eq!(bounds.cumulative(&histogram, &read, values.len() as u64), want);
        }
    }

    #[test]
    fn a_value_belongs_to_the_first_limit_that_it_does_not_exceed() {
        let bounds = Bounds::new(&[0.001, 0.005, 1.0], 1e-9);
        let of = [0, 1_000_000, 1_000_001, 5_000_000, 999_999_999, 1_000_000_000, 1_000_000_001];
        assert_eq!(of.map(|value| bounds.bucket_of(value)), [0, 0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn counts_never_exceed_the_count_that_is_given() {
        let bounds = Bounds::new(&[10.0, 20.0], 1.0);
        let mut values = Histogram::default();
        (0..8).for_each(|_| values.record(5));
        assert_eq!(bounds.cumulative(&values, &[], 6), [6, 6]);
    }
}
