//! Traces that come together: the table of those not decided about, and when each is due.
//!
//! Owns the bounds of memory and time. Does not own the decision, which is made outside of any lock
//! here; see `decide`.
//!
//! Traces are spread over shards by their id. A shard knows when its traces are due by three lists,
//! each in order of time because whatever is in it waits equally long: traces without a root, those
//! whose root has come (they are in the first list, too, and passed over there), and spans that
//! follow an earlier decision.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::pending::Pending;
use super::remembered::Remembered;
use super::{ReceiveLimits, ReceiverStatus, SpanCodec};
use crate::clock::{Clock, Ticks};
use crate::id::TraceId;
use crate::metrics::ShardedCounter;
use crate::sampling::TailDecision;

const SHARDS: usize = 16;
/// How long spans that follow an earlier decision wait for their like.
const LATE_WAIT: Duration = Duration::from_secs(1);
/// Making room frees at least this part of a shard's share, so that its cost is shared by many spans.
const ROOM_PART: usize = 16;
/// Traces taken out under one lock.
const TAKEN_AT_ONCE: usize = 256;

/// The counters behind [`ReceiverStatus`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) spans: ShardedCounter,
    pub(super) over_span_limit: ShardedCounter,
    pub(super) after_end: ShardedCounter,
    pub(super) traces: ShardedCounter,
    pub(super) evicted: ShardedCounter,
    pub(super) rootless: ShardedCounter,
    pub(super) late_kept: ShardedCounter,
    pub(super) late_dropped: ShardedCounter,
    pub(super) missed_errors: ShardedCounter,
    pub(super) duplicates: ShardedCounter,
    pub(super) undecodable: ShardedCounter,
}

/// Spans of one trace that came one after the other, and are added together: one look-up, one lock and
/// one buffer that is as large as it has to be.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) trace: Pending,
    /// Failed ones among them.
    pub(super) errors: u32,
    /// When the first of them came.
    pub(super) now: Ticks,
}

impl Gathered {
    /// Spans, those beyond the limit included.
    pub(super) fn all(&self) -> u32 {
        self.trace.spans().saturating_add(self.trace.over_span_limit())
    }
}

/// The traces of one receiver.
pub(crate) struct Assembly {
    pub(super) codec: Box<dyn SpanCodec>,
    pub(super) limits: ReceiveLimits,
    clock: Clock,
    start: Ticks,
    shards: Vec<Mutex<Shard>>,
    bytes: AtomicUsize,
    serials: AtomicU64,
    pub(super) counters: Counters,
}

#[derive(Debug)]
struct Shard {
    pending: HashMap<TraceId, Pending>,
    rootless: VecDeque<Due>,
    rooted: VecDeque<Due>,
    late: VecDeque<Due>,
    remembered: Remembered,
}

/// When a trace is to be decided about, in nanoseconds since the receiver began.
#[derive(Clone, Copy, Debug)]
struct Due {
    at_ns: u64,
    trace_id: TraceId,
    serial: u64,
}

impl Assembly {
    pub(crate) fn new(codec: Box<dyn SpanCodec>, limits: ReceiveLimits, clock: Clock) -> Self {
        let shard = || {
            Mutex::new(Shard {
                pending: HashMap::new(),
                rootless: VecDeque::new(),
                rooted: VecDeque::new(),
                late: VecDeque::new(),
                remembered: Remembered::new(limits.remembered_decisions.div_ceil(SHARDS)),
            })
        };
        Self {
            codec,
            start: clock.ticks(),
            clock,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            bytes: AtomicUsize::new(0),
            serials: AtomicU64::new(0),
            counters: Counters::default(),
            limits,
        }
    }

    /// Adds spans of one trace to those that are there: how many were taken, and what has to make room
    /// for them, which is to be decided about by the caller. What was gathered is to be cleared.
    pub(super) fn add(&self, gathered: &mut Gathered) -> (u32, Vec<Pending>) {
        let trace_id = gathered.trace.trace_id;
        let Some(mut shard) = self.shard(trace_id) else { return (0, Vec::new()) };
        let now_ns = self.clock.nanos_between(self.start, gathered.now);
        let known = shard.pending.get(&trace_id).map(|pending| pending.decided);
        let decided = known.unwrap_or_else(|| shard.remembered.get(trace_id));
        if let Some(decided) = decided
            && !self.note_late(gathered, &decided)
        {
            return (gathered.all(), Vec::new());
        }
        let Shard { pending, rootless, rooted, late, .. } = &mut *shard;
        let (had_root, held, is_taken);
        let trace = match pending.entry(trace_id) {
            Entry::Occupied(entry) => {
                let trace = entry.into_mut();
                (had_root, held) = (trace.has_root(), trace.held_bytes());
                is_taken = trace.append(&mut gathered.trace, self.limits.spans_per_trace);
                trace
            }
            Entry::Vacant(entry) => {
                (had_root, held, is_taken) = (false, 0, gathered.trace.spans());
                let serial = self.serials.fetch_add(1, Ordering::Relaxed);
                entry.insert(gathered.trace.settle(serial, decided))
            }
        };
        let more = trace.held_bytes().saturating_sub(held);
        let due = |wait: Duration| {
            let wait_ns = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
            Due { at_ns: now_ns.saturating_add(wait_ns), trace_id, serial: trace.serial }
        };
        match (decided.is_some(), known.is_none()) {
            (true, true) => late.push_back(due(LATE_WAIT)),
            (true, false) => {}
            (false, is_new) => {
                if is_new {
                    rootless.push_back(due(self.limits.rootless_wait));
                }
                if !had_root && trace.has_root() {
                    rooted.push_back(due(self.limits.root_wait));
                }
            }
        }
        self.counters.spans.add(is_taken.into());
        self.counters.over_span_limit.add((gathered.all() - is_taken).into());
        let all = self.bytes.fetch_add(more, Ordering::Relaxed) + more;
        let victims = if all > self.limits.live_bytes { self.make_room(&mut shard) } else { Vec::new() };
        (is_taken, victims)
    }

