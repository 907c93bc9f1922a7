//! The recorder's centre: what every trace of one engine shares.
//!
//! Owns the decision about a finished trace and the byte bound. The life of one trace is in
//! `live`, memory reuse in `pool`, early decisions in `evict`, the background in `housekeeping`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;

use super::by_rule::ByRule;
use super::hooks::{self, Hooks};
use super::late::LateRecords;
use super::live::{FIRST_CHUNK_BYTES, LiveTrace};
use super::policy::Policies;
use super::pool::{self, Registry};
use super::span::ActiveTrace;
use super::sync::Mutex;
use super::vitals::Vitals;
use super::words::Attributes;
use crate::clock::Clock;
use crate::counters::RecorderCounters;
use crate::deadline::Deadline;
use crate::decisions::{DecisionRegistry, Observers};
use crate::engine::TraceStart;
use crate::id::{IdSource, TraceId};
use crate::limits::Limits;
use crate::measuring::Measuring;
use crate::metrics::{CounterArray, ShardedCounter};
use crate::model::{DecisionReason, MOST_REASONS, Name, Sampling, SamplingDecision};
use crate::overhead::Overhead;
use crate::receive::{Assembly, ReceiverStatus};
use crate::redaction::SharedRedactor;
use crate::sampling::{RemoteSampling, RunStart, TailDecision};
use crate::sink::{PACE, SinkWorker};

/// Idle traces kept for any thread; more are freed.
const SHARED_POOL: usize = 2_048;

/// The cells behind [`RecorderCounters`].
#[derive(Debug, Default)]
pub(crate) struct CounterCells {
    /// Traces kept and dropped, by [`DecisionReason::index`].
    pub(crate) kept: CounterArray<MOST_REASONS>,
    pub(crate) dropped: CounterArray<MOST_REASONS>,
    pub(crate) evicted: ShardedCounter,
    pub(crate) incomplete: ShardedCounter,
    pub(crate) unrecorded: ShardedCounter,
    pub(crate) over_span_limit: ShardedCounter,
    pub(crate) over_byte_limit: ShardedCounter,
    pub(crate) attributes_dropped: ShardedCounter,
    pub(crate) attributes_truncated: ShardedCounter,
    pub(crate) events_dropped: ShardedCounter,
    pub(crate) links_dropped: ShardedCounter,
    pub(crate) late_kept: ShardedCounter,
    pub(crate) late_dropped: ShardedCounter,
    pub(crate) late_lost: ShardedCounter,
    pub(crate) missed_errors: ShardedCounter,
    pub(crate) randomness_presumed: ShardedCounter,
    pub(crate) observer_panics: ShardedCounter,
    pub(crate) redacted: ShardedCounter,
    pub(crate) sampler_panics: ShardedCounter,
    pub(crate) processor_panics: ShardedCounter,
    pub(crate) edits_refused: ShardedCounter,
    pub(crate) by_rule: ByRule,
}

impl CounterCells {
    #[inline]
    pub(crate) fn note_attributes(&self, attributes: &Attributes) {
        if attributes.dropped() != 0 {
            self.attributes_dropped.add(attributes.dropped().into());
        }
        if attributes.truncated() != 0 {
            self.attributes_truncated.add(attributes.truncated().into());
        }
    }
}

/// What the recorder is built from.
pub(crate) struct Settings {
    pub(crate) clock: Clock,
    pub(crate) ids: IdSource,
    pub(crate) limits: Limits,
    pub(crate) sampling: Sampling,
    pub(crate) sinks: Vec<SinkWorker>,
    pub(crate) observers: Observers,
    pub(crate) hooks: Option<Arc<Hooks>>,
    pub(crate) measuring: Measuring,
    pub(crate) overhead: Arc<Overhead>,
    pub(crate) redactor: SharedRedactor,
    pub(crate) enabled: bool,
    pub(crate) export_wait: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) clock: Clock,
    pub(crate) ids: IdSource,
    pub(crate) limits: Limits,
    pub(crate) policies: Policies,
    /// Takes secrets out of kept traces, and out of what leaves by other ways.
    pub(crate) redactor: SharedRedactor,
    pub(crate) enabled: bool,
    /// How long a kept run waits at its end for the sinks to have it; `None` does not.
    export_wait: Option<Duration>,
    pub(crate) counters: CounterCells,
    pub(crate) measuring: Measuring,
    pub(crate) overhead: Arc<Overhead>,
    pub(crate) decisions: DecisionRegistry,
    pub(crate) observers: Observers,
    /// The program's own samplers and processors; `None` without any.
    pub(crate) hooks: Option<Arc<Hooks>>,
    pub(crate) late: LateRecords,
    pub(crate) registry: Registry,
    pub(crate) shared_pool: ArrayQueue<Arc<LiveTrace>>,
    /// Traces to be decoded; each holds at least a first chunk, so the byte bound bounds it.
    pub(crate) kept: ArrayQueue<Arc<LiveTrace>>,
    /// Traces whose last handle went inside a hook, while they were decided.
    pub(crate) orphans: Mutex<Vec<Arc<LiveTrace>>>,
    allocated: AtomicUsize,
    pub(crate) evicting: Mutex<()>,
    /// Held during a round of housekeeping: whoever flushes waits for one under way.
    pub(crate) housekeeping: Mutex<()>,
    pub(crate) sinks: Vec<SinkWorker>,
    /// Traces that other processes recorded, of each receiver.
    received: Mutex<Vec<Arc<Assembly>>>,
    pub(crate) vitals: Vitals,
    pub(crate) closed: AtomicBool,
    /// How long a sink with a crowded queue is waited for once the engine ends, in nanoseconds.
    last_patience_ns: AtomicU64,
}

