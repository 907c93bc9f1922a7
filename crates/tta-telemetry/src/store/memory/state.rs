//! What the store holds, in the order in which traces were first kept.
//!
//! A trace has a number, one more than the trace before. Numbers are never given again, and traces
//! leave at the front only, so a number says where a trace is and where a page ended.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::super::stored::{StoredTrace, extent, worse};
use super::super::{StoreStatus, TraceQuery};
use super::names::Names;
use super::signature::Signature;
use crate::id::TraceId;
use crate::model::{DecisionReason, Name, Trace, TraceClass};

/// What a trace takes beside itself: its signature, entry and number, with room to grow.
const ENTRY_BYTES: usize = 2 * (size_of::<Signature>() + size_of::<Entry>() + size_of::<(TraceId, u64)>());
/// Traces that are passed over before others may have a turn.
const MOST_SEEN: usize = 16 * 1024;
/// Traces that are taken out to be looked at at once.
const MOST_CANDIDATES: usize = 128;

#[derive(Debug)]
pub(super) struct State {
    own_service: Name,
    capacity_bytes: usize,
    /// The number of the first.
    first: u64,
    signatures: VecDeque<Signature>,
    entries: VecDeque<Entry>,
    numbers: HashMap<TraceId, u64>,
    names: Names,
    trace_bytes: usize,
    spans: u64,
    evicted_traces: u64,
    refused_traces: u64,
}

/// A trace, with what is often asked for.
#[derive(Debug)]
struct Entry {
    trace_id: TraceId,
    part: Arc<Trace>,
    later_parts: Vec<Arc<Trace>>,
    bytes: usize,
    start_unix_ns: u64,
    end_unix_ns: u64,
    class: TraceClass,
    reason: DecisionReason,
}

/// What became of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is the first of its trace.
    New,
    /// It was added to its trace.
    Added,
    /// It is too large.
    Refused,
}

impl State {
    pub(super) fn new(own_service: Name, capacity_bytes: usize) -> Self {
        Self {
            own_service,
            capacity_bytes,
            first: 0,
            signatures: VecDeque::new(),
            entries: VecDeque::new(),
            numbers: HashMap::new(),
            names: Names::default(),
            trace_bytes: 0,
            spans: 0,
            evicted_traces: 0,
            refused_traces: 0,
        }
    }

    /// Stores a part of a trace. What has to give way for it is put into `evicted`, to be dropped when no
    /// lock is held.
    pub(super) fn insert(&mut self, part: &Arc<Trace>, evicted: &mut Vec<Arc<Trace>>) -> Outcome {
        let bytes = part.size_bytes();
        let place = self.place(part.trace_id);
        let held = place.and_then(|place| self.entries.get(place)).map_or(0, |entry| entry.bytes);
        // One trace must not push out all others.
        let Some((start, end)) = extent(part).filter(|_| held.saturating_add(bytes) <= self.capacity_bytes / 2) else {
            self.refused_traces += 1;
            return Outcome::Refused;
        };
        let signature = Signature::of_trace(part, &self.own_service);
        self.names.add(part, &self.own_service);
        self.trace_bytes += bytes;
        self.spans += part.spans.len() as u64;
        let outcome = match place.and_then(|place| self.entries.get_mut(place).zip(self.signatures.get_mut(place))) {
            Some((entry, known)) => {
                known.merge(&signature);
                entry.add(part, bytes, (start, end));
                Outcome::Added
            }
            None => {
                self.numbers.insert(part.trace_id, self.first + self.entries.len() as u64);
                self.signatures.push_back(signature);
                self.entries.push_back(Entry {
                    trace_id: part.trace_id,
                    part: Arc::clone(part),
                    later_parts: Vec::new(),
                    bytes,
                    start_unix_ns: start,
                    end_unix_ns: end,
                    class: part.class,
                    reason: part.decision.reason,
                });
                Outcome::New
            }
        };
        while self.bytes() > self.capacity_bytes && self.evict(evicted) {}
        outcome
    }

    fn evict(&mut self, evicted: &mut Vec<Arc<Trace>>) -> bool {
        let Some(entry) = self.entries.pop_front() else { return false };
        self.signatures.pop_front();
        self.first += 1;
        self.numbers.remove(&entry.trace_id);
        self.trace_bytes -= entry.bytes;
        self.evicted_traces += 1;
        for part in std::iter::once(entry.part).chain(entry.later_parts) {
            self.names.remove(&part, &self.own_service);
            self.spans -= part.spans.len() as u64;
            evicted.push(part);
        }
        true
    }

