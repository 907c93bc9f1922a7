//! What is counted of one step: executions, durations, errors, windows of time, objectives.
//!
//! Owns the recording side and reading it in one pass. The series of all steps, with their labels,
//! are in `registry`; what was read is made into metrics by `exposition`.

mod cell;
mod errors;
mod exemplars;
mod exposition;
mod read;
mod registry;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;

use super::bounds::Bounds;
use super::cells::PerThread;
use super::count_window::{CountWindow, SLOT_NS};
use super::rolling::{self, Windows};
use crate::clock::{Clock, Ticks};
use crate::model::SpanStatus;
use crate::slo::SloSet;
use cell::StepCell;
use errors::ErrorCounts;
pub(crate) use exemplars::Exemplars;
#[cfg_attr(not(feature = "record"), allow(unused_imports))]
pub(crate) use exposition::write_steps;
pub use read::{BasicMetrics, PrimitiveMetrics, StepStatistics};
#[cfg_attr(not(feature = "record"), allow(unused_imports))]
pub(crate) use registry::StepRegistry;

/// One step's cells, resolved once when the step first meets an engine.
///
/// An execution begins with [`begin`](StepInstruments::begin) and ends with
/// [`finish`](StepInstruments::finish): each takes a few nanoseconds, without a lock or an
/// allocation, and threads do not slow each other down.
///
/// Memory: 2 KiB; for each thread that records 1.3 KiB, and 512 bytes for each power of two its
/// durations met; and the percentile windows, see
/// [`RollingHistogram`](crate::RollingHistogram). [`heap_bytes`](StepInstruments::heap_bytes) tells.
#[derive(Debug)]
pub struct StepInstruments {
    number: u32,
    clock: Clock,
    start: Ticks,
    /// When recording ends the second that is open, in nanoseconds since the start.
    due_ns: AtomicU64,
    bounds: Arc<Bounds>,
    cells: PerThread<StepCell>,
    peak: AtomicU64,
    windows: Mutex<StepWindows>,
    errors: ErrorCounts,
    has_slos: AtomicBool,
    slos: ArcSwapOption<SloSet>,
    exemplars: Exemplars,
}

/// What time has taken out of the cells.
#[derive(Debug, Default)]
struct StepWindows {
    finished: CountWindow,
    durations: Windows,
}

impl StepInstruments {
    pub(crate) fn new(number: u32, clock: Clock, bounds: Arc<Bounds>) -> Self {
        Self {
            number,
            start: clock.ticks(),
            clock,
            due_ns: AtomicU64::new(SLOT_NS),
            exemplars: Exemplars::new(&bounds),
            bounds,
            cells: PerThread::new(),
            peak: AtomicU64::new(0),
            windows: Mutex::default(),
            errors: ErrorCounts::default(),
            has_slos: AtomicBool::new(false),
            slos: ArcSwapOption::empty(),
        }
    }

    /// Its number among the steps of its engine, from 1 on: see
    /// [`Telemetry::step_labels`](crate::Telemetry::step_labels).
    #[inline]
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// An execution begins. It is under way until [`finish`](Self::finish) is called, on whatever
    /// thread.
    #[inline]
    pub fn begin(&self) {
        let (cell, only_writer) = self.cells.mine();
        if let Some(here) = cell.begin(only_writer) {
            self.look_at_peak(cell, here);
        }
    }

    /// A thread that begins what others finish gets here often: it comes back only when it has
    /// begun as many more as are missing to the peak.
    #[cold]
    fn look_at_peak(&self, cell: &StepCell, here: u64) {
        let active = self.active();
        let peak = self.peak.fetch_max(active, Ordering::Relaxed).max(active);
        cell.set_height(here.saturating_add((peak - active).saturating_sub(1)));
    }

