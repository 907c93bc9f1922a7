//! What the last calls came to: over a number of calls or over a time. No clock, no locks.

use std::collections::VecDeque;

/// Slices of a time window.
const SLICES: u64 = 10;

/// How calls ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

/// How one call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

/// Over what rates are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Calls(usize),
    TimeNs(u64),
}

/// The calls that rates are taken of.
pub(super) enum Window {
    Calls(CountWindow),
    Time(TimeWindow),
}

impl Window {
    pub(super) fn new(span: Span) -> Self {
        match span {
            Span::Calls(size) => {
                Window::Calls(CountWindow { size, last: VecDeque::with_capacity(size), sum: Tally::default() })
            }
            Span::TimeNs(ns) => {
                Window::Time(TimeWindow { slice_ns: ns.div_ceil(SLICES).max(1), slices: Box::default() })
            }
        }
    }

    /// Adds a call and gives the sum; the time is asked for only where it matters.
    pub(super) fn add(&mut self, ended: Ended, now: impl Fn() -> u64) -> Tally {
        match self {
            Window::Calls(window) => window.add(ended),
            Window::Time(window) => window.add(ended, now()),
        }
    }

    pub(super) fn sum(&self, now_ns: u64) -> Tally {
        match self {
            Window::Calls(window) => window.sum,
            Window::Time(window) => window.sum(now_ns / window.slice_ns),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Window::Calls(window) => {
                window.last.clear();
                window.sum = Tally::default();
            }
            Window::Time(window) => *window.slices = Default::default(),
        }
    }
}

impl Tally {
    fn add(&mut self, ended: Ended) {
        self.calls += 1;
        self.failures += u64::from(ended.failed);
        self.slow += u64::from(ended.slow);
    }

    fn remove(&mut self, ended: Ended) {
        self.calls -= 1;
        self.failures -= u64::from(ended.failed);
        self.slow -= u64::from(ended.slow);
    }

    fn plus(self, other: Self) -> Self {
        Self { calls: self.calls + other.calls, failures: self.failures + other.failures, slow: self.slow + other.slow }
    }
}

/// The last so many calls, and their sum.
pub(super) struct CountWindow {
    size: usize,
    last: VecDeque<Ended>,
    sum: Tally,
}

impl CountWindow {
    fn add(&mut self, ended: Ended) -> Tally {
        if self.last.len() >= self.size
            && let Some(oldest) = self.last.pop_front()
        {
            self.sum.remove(oldest);
        }
        self.last.push_back(ended);
        self.sum.add(ended);
        self.sum
    }
}

/// The calls of the last so much time, in slices that are forgotten as a whole: it holds the
/// current slice and the nine before it, which is nine to ten tenths of its time.
pub(super) struct TimeWindow {
    slice_ns: u64,
    slices: Box<[Slice; SLICES as usize]>,
}

/// A slice of time, by its number since time began.
#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    number: u64,
    tally: Tally,
}

impl TimeWindow {
    fn add(&mut self, ended: Ended, now_ns: u64) -> Tally {
        let number = now_ns / self.slice_ns;
        if let Some(slice) = self.slices.get_mut((number % SLICES) as usize) {
            if slice.number != number {
                *slice = Slice { number, tally: Tally::default() };
            }
            slice.tally.add(ended);
        }
        self.sum(number)
    }

    fn sum(&self, current: u64) -> Tally {
        let live = self.slices.iter().filter(|slice| slice.number + SLICES > current);
        live.fold(Tally::default(), |sum, slice| sum.plus(slice.tally))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Ended = Ended { failed: false, slow: false };
    const BAD: Ended = Ended { failed: true, slow: false };
    const SLOW: Ended = Ended { failed: false, slow: true };

    fn tally(calls: u64, failures: u64, slow: u64) -> Tally {
        Tally { calls, failures, slow }
    }

    #[test]
    fn a_count_window_forgets_the_oldest_call() {
        let mut window = Window::new(Span::Calls(3));
        let sums = [BAD, SLOW, OK, OK, OK].map(|ended| window.add(ended, || unreachable!("no time is needed")));
        assert_eq!(sums, [tally(1, 1, 0), tally(2, 1, 1), tally(3, 1, 1), tally(3, 0, 1), tally(3, 0, 0)]);
        window.clear();
        assert_eq!(window.sum(0), tally(0, 0, 0));
        assert_eq!(window.add(BAD, || 0), tally(1, 1, 0));
    }

    #[test]
    fn a_time_window_forgets_whole_slices() {
        let mut window = Window::new(Span::TimeNs(100));
        assert_eq!(window.add(BAD, || 9), tally(1, 1, 0));
        assert_eq!(window.add(SLOW, || 10), tally(2, 1, 1));
        assert_eq!(window.sum(99), tally(2, 1, 1));
        assert_eq!(window.sum(100), tally(1, 0, 1), "the first slice is over");
        assert_eq!(window.add(OK, || 105), tally(2, 0, 1), "it took the first slice's place");
        assert_eq!(window.sum(109), tally(2, 0, 1));
        assert_eq!(window.sum(110), tally(1, 0, 0));
        assert_eq!(window.add(BAD, || 10_000), tally(1, 1, 0), "after a long silence");
        window.clear();
        assert_eq!(window.sum(10_000), tally(0, 0, 0));
    }
}
