//! Percentiles over the last minute, five minutes, hour, and since the start.
//!
//! Owns when slots of time end. Recording goes to per-thread cells as everywhere; time comes from
//! the clock that was given.

mod windows;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::cells::ValueCells;
use super::histogram::Histogram;
use super::percentiles::Percentiles;
use crate::clock::{Clock, Ticks};
pub(super) use windows::{SLOT_NS, Windows, WindowsRead};

/// How long after its end a slot waits for [`RollingHistogram::fold`] before recording closes it.
const GRACE_NS: u64 = 2_000_000_000;

/// From when on recording ends a slot that housekeeping has not, in nanoseconds since the start.
pub(super) fn overdue_ns(slot: u64) -> u64 {
    (slot + 1).saturating_mul(SLOT_NS).saturating_add(GRACE_NS)
}

/// The time that percentiles are over: a length, and at most one slot of it more. How exactly is
/// said at [`RollingHistogram`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RollingWindow {
    /// The last 60 to 70 s.
    Minute,
    /// The last 5 to 6 min.
    FiveMinutes,
    /// The last 60 to 65 min.
    Hour,
    /// Everything.
    SinceStart,
}

/// The figures of all windows, from one reading.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RollingPercentiles {
    /// Over the last minute.
    pub minute: Percentiles,
    /// Over the last five minutes.
    pub five_minutes: Percentiles,
    /// Over the last hour.
    pub hour: Percentiles,
    /// Since the start.
    pub since_start: Percentiles,
}

impl From<&WindowsRead> for RollingPercentiles {
    fn from(read: &WindowsRead) -> Self {
        Self {
            minute: Percentiles::from(&read.minute),
            five_minutes: Percentiles::from(&read.five_minutes),
            hour: Percentiles::from(&read.hour),
            since_start: Percentiles::from(&read.since_start),
        }
    }
}

/// Values of any number of threads, with their percentiles over [`RollingWindow`]s.
///
/// Recording takes a few nanoseconds, without a lock or an allocation. Time goes by in slots, of
/// 10 s, 1 min and 5 min; a window holds its length and at most one of its slots more. A slot ends
/// when [`fold`](RollingHistogram::fold) is next called, which housekeeping should do once a
/// second; if it has not been 2 s after a slot's end, the next recording does it (a few
/// microseconds, some allocations, and never waiting for a lock). So a value counts in its own slot
/// or, within 2 s after a boundary, in the one before.
///
/// In a window, `count` and `sum` are exact, `min` and `max` within 1 %; since the start all four
/// are exact. A value that is being recorded while a slot ends may be in the sum of one slot and
/// the count of the next, and is put right by one bucket's width at most.
///
/// Memory, beside 2 KiB and the cells (1.1 KiB for each thread that recorded, plus 512 bytes for
/// each power of two it met): a histogram and at most 23 slots, of about 3 bytes for each bucket of
/// 1.6 % that holds something. With durations spread over a factor of 30 that is under 28 KiB for a
/// busy series and 4 KiB for an idle one, and it is never above 1.2 MiB.
///
/// ```
/// use std::time::Duration;
/// use tta_telemetry::{Clock, RollingHistogram, RollingWindow};
/// let (clock, hand) = Clock::manual();
/// let latency = RollingHistogram::new(clock);
/// (1..=100).for_each(|ms| latency.record(ms * 1_000_000));
/// assert_eq!(latency.snapshot(RollingWindow::Minute).count, 100);
/// hand.advance(Duration::from_secs(120));
/// assert_eq!(latency.snapshot(RollingWindow::Minute).p99, None);
/// assert_eq!(latency.snapshot(RollingWindow::Hour).count, 100);
/// ```
#[derive(Debug)]
pub struct RollingHistogram {
    clock: Clock,
    start: Ticks,
    /// From when on recording closes the open slot, in nanoseconds since the start.
    overdue_ns: AtomicU64,
    cells: ValueCells,
    windows: Mutex<Windows>,
}