impl Core {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        let most_traces = (settings.limits.live_bytes / FIRST_CHUNK_BYTES).clamp(1, 1 << 20);
        Arc::new(Self {
            clock: settings.clock,
            ids: settings.ids,
            late: LateRecords::new(settings.limits.live_bytes),
            limits: settings.limits,
            policies: Policies::simple(settings.sampling),
            redactor: settings.redactor,
            enabled: settings.enabled,
            export_wait: settings.export_wait,
            counters: CounterCells::default(),
            measuring: settings.measuring,
            overhead: settings.overhead,
            decisions: DecisionRegistry::default(),
            observers: settings.observers,
            hooks: settings.hooks,
            registry: Registry::new(),
            shared_pool: ArrayQueue::new(SHARED_POOL.min(most_traces)),
            kept: ArrayQueue::new(most_traces),
            orphans: Mutex::new(Vec::new()),
            allocated: AtomicUsize::new(0),
            evicting: Mutex::new(()),
            housekeeping: Mutex::new(()),
            sinks: settings.sinks,
            received: Mutex::new(Vec::new()),
            vitals: Vitals::default(),
            closed: AtomicBool::new(false),
            last_patience_ns: AtomicU64::new(0),
        })
    }

    /// Starts recording a run; `None` records nothing.
    #[inline]
    pub(crate) fn start_trace(self: &Arc<Self>, name: Name, start: &TraceStart<'_>) -> ActiveTrace {
        if !self.enabled {
            return ActiveTrace::off();
        }
        if self.hooks.is_some() && hooks::is_inside() {
            // A hook would be asked about what it does.
            self.counters.unrecorded.add(1);
            return ActiveTrace::off();
        }
        let Some(live) = pool::take(self) else {
            self.counters.unrecorded.add(1);
            return ActiveTrace::off();
        };
        if start.remote.is_some_and(|remote| remote.presumed_random) {
            self.counters.randomness_presumed.add(1);
        }
        let root = self.ids.span_id();
        let now = self.clock.ticks();
        let (trace_id, parent) = start.parent.unzip();
        let workflow = self.policies.workflow(&name);
        let trace_id = trace_id.unwrap_or_else(|| self.ids.trace_id());
        if let Some(hooks) = &self.hooks {
            self.begin_hooked(hooks, &live, &name, (trace_id, start));
        }
        live.begin(trace_id, root, now, start, workflow);
        ActiveTrace::new(live, name, start.kind, (root, parent), now)
    }

    /// Out of the way of engines without hooks.
    #[cold]
    fn begin_hooked(
        &self,
        hooks: &Hooks,
        live: &LiveTrace,
        workflow: &Name,
        (trace_id, start): (TraceId, &TraceStart<'_>),
    ) {
        let start = RunStart {
            trace_id,
            remote: start.remote.unwrap_or_else(|| RemoteSampling::root(trace_id)),
            correlation_id: start.correlation_id,
            forced: start.is_forced,
        };
        live.set_hooked(hooks.begin(workflow, &start, self.policies.is_policy(), &self.counters));
    }

    /// The decision about a trace as it stands.
    #[inline]
    pub(crate) fn decide(&self, live: &LiveTrace) -> Option<TailDecision> {
        self.policies.decide(live)
    }

    /// Counts a decision.
    #[inline]
    pub(crate) fn note_decision(&self, decided: &TailDecision) {
        let decision = &decided.decision;
        let counts = if decision.keep { &self.counters.kept } else { &self.counters.dropped };
        counts.add(decision.reason.index(), 1);
        if let DecisionReason::Rule(name) = decision.reason {
            self.counters.by_rule.note(name, decision.keep);
        }
    }

    /// Asks for memory within the byte bound, making room at the expense of others if need be.
    pub(crate) fn reserve(&self, bytes: usize, on_behalf_of: Option<usize>) -> bool {
        self.try_reserve(bytes)
            // Making room may call hooks, and may be what calls this one.
            || (!hooks::is_inside() && self.make_room(bytes, on_behalf_of) && self.try_reserve(bytes))
    }

    fn try_reserve(&self, bytes: usize) -> bool {
        // Not added first and taken back: that would refuse others who still fit.
        let within = |used: usize| used.checked_add(bytes).filter(|total| *total <= self.limits.live_bytes);
        self.allocated.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.allocated.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes held by live, undecided, kept-but-not-sent and pooled traces.
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.allocated.load(Ordering::Relaxed)
    }

    /// Decides about the traces of a receiver when they are due.
    pub(crate) fn watch_received(&self, assembly: Arc<Assembly>) {
        self.received.lock().push(assembly);
    }

    pub(crate) fn assemblies(&self) -> Vec<Arc<Assembly>> {
        self.received.lock().clone()
    }

    /// The engine ends, and has so long: a sink that is slow but moves loses nothing for the sake of
    /// haste, and one that stalls leaves others most of the time.
    pub(crate) fn end_within(&self, deadline: Duration) {
        let patience = u64::try_from((deadline / 4).as_nanos()).unwrap_or(u64::MAX);
        self.last_patience_ns.store(patience, Ordering::Relaxed);
    }

    /// Gives sinks the time to take what was handed over. See [`SinkWorker::pace`].
    pub(crate) fn pace_sinks(&self) {
        let patience = PACE.max(Duration::from_nanos(self.last_patience_ns.load(Ordering::Relaxed)));
        self.sinks.iter().for_each(|sink| sink.pace(patience));
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(crate) fn read_counters(&self) -> RecorderCounters {
        let cells = &self.counters;
        let mut received = ReceiverStatus::default();
        self.assemblies().iter().for_each(|assembly| received += assembly.status());
        RecorderCounters {
            traces_kept: cells.kept.read().iter().sum(),
            traces_dropped: cells.dropped.read().iter().sum(),
            traces_evicted: cells.evicted.get(),
            traces_incomplete: cells.incomplete.get(),
            runs_unrecorded: cells.unrecorded.get(),
            spans_over_limit: cells.over_span_limit.get(),
            spans_over_bytes: cells.over_byte_limit.get(),
            attributes_dropped: cells.attributes_dropped.get(),
            attributes_truncated: cells.attributes_truncated.get(),
            events_dropped: cells.events_dropped.get(),
            links_dropped: cells.links_dropped.get(),
            late_kept: cells.late_kept.get() + received.late_kept,
            late_dropped: cells.late_dropped.get() + received.late_dropped,
            late_lost: cells.late_lost.get(),
            missed_error_spans: cells.missed_errors.get() + received.missed_error_spans,
            randomness_presumed: cells.randomness_presumed.get(),
            steps_overflowed: self.measuring.steps.overflow(),
            decisions_overflowed: self.decisions.overflow(),
            observer_panics: cells.observer_panics.get(),
            redacted: cells.redacted.get(),
            sampler_panics: cells.sampler_panics.get(),
            processor_panics: cells.processor_panics.get(),
            processor_edits_refused: cells.edits_refused.get(),
            measurements_refused: self.measuring.measurements_refused(),
            metric_source_panics: self.measuring.meter.source_panics.get(),
            metric_sources_refused: self.measuring.meter.sources_refused.get(),
            received,
            live_bytes: self.allocated_bytes() as u64 + received.waiting_bytes,
            active_branches: self.measuring.active_branches(),
        }
    }
}

/// Decides about a trace whose last handle is gone, and passes its memory on.
/// `None`: that is not yet known, it is for rules to say in the background.
pub(crate) fn finish(live: Arc<LiveTrace>) -> Option<SamplingDecision> {
    if !live.seen().is_some_and(|seen| live.start_deciding(seen)) {
        if hooks::is_inside() && live.is_deciding() {
            // It may be this thread that decides, further up: its memory is for housekeeping to take.
            let core = Arc::clone(&live.core);
            core.orphans.lock().push(live);
            return None;
        }
        // Decided early by another thread, which may still be at it.
        live.wait_for_decision();
        let decision = live.decision();
        live.clear_decision();
        pool::give(live);
        return decision;
    }
    let decided = live.core.decide(&live);
    if let Some(decided) = decided {
        live.core.note_decision(&decided);
        if !decided.decision.keep {
            pool::give(live);
            return Some(decided.decision);
        }
        live.set_decision(decided);
    }
    let core = Arc::clone(&live.core);
    if let Err(live) = core.kept.push(live) {
        // Cannot happen while every trace holds its first chunk: the queue has a place for each.
        debug_assert!(false, "the kept queue is full");
        live.clear_decision();
        pool::give(live);
    }
    if core.closed.load(Ordering::SeqCst) && !hooks::is_inside() {
        // This run was missed when the engine ended; nobody else will send it.
        core.housekeep();
    } else if let Some(wait) = core.export_wait.filter(|_| !hooks::is_inside()) {
        core.housekeep();
        core.flush_sinks(Deadline::after(wait));
    }
    decided.map(|decided| decided.decision)
}
