//! An engine for tests: paused time, seeded ids, traces in memory, nothing in the background.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use tta_telemetry::{Clock, IdSource, ManualClock, MemorySink, Telemetry, TelemetryBuilder, Trace, TraceTree};

use crate::context::Context;

/// Polls in a row without an end before time is moved: other tasks get their turn first.
const PATIENCE: u32 = 64;
/// Polls of a future that keeps waking itself before time is moved all the same: it may be looking
/// at the clock.
const TURNS: u32 = 1_000_000;

/// Whether a future has woken itself: it does not wait for time, it lets others go first.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// A deterministic engine: the same code gives the same traces, ids and times in every run.
#[derive(Debug)]
pub struct TestEngine {
    telemetry: Telemetry,
    memory: MemorySink,
    clock: ManualClock,
}

impl Default for TestEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl TestEngine {
    /// Keeps every trace.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// With further settings: limits, sampling, sinks.
    ///
    /// # Panics
    /// When the settings are refused.
    #[must_use]
    pub fn with(configure: impl FnOnce(TelemetryBuilder) -> TelemetryBuilder) -> Self {
        let (clock, hand) = Clock::manual();
        let memory = MemorySink::new();
        let builder = Telemetry::builder().clock(clock).ids(IdSource::seeded(1)).sink(memory.clone()).by_hand();
        // A test kit reports a test's mistakes by failing the test.
        #[allow(clippy::expect_used)]
        let telemetry = configure(builder).build().expect("the test engine's settings are valid");
        Self { telemetry, memory, clock: hand }
    }

    /// A context for a run on this engine.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::on(self.telemetry.clone())
    }

    /// The engine itself.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The hand that moves time.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The traces kept so far, oldest first.
    #[must_use]
    pub fn traces(&self) -> Vec<Arc<Trace>> {
        let report = self.telemetry.flush_blocking(Duration::ZERO);
        debug_assert!(report.complete, "nothing runs in the background");
        self.memory.traces()
    }

    /// All kept traces as text trees without durations, for comparison as a whole.
    #[must_use]
    pub fn tree(&self) -> String {
        self.traces().iter().map(|trace| TraceTree::new(trace).timing(false).to_string()).collect()
    }

    /// The same with attributes and events.
    #[must_use]
    pub fn tree_with_attributes(&self) -> String {
        let tree = |trace: &Arc<Trace>| TraceTree::new(trace).timing(false).attributes(true).to_string();
        self.traces().iter().map(tree).collect()
    }

    /// Runs a future to its end without a runtime, moving the clock to the next deadline whenever
    /// nothing else is left to do.
    ///
    /// # Panics
    /// When the future waits for something that no clock will bring.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut task = std::task::Context::from_waker(&waker);
        let (mut idle, mut turns) = (0, 0);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
                return output;
            }
            if woken.0.swap(false, Ordering::AcqRel) && turns < TURNS {
                turns += 1;
                continue;
            }
            idle += 1;
            if idle < PATIENCE {
                continue;
            }
            (idle, turns) = (0, 0);
            // See `with`: the kit fails the test.
            #[allow(clippy::panic)]
            if self.clock.advance_to_next().is_none() {
                panic!("the future waits for something other than the paused clock; use `drive` inside a runtime");
            }
        }
    }

    /// Runs a future to its end inside a runtime: like [`TestEngine::block_on`], but tasks that
    /// the future spawned get their turn before time is moved.
    ///
    /// # Cancel safety
    /// Dropping it drops the future.
    pub async fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        let mut idle = 0;
        std::future::poll_fn(|task| {
            if let Poll::Ready(output) = future.as_mut().poll(task) {
                return Poll::Ready(output);
            }
            idle += 1;
            if idle >= PATIENCE {
                idle = 0;
                self.clock.advance_to_next();
                // Tasks on other threads need a processor to reach their next wait.
                std::thread::yield_now();
            }
            task.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets others go first, so many times.
    async fn give_way(times: u32) {
        let mut left = times;
        std::future::poll_fn(|task| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            task.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Time was once moved after 64 polls, whatever the future was doing.
    #[test]
    fn time_stands_still_for_a_future_that_only_gives_way_to_others() {
        let engine = TestEngine::new();
        let cx = engine.context();
        let work = async {
            give_way(1_000).await;
            cx.elapsed()
        };
        let (elapsed, ()) = engine.block_on(async { futures_util::join!(work, cx.sleep(Duration::from_secs(1))) });
        assert_eq!((elapsed, cx.elapsed()), (Duration::ZERO, Duration::from_secs(1)));
        engine.block_on(give_way(1_000));
        assert_eq!(cx.elapsed(), Duration::from_secs(1));
    }

    #[test]
    fn time_moves_for_a_future_that_gives_way_until_it_is_late_enough_and_then_stands_still_again() {
        let engine = TestEngine::new();
        let cx = engine.context();
        let look = async {
            while cx.elapsed() < Duration::from_secs(2) {
                give_way(1).await;
            }
            give_way(1_000).await;
            cx.elapsed()
        };
        let sleeps = async {
            for _ in 0..3 {
                cx.sleep(Duration::from_secs(1)).await;
            }
        };
        let (elapsed, ()) = engine.block_on(async { futures_util::join!(look, sleeps) });
        assert_eq!((elapsed, cx.elapsed()), (Duration::from_secs(2), Duration::from_secs(3)));
    }
}