    /// An execution ends. `now` is a reading of the engine's clock that the caller has anyway.
    #[inline]
    pub fn finish(&self, duration_ns: u64, status: SpanStatus, now: Ticks) {
        // Before this one is counted: all that is there belongs to the second that is over.
        if self.clock.nanos_between(self.start, now) >= self.due_ns.load(Ordering::Relaxed) {
            self.close_second(now);
        }
        let (cell, only_writer) = self.cells.mine();
        cell.finish(duration_ns, status, &self.bounds, only_writer);
        if self.has_slos.load(Ordering::Relaxed)
            && let Some(slos) = &*self.slos.load()
        {
            slos.record(status, duration_ns);
        }
    }

    /// Counts an execution that was not watched while it was under way.
    pub fn record(&self, duration_ns: u64, status: SpanStatus, now: Ticks) {
        self.begin();
        self.finish(duration_ns, status, now);
    }

    /// Counts the kind of error that an execution fails with; to be called after `finish`. The
    /// first 64 kinds are told apart, further ones are `other`.
    pub fn count_error(&self, kind: &str) {
        self.errors.count(kind);
    }

    #[cold]
    fn close_second(&self, now: Ticks) {
        // Who holds the lock does the same, or reads and has done it.
        if let Ok(mut windows) = self.windows.try_lock() {
            let now_ns = self.clock.nanos_between(self.start, now);
            self.roll_seconds(&mut windows, now_ns);
            // Ending a slot of durations costs microseconds: left to housekeeping unless it is late.
            if now_ns >= rolling::overdue_ns(windows.durations.open()) {
                self.roll_durations(&mut windows, now_ns);
            }
        }
    }

    /// Ends what is over. To be called about once a second; recording does it otherwise.
    pub(crate) fn fold(&self) {
        drop(self.rolled());
    }

    fn rolled(&self) -> (MutexGuard<'_, StepWindows>, u64) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ns = self.clock.nanos_between(self.start, self.clock.ticks());
        self.roll_seconds(&mut windows, now_ns);
        self.roll_durations(&mut windows, now_ns);
        (windows, now_ns)
    }

    fn roll_seconds(&self, windows: &mut StepWindows, now_ns: u64) {
        let second = now_ns / SLOT_NS;
        if second > windows.finished.open() {
            windows.finished.roll(second, self.finished());
            self.due_ns.store((second + 1).saturating_mul(SLOT_NS), Ordering::Relaxed);
            self.peak.fetch_max(self.active(), Ordering::Relaxed);
        }
    }

    fn roll_durations(&self, windows: &mut StepWindows, now_ns: u64) {
        let slot = now_ns / rolling::SLOT_NS;
        if slot > windows.durations.open() {
            windows.durations.roll(slot, self.totals().values);
        }
    }

    /// Executions that have ended.
    pub(crate) fn finished(&self) -> u64 {
        self.cells.all().map(StepCell::finished).fold(0, u64::wrapping_add)
    }

    fn active(&self) -> u64 {
        // Finished first: one that does both meanwhile counts as under way, not as one too few.
        let finished = self.finished();
        self.cells.all().map(StepCell::begun).fold(0, u64::wrapping_add).saturating_sub(finished)
    }

    /// Judges executions by these objectives from now on, by none when there are none.
    pub(crate) fn set_slos(&self, slos: Option<Arc<SloSet>>) {
        let has_slos = slos.is_some();
        self.slos.store(slos);
        self.has_slos.store(has_slos, Ordering::Relaxed);
    }

    /// Remembers a kept trace that has an execution of this duration.
    pub(crate) fn note_exemplar(&self, exemplar: super::sample::Exemplar, duration_ns: u64) {
        self.exemplars.note(self.bounds.bucket_of(duration_ns), exemplar);
    }

    /// Bytes this holds on the heap, the cells of all threads included; objectives apart.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner).durations.heap_bytes();
        let cells = self.cells.all().map(StepCell::heap_bytes).sum::<usize>();
        self.cells.heap_bytes() + cells + windows + self.errors.heap_bytes() + self.exemplars.heap_bytes()
    }
}
