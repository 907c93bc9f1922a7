//! A sink with its queue and its thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::queue::Queue;
use super::{Sink, SinkError};
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::limits::Limits;
use crate::metrics::HistogramRecorder;
use crate::model::Trace;
use crate::overhead::Overhead;
use crate::redaction::Redactor;

/// How long the background waits for a crowded queue, unless the engine ends.
pub(crate) const PACE: Duration = Duration::from_millis(250);

/// What a sink has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkStatus {
    /// The sink's name.
    pub name: String,
    /// Traces it took.
    pub exported_traces: u64,
    /// Spans it took.
    pub exported_spans: u64,
    /// Traces lost because its queue was full.
    pub lost_queue_full: u64,
    /// Traces lost because it failed or panicked.
    pub lost_failed: u64,
    /// Calls that failed or panicked.
    pub failures: u64,
    /// Traces waiting, or being exported, now.
    pub waiting_traces: u64,
    /// The last failure's message.
    pub last_error: Option<String>,
}

/// How long a sink takes for a batch.
#[derive(Debug)]
pub(crate) struct ExportTimes {
    clock: Clock,
    times: HistogramRecorder,
    overhead: Arc<Overhead>,
}

impl ExportTimes {
    pub(crate) fn new(clock: Clock, times: HistogramRecorder, overhead: Arc<Overhead>) -> Self {
        Self { clock, times, overhead }
    }
}

/// The engine's side of a sink.
#[derive(Debug)]
pub(crate) struct SinkWorker(Arc<Shared>);

struct Shared {
    name: String,
    state: Mutex<State>,
    changed: Condvar,
    /// Locked while it is called; dropped on its thread when that ends.
    sink: Mutex<Option<Box<dyn Sink>>>,
    exported_traces: AtomicU64,
    exported_spans: AtomicU64,
    lost_queue_full: AtomicU64,
    lost_failed: AtomicU64,
    failures: AtomicU64,
    /// The last export failed.
    export_failed: AtomicBool,
    /// So did the last flush, and nothing was exported since.
    flush_failed: AtomicBool,
    /// Spans handed to the sink at once.
    batch_spans: usize,
    times: ExportTimes,
}

