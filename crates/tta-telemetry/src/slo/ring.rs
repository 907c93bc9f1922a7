//! The counts of one rolling window, in a ring of buckets of equal width.
//!
//! A window of n widths has n + 1 buckets: those that it overlaps. The newest is filled up to now,
//! so only the oldest is imprecise: it counts whole until all of it has left the window. What is
//! counted is therefore never less than the window and less than one bucket more.
//!
//! Worked example: 5 minutes in 60 widths of 5 s. At 10:05:03 the buckets are 10:00:00 to 10:00:05
//! (whole, though the window begins at 10:00:03) and the 60 that follow.

use super::counts::Counts;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ring {
    width_ns: u64,
    /// Which bucket is the current one, counted from the beginning of time.
    newest: u64,
    buckets: Box<[Counts]>,
    /// Of all buckets.
    sum: Counts,
}

impl Ring {
    /// A ring that covers the window in so many widths.
    pub(super) fn new(window_ns: u64, widths: usize) -> Self {
        let width_ns = window_ns.div_ceil(widths as u64).max(1);
        let buckets = vec![Counts::default(); widths + 1].into_boxed_slice();
        Self { width_ns, newest: 0, buckets, sum: Counts::default() }
    }

    /// Lets time pass until `elapsed_ns`; what is older than the window is forgotten.
    pub(super) fn advance(&mut self, elapsed_ns: u64) {
        let newest = elapsed_ns / self.width_ns;
        let passed = newest.saturating_sub(self.newest);
        if passed == 0 {
            return;
        }
        self.newest = newest;
        for age in 0..passed.min(self.buckets.len() as u64) {
            let position = self.position(age as usize);
            if let Some(bucket) = self.buckets.get_mut(position) {
                self.sum.subtract(bucket);
                *bucket = Counts::default();
            }
        }
    }

    /// Counts in the current bucket.
    pub(super) fn add(&mut self, counts: &Counts) {
        self.add_at(0, counts);
    }

    /// Counts in the bucket so many before the current one. False when there is none.
    pub(super) fn add_at(&mut self, age: usize, counts: &Counts) -> bool {
        if age >= self.buckets.len() {
            return false;
        }
        let position = self.position(age);
        if let Some(bucket) = self.buckets.get_mut(position) {
            bucket.add(counts);
            self.sum.add(counts);
        }
        true
    }

    pub(super) fn clear(&mut self) {
        self.buckets.fill(Counts::default());
        self.sum = Counts::default();
        self.newest = 0;
    }

    pub(super) fn sum(&self) -> &Counts {
        &self.sum
    }

    /// The buckets that hold anything, with how many came after, the current one first.
    pub(super) fn filled(&self) -> impl Iterator<Item = (usize, Counts)> {
        let all = (0..self.buckets.len()).filter_map(|age| Some((age, *self.buckets.get(self.position(age))?)));
        all.filter(|(_, counts)| !counts.is_zero())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        std::mem::size_of_val(&*self.buckets)
    }

    fn position(&self, age: usize) -> usize {
        let length = self.buckets.len();
        ((self.newest % length as u64) as usize + length - age % length) % length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Counts {
        Counts([1, 0, 0, 0])
    }

    #[test]
    fn a_count_stays_for_the_window_and_leaves_within_a_bucket() {
        let mut ring = Ring::new(600, 60);
        ring.advance(7);
        ring.add(&one());
        ring.advance(607);
        assert_eq!(ring.sum().total(), 1, "no less than the window");
        ring.advance(609);
        assert_eq!(ring.sum().total(), 1, "the bucket is whole until all of it has left");
        ring.advance(610);
        assert_eq!((ring.sum().total(), ring.filled().count()), (0, 0));
    }

    #[test]
    fn a_jump_over_the_whole_ring_leaves_nothing_and_one_short_of_it_leaves_the_last() {
        for (until, left) in [(609, 2), (610, 1), (619, 1), (620, 0), (1_000_000, 0)] {
            let mut ring = Ring::new(600, 60);
            ring.add(&one());
            ring.advance(10);
            ring.add(&one());
            ring.advance(until);
            assert_eq!(ring.sum().total(), left, "{until}");
        }
    }

    #[test]
    fn filled_buckets_come_with_their_ages_and_put_back_are_the_same() {
        let mut ring = Ring::new(600, 60);
        for (at, count) in [(0, 3), (95, 5), (600, 7)] {
            ring.advance(at);
            ring.add(&Counts([0, count, 0, 0]));
        }
        let filled: Vec<_> = ring.filled().map(|(age, counts)| (age, counts.failed())).collect();
        assert_eq!(filled, [(0, 7), (51, 5), (60, 3)]);
        let mut back = Ring::new(600, 60);
        back.advance(600);
        for (age, counts) in ring.filled() {
            assert!(back.add_at(age, &counts));
        }
        assert_eq!(back, ring);
        assert!(!back.add_at(61, &one()), "there is no such bucket");
        assert_eq!(back, ring);
    }

    #[test]
    fn a_window_that_does_not_divide_is_covered() {
        let mut ring = Ring::new(601, 60);
        ring.add(&one());
        ring.advance(600);
        assert_eq!(ring.sum().total(), 1);
    }
}
