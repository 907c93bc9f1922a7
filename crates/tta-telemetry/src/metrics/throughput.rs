//! Requests per second, and how many are under way.
//!
//! Owns counting and the 60 s window. Everything is kept per thread, because threads that share a
//! counter would pay for each other: two locked instructions on one cache line cost 40 ns.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::cells::{PerThread, add};
use super::count_window::{CountWindow, SLOT_NS};
use crate::clock::{Clock, Ticks};

const WINDOW_NS: u64 = 60_000_000_000;

/// What one thread has begun and finished; a request may do the one here and the other there.
#[derive(Debug, Default)]
struct Cell {
    begun: AtomicU64,
    finished: AtomicU64,
    /// The most that was begun here above what was finished here when the peak was last looked at.
    height: AtomicU64,
}

/// Counts requests: finished in the last 60 s, under way now, and the most at once.
///
/// Beginning and finishing take a few nanoseconds each, without a lock or an allocation; once a
/// second one of them ends a slot of the window (below a microsecond, never waiting for a lock).
/// Holds 2 KiB, and 128 bytes for each thread that counted.
///
/// ```
/// use std::time::Duration;
/// use tta_telemetry::{Clock, Throughput};
/// let (clock, hand) = Clock::manual();
/// let throughput = Throughput::new(clock);
/// for _ in 0..50 {
///     let request = throughput.begin();
///     hand.advance(Duration::from_millis(100));
///     assert_eq!(throughput.stats().active, 1);
///     drop(request);
/// }
/// let stats = throughput.stats();
/// assert_eq!((stats.total, stats.active, stats.peak), (50, 0, 1));
/// assert_eq!(stats.requests_per_second, 10.0);
/// ```
#[derive(Debug)]
pub struct Throughput {
    clock: Clock,
    start: Ticks,
    /// When the open slot ends, in nanoseconds since the start.
    due_ns: AtomicU64,
    cells: PerThread<Cell>,
    peak: AtomicU64,
    window: Mutex<CountWindow>,
}

/// What a [`Throughput`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ThroughputStats {
    /// Requests that have finished since the start, however they ended.
    pub total: u64,
    /// Requests that finished in the last 60 s. A fraction where the second that is just leaving
    /// the window counts in part.
    pub last_minute: f64,
    /// `last_minute` over 60 s, or over the time since the start if that is less; in the first
    /// second, over one second.
    pub requests_per_second: f64,
    /// Requests that are under way.
    pub active: u64,
    /// The most that were seen under way at once. It is looked at on reading, once a second, and
    /// whenever a thread has more under way than ever before: exact where one thread begins and
    /// finishes them; peaks that several threads make together for less than a second may be
    /// missed in part.
    pub peak: u64,
}

/// A count of the last minute, per second of it that has passed since the start.
pub(super) fn per_second(last_minute: f64, since_start_ns: u64) -> f64 {
    last_minute / (since_start_ns.clamp(SLOT_NS, WINDOW_NS) as f64 / SLOT_NS as f64)
}

