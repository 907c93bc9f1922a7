//! Time as a tracker sees it, and the rings that go by it.
//!
//! Rings do not go by the wall clock, which jumps, but by the time that has passed on it: steps
//! forward are added up, steps back are not.

use super::config::Slo;
use super::counts::Counts;
use super::ring::Ring;

/// The windows of burn rates, shortest first: label and seconds.
pub(super) const BURN_WINDOWS: [(&str, u64); BURN_RINGS] =
    [("5m", 300), ("30m", 1_800), ("1h", 3_600), ("2h", 7_200), ("6h", 21_600), ("1d", 86_400), ("3d", 259_200)];
pub(super) const BURN_RINGS: usize = 7;
/// Those of the burn rates and the one of the objective.
pub(super) const RINGS: usize = BURN_RINGS + 1;

/// Into how many widths the windows are divided.
pub(super) const BURN_WIDTHS: usize = 60;
pub(super) const WINDOW_WIDTHS: usize = 360;
/// What all rings hold on the heap.
pub(super) const RING_BYTES: usize =
    (BURN_RINGS * (BURN_WIDTHS + 1) + WINDOW_WIDTHS + 1) * std::mem::size_of::<Counts>();

const NANOS: u64 = 1_000_000_000;
/// A clock that is set back by no more is waited for.
const WAITED_FOR_NS: u64 = 60 * NANOS;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Timeline {
    /// The latest time seen; `None` before the first.
    wall_unix_ns: Option<u64>,
    /// How much time has passed on the wall clock since the first.
    elapsed_ns: u64,
    /// After a step forward of more than this nothing is left in any ring.
    longest_ns: u64,
    /// In the order of [`BURN_WINDOWS`], then that of the objective.
    rings: [Ring; RINGS],
}

impl Timeline {
    pub(super) fn new(slo: &Slo) -> Self {
        let rings = std::array::from_fn(|ring| match BURN_WINDOWS.get(ring) {
            Some((_, seconds)) => Ring::new(seconds * NANOS, BURN_WIDTHS),
            None => Ring::new(slo.window_ns(), WINDOW_WIDTHS),
        });
        let longest = BURN_WINDOWS.iter().map(|(_, seconds)| seconds * NANOS).fold(slo.window_ns(), u64::max);
        // One bucket more than the window, and a little.
        let longest_ns = longest.saturating_add(longest / BURN_WIDTHS as u64).saturating_add(NANOS);
        Self { wall_unix_ns: None, elapsed_ns: 0, longest_ns, rings }
    }

    /// As it was at a time, its counts to be put back with [`Timeline::add_at`].
    pub(super) fn at(slo: &Slo, wall_unix_ns: u64, elapsed_ns: u64) -> Self {
        let mut timeline = Self { wall_unix_ns: Some(wall_unix_ns), elapsed_ns, ..Self::new(slo) };
        timeline.rings.iter_mut().for_each(|ring| ring.advance(elapsed_ns));
        timeline
    }

    /// Lets time pass. See [`SloTracker`](super::SloTracker), Clocks.
    pub(super) fn advance(&mut self, now_unix_ns: u64) {
        let wall = *self.wall_unix_ns.get_or_insert(now_unix_ns);
        if now_unix_ns < wall {
            if wall - now_unix_ns > WAITED_FOR_NS {
                self.wall_unix_ns = Some(now_unix_ns);
            }
            return;
        }
        self.wall_unix_ns = Some(now_unix_ns);
        let passed = now_unix_ns - wall;
        if passed > self.longest_ns {
            self.elapsed_ns = 0;
            self.rings.iter_mut().for_each(Ring::clear);
            return;
        }
        self.elapsed_ns = self.elapsed_ns.saturating_add(passed);
        self.rings.iter_mut().for_each(|ring| ring.advance(self.elapsed_ns));
    }

    /// Counts now.
    pub(super) fn add(&mut self, counts: &Counts) {
        if !counts.is_zero() {
            self.rings.iter_mut().for_each(|ring| ring.add(counts));
        }
    }

    /// Counts in one ring, so many buckets ago. False when there is no such bucket.
    pub(super) fn add_at(&mut self, ring: usize, age: usize, counts: &Counts) -> bool {
        self.rings.get_mut(ring).is_some_and(|ring| ring.add_at(age, counts))
    }