    fn bytes(&self) -> usize {
        self.trace_bytes + self.entries.len() * ENTRY_BYTES + self.names.bytes()
    }

    fn place(&self, trace_id: TraceId) -> Option<usize> {
        self.numbers.get(&trace_id).map(|number| (number - self.first) as usize)
    }

    pub(super) fn trace(&self, trace_id: TraceId) -> Option<StoredTrace> {
        self.entries.get(self.place(trace_id)?).map(|entry| self.stored(entry))
    }

    fn stored(&self, entry: &Entry) -> StoredTrace {
        let parts = std::iter::once(&entry.part).chain(&entry.later_parts).cloned().collect();
        StoredTrace { trace_id: entry.trace_id, own_service: self.own_service.clone(), parts }
    }

    /// Some of the traces before a number that may be asked for, the latest first, and before which
    /// number to go on; `None` at the end.
    pub(super) fn candidates(
        &self,
        query: &TraceQuery,
        wanted: &Signature,
        before: u64,
    ) -> (Vec<(u64, StoredTrace)>, Option<u64>) {
        let end = before.saturating_sub(self.first).min(self.entries.len() as u64) as usize;
        let mut found = Vec::new();
        for (seen, place) in (0..end).rev().enumerate() {
            if seen >= MOST_SEEN || found.len() >= MOST_CANDIDATES {
                return (found, Some(self.first + place as u64 + 1));
            }
            if self.signatures.get(place).is_some_and(|signature| signature.may_contain(wanted))
                && let Some(entry) = self.entries.get(place).filter(|entry| entry.may_match(query))
            {
                found.push((self.first + place as u64, self.stored(entry)));
            }
        }
        (found, None)
    }

    /// The latest parts, with at least so many spans if there are.
    pub(super) fn latest(&self, spans: usize) -> Vec<Arc<Trace>> {
        let mut left = spans;
        let mut parts = Vec::new();
        for entry in self.entries.iter().rev() {
            for part in std::iter::once(&entry.part).chain(&entry.later_parts) {
                parts.push(Arc::clone(part));
                left = left.saturating_sub(part.spans.len());
            }
            if left == 0 {
                break;
            }
        }
        parts
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn status(&self) -> StoreStatus {
        StoreStatus {
            traces: self.entries.len() as u64,
            spans: self.spans,
            bytes: self.bytes() as u64,
            capacity_bytes: Some(self.capacity_bytes as u64),
            oldest_unix_ns: self.entries.front().map(|entry| entry.start_unix_ns),
            newest_unix_ns: self.entries.back().map(|entry| entry.start_unix_ns),
            evicted_traces: self.evicted_traces,
            refused_traces: self.refused_traces,
        }
    }
}

impl Entry {
    fn add(&mut self, part: &Arc<Trace>, bytes: usize, (start, end): (u64, u64)) {
        // As `StoredTrace::decision`: a part that came late does not say why.
        if self.part.late && self.later_parts.iter().all(|part| part.late) && !part.late {
            self.reason = part.decision.reason;
        }
        self.class = worse(self.class, part.class);
        self.start_unix_ns = self.start_unix_ns.min(start);
        self.end_unix_ns = self.end_unix_ns.max(end);
        self.bytes += bytes;
        self.later_parts.push(Arc::clone(part));
    }

    /// Whether what is known without a look at the spans holds.
    fn may_match(&self, query: &TraceQuery) -> bool {
        let duration_ns = u128::from(self.end_unix_ns.saturating_sub(self.start_unix_ns));
        query.min_duration.is_none_or(|min| duration_ns >= min.as_nanos())
            && query.max_duration.is_none_or(|max| duration_ns <= max.as_nanos())
            && query.min_span_duration.is_none_or(|min| duration_ns >= min.as_nanos())
            && query.start_unix_ns.is_none_or(|start| self.start_unix_ns >= start)
            && query.end_unix_ns.is_none_or(|end| self.start_unix_ns < end)
            && query.class.is_none_or(|class| self.class == class)
            && query.reason.is_none_or(|reason| self.reason == reason)
    }
}