impl Throughput {
    /// Nothing counted, starting now.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            start: clock.ticks(),
            clock,
            due_ns: AtomicU64::new(SLOT_NS),
            cells: PerThread::new(),
            peak: AtomicU64::new(0),
            window: Mutex::default(),
        }
    }

    /// A request begins; it finishes when what is returned is dropped.
    #[inline]
    pub fn begin(&self) -> ActiveRequest<&Self> {
        self.begun();
        ActiveRequest { throughput: self, finished: false }
    }

    /// The same for requests that outlive a borrow. Threads that do this at once pay for counting
    /// references.
    pub fn begin_owned(self: &Arc<Self>) -> ActiveRequest<Arc<Self>> {
        self.begun();
        ActiveRequest { throughput: Arc::clone(self), finished: false }
    }

    #[inline]
    fn begun(&self) {
        let (cell, only_writer) = self.cells.mine();
        add(&cell.begun, 1, only_writer);
        let here = cell.begun.load(Ordering::Relaxed).wrapping_sub(cell.finished.load(Ordering::Relaxed));
        // Below zero where more is finished than begun: then it is no height.
        if here.cast_signed() > 0 && here > cell.height.load(Ordering::Relaxed) {
            self.look_at_peak(cell, here);
        }
    }

    /// A thread that begins what others finish gets here often: it comes back only when it has
    /// begun as many more as are missing to the peak.
    #[cold]
    fn look_at_peak(&self, cell: &Cell, here: u64) {
        let active = self.active();
        let peak = self.peak.fetch_max(active, Ordering::Relaxed).max(active);
        cell.height.store(here.saturating_add((peak - active).saturating_sub(1)), Ordering::Relaxed);
    }

    #[inline]
    fn finished_at(&self, now: Ticks) {
        if self.clock.nanos_between(self.start, now) >= self.due_ns.load(Ordering::Relaxed) {
            self.close_slot(now);
        }
        let (cell, only_writer) = self.cells.mine();
        add(&cell.finished, 1, only_writer);
    }

    /// Counts a request that was not watched while it was under way. `now` is a reading of the same
    /// clock.
    #[inline]
    pub fn count_at(&self, now: Ticks) {
        let (cell, only_writer) = self.cells.mine();
        add(&cell.begun, 1, only_writer);
        self.finished_at(now);
    }

    /// Before the first request of a later slot is counted: all that is there belongs to the open
    /// one.
    #[cold]
    fn close_slot(&self, now: Ticks) {
        // Who holds the lock does the same, or reads and has done it.
        if let Ok(mut window) = self.window.try_lock() {
            self.roll(&mut window, self.clock.nanos_between(self.start, now));
        }
    }

    fn roll(&self, window: &mut CountWindow, now_ns: u64) {
        let slot = now_ns / SLOT_NS;
        if slot > window.open() {
            window.roll(slot, self.finished());
            self.due_ns.store((slot + 1).saturating_mul(SLOT_NS), Ordering::Relaxed);
            self.peak.fetch_max(self.active(), Ordering::Relaxed);
        }
    }

    fn finished(&self) -> u64 {
        self.cells.all().map(|cell| cell.finished.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }

    /// Requests that are under way.
    #[must_use]
    pub fn active(&self) -> u64 {
        // Finished first: one that does both meanwhile counts as under way, not as one too few.
        let finished = self.finished();
        let begun = self.cells.all().map(|cell| cell.begun.load(Ordering::Relaxed)).fold(0, u64::wrapping_add);
        begun.saturating_sub(finished)
    }

    /// Ends the open slot if its time is over. To be called about once a second, so that what
    /// comes before a silence counts in its own second; recording does it otherwise.
    pub fn fold(&self) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        self.roll(&mut window, self.clock.nanos_between(self.start, self.clock.ticks()));
    }

    /// All figures.
    #[must_use]
    pub fn stats(&self) -> ThroughputStats {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ns = self.clock.nanos_between(self.start, self.clock.ticks());
        self.roll(&mut window, now_ns);
        let total = self.finished();
        let last_minute = window.count(now_ns, total);
        let active = self.active();
        let peak = self.peak.fetch_max(active, Ordering::Relaxed).max(active);
        ThroughputStats { total, last_minute, requests_per_second: per_second(last_minute, now_ns), active, peak }
    }

    /// Bytes this holds on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.cells.heap_bytes()
    }
}

/// A request that is under way until this is dropped. See [`Throughput::begin`].
#[derive(Debug)]
#[must_use = "the request is under way until this is dropped"]
pub struct ActiveRequest<T: Deref<Target = Throughput>> {
    throughput: T,
    finished: bool,
}

impl<T: Deref<Target = Throughput>> ActiveRequest<T> {
    /// Finishes it, by a reading of the same clock that the caller has anyway.
    #[inline]
    pub fn finish_at(mut self, now: Ticks) {
        self.finished = true;
        self.throughput.finished_at(now);
    }
}

