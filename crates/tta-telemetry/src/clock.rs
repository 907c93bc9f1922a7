//! Time: one injected source for "now" and for "sleep".
//!
//! Owns reading the clock and turning readings into nanoseconds. Does not own an async timer for
//! real time (that needs a runtime; `tta-primitives` brings it) nor calendars.
//!
//! The hot path reads the processor's time-stamp counter (8 ns instead of the 19 ns of a vDSO
//! call). Readings are converted to wall-clock time through an [`Anchor`] that the housekeeping
//! thread renews at least once a second, so that drift between the two never accumulates.

mod manual;

pub use manual::{ManualClock, ManualSleep};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// A raw reading of a clock: counter ticks for the system clock, nanoseconds for a manual one.
///
/// Only differences within one clock mean anything, and only after [`Clock::nanos_between`].
pub type Ticks = u64;

/// The time source of an engine and of every run on it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(quanta::Clock, Arc<Mutex<Anchor>>),
    Manual(ManualClock),
}

/// A moment known on both clocks: counter and wall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    ticks: Ticks,
    unix_ns: u64,
}

impl Clock {
    /// The system's monotonic clock, read from the time-stamp counter where it is reliable.
    ///
    /// The first call in a process calibrates the counter, which takes up to 200 ms.
    #[must_use]
    pub fn system() -> Self {
        let counter = quanta::Clock::new();
        let anchor = Anchor { ticks: counter.raw(), unix_ns: system_unix_ns() };
        Self(Source::System(counter, Arc::new(Mutex::new(anchor))))
    }

    /// A clock that moves only when told to, and the handle that moves it.
    #[must_use]
    pub fn manual() -> (Self, ManualClock) {
        let clock = ManualClock::new();
        (Self(Source::Manual(clock.clone())), clock)
    }

    /// Reads the clock. The cheapest form; see [`Ticks`].
    #[inline]
    #[must_use]
    pub fn ticks(&self) -> Ticks {
        match &self.0 {
            Source::System(counter, _) => counter.raw(),
            Source::Manual(clock) => clock.now_ns(),
        }
    }

    /// Nanoseconds from `start` to `end`; 0 when `end` is earlier.
    #[inline]
    #[must_use]
    pub fn nanos_between(&self, start: Ticks, end: Ticks) -> u64 {
        match &self.0 {
            Source::System(counter, _) => counter.delta_as_nanos(start, end),
            Source::Manual(_) => end.saturating_sub(start),
        }
    }

    /// The time from `start` to `end`; zero when `end` is earlier.
    #[must_use]
    pub fn between(&self, start: Ticks, end: Ticks) -> Duration {
        Duration::from_nanos(self.nanos_between(start, end))
    }

    /// The time passed since `start`.
    #[must_use]
    pub fn elapsed(&self, start: Ticks) -> Duration {
        self.between(start, self.ticks())
    }

    /// The wall-clock time of a reading, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn unix_ns(&self, ticks: Ticks) -> u64 {
        match &self.0 {
            Source::System(counter, anchor) => {
                let anchor = *anchor.lock().unwrap_or_else(PoisonError::into_inner);
                if ticks >= anchor.ticks {
                    anchor.unix_ns.saturating_add(counter.delta_as_nanos(anchor.ticks, ticks))
                } else {
                    anchor.unix_ns.saturating_sub(counter.delta_as_nanos(ticks, anchor.ticks))
                }
            }
            Source::Manual(clock) => clock.start_unix_ns().saturating_add(ticks),
        }
    }

    /// The manual clock behind this one, if it is one.
    #[must_use]
    pub fn as_manual(&self) -> Option<&ManualClock> {
        match &self.0 {
            Source::System(..) => None,
            Source::Manual(clock) => Some(clock),
        }
    }

    /// Pins the counter to the wall clock afresh, and says by how much that was set, in nanoseconds.
    /// Called by housekeeping.
    pub(crate) fn re_anchor(&self) -> i64 {
        let Source::System(counter, anchor) = &self.0 else { return 0 };
        let fresh = Anchor { ticks: counter.raw(), unix_ns: system_unix_ns() };
        let expected = self.unix_ns(fresh.ticks);
        *anchor.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        i64::try_from(i128::from(fresh.unix_ns) - i128::from(expected)).unwrap_or(i64::MAX)
    }
}

// The one place that may ask the operating system for the time.
#[allow(clippy::disallowed_methods)]
fn system_unix_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_time_never_runs_backwards_and_agrees_with_the_wall_clock() {
        let clock = Clock::system();
        let first = clock.ticks();
        let second = clock.ticks();
        assert!(second >= first);
        let wall = system_unix_ns();
        let ours = clock.unix_ns(clock.ticks());
        assert!(wall.abs_diff(ours) < 50_000_000, "wall {wall} ours {ours}");
    }

    #[test]
    fn a_reading_before_the_anchor_still_converts() {
        let clock = Clock::system();
        let early = clock.ticks();
        let before = clock.unix_ns(early);
        clock.re_anchor();
        assert!(clock.unix_ns(early).abs_diff(before) < 50_000_000);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_to() {
        let (clock, hand) = Clock::manual();
        let start = clock.ticks();
        assert_eq!(clock.elapsed(start), Duration::ZERO);
        hand.advance(Duration::from_millis(3));
        assert_eq!(clock.elapsed(start), Duration::from_millis(3));
        assert_eq!(clock.nanos_between(5, 3), 0);
    }
}