impl RollingHistogram {
    /// An empty one that starts now.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            start: clock.ticks(),
            clock,
            overdue_ns: AtomicU64::new(overdue_ns(0)),
            cells: ValueCells::new(),
            windows: Mutex::default(),
        }
    }

    /// Adds a value.
    #[inline]
    pub fn record(&self, value: u64) {
        self.record_at(value, self.clock.ticks());
    }

    /// Adds a value, by a reading of the same clock that the caller has anyway. A reading that is
    /// older than the open slot counts in the open slot.
    #[inline]
    pub fn record_at(&self, value: u64, now: Ticks) {
        if self.clock.nanos_between(self.start, now) >= self.overdue_ns.load(Ordering::Relaxed) {
            self.close_overdue(now);
        }
        self.cells.record(value);
    }

    /// Before the first value of a later slot is added: all that is there belongs to the open one.
    #[cold]
    fn close_overdue(&self, now: Ticks) {
        // Who holds the lock does the same, or reads and has done it.
        if let Ok(mut windows) = self.windows.try_lock() {
            self.roll(&mut windows, now);
        }
    }

    /// Ends the open slot if its time is over. To be called about once a second.
    pub fn fold(&self) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        self.roll(&mut windows, self.clock.ticks());
    }

    fn roll(&self, windows: &mut Windows, now: Ticks) {
        let slot = self.clock.nanos_between(self.start, now) / SLOT_NS;
        if slot > windows.open() {
            windows.roll(slot, self.cells.read());
            self.overdue_ns.store(overdue_ns(slot), Ordering::Relaxed);
        }
    }

    fn read(&self) -> WindowsRead {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        self.roll(&mut windows, self.clock.ticks());
        windows.read(self.cells.read())
    }

    /// The figures of one window.
    #[must_use]
    pub fn snapshot(&self, window: RollingWindow) -> Percentiles {
        Percentiles::from(&self.histogram(window))
    }

    /// The figures of all windows, which fit together.
    #[must_use]
    pub fn snapshots(&self) -> RollingPercentiles {
        RollingPercentiles::from(&self.read())
    }

    /// The values of one window, for merging with others.
    #[must_use]
    pub fn histogram(&self, window: RollingWindow) -> Histogram {
        let read = self.read();
        match window {
            RollingWindow::Minute => read.minute,
            RollingWindow::FiveMinutes => read.five_minutes,
            RollingWindow::Hour => read.hour,
            RollingWindow::SinceStart => read.since_start,
        }
    }

    /// Bytes this holds on the heap, the cells of all threads included.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner).heap_bytes();
        windows + self.cells.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use RollingWindow::{FiveMinutes, Hour, Minute, SinceStart};

    const MS: u64 = 1_000_000;

    fn counts(rolling: &RollingHistogram) -> [u64; 4] {
        let read = rolling.snapshots();
        [read.minute, read.five_minutes, read.hour, read.since_start].map(|window| window.count)
    }

    #[test]
    fn every_window_forgets_in_its_time_without_anybody_folding() {
        let (clock, hand) = Clock::manual();
        let rolling = RollingHistogram::new(clock);
        rolling.record(5 * MS);
        for (at_s, want) in [
            (69, [1, 1, 1, 1]),
            (70, [0, 1, 1, 1]),
            (359, [0, 1, 1, 1]),
            (360, [0, 0, 1, 1]),
            (3_899, [0, 0, 1, 1]),
            (3_900, [0, 0, 0, 1]),
            (86_400, [0, 0, 0, 1]),
        ] {
            hand.advance(Duration::from_secs(at_s) - Duration::from_nanos(hand.now_ns()));
            assert_eq!(counts(&rolling), want, "after {at_s} s");
        }
    }

    #[test]
    fn a_value_after_hours_of_silence_does_not_bring_back_what_came_before_it() {
        let (clock, hand) = Clock::manual();
        let rolling = RollingHistogram::new(clock);
        rolling.record(5 * MS);
        hand.advance(Duration::from_secs(3 * 3_600));
        rolling.record(7 * MS);
        assert_eq!(counts(&rolling), [1, 1, 1, 2]);
        let minute = rolling.snapshot(Minute);
        assert_eq!((minute.min, minute.max, minute.sum, minute.mean), (Some(7 * MS), Some(7 * MS), 7 * MS, Some(7e6)));
        let all = rolling.snapshot(SinceStart);
        assert_eq!((all.min, all.max, all.sum, all.mean), (Some(5 * MS), Some(7 * MS), 12 * MS, Some(6e6)));
    }

    #[test]
    fn without_housekeeping_a_slot_keeps_what_comes_within_two_seconds_after_it() {
        let (clock, hand) = Clock::manual();
        let rolling = RollingHistogram::new(clock);
        rolling.record(MS);
        hand.advance(Duration::from_millis(11_999));
        rolling.record(MS);
        hand.advance(Duration::from_millis(1));
        rolling.record(MS);
        hand.advance(Duration::from_secs(58));
        assert_eq!(rolling.snapshot(Minute).count, 1);
    }

    #[test]
    fn windows_merge_across_series_and_hold_what_was_recorded_meanwhile() {
        let (clock, hand) = Clock::manual();
        let (a, b) = (RollingHistogram::new(clock.clone()), RollingHistogram::new(clock));
        for second in 0..300 {
            a.record(1_000 * MS + second);
            b.record(10 * MS + second);
            hand.advance(Duration::from_secs(1));
            a.fold();
            b.fold();
        }
        for (window, each) in [(Minute, 60), (FiveMinutes, 300), (Hour, 300), (SinceStart, 300)] {
            let mut both = a.histogram(window);
            both.merge(&b.histogram(window));
            assert_eq!(both.count(), 2 * each, "{window:?}");
            let median = both.quantile(0.5).unwrap();
            assert!(median.abs_diff(10 * MS) < MS / 10, "{window:?}: {median}");
        }
    }

    #[test]
    fn a_day_without_a_reader_grows_nothing_and_a_busy_series_stays_below_its_bound() {
        let (clock, hand) = Clock::manual();
        let rolling = RollingHistogram::new(clock);
        let mut random = fastrand::Rng::with_seed(7);
        let mut most = 0;
        for round in 0..24 * 360 {
            // From 5 to 150 ms, a factor of 30, most of them short; in the last hours many.
            let busy = if round < 8_000 { 20 } else { 2_000 };
            (0..busy).for_each(|_| rolling.record((5e6 * 30_f64.powf(random.f64().powi(2))) as u64));
            hand.advance(Duration::from_secs(10));
            rolling.fold();
            if round >= 400 {
                most = most.max(rolling.heap_bytes());
            }
        }
        let cells = 2_048 + 1_152 + 6 * 512;
        assert!(most <= cells + 28 * 1_024, "{most}");
        hand.advance(Duration::from_secs(7_200));
        rolling.fold();
        let idle = rolling.heap_bytes();
        assert!(idle <= cells + 4 * 1_024, "{idle}");
    }

    #[test]
    fn hostile_values_stay_below_the_stated_bound() {
        let (clock, hand) = Clock::manual();
        let rolling = RollingHistogram::new(clock);
        for _ in 0..400 {
            for value in (0..58).flat_map(|shift| (64..128_u64).map(move |low| low << shift)).chain(0..64) {
                rolling.record(value);
            }
            hand.advance(Duration::from_secs(10));
        }
        let bytes = rolling.heap_bytes();
        assert!((150_000..1_200_000).contains(&bytes), "{bytes}");
        assert_eq!(rolling.snapshot(Hour).count % 3_776, 0);
    }

    #[test]
    fn threads_lose_nothing_while_slots_end_under_them() {
        let (clock, hand) = Clock::manual();
        let rolling = RollingHistogram::new(clock);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let rolling = &rolling;
                scope.spawn(move || (0..20_000).for_each(|i| rolling.record(MS + thread * 1_000 + i % 100)));
            }
            for _ in 0..200 {
                hand.advance(Duration::from_secs(3));
                rolling.fold();
                let _ = rolling.snapshots();
            }
        });
        let read = rolling.snapshots();
        assert_eq!((read.since_start.count, read.hour.count), (80_000, 80_000));
        let want = (0..4).map(|thread| 20_000 * (MS + thread * 1_000) + 200 * 4_950).sum::<u64>();
        assert_eq!(read.since_start.sum, want);
        assert!(read.hour.sum.abs_diff(want) <= want / 50, "{} {want}", read.hour.sum);
    }

    proptest! {
        /// Against a list of everything with its time.
        #[test]
        fn a_window_holds_all_of_its_time_and_one_slot_more_at_most(
            steps in prop::collection::vec((0_u64..90_000, 1_u64..1_000_000_000, any::<bool>()), 1..150),
        ) {
            let (clock, hand) = Clock::manual();
            let rolling = RollingHistogram::new(clock);
            let mut all: Vec<(u64, u64)> = Vec::new();
            for (wait_ms, value, folds) in steps {
                hand.advance(Duration::from_millis(wait_ms));
                if folds {
                    rolling.fold();
                }
                rolling.record(value);
                all.push((hand.now_ns(), value));
            }
            let now = hand.now_ns();
            for (window, length_s, slot_s) in [(Minute, 60, 10), (FiveMinutes, 300, 60), (Hour, 3_600, 300)] {
                let within = |seconds: u64| {
                    let old = now.saturating_sub(seconds * 1_000_000_000);
                    all.iter().filter(move |(at, _)| *at >= old).map(|(_, value)| *value)
                };
                let got = rolling.histogram(window);
                // What comes within two seconds after a slot's end may still count in it.
                let (least, most) = (within(length_s - 2).count(), within(length_s + slot_s).count());
                prop_assert!((least..=most).contains(&(got.count() as usize)), "{:?} {}", window, got.count());
                let exact: Vec<u64> = all.iter().rev().take(got.count() as usize).map(|(_, value)| *value).collect();
                prop_assert_eq!(got.sum(), exact.iter().sum::<u64>());
                for (end, want) in [(got.min(), exact.iter().min()), (got.max(), exact.iter().max())] {
                    let (end, want) = (end.unwrap_or(0), want.copied().unwrap_or(0));
                    prop_assert!(end.abs_diff(want) as f64 <= want as f64 * 0.01, "{} {}", end, want);
                }
            }
        }
    }
}
