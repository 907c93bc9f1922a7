//! A trace while its run is alive: the log and the few facts the decision needs.
//!
//! Owns the stages of a trace's life and who may do what in each:
//! `free` (in a pool) → `live` (recording) → `deciding` (one thread, exclusively) → `decided`
//! (memory given back; late spans follow the decision) → `free`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::core::Core;
use super::hooks::{self, HookedRun};
use super::late::LateRecord;
use super::log::{Count, Extent, FIRST_CHUNK_WORDS, Memory, Refused, SpanLog};
use super::sync::{Mutex, wait_a_moment};
use super::words::{self, Attributes};
use crate::clock::Ticks;
use crate::engine::TraceStart;
use crate::id::{SpanId, TraceId};
use crate::model::{SamplingDecision, SpanStatus, TraceClass};
use crate::sampling::{Randomness, RemoteParent, RemoteSampling, TailDecision, Threshold};

const FREE: u32 = 0;
const LIVE: u32 = 1;
const DECIDING: u32 = 2;
const DECIDED: u32 = 3;
const STAGE_MASK: u32 = 3;
const NEXT_RUN: u32 = 4;

/// A run that was seen alive. Whoever decides early looks at many traces first; by the time it
/// comes to one of them, that trace may have ended and hold another run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen(u32);

/// What is known at a run's start and decides with it: written before the trace is seen by others.
#[derive(Debug)]
struct HeadCells {
    /// What the caller decided, and flags.
    kind: AtomicU8,
    workflow: AtomicU32,
    threshold: AtomicU64,
    randomness: AtomicU64,
    correlation_id: Mutex<Option<Arc<str>>>,
}

const REMOTE_MASK: u8 = 3;
const NO_REMOTE: u8 = 0;
const NOT_SAMPLED: u8 = 1;
const SAMPLED: u8 = 2;
const SAMPLED_BY_THRESHOLD: u8 = 3;
const FORCED: u8 = 4;
const CORRELATED: u8 = 8;

impl HeadCells {
    fn new() -> Self {
        Self {
            kind: AtomicU8::new(NO_REMOTE),
            workflow: AtomicU32::new(0),
            threshold: AtomicU64::new(0),
            randomness: AtomicU64::new(0),
            correlation_id: Mutex::new(None),
        }
    }

    #[inline]
    fn set(&self, start: &TraceStart<'_>, workflow: u32) {
        let mut kind = NO_REMOTE;
        if let Some(remote) = &start.remote {
            self.randomness.store(remote.randomness.get(), Ordering::Relaxed);
            kind = match remote.parent {
                RemoteParent::None => NO_REMOTE,
                RemoteParent::NotSampled => NOT_SAMPLED,
                RemoteParent::Sampled(None) => SAMPLED,
                RemoteParent::Sampled(Some(threshold)) => {
                    self.threshold.store(threshold.get(), Ordering::Relaxed);
                    SAMPLED_BY_THRESHOLD
                }
            };
        }
        if let Some(id) = start.correlation_id {
            *self.correlation_id.lock() = Some(id.into());
            kind |= CORRELATED;
        }
        kind |= if start.is_forced { FORCED } else { 0 };
        self.kind.store(kind, Ordering::Relaxed);
        self.workflow.store(workflow, Ordering::Relaxed);
    }

    fn remote(&self, trace_id: TraceId) -> RemoteSampling {
        let here = RemoteSampling::root(trace_id);
        let parent = match self.kind.load(Ordering::Relaxed) & REMOTE_MASK {
            NO_REMOTE => return here,
            NOT_SAMPLED => RemoteParent::NotSampled,
            SAMPLED => RemoteParent::Sampled(None),
            _ => RemoteParent::Sampled(Threshold::new(self.threshold.load(Ordering::Relaxed))),
        };
        let randomness = Randomness::new(self.randomness.load(Ordering::Relaxed)).unwrap_or(here.randomness);
        RemoteSampling { parent, randomness, ..here }
    }
}

/// What a trace costs before its first large chunk.
pub(crate) const FIRST_CHUNK_BYTES: usize = FIRST_CHUNK_WORDS * 8;