    /// Counts spans that come after the decision; whether they are to follow it to the sinks.
    fn note_late(&self, gathered: &Gathered, decided: &TailDecision) -> bool {
        let keep = decided.decision.keep;
        let counter = if keep { &self.counters.late_kept } else { &self.counters.late_dropped };
        counter.add(gathered.all().into());
        if !keep {
            self.counters.spans.add(gathered.all().into());
            self.counters.missed_errors.add(gathered.errors.into());
        }
        keep
    }

    /// Takes the oldest traces of a shard, those with a root first.
    fn make_room(&self, shard: &mut Shard) -> Vec<Pending> {
        let enough = self.limits.live_bytes / SHARDS / ROOM_PART;
        let (mut victims, mut freed) = (Vec::new(), 0);
        while freed < enough.max(1) {
            let Some(victim) = shard.take_next(|_| true) else { break };
            freed += self.account(&victim);
            self.counters.evicted.add(u64::from(victim.decided.is_none()));
            victims.push(victim);
        }
        victims
    }

    /// Takes some of the traces that are due, or of all; none when there are no more.
    pub(super) fn take(&self, all: bool) -> Vec<Pending> {
        let now_ns = self.now_ns();
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            while taken.len() < TAKEN_AT_ONCE {
                let Some(due) = shard.take_next(|due| all || due.at_ns <= now_ns) else { break };
                self.account(&due);
                taken.push(due);
            }
        }
        taken
    }

    /// What a trace no longer takes.
    fn account(&self, taken: &Pending) -> usize {
        let held = taken.held_bytes();
        self.bytes.fetch_sub(held, Ordering::Relaxed);
        held
    }

    /// Remembers what was decided about a trace.
    pub(super) fn remember(&self, trace: TraceId, decided: TailDecision) {
        if let Some(mut shard) = self.shard(trace) {
            shard.remembered.add(trace, decided);
        }
    }

    pub(crate) fn status(&self) -> ReceiverStatus {
        let Counters { spans, over_span_limit, after_end, traces, evicted, rootless, .. } = &self.counters;
        let Counters { late_kept, late_dropped, missed_errors, duplicates, undecodable, .. } = &self.counters;
        ReceiverStatus {
            spans: spans.get(),
            over_span_limit: over_span_limit.get(),
            after_end: after_end.get(),
            traces: traces.get(),
            evicted: evicted.get(),
            rootless: rootless.get(),
            late_kept: late_kept.get(),
            late_dropped: late_dropped.get(),
            missed_error_spans: missed_errors.get(),
            duplicates: duplicates.get(),
            undecodable: undecodable.get(),
            waiting_traces: self.shards.iter().map(|shard| lock(shard).pending.len() as u64).sum(),
            waiting_bytes: self.bytes.load(Ordering::Relaxed) as u64,
        }
    }

    fn now_ns(&self) -> u64 {
        self.clock.nanos_between(self.start, self.clock.ticks())
    }

    fn shard(&self, trace: TraceId) -> Option<MutexGuard<'_, Shard>> {
        // The end of an id is random wherever any of it is.
        self.shards.get(trace.get() as usize % SHARDS).map(lock)
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// Takes the trace that is due next, if that is wanted.
    fn take_next(&mut self, is_wanted: impl Fn(&Due) -> bool) -> Option<Pending> {
        let Self { pending, rootless, rooted, late, .. } = self;
        for list in [rooted, late, rootless] {
            while let Some(due) = list.front().copied().filter(&is_wanted) {
                list.pop_front();
                // It may have been taken by another list, and have come again since.
                if pending.get(&due.trace_id).is_some_and(|trace| trace.serial == due.serial) {
                    return pending.remove(&due.trace_id);
                }
            }
        }
        None
    }
}

impl std::fmt::Debug for Assembly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assembly").field("limits", &self.limits).field("status", &self.status()).finish_non_exhaustive()
    }
}
