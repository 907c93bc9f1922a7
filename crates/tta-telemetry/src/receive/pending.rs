//! One trace that is not decided about: its spans as bytes, and who recorded them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::facts::Facts;
use super::{SpanCodec, SpanHead};
use crate::id::{SpanId, TraceId};
use crate::model::{Name, Source, SpanRecord, Trace, TraceClass, TraceCounts};
use crate::sampling::{Randomness, RemoteParent, RemoteSampling, TailDecision, Threshold};

/// What a trace takes beside its spans' bytes: its place in the table, its buffers' heads.
const OWN_BYTES: usize = 400;
/// What stands before each span in the buffer: the number of its source, and its length.
const HEAD_BYTES: usize = 8;
/// Sources that one is compared with.
const MOST_COMPARED: usize = 64;
/// Among so many traces at most the memory of a source is divided.
const MOST_SHARING: usize = 8;

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) trace_id: TraceId,
    /// Tells it from an earlier trace of this id.
    pub(super) serial: u64,
    facts: Facts,
    sources: Vec<Arc<Source>>,
    /// The part of the sources' memory that is this trace's.
    source_bytes: usize,
    spans: u32,
    over_span_limit: u32,
    bytes: Vec<u8>,
    /// These spans follow a decision that was made before they came.
    pub(super) decided: Option<TailDecision>,
}

/// What was lost while a trace was decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lost {
    pub(super) duplicates: u64,
    pub(super) undecodable: u64,
}

impl Pending {
    pub(super) fn new(trace_id: TraceId, serial: u64, decided: Option<TailDecision>) -> Self {
        Self {
            trace_id,
            serial,
            facts: Facts::default(),
            sources: Vec::new(),
            source_bytes: 0,
            spans: 0,
            over_span_limit: 0,
            bytes: Vec::new(),
            decided,
        }
    }

    /// Adds a span; `false` when there are as many as may be. Then it counts for the decision
    /// nevertheless: roots end last, and come last.
    pub(super) fn add(&mut self, source: &Arc<Source>, head: &SpanHead<'_>, bytes: &[u8], most_spans: u32) -> bool {
        self.facts.note(source, head);
        if self.spans >= most_spans {
            self.over_span_limit = self.over_span_limit.saturating_add(1);
            return false;
        }
        let number = self.number(source);
        self.push(number, bytes);
        true
    }

    fn push(&mut self, source: u32, bytes: &[u8]) {
        self.bytes.extend_from_slice(&source.to_le_bytes());
        self.bytes.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(bytes);
        self.spans += 1;
    }

    /// What was gathered here as a trace of its own, in buffers that are no larger than it. This one
    /// keeps its buffers and is to be [cleared](Self::clear).
    pub(super) fn settle(&mut self, serial: u64, decided: Option<TailDecision>) -> Self {
        Self {
            trace_id: self.trace_id,
            serial,
            facts: std::mem::take(&mut self.facts),
            sources: self.sources.clone(),
            bytes: self.bytes.clone(),
            decided,
            ..*self
        }
    }

    /// Nothing of this trace, in buffers that are there already.
    pub(super) fn clear(&mut self, trace_id: TraceId) {
        let (mut sources, mut bytes) = (std::mem::take(&mut self.sources), std::mem::take(&mut self.bytes));
        sources.clear();
        bytes.clear();
        *self = Self { sources, bytes, ..Self::new(trace_id, 0, None) };
    }

    /// Adds what was gathered of the same trace meanwhile, as far as there may be so many spans; how
    /// many were taken.
    pub(super) fn append(&mut self, more: &mut Self, most_spans: u32) -> u32 {
        self.facts.merge(&mut more.facts);
        let room = most_spans.saturating_sub(self.spans).min(more.spans);
        let refused = (more.spans - room).saturating_add(more.over_span_limit);
        self.over_span_limit = self.over_span_limit.saturating_add(refused);
        if room == 0 {
            return 0;
        }
        let numbers: Vec<u32> = more.sources.iter().map(|source| self.number(source)).collect();
        for (source, bytes) in Encoded(&more.bytes).take(room as usize) {
            self.push(numbers.get(source as usize).copied().unwrap_or(source), bytes);
        }
        room
    }

    /// Spans that were gathered.
    pub(super) fn spans(&self) -> u32 {
        self.spans
    }

    /// Spans that were refused because there were as many as may be.
    pub(super) fn over_span_limit(&self) -> u32 {
        self.over_span_limit
    }

    /// The latest first: spans of one request follow each other. What is further away is taken for another,
    /// so that a trace whose every span has a source of its own does not compare each with all.
    fn number(&mut self, source: &Arc<Source>) -> u32 {
        let latest = self.sources.iter().enumerate().rev().take(MOST_COMPARED);
        let known = latest.into_iter().find(|(_, known)| Arc::ptr_eq(known, source)).map(|(number, _)| number);
        let number = known.unwrap_or_else(|| {
            self.sources.push(Arc::clone(source));
            // Many traces share a source; one that is sent with each span is charged in full. When the others
            // are gone this trace holds all of it, so that what it is charged is not next to nothing.
            let sharing = Arc::strong_count(source).saturating_sub(1).clamp(1, MOST_SHARING);
            self.source_bytes += source.size_bytes() / sharing;
            self.sources.len() - 1
        });
        number as u32
    }

