//! Traces that come together: the table of those not decided about, and when each is due.
//!
//! Owns the bounds of memory and time. Does not own the decision, which is made outside of any lock
//! here; see `decide`.
//!
//! Traces are spread over shards by their id; see `shard` for how one knows when its traces are due.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashbrown::hash_map::Entry;

use super::pending::Pending;
use super::shard::{Due, Shard};
use super::{ReceiveLimits, ReceiverStatus, SpanCodec};
use crate::clock::{Clock, Ticks};
use crate::id::TraceId;
use crate::metrics::ShardedCounter;
use crate::sampling::TailDecision;

const SHARDS: usize = 16;
/// How long spans that follow an earlier decision wait for their like.
const LATE_WAIT: Duration = Duration::from_secs(1);
/// Making room frees at least this part of all, so that its cost is shared by many spans.
const ROOM_PART: usize = 256;
/// Traces that are taken out to be decided about before others are, and their bytes: what is out is in no
/// bound.
const TAKEN_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 1 << 20;

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
    shards: Vec<Place>,
    bytes: AtomicUsize,
    serials: AtomicU64,
    pub(super) counters: Counters,
}

/// A shard, and what its traces take.
#[derive(Debug)]
struct Place {
    shard: Mutex<Shard>,
    bytes: AtomicUsize,
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Shard> {
        self.shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Assembly {
    pub(crate) fn new(codec: Box<dyn SpanCodec>, limits: ReceiveLimits, clock: Clock) -> Self {
        let remembered = limits.remembered_decisions.div_ceil(SHARDS);
        let place = || Place { shard: Mutex::new(Shard::new(remembered)), bytes: AtomicUsize::new(0) };
        Self {
            codec,
            start: clock.ticks(),
            clock,
            shards: (0..SHARDS).map(|_| place()).collect(),
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
        let Some(place) = self.place(trace_id) else { return (0, Vec::new()) };
        let mut shard = place.lock();
        let now_ns = self.clock.nanos_between(self.start, gathered.now);
        let known = shard.pending.get(&trace_id).map(|pending| pending.decided);
        let decided = known.unwrap_or_else(|| shard.remembered.get(trace_id));
        if let Some(decided) = decided {
            self.note_late(&gathered.trace, &decided);
            if !decided.decision.keep {
                self.counters.spans.add(gathered.all().into());
                return (gathered.all(), Vec::new());
            }
        }
        let (had_root, held, is_taken);
        let trace = match shard.pending.entry(trace_id) {
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
        let (serial, has_root) = (trace.serial, trace.has_root());
        let due = |wait: Duration| {
            let wait_ns = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
            Due { at_ns: now_ns.saturating_add(wait_ns), trace_id, serial }
        };
        match (decided.is_some(), known.is_none()) {
            (true, true) => shard.is_late(due(LATE_WAIT)),
            (true, false) => {}
            (false, _) if !had_root && has_root => shard.is_rooted(due(self.limits.root_wait)),
            (false, true) => shard.is_rootless(due(self.limits.rootless_wait)),
            (false, false) => {}
        }
        place.bytes.fetch_add(more, Ordering::Relaxed);
        let all = self.bytes.fetch_add(more, Ordering::Relaxed) + more;
        drop(shard);
        self.counters.spans.add(is_taken.into());
        self.counters.over_span_limit.add((gathered.all() - is_taken).into());
        let victims = if all > self.limits.live_bytes { self.make_room() } else { Vec::new() };
        (is_taken, victims)
    }

    /// Counts spans that come after the decision.
    fn note_late(&self, late: &Pending, decided: &TailDecision) {
        let keep = decided.decision.keep;
        let counter = if keep { &self.counters.late_kept } else { &self.counters.late_dropped };
        counter.add((late.spans().saturating_add(late.over_span_limit())).into());
        if !keep {
            self.counters.missed_errors.add(late.errors().into());
        }
    }

    /// What was decided about a trace that was taken, if others had been taken before these came: they came
    /// while it was decided about. Counts them as late.
    pub(super) fn decided_meanwhile(&self, taken: &Pending) -> Option<TailDecision> {
        let decided = self.place(taken.trace_id)?.lock().remembered.get(taken.trace_id)?;
        self.note_late(taken, &decided);
        Some(decided)
    }

    /// Takes the oldest traces of the shards that hold most, those with a root first. A giant elsewhere must
    /// not cost each trace that comes its time.
    fn make_room(&self) -> Vec<Pending> {
        let (mut victims, mut freed) = (Vec::new(), 0);
        let enough = (self.limits.live_bytes / ROOM_PART).max(1);
        while freed < enough || self.bytes.load(Ordering::Relaxed) > self.limits.live_bytes {
            let Some(fullest) = self.shards.iter().max_by_key(|place| place.bytes.load(Ordering::Relaxed)) else {
                break;
            };
            let Some(victim) = fullest.lock().take_next(|_| true) else { break };
            freed += self.account(fullest, &victim);
            self.counters.evicted.add(u64::from(victim.decided.is_none()));
            victims.push(victim);
        }
        victims
    }

    /// Takes some of the traces that are due by then, in nanoseconds since the receiver began, or of all;
    /// none when there are no more.
    pub(super) fn take(&self, by_ns: Option<u64>) -> Vec<Pending> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        for place in &self.shards {
            let mut shard = place.lock();
            while taken.len() < TAKEN_AT_ONCE && bytes < BYTES_AT_ONCE {
                let Some(next) = shard.take_next(|due| by_ns.is_none_or(|by| due.at_ns <= by)) else { break };
                bytes += self.account(place, &next);
                taken.push(next);
            }
        }
        taken
    }

    /// What a trace no longer takes.
    fn account(&self, place: &Place, taken: &Pending) -> usize {
        let held = taken.held_bytes();
        place.bytes.fetch_sub(held, Ordering::Relaxed);
        self.bytes.fetch_sub(held, Ordering::Relaxed);
        held
    }

    /// Remembers what was decided about a trace.
    pub(super) fn remember(&self, trace: TraceId, decided: TailDecision) {
        if let Some(place) = self.place(trace) {
            place.lock().remembered.add(trace, decided);
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
            waiting_traces: self.shards.iter().map(|place| place.lock().pending.len() as u64).sum(),
            waiting_bytes: self.bytes.load(Ordering::Relaxed) as u64,
        }
    }

    /// Nanoseconds since the receiver began.
    pub(super) fn now_ns(&self) -> u64 {
        self.clock.nanos_between(self.start, self.clock.ticks())
    }

    fn place(&self, trace: TraceId) -> Option<&Place> {
        // The end of an id is random wherever any of it is.
        self.shards.get(trace.get() as usize % SHARDS)
    }
}

impl std::fmt::Debug for Assembly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assembly").field("limits", &self.limits).field("status", &self.status()).finish_non_exhaustive()
    }
}