    /// Adds what another one has counted, at the same distance from now.
    pub(super) fn merge(&mut self, mut other: Self) {
        // Whichever is behind catches up; when one is ahead by much, its clock was wrong.
        if let Some(wall) = self.wall_unix_ns {
            other.advance(wall);
        }
        if let Some(wall) = other.wall_unix_ns {
            self.advance(wall);
        }
        if other.elapsed_ns > self.elapsed_ns {
            std::mem::swap(self, &mut other);
        }
        for (into, from) in self.rings.iter_mut().zip(&other.rings) {
            for (age, counts) in from.filled() {
                into.add_at(age, &counts);
            }
        }
    }

    /// The latest time seen.
    pub(super) fn wall_unix_ns(&self) -> u64 {
        self.wall_unix_ns.unwrap_or_default()
    }

    pub(super) fn elapsed_ns(&self) -> u64 {
        self.elapsed_ns
    }

    pub(super) fn rings(&self) -> &[Ring; RINGS] {
        &self.rings
    }

    /// What the objective's window holds.
    pub(super) fn window(&self) -> &Counts {
        let [.., window] = &self.rings;
        window.sum()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.rings.iter().map(Ring::heap_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_800_000_000 * NANOS;
    const DAY: u64 = 86_400 * NANOS;

    fn started() -> Timeline {
        let mut timeline = Timeline::new(&Slo::named("s").build().unwrap());
        timeline.advance(START);
        timeline.add(&Counts([0, 1, 0, 0]));
        timeline
    }

    fn held(timeline: &Timeline) -> Vec<u64> {
        timeline.rings.iter().map(|ring| ring.sum().total()).collect()
    }

    #[test]
    fn the_rings_take_the_stated_bytes() {
        assert_eq!(started().heap_bytes(), RING_BYTES);
        assert_eq!(RING_BYTES, 25_216);
    }

    #[test]
    fn a_count_leaves_one_window_after_the_other() {
        let mut timeline = started();
        for (nth, (_, seconds)) in BURN_WINDOWS.iter().enumerate() {
            timeline.advance(START + seconds * NANOS);
            assert_eq!(held(&timeline).iter().sum::<u64>() as usize, RINGS - nth);
            timeline.advance(START + seconds * NANOS + seconds * NANOS / 60);
            assert_eq!(held(&timeline).iter().sum::<u64>() as usize, RINGS - nth - 1);
        }
        timeline.advance(START + 30 * DAY);
        assert_eq!(timeline.window().failed(), 1);
        timeline.advance(START + 30 * DAY + DAY / 12);
        assert_eq!(timeline.window().failed(), 0);
    }

    #[test]
    fn a_clock_set_back_a_little_is_waited_for() {
        let mut timeline = started();
        timeline.advance(START - 60 * NANOS);
        assert_eq!((timeline.wall_unix_ns(), timeline.elapsed_ns()), (START, 0));
        timeline.advance(START + 7);
        assert_eq!((timeline.wall_unix_ns(), timeline.elapsed_ns()), (START + 7, 7));
    }

    #[test]
    fn a_clock_set_back_by_much_goes_on_from_there_and_ages_nothing() {
        let mut timeline = started();
        timeline.advance(START + 200 * NANOS);
        timeline.advance(START - 40 * DAY);
        assert_eq!((timeline.wall_unix_ns(), timeline.elapsed_ns()), (START - 40 * DAY, 200 * NANOS));
        assert_eq!(held(&timeline), [1; RINGS]);
        timeline.advance(START - 40 * DAY + 105 * NANOS);
        assert_eq!(held(&timeline), [0, 1, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn a_clock_that_jumps_to_the_end_of_time_and_back_works_on() {
        let mut timeline = started();
        timeline.advance(u64::MAX);
        assert_eq!((held(&timeline), timeline.elapsed_ns()), (vec![0; RINGS], 0));
        timeline.advance(START);
        timeline.add(&Counts([1, 0, 0, 0]));
        timeline.advance(START + 310 * NANOS);
        assert_eq!(held(&timeline), [0, 1, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn a_long_step_forward_forgets_exactly_what_is_too_old() {
        let mut timeline = started();
        timeline.advance(START + 2 * DAY);
        timeline.add(&Counts([1, 0, 0, 0]));
        timeline.advance(START + 31 * DAY);
        assert_eq!((timeline.window().failed(), timeline.window().total()), (0, 1));
        timeline.advance(START + 70 * DAY);
        assert_eq!(timeline.window().total(), 0);
    }
}