    /// Memory it takes.
    pub(super) fn held_bytes(&self) -> usize {
        let sources = self.sources.capacity() * size_of::<Arc<Source>>() + self.source_bytes;
        OWN_BYTES + self.bytes.capacity() + sources
    }

    pub(super) fn has_root(&self) -> bool {
        self.facts.root.is_some()
    }

    /// By content only. Of received traces any failed span makes a failed trace: whether somebody
    /// handled the failure is not known.
    pub(super) fn class(&self) -> TraceClass {
        if self.facts.errors > 0 { TraceClass::Failed } else { TraceClass::Normal }
    }

    /// Spans that failed, those beyond the limit included.
    pub(super) fn errors(&self) -> u32 {
        self.facts.errors
    }

    /// How long its root took; without one, from its first start to its last end.
    pub(super) fn duration_ns(&self) -> u64 {
        self.facts.duration_ns()
    }

    /// The service of its root, else of its first span.
    pub(super) fn service(&self) -> Option<&Name> {
        let first = || self.sources.first().map(|source| &source.resource.service);
        self.facts.root.as_ref().map(|root| &root.service).or_else(first)
    }

    /// The trace as a decision sees it: nobody's `sampled` flag binds us, since only sampled spans
    /// are sent at all.
    pub(super) fn remote(&self) -> RemoteSampling {
        let randomness = self.facts.randomness.unwrap_or_else(|| Randomness::of(self.trace_id));
        RemoteSampling { parent: RemoteParent::None, randomness, presumed_random: false }
    }

    /// How its sender sampled it. A threshold that its randomness contradicts is not believed.
    pub(super) fn threshold(&self) -> Threshold {
        let remote = self.remote();
        self.facts.threshold.filter(|threshold| threshold.keeps(remote.randomness)).unwrap_or(Threshold::ALWAYS)
    }

    /// Every span decoded. The decision in it is still to be filled in.
    pub(super) fn decode(&self, codec: &dyn SpanCodec, undecided: TailDecision) -> (Trace, Lost) {
        let mut lost = Lost::default();
        let mut spans: Vec<SpanRecord> = Vec::with_capacity(self.spans as usize);
        // The two sides of a call may share an id, as Zipkin's do: they are of different kinds.
        let mut seen: HashMap<SpanId, Name> = HashMap::with_capacity(self.spans as usize);
        let mut twins: HashSet<(SpanId, Name)> = HashSet::new();
        for (source, bytes) in Encoded(&self.bytes) {
            let source = self.sources.get(source as usize);
            let Some(span) = source.and_then(|source| decoded(codec, source, bytes)) else {
                lost.undecodable += 1;
                continue;
            };
            let is_new = match seen.entry(span.span_id) {
                Entry::Vacant(entry) => {
                    entry.insert(span.kind.clone());
                    true
                }
                Entry::Occupied(first) => *first.get() != span.kind && twins.insert((span.span_id, span.kind.clone())),
            };
            if is_new { spans.push(span) } else { lost.duplicates += 1 }
        }
        let is_top = |span: &SpanRecord| span.parent_span_id.is_none_or(|parent| !seen.contains_key(&parent));
        let earliest = spans.iter().filter(|span| is_top(span)).min_by_key(|span| span.start_unix_ns);
        // It may be beyond the limit, or unreadable.
        let root = self.facts.root.as_ref().map(|root| root.span_id).filter(|root| seen.contains_key(root));
        let first = root.or(earliest.map(|span| span.span_id));
        // A circle of parents has no top; any of its spans stands for it.
        let root_span_id = first.or(spans.first().map(|span| span.span_id)).unwrap_or(SpanId::PLACEHOLDER);
        spans.sort_by_key(|span| (span.span_id != root_span_id, span.start_unix_ns));
        let trace = Trace {
            trace_id: self.trace_id,
            root_span_id,
            spans,
            decision: undecided.decision,
            adjusted_count: undecided.adjusted_count,
            class: self.class(),
            dropped: TraceCounts { over_span_limit: self.over_span_limit, over_byte_limit: 0 },
            incomplete: self.decided.is_none() && !self.has_root(),
            late: self.decided.is_some(),
        };
        (trace, lost)
    }
}

/// A codec is a program's own: its panic costs the span, not the thread that decides about all traces.
fn decoded(codec: &dyn SpanCodec, source: &Arc<Source>, bytes: &[u8]) -> Option<SpanRecord> {
    catch_unwind(AssertUnwindSafe(|| codec.decode(source, bytes))).unwrap_or(None)
}

/// The spans in a buffer: the numbers of their sources, and their bytes.
struct Encoded<'a>(&'a [u8]);

impl<'a> Iterator for Encoded<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.0.split_first_chunk::<HEAD_BYTES>()?;
        let (source, length) = head.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(length.try_into().ok()?);
        let (bytes, rest) = rest.split_at_checked(length as usize)?;
        self.0 = rest;
        Some((u32::from_le_bytes(*source), bytes))
    }
}