#[derive(Debug)]
pub(crate) struct LiveTrace {
    pub(crate) core: Arc<Core>,
    /// Where the registry keeps this trace.
    pub(crate) slot: usize,
    pub(crate) log: SpanLog,
    /// `number of the run | stage: 2`.
    stage: AtomicU32,
    /// Guards that may still append: the root and every handle.
    handles: AtomicU32,
    trace_id: [AtomicU64; 2],
    root_span: AtomicU64,
    started: AtomicU64,
    /// Ticks at the root's end, 0 while it runs.
    root_ended: AtomicU64,
    root_status: AtomicU8,
    head: HeadCells,
    /// Of the run before this one until it is set; only looked at where there are hooks, which set it.
    pub(super) hooked: Mutex<Option<HookedRun>>,
    /// A span failed: at the byte bound this trace is evicted last.
    saw_error: AtomicBool,
    /// A detached span failed after or beside the root: the run counts as failed.
    detached_failed: AtomicBool,
    pub(crate) over_span_limit: AtomicU32,
    pub(crate) over_byte_limit: AtomicU32,
    decision: Mutex<Option<TailDecision>>,
    /// The root's record when the log had no room left for it.
    pub(crate) root_record: Mutex<Option<Vec<u64>>>,
    has_root_record: AtomicBool,
}

impl LiveTrace {
    /// A free trace; its first chunk is already accounted for.
    pub(crate) fn new(core: Arc<Core>, slot: usize) -> Self {
        Self {
            core,
            slot,
            log: SpanLog::new(FIRST_CHUNK_WORDS),
            stage: AtomicU32::new(FREE),
            handles: AtomicU32::new(0),
            trace_id: [AtomicU64::new(0), AtomicU64::new(0)],
            root_span: AtomicU64::new(0),
            started: AtomicU64::new(0),
            root_ended: AtomicU64::new(0),
            root_status: AtomicU8::new(0),
            head: HeadCells::new(),
            hooked: Mutex::new(None),
            saw_error: AtomicBool::new(false),
            detached_failed: AtomicBool::new(false),
            over_span_limit: AtomicU32::new(0),
            over_byte_limit: AtomicU32::new(0),
            decision: Mutex::new(None),
            root_record: Mutex::new(None),
            has_root_record: AtomicBool::new(false),
        }
    }

    fn stage(&self) -> u32 {
        self.stage.load(Ordering::Acquire) & STAGE_MASK
    }

    /// Goes to another stage of the same run. Only for the exclusive owner.
    fn set_stage(&self, stage: u32) {
        let run = self.stage.load(Ordering::Relaxed) & !STAGE_MASK;
        self.stage.store(run | stage, Ordering::Release);
    }

    /// Starts a run in a free trace. The caller took it from the pool, so nobody else uses it.
    pub(crate) fn begin(&self, trace_id: TraceId, root: SpanId, started: Ticks, start: &TraceStart<'_>, workflow: u32) {
        self.head.set(start, workflow);
        let id = trace_id.get();
        for (cell, half) in self.trace_id.iter().zip([(id >> 64) as u64, id as u64]) {
            cell.store(half, Ordering::Relaxed);
        }
        self.root_span.store(root.get(), Ordering::Relaxed);
        self.started.store(started, Ordering::Relaxed);
        self.handles.store(1, Ordering::Relaxed);
        let run = self.stage.load(Ordering::Relaxed) & !STAGE_MASK;
        self.stage.store(run.wrapping_add(NEXT_RUN) | LIVE, Ordering::Release);
    }

    /// Makes the trace free again. Only for the exclusive owner. `false`: its memory is gone.
    pub(crate) fn recycle(&self) -> bool {
        let Some(freed) = self.log.reset() else { return false };
        if freed > 0 {
            self.core.give_back(freed);
        }
        self.root_ended.store(0, Ordering::Relaxed);
        self.root_status.store(0, Ordering::Relaxed);
        if self.saw_error.load(Ordering::Relaxed) {
            self.saw_error.store(false, Ordering::Relaxed);
            self.detached_failed.store(false, Ordering::Relaxed);
        }
        if self.over_span_limit.load(Ordering::Relaxed) | self.over_byte_limit.load(Ordering::Relaxed) != 0 {
            self.over_span_limit.store(0, Ordering::Relaxed);
            self.over_byte_limit.store(0, Ordering::Relaxed);
        }
        if self.has_root_record.load(Ordering::Relaxed) {
            self.has_root_record.store(false, Ordering::Relaxed);
            *self.root_record.lock() = None;
        }
        self.set_stage(FREE);
        true
    }