impl<T: Deref<Target = Throughput>> Drop for ActiveRequest<T> {
    fn drop(&mut self) {
        if !self.finished {
            self.throughput.finished_at(self.throughput.clock.ticks());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_rate_is_over_the_uptime_first_and_over_a_minute_later() {
        let (clock, hand) = Clock::manual();
        let throughput = Throughput::new(clock.clone());
        (0..5).for_each(|_| throughput.count_at(clock.ticks()));
        assert_eq!(throughput.stats().requests_per_second, 5.0);
        hand.advance(Duration::from_secs(10));
        assert_eq!(throughput.stats().requests_per_second, 0.5);
        for _ in 0..1_200 {
            throughput.count_at(clock.ticks());
            hand.advance(Duration::from_millis(100));
        }
        let stats = throughput.stats();
        assert_eq!((stats.requests_per_second, stats.last_minute, stats.total), (10.0, 600.0, 1_205));
    }

    #[test]
    fn what_came_before_a_silence_is_not_in_the_window_after_it() {
        let (clock, hand) = Clock::manual();
        let throughput = Throughput::new(clock.clone());
        (0..100).for_each(|_| throughput.count_at(clock.ticks()));
        hand.advance(Duration::from_secs(3_600));
        throughput.count_at(clock.ticks());
        assert_eq!((throughput.stats().last_minute, throughput.stats().total), (1.0, 101));
        hand.advance(Duration::from_secs(61));
        assert_eq!(throughput.stats().requests_per_second, 0.0);
    }

    #[test]
    fn a_request_counts_when_it_finishes_however_it_does() {
        let (clock, hand) = Clock::manual();
        let throughput = Arc::new(Throughput::new(clock.clone()));
        let first = throughput.begin();
        let second = throughput.begin_owned();
        let third = throughput.begin_owned();
        assert_eq!((throughput.active(), throughput.stats().total), (3, 0));
        hand.advance(Duration::from_secs(120));
        first.finish_at(clock.ticks());
        drop(second);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = third;
            panic!("the request panics");
        }));
        assert!(panicked.is_err());
        let stats = throughput.stats();
        assert_eq!((stats.active, stats.peak, stats.total, stats.last_minute), (0, 3, 3, 3.0));
    }

    #[test]
    fn the_peak_of_one_thread_is_exact() {
        let throughput = Throughput::new(Clock::manual().0);
        let mut held = Vec::new();
        let mut random = fastrand::Rng::with_seed(3);
        let mut peak = 0;
        for _ in 0..2_000 {
            if random.bool() {
                held.push(throughput.begin())
            } else {
                drop(held.pop())
            }
            peak = peak.max(held.len() as u64);
        }
        assert_eq!(throughput.stats().peak, peak);
        assert_eq!(throughput.active(), held.len() as u64);
    }

    #[test]
    fn a_peak_that_threads_make_together_is_seen_when_a_second_is_over() {
        let (clock, hand) = Clock::manual();
        let throughput = Throughput::new(clock);
        drop(throughput.begin());
        let mine = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                drop(throughput.begin());
                throughput.begin()
            });
            let theirs = other.join().unwrap();
            let mine = throughput.begin();
            hand.advance(Duration::from_secs(1));
            throughput.fold();
            drop(theirs);
            mine
        });
        drop(mine);
        let stats = throughput.stats();
        assert_eq!((stats.active, stats.peak), (0, 2));
    }

    #[test]
    fn requests_that_end_on_another_thread_are_neither_lost_nor_below_zero() {
        let throughput = Throughput::new(Clock::manual().0);
        for _ in 0..10 {
            let held: Vec<_> = (0..50).map(|_| throughput.begin()).collect();
            std::thread::scope(|scope| {
                scope.spawn(move || drop(held));
            });
            assert_eq!(throughput.active(), 0);
        }
        let stats = throughput.stats();
        assert_eq!((stats.total, stats.peak), (500, 50));
    }

    #[test]
    fn many_threads_lose_no_request() {
        let (clock, hand) = Clock::manual();
        let throughput = Throughput::new(clock);
        std::thread::scope(|scope| {
            for _ in 0..80 {
                scope.spawn(|| (0..500).for_each(|_| drop(throughput.begin())));
            }
            for _ in 0..50 {
                hand.advance(Duration::from_millis(700));
                throughput.fold();
                assert!(throughput.active() <= 80);
            }
        });
        let stats = throughput.stats();
        assert_eq!((stats.total, stats.active, stats.last_minute), (40_000, 0, 40_000.0));
        assert!((1..=80).contains(&stats.peak), "{}", stats.peak);
    }
}
