//! What telemetry costs the process: its share of the CPU time.
//!
//! Owns adding up and the share. Does not own asking the operating system: that is [`CpuTime`]'s.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Tells CPU time. `tta-host` has one that asks the operating system.
pub trait CpuTime: Send + Sync + 'static {
    /// What the whole process has used so far; `None` where that cannot be known.
    fn process(&self) -> Option<Duration>;

    /// What the calling thread has used so far.
    fn thread(&self) -> Option<Duration>;
}

/// What one engine costs. Work in the background is measured by its threads' own clocks; recording,
/// which is too short for that, by the time of one span, measured when the engine is built, and how
/// many there were.
#[derive(Default)]
pub(crate) struct Overhead {
    cpu: Option<Box<dyn CpuTime>>,
    background_ns: AtomicU64,
    span_ns: f64,
    last: Mutex<Option<Reading>>,
    /// The bits of the last share; those of NaN before the first.
    share: AtomicU64,
}

#[derive(Clone, Copy)]
struct Reading {
    process: Duration,
    background_ns: u64,
    spans: u64,
}

impl Overhead {
    /// `span_ns`: what recording one span takes.
    pub(crate) fn new(cpu: Option<Box<dyn CpuTime>>, span_ns: f64) -> Self {
        Self { cpu, span_ns, share: AtomicU64::new(f64::NAN.to_bits()), ..Self::default() }
    }

    /// Does some work of telemetry's, and counts what it takes.
    pub(crate) fn background<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some(cpu) = &self.cpu else { return work() };
        let before = cpu.thread();
        let done = work();
        if let (Some(before), Some(after)) = (before, cpu.thread()) {
            let took = u64::try_from(after.saturating_sub(before).as_nanos()).unwrap_or(u64::MAX);
            self.background_ns.fetch_add(took, Ordering::Relaxed);
        }
        done
    }

    /// The share since the last time this was asked, 0 to 1; `None` the first time, where CPU time
    /// cannot be known, and when the process has done nothing. `spans`: how many there were so far.
    pub(crate) fn measure(&self, spans: u64) -> Option<f64> {
        let now = Reading {
            process: self.cpu.as_ref()?.process()?,
            background_ns: self.background_ns.load(Ordering::Relaxed),
            spans,
        };
        let before = self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(now)?;
        let process_ns = now.process.saturating_sub(before.process).as_nanos() as f64;
        let recording_ns = now.spans.saturating_sub(before.spans) as f64 * self.span_ns;
        let telemetry_ns = now.background_ns.saturating_sub(before.background_ns) as f64 + recording_ns;
        if process_ns <= 0.0 {
            return None;
        }
        let share = (telemetry_ns / process_ns).clamp(0.0, 1.0);
        self.share.store(share.to_bits(), Ordering::Relaxed);
        Some(share)
    }

    /// The share that was measured last.
    pub(crate) fn last(&self) -> Option<f64> {
        Some(f64::from_bits(self.share.load(Ordering::Relaxed))).filter(|share| !share.is_nan() && self.cpu.is_some())
    }
}

impl fmt::Debug for Overhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overhead").field("is_measured", &self.cpu.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Time that moves by hand: of the process, and of the thread.
    #[derive(Clone, Default)]
    struct Hand(Arc<[AtomicU64; 2]>);

    impl Hand {
        fn add(&self, process_us: u64, thread_us: u64) {
            self.0[0].fetch_add(process_us, Ordering::Relaxed);
            self.0[1].fetch_add(thread_us, Ordering::Relaxed);
        }
    }

    impl CpuTime for Hand {
        fn process(&self) -> Option<Duration> {
            Some(Duration::from_micros(self.0[0].load(Ordering::Relaxed)))
        }

        fn thread(&self) -> Option<Duration> {
            Some(Duration::from_micros(self.0[1].load(Ordering::Relaxed)))
        }
    }

    #[test]
    fn the_share_is_that_of_background_and_spans_since_the_last_time() {
        let hand = Hand::default();
        let overhead = Overhead::new(Some(Box::new(hand.clone())), 100.0);
        assert_eq!((overhead.measure(0), overhead.last()), (None, None));
        overhead.background(|| hand.add(10, 10));
        hand.add(990, 990);
        assert_eq!(overhead.measure(100), Some(0.02));
        hand.add(1_000, 0);
        assert_eq!((overhead.measure(100), overhead.last()), (Some(0.0), Some(0.0)));
        assert_eq!(overhead.measure(100), None, "the process has done nothing");
        hand.add(1, 0);
        assert_eq!(overhead.measure(1_000_000), Some(1.0));
    }

    #[test]
    fn without_a_clock_nothing_is_measured() {
        let overhead = Overhead::new(None, 100.0);
        assert_eq!(overhead.background(|| 7), 7);
        assert_eq!((overhead.measure(1), overhead.measure(2), overhead.last()), (None, None, None));
    }
}