struct State {
    queue: Queue,
    /// Traces in the sink's hands.
    exporting: usize,
    flush_wanted: u64,
    flush_done: u64,
    stop: bool,
    finished: bool,
    threaded: bool,
    /// Batches the sink has returned from.
    batches: u64,
    /// The number of batches at which waiting for the sink was in vain, and for how long.
    stalled_at: Option<(u64, Duration)>,
    last_error: Option<String>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SinkWorker {
    pub(crate) fn new(sink: Box<dyn Sink>, limits: &Limits, times: ExportTimes) -> Self {
        let state = State {
            queue: Queue::new(limits.queue_spans, limits.queue_bytes),
            exporting: 0,
            flush_wanted: 0,
            flush_done: 0,
            stop: false,
            finished: false,
            threaded: false,
            batches: 0,
            stalled_at: None,
            last_error: None,
        };
        Self(Arc::new(Shared {
            name: sink.name().to_owned(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            sink: Mutex::new(Some(sink)),
            exported_traces: AtomicU64::new(0),
            exported_spans: AtomicU64::new(0),
            lost_queue_full: AtomicU64::new(0),
            lost_failed: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            export_failed: AtomicBool::new(false),
            flush_failed: AtomicBool::new(false),
            batch_spans: limits.batch_spans,
            times,
        }))
    }

    /// Starts the sink's thread. Without it the sink is called by [`SinkWorker::ask_flush`] alone.
    pub(crate) fn start(&self) -> std::io::Result<()> {
        let shared = Arc::clone(&self.0);
        self.0.state().threaded = true;
        // A NUL, which a thread's name must not hold, is the one character a sink's name may lose.
        let name = format!("tta-sink-{}", self.0.name.replace('\0', ""));
        let spawned = crate::detached::spawn(&name, move || shared.run());
        if spawned.is_err() {
            self.0.state().threaded = false;
        }
        spawned
    }

    /// Queues a kept trace, or counts it as lost. Never waits for the sink.
    pub(crate) fn offer(&self, trace: &Arc<Trace>) {
        let lost = self.0.state().queue.offer(trace);
        self.0.lost_queue_full.fetch_add(lost.len() as u64, Ordering::Relaxed);
    }

    /// Gives a sink that keeps up the time to do so while a burst of traces is handed over: waits
    /// for room in a crowded queue, at most for `patience`, and not again before the sink has moved,
    /// unless for longer. For the background only; what waits meanwhile is bounded by `live_bytes`.
    pub(crate) fn pace(&self, patience: Duration) {
        let mut state = self.0.state();
        let at = state.batches;
        let is_stalled = state.stalled_at.is_some_and(|(stalled, waited)| stalled == at && waited >= patience);
        if !state.threaded || state.finished || !state.queue.is_crowded() || is_stalled {
            return;
        }
        self.0.changed.notify_all();
        let deadline = Deadline::after(patience);
        while state.queue.is_crowded() && !state.finished && !deadline.remaining().is_zero() {
            state = self.0.changed.wait_timeout(state, deadline.remaining()).unwrap_or_else(PoisonError::into_inner).0;
        }
        // There may be room although no batch is done: one has just been taken.
        if state.batches == at && state.queue.is_crowded() {
            state.stalled_at = Some((at, patience));
        }
    }

    /// Tells the sink's thread that there may be work.
    pub(crate) fn wake(&self) {
        if self.0.state().queue.len() > 0 {
            self.0.changed.notify_all();
        }
    }

    /// Asks the sink to export everything queued so far and to flush. Without a thread it is done
    /// here.
    pub(crate) fn ask_flush(&self) -> u64 {
        let mut state = self.0.state();
        if !state.threaded {
            drop(state);
            self.0.drain();
            self.0.flush_sink();
            return 0;
        }
        state.flush_wanted += 1;
        self.0.changed.notify_all();
        state.flush_wanted
    }

    /// Waits until the flush that was asked for is done. `false` when the deadline came first.
    pub(crate) fn wait_flush(&self, ticket: u64, deadline: Deadline) -> bool {
        let state = self.0.state();
        self.wait_until(state, deadline, |state| state.flush_done >= ticket || state.finished)
    }

    /// Asks the thread to export what is queued, flush and end. See [`SinkWorker::join`].
    pub(crate) fn stop(&self) {
        self.0.state().stop = true;
        self.0.changed.notify_all();
    }

    /// Waits for the end of a stopped thread. `false` when the deadline came first; the thread is
    /// then left to itself.
    pub(crate) fn join(&self, deadline: Deadline) -> bool {
        let state = self.0.state();
        if !state.threaded {
            drop(state);
            self.0.drain();
            self.0.flush_sink();
            return true;
        }
        // What was queued after the thread had ended stays there.
        self.wait_until(state, deadline, |state| state.finished) && self.0.state().queue.len() == 0
    }

    fn wait_until(&self, mut state: MutexGuard<'_, State>, deadline: Deadline, done: impl Fn(&State) -> bool) -> bool {
        while !done(&state) {
            let left = deadline.remaining();
            if left.is_zero() {
                return false;
            }
            let wait = left.min(Duration::from_millis(100));
            state = self.0.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Whether its last export failed, or its last flush.
    pub(crate) fn is_failing(&self) -> bool {
        self.0.export_failed.load(Ordering::Relaxed) || self.0.flush_failed.load(Ordering::Relaxed)
    }

    pub(crate) fn status(&self, redactor: &Redactor) -> SinkStatus {
        let state = self.0.state();
        SinkStatus {
            name: self.0.name.clone(),
            exported_traces: self.0.exported_traces.load(Ordering::Relaxed),
            exported_spans: self.0.exported_spans.load(Ordering::Relaxed),
            lost_queue_full: self.0.lost_queue_full.load(Ordering::Relaxed),
            lost_failed: self.0.lost_failed.load(Ordering::Relaxed),
            failures: self.0.failures.load(Ordering::Relaxed),
            waiting_traces: (state.queue.len() + state.exporting) as u64,
            last_error: state.last_error.as_deref().map(|error| redactor.redact_text(error).into_owned()),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let (stop, wanted) = self.wait_for_work();
            self.drain();
            if stop || wanted > self.state().flush_done {
                self.flush_sink();
            }
            let mut state = self.state();
            state.flush_done = state.flush_done.max(wanted);
            self.changed.notify_all();
            if stop && state.queue.len() == 0 {
                drop(state);
                return self.finish();
            }
        }
    }

    /// Drops the sink, so that nothing it holds outlives its thread, and says so.
    fn finish(&self) {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner).take();
        if catch_unwind(AssertUnwindSafe(|| drop(sink))).is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        self.state().finished = true;
        self.changed.notify_all();
    }

    /// Whether to stop, and the last flush that was asked for before what is queued now.
    fn wait_for_work(&self) -> (bool, u64) {
        let mut state = self.state();
        while state.queue.len() == 0 && !state.stop && state.flush_wanted == state.flush_done {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        (state.stop, state.flush_wanted)
    }

    /// Exports until the queue is empty.
    fn drain(&self) {
        loop {
            let batch = {
                let mut state = self.state();
                let batch = state.queue.take_batch(self.batch_spans);
                state.exporting = batch.len();
                // There is room, for whoever waits for that.
                self.changed.notify_all();
                batch
            };
            if batch.is_empty() {
                return;
            }
            let start = self.times.clock.ticks();
            let result = self.times.overhead.background(|| self.call(|sink| sink.export(&batch)));
            self.times.times.record_raw(self.times.clock.nanos_between(start, self.times.clock.ticks()));
            let traces = batch.len() as u64;
            self.export_failed.store(!result, Ordering::Relaxed);
            self.flush_failed.store(false, Ordering::Relaxed);
            if result {
                let spans = batch.iter().map(|trace| trace.spans.len() as u64).sum();
                self.exported_traces.fetch_add(traces, Ordering::Relaxed);
                self.exported_spans.fetch_add(spans, Ordering::Relaxed);
            } else {
                self.lost_failed.fetch_add(traces, Ordering::Relaxed);
            }
            // Last, so that a trace is at no time neither waiting nor counted.
            let mut state = self.state();
            state.exporting = 0;
            state.batches += 1;
            self.changed.notify_all();
        }
    }

    fn flush_sink(&self) {
        let result = self.call(|sink| sink.flush());
        // One that succeeds says nothing about exports: most have nothing to do.
        self.flush_failed.store(!result, Ordering::Relaxed);
    }

    /// Calls the sink, turning a panic into an error. Whether it succeeded.
    fn call(&self, f: impl FnOnce(&mut dyn Sink) -> Result<(), SinkError>) -> bool {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        // Only after its thread has ended, when nothing is exported any more.
        let Some(sink_box) = sink.as_mut() else { return true };
        // The message is part of the call: a `Display` of the sink's own may panic, too.
        let outcome = catch_unwind(AssertUnwindSafe(|| f(&mut **sink_box).map_err(|error| error.to_string())));
        drop(sink);
        let message = match outcome {
            Ok(Ok(())) => return true,
            Ok(Err(message)) => message,
            Err(panic) => format!("sink panicked: {}", crate::panic::message(&*panic)),
        };
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.state().last_error = Some(message);
        false
    }
}

#[cfg(test)]
#[cfg(feature = "record")]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::cardinality::LabelLimiter;
    use crate::catalog;
    use crate::engine::MeasuringSettings;
    use crate::id::{SpanId, TraceId};
    use crate::measuring::Measuring;
    use crate::model::{DecisionReason, SamplingDecision, SpanRecord, TraceClass, TraceCounts};

    const HOUR: Duration = Duration::from_secs(3_600);
    /// How long a test that is about to fail waits before it says so.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A sink that takes a batch for each word at its gate, and everything when nobody is there any more.
    struct Gated(Receiver<()>);

    impl Sink for Gated {
        fn name(&self) -> &str {
            "gated"
        }

        fn export(&mut self, _: &[Arc<Trace>]) -> Result<(), SinkError> {
            let _ = self.0.recv();
            Ok(())
        }
    }

    fn trace(id: u128) -> Arc<Trace> {
        let root_span_id = SpanId::new(1).unwrap();
        Arc::new(Trace {
            trace_id: TraceId::new(id).unwrap(),
            root_span_id,
            spans: vec![SpanRecord::new(root_span_id, "s".into(), "lambda".into())],
            decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "keep_all" },
            adjusted_count: Some(1.0),
            class: TraceClass::Normal,
            dropped: TraceCounts::default(),
            incomplete: false,
            late: false,
        })
    }

    /// A worker whose queue has room for 6 traces of 8, whose sink takes one at a time.
    fn gated() -> (SinkWorker, Sender<()>) {
        let (gate, at_gate) = channel();
        let measuring = Measuring::new(Clock::manual().0, LabelLimiter::default(), MeasuringSettings::default());
        let times = measuring.meter.built_in::<HistogramRecorder>(&catalog::EXPORT_SECONDS).at(["gated"]);
        let times = ExportTimes::new(Clock::manual().0, times, Arc::default());
        let limits = Limits { queue_spans: 8, batch_spans: 1, ..Limits::default() };
        let worker = SinkWorker::new(Box::new(Gated(at_gate)), &limits, times);
        worker.start().unwrap();
        (worker, gate)
    }

    /// Fills the queue; the sink stands at its gate with one trace more.
    fn fill(worker: &SinkWorker) {
        worker.offer(&trace(1));
        worker.wake();
        let state = worker.0.state();
        assert!(worker.wait_until(state, Deadline::after(PATIENCE), |state| state.exporting == 1));
        (2..=7).for_each(|id| worker.offer(&trace(id)));
        assert_eq!(worker.0.lost_queue_full.load(Ordering::Relaxed), 0);
    }

    /// Waits for a waiting `pace`, which calls all when it begins and lets go of the state when it waits.
    fn until_waiting(worker: &SinkWorker, state: MutexGuard<'_, State>) {
        let waited = worker.0.changed.wait_timeout(state, PATIENCE).unwrap();
        assert!(!waited.1.timed_out(), "nobody waits for the sink");
    }

    #[test]
    fn a_burst_waits_for_a_sink_that_is_slow_until_there_is_room_again() {
        let (worker, gate) = gated();
        fill(&worker);
        std::thread::scope(|scope| {
            let state = worker.0.state();
            let paced = scope.spawn(|| {
                worker.pace(HOUR);
                worker.0.state().queue.len()
            });
            until_waiting(&worker, state);
            // The one at the gate and one more: then 4 wait, which is half.
            (0..2).for_each(|_| gate.send(()).unwrap());
            assert_eq!(paced.join().unwrap(), 4);
        });
        worker.offer(&trace(8));
        assert_eq!(worker.0.lost_queue_full.load(Ordering::Relaxed), 0);
        drop(gate);
    }

    #[test]
    fn who_waited_in_vain_waits_again_for_longer_or_when_the_sink_has_moved_and_not_before() {
        let (worker, gate) = gated();
        fill(&worker);
        let paced = |patience| {
            std::thread::scope(|scope| {
                let state = worker.0.state();
                let paced = scope.spawn(|| worker.pace(patience));
                until_waiting(&worker, state);
                (0..2).for_each(|_| gate.send(()).unwrap());
                paced.join().unwrap();
            });
            assert_eq!(worker.0.state().queue.len(), 4);
        };
        worker.pace(Duration::from_nanos(1));
        assert_eq!(worker.0.state().stalled_at, Some((0, Duration::from_nanos(1))));
        // As if the burst had waited for an hour: as long again would be that every trace of it does.
        worker.0.state().stalled_at = Some((0, HOUR));
        worker.pace(HOUR);
        assert_eq!(worker.0.state().queue.len(), 6);
        // The end of the engine has more patience than a burst. Without, a slow sink was taken for one that
        // stalls, and what was kept at the end was lost to its full queue.
        paced(2 * HOUR);
        assert_eq!(worker.0.state().stalled_at, Some((0, HOUR)));
        (8..=9).for_each(|id| worker.offer(&trace(id)));
        paced(HOUR);
        drop(gate);
        worker.stop();
        assert!(worker.join(Deadline::after(PATIENCE)));
        assert_eq!(worker.0.exported_traces.load(Ordering::Relaxed), 9);
        assert_eq!(worker.0.lost_queue_full.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn nobody_waits_for_a_sink_whose_thread_has_ended() {
        let (worker, gate) = gated();
        drop(gate);
        worker.stop();
        assert!(worker.join(Deadline::after(PATIENCE)));
        (1..=6).for_each(|id| worker.offer(&trace(id)));
        assert!(worker.0.state().queue.is_crowded());
        worker.pace(HOUR);
        assert_eq!(worker.0.state().stalled_at, None);
    }
}