    pub(crate) fn trace_id(&self) -> TraceId {
        let [high, low] = &self.trace_id;
        let value = (u128::from(high.load(Ordering::Relaxed)) << 64) | u128::from(low.load(Ordering::Relaxed));
        TraceId::new(value).unwrap_or_else(|| self.core.ids.trace_id())
    }

    pub(crate) fn root_span_id(&self) -> SpanId {
        SpanId::new(self.root_span.load(Ordering::Relaxed)).unwrap_or_else(|| self.core.ids.span_id())
    }

    pub(crate) fn started(&self) -> Ticks {
        self.started.load(Ordering::Relaxed)
    }

    pub(crate) fn root_ended(&self) -> Option<Ticks> {
        Some(self.root_ended.load(Ordering::Acquire)).filter(|ticks| *ticks != 0)
    }

    /// The run that is being recorded here, if one is.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let stage = self.stage.load(Ordering::Acquire);
        (stage & STAGE_MASK == LIVE).then_some(Seen(stage))
    }

    pub(crate) fn saw_error(&self) -> bool {
        self.saw_error.load(Ordering::Relaxed)
    }

    /// What the content makes this trace, as far as it is known.
    pub(crate) fn class(&self) -> TraceClass {
        if self.detached_failed.load(Ordering::Relaxed) {
            return TraceClass::Failed;
        }
        match (self.root_ended(), self.root_status.load(Ordering::Relaxed)) {
            (_, 1) => TraceClass::Failed,
            (_, 2) => TraceClass::Cancelled,
            (None, _) if self.saw_error() => TraceClass::Failed,
            _ => TraceClass::Normal,
        }
    }

    pub(crate) fn note_error(&self, detached: bool) {
        self.saw_error.store(true, Ordering::Relaxed);
        if detached {
            self.detached_failed.store(true, Ordering::Relaxed);
        }
    }

    /// Comes before the root's record, so that no decision can have seen the one without the other.
    pub(crate) fn note_root_status(&self, status: SpanStatus) {
        let status = match status {
            SpanStatus::Ok => 0,
            SpanStatus::Error => {
                self.note_error(false);
                1
            }
            SpanStatus::Cancelled => 2,
        };
        self.root_status.store(status, Ordering::Relaxed);
    }

    /// Comes after the root's record, so that an overdue trace has it.
    pub(crate) fn note_root_end(&self, ended: Ticks) {
        self.root_ended.store(ended.max(1), Ordering::Release);
    }

    /// Appends one record, counting what is refused.
    #[inline]
    pub(crate) fn append(&self, head: &[u64], tail: &[u64], count: Count) -> Result<(), Refused> {
        // One place is kept for the root, which comes last and must not be the one to go.
        let limit = self.core.limits.spans_per_trace - 1;
        // What says how a step went must not lose its place to what happened in it.
        let is_detail = |header: &u64| matches!(words::kind_of(*header), words::KIND_EVENT | words::KIND_LINK);
        let limit = match count {
            Count::Auxiliary if head.first().is_some_and(is_detail) => limit - limit / 8,
            _ => limit,
        };
        let result = self.log.append(head, tail, count, limit, &Accounted(self));
        if let Err(refused) = result {
            self.refused(refused, head, tail);
        }
        result
    }

    #[cold]
    fn refused(&self, refused: Refused, head: &[u64], tail: &[u64]) {
        match refused {
            Refused::Limit => {
                self.over_span_limit.fetch_add(1, Ordering::Relaxed);
                self.core.counters.over_span_limit.add(1);
            }
            Refused::Memory => {
                self.over_byte_limit.fetch_add(1, Ordering::Relaxed);
                self.core.counters.over_byte_limit.add(1);
            }
            Refused::Closed => self.late(head, tail),
        }
    }

    /// A record that came after the decision follows it.
    fn late(&self, head: &[u64], tail: &[u64]) {
        while self.stage() == DECIDING {
            if hooks::is_inside() {
                // It may be this thread that decides, further up.
                self.core.counters.late_lost.add(1);
                return;
            }
            wait_a_moment();
        }
        let decision = *self.decision.lock();
        let failed = head.first().is_some_and(|header| {
            words::kind_of(*header) == words::KIND_SPAN
                && words::status_of(*header) == SpanStatus::Error
                && !words::handled_of(*header)
        });
        match decision {
            Some(decided) if decided.decision.keep => self.core.late.push(
                LateRecord {
                    trace_id: self.trace_id(),
                    root_span_id: self.root_span_id(),
                    decided,
                    hooked: self.hooked(),
                    words: head.iter().chain(tail).copied().collect(),
                },
                &self.core.counters,
            ),
            _ => {
                self.core.counters.late_dropped.add(1);
                if failed {
                    self.core.counters.missed_errors.add(1);
                }
            }
        }
    }

    /// Stores the root's record, past every limit.
    pub(crate) fn append_root(&self, head: &[u64], tail: &[u64]) {
        match self.log.append(head, tail, Count::Span, u32::MAX, &Accounted(self)) {
            Ok(()) => {}
            Err(Refused::Closed) => self.late(head, tail),
            // Rare: memory ran out before the end of the run. Bounded by one record per trace.
            Err(_) => {
                let mut place = self.root_record.lock();
                // Whoever decides closes the log before it looks here.
                if self.log.is_closed() {
                    drop(place);
                    return self.late(head, tail);
                }
                *place = Some(head.iter().chain(tail).copied().collect());
                self.has_root_record.store(true, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn add_handle(&self) {
        // Relaxed as for `Arc`: a new handle is made from one that exists.
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives up one handle; `true` for the last, whose owner must finish the trace.
    pub(crate) fn drop_handle(&self) -> bool {
        // A lone handle cannot be cloned by anybody else, so no locked instruction is needed.
        if self.handles.load(Ordering::Acquire) == 1 {
            self.handles.store(0, Ordering::Relaxed);
            return true;
        }
        self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Becomes the one that decides. `false`: somebody else is, or has.
    pub(crate) fn start_deciding(&self, Seen(live): Seen) -> bool {
        let deciding = live & !STAGE_MASK | DECIDING;
        self.stage.compare_exchange(live, deciding, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Waits until another thread, which decides about this trace early, has finished.
    pub(crate) fn wait_for_decision(&self) {
        while self.stage() != DECIDED {
            wait_a_moment();
        }
    }

    pub(crate) fn is_deciding(&self) -> bool {
        self.stage() == DECIDING
    }

    pub(crate) fn set_decision(&self, decided: TailDecision) {
        *self.decision.lock() = Some(decided);
    }

    pub(crate) fn decided(&self) -> Option<TailDecision> {
        *self.decision.lock()
    }

    pub(crate) fn decision(&self) -> Option<SamplingDecision> {
        self.decided().map(|decided| decided.decision)
    }

    /// The number of the workflow, where the policy has something to say about it.
    pub(crate) fn workflow(&self) -> u32 {
        self.head.workflow.load(Ordering::Relaxed)
    }

    /// What the caller in another process decided.
    pub(crate) fn remote_sampling(&self) -> RemoteSampling {
        self.head.remote(self.trace_id())
    }

    pub(crate) fn is_forced(&self) -> bool {
        self.head.kind.load(Ordering::Relaxed) & FORCED != 0
    }

    /// What the trace is decided by in place of its id, if that is asked for.
    pub(crate) fn correlation_id(&self) -> Option<Arc<str>> {
        if self.head.kind.load(Ordering::Relaxed) & CORRELATED == 0 {
            None
        } else {
            self.head.correlation_id.lock().clone()
        }
    }

    pub(crate) fn clear_decision(&self) {
        *self.decision.lock() = None;
    }

    /// Ends an early decision: frees the memory and lets late records through.
    pub(crate) fn finish_early(&self, extent: Extent) -> usize {
        let freed = self.log.release(extent);
        self.core.give_back(freed);
        self.set_stage(DECIDED);
        freed
    }
}

impl Drop for LiveTrace {
    fn drop(&mut self) {
        self.core.give_back(self.log.allocated_bytes());
    }
}

/// Builds the head of an event or annotation and appends it.
pub(crate) fn append_auxiliary(live: &LiveTrace, head: &mut [u64], kind: u64, attributes: &Attributes) {
    let words = head.len() + attributes.words().len();
    if let Some(first) = head.first_mut() {
        *first = words::header(words, kind, SpanStatus::Ok, false);
    }
    let _ = live.append(head, attributes.words(), Count::Auxiliary);
    live.core.counters.note_attributes(attributes);
}

/// The engine's byte bound, seen from one trace: it never makes room by evicting itself.
struct Accounted<'a>(&'a LiveTrace);

impl Memory for Accounted<'_> {
    fn reserve(&self, bytes: usize) -> bool {
        self.0.core.reserve(bytes, Some(self.0.slot))
    }

    fn give_back(&self, bytes: usize) {
        self.0.core.give_back(bytes);
    }
}
