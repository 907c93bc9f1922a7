//! A percentile of recent durations, cheap to ask for in the middle of a decision.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tta_telemetry::{Clock, Histogram, Ticks};

/// Between two computations at most this many durations are recorded.
const MOST_UNSEEN: u64 = 256;
/// The cached value while too little is known.
const UNKNOWN: u64 = u64::MAX;

/// A percentile over the last one to two windows of time.
///
/// Durations go into a histogram that is put aside when its window is over; the percentile is of
/// both together. It is computed while recording, every few durations, so that asking is a load.
#[derive(Debug)]
pub(crate) struct LivePercentile {
    quantile: f64,
    window: Duration,
    min_samples: u64,
    /// In nanoseconds.
    cached: AtomicU64,
    /// When the last duration was recorded.
    last: AtomicU64,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    current: Histogram,
    previous: Histogram,
    /// When the first window began, and how long after that the current one did.
    began: Option<Ticks>,
    turned: Duration,
    unseen: u64,
}

impl LivePercentile {
    /// Knows nothing before `min_samples` durations.
    pub(crate) fn new(quantile: f64, window: Duration, min_samples: u64) -> Self {
        Self {
            quantile,
            window,
            min_samples,
            cached: AtomicU64::new(UNKNOWN),
            last: AtomicU64::new(0),
            recent: Mutex::default(),
        }
    }

    pub(crate) fn record(&self, duration: Duration, clock: &Clock) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX - 1);
        let now = clock.ticks();
        self.last.store(now, Ordering::Relaxed);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.turn(self.window, now, clock);
        recent.current.record(nanos);
        recent.unseen += 1;
        let known = recent.current.count() + recent.previous.count();
        // Rarely enough to be cheap, often enough to follow: within a sixteenth of what is known.
        if recent.unseen >= (known / 16).clamp(1, MOST_UNSEEN) {
            recent.unseen = 0;
            let value = (known >= self.min_samples).then(|| recent.quantile(self.quantile)).flatten();
            self.cached.store(value.unwrap_or(UNKNOWN), Ordering::Relaxed);
        }
    }

    /// `None` while too little is known, or when what is known is older than two windows.
    #[inline]
    pub(crate) fn get(&self, clock: &Clock) -> Option<Duration> {
        let cached = self.cached.load(Ordering::Relaxed);
        if cached == UNKNOWN || clock.elapsed(self.last.load(Ordering::Relaxed)) >= 2 * self.window {
            return None;
        }
        Some(Duration::from_nanos(cached))
    }
}

impl Recent {
    /// Puts aside what is older than a window and forgets what is older than two.
    fn turn(&mut self, window: Duration, now: Ticks, clock: &Clock) {
        let age = clock.between(*self.began.get_or_insert(now), now).saturating_sub(self.turned);
        if age < window {
            return;
        }
        self.previous = std::mem::take(&mut self.current);
        if age < 2 * window {
            // Windows follow one another without a gap, so that none lasts longer than it should.
            self.turned += window;
            return;
        }
        self.previous = Histogram::default();
        (self.began, self.turned) = (Some(now), Duration::ZERO);
    }

    fn quantile(&self, quantile: f64) -> Option<u64> {
        if self.previous.count() == 0 {
            return self.current.quantile(quantile);
        }
        let mut both = self.previous.clone();
        both.merge(&self.current);
        both.quantile(quantile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const WINDOW: Duration = Duration::from_secs(30);

    fn near(got: Option<Duration>, want: Duration) -> bool {
        got.is_some_and(|got| got.as_secs_f64() / want.as_secs_f64() > 0.98 && got <= want.mul_f64(1.02))
    }

    #[test]
    fn it_knows_nothing_before_enough_samples() {
        let (clock, _) = Clock::manual();
        let live = LivePercentile::new(0.5, WINDOW, 3);
        live.record(MS, &clock);
        live.record(MS, &clock);
        assert_eq!(live.get(&clock), None);
        live.record(MS, &clock);
        assert!(near(live.get(&clock), MS), "{:?}", live.get(&clock));
    }

    /// The first duration after a silence once began a window of its own, and what was put aside then
    /// counted for almost three.
    #[test]
    fn what_is_older_than_two_windows_is_forgotten_also_when_little_is_recorded() {
        let (clock, hand) = Clock::manual();
        let live = LivePercentile::new(0.5, WINDOW, 10);
        (0..1_000).for_each(|_| live.record(100 * MS, &clock));
        hand.advance(2 * WINDOW - MS);
        live.record(MS, &clock);
        assert!(near(live.get(&clock), 100 * MS));
        hand.advance(MS);
        (0..100).for_each(|_| live.record(MS, &clock));
        assert!(near(live.get(&clock), MS), "{:?}", live.get(&clock));
    }

    #[test]
    fn it_follows_a_change_within_two_windows_and_forgets_after_silence() {
        let (clock, hand) = Clock::manual();
        let live = LivePercentile::new(0.95, WINDOW, 10);
        (0..1_000).for_each(|_| live.record(100 * MS, &clock));
        assert!(near(live.get(&clock), 100 * MS));
        hand.advance(WINDOW);
        (0..1_000).for_each(|_| live.record(MS, &clock));
        assert!(near(live.get(&clock), 100 * MS), "half of what is known is still slow");
        hand.advance(WINDOW);
        (0..1_000).for_each(|_| live.record(MS, &clock));
        assert!(near(live.get(&clock), MS), "{:?}", live.get(&clock));
        hand.advance(2 * WINDOW);
        assert_eq!(live.get(&clock), None);
        live.record(5 * MS, &clock);
        assert_eq!(live.get(&clock), None, "one sample after a silence is not enough");
    }
}
