//! One finished trace: a run, or the late part of one.

use std::sync::Arc;

use super::{SamplingDecision, Source, SpanRecord, SpanStatus};
use crate::id::{SpanId, TraceId};

/// What a trace's content makes it, for queues and weights. Depends on content only, never on
/// chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TraceClass {
    /// The run failed, or a detached span of it did.
    Failed,
    /// The run was cancelled.
    Cancelled,
    /// Neither.
    Normal,
}

/// What was lost from one trace, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceCounts {
    /// Spans, events and annotations refused because the trace had reached `spans_per_trace`.
    pub over_span_limit: u32,
    /// Spans, events and annotations refused because memory ran out (`live_bytes`).
    pub over_byte_limit: u32,
}

/// A kept trace, as sinks receive it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The run's trace id.
    pub trace_id: TraceId,
    /// The root span of this process's part.
    pub root_span_id: SpanId,
    /// The root first if it is here, then by start time.
    pub spans: Vec<SpanRecord>,
    /// Why the trace was kept.
    pub decision: SamplingDecision,
    /// How many traces this one stands for; `None` when nobody knows, because a caller kept it and
    /// did not say how likely that was.
    pub adjusted_count: Option<f64>,
    /// What kind of trace this is.
    pub class: TraceClass,
    /// What is missing from `spans`.
    pub dropped: TraceCounts,
    /// The trace was decided before its end (memory, `decision_wait` or shutdown): spans that were
    /// open then are not in it.
    pub incomplete: bool,
    /// These spans closed after the decision and follow it; the trace itself was sent before.
    pub late: bool,
}

impl Trace {
    /// The root span, unless it had not ended when the trace was decided.
    #[must_use]
    pub fn root(&self) -> Option<&SpanRecord> {
        self.spans.iter().find(|span| span.span_id == self.root_span_id)
    }

    /// The span with this id.
    #[must_use]
    pub fn span(&self, id: SpanId) -> Option<&SpanRecord> {
        self.spans.iter().find(|span| span.span_id == id)
    }

    /// The first span with this name, in the order of [`Trace::spans`].
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&SpanRecord> {
        self.spans.iter().find(|span| span.name == *name)
    }

    /// The direct children of a span, by start time.
    pub fn children(&self, id: SpanId) -> impl Iterator<Item = &SpanRecord> {
        self.spans.iter().filter(move |span| span.parent_span_id == Some(id) && span.span_id != id)
    }

    /// The root's duration, or 0 while it is unknown.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        self.root().map_or(0, |root| root.duration_ns)
    }

    /// Whether the run ended in an error.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.class == TraceClass::Failed || self.root().is_some_and(|root| root.status == SpanStatus::Error)
    }

    /// Approximate memory this trace holds, for the byte bounds of queues.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let sizes =
            |attributes: &[super::Attribute]| attributes.iter().map(super::Attribute::size_bytes).sum::<usize>();
        let received = |received: &super::Received| {
            std::mem::size_of_val(received) + received.status_message.len() + received.trace_state.len()
        };
        let span = |span: &SpanRecord| {
            let events = span.events.iter().map(|event| std::mem::size_of_val(event) + sizes(&event.attributes));
            let links = span
                .links
                .iter()
                .map(|link| std::mem::size_of_val(link) + sizes(&link.attributes) + link.trace_state.len());
            // Names count whether they are literals or not: most are short.
            std::mem::size_of::<SpanRecord>()
                + span.name.len()
                + sizes(&span.attributes)
                + events.sum::<usize>()
                + links.sum::<usize>()
                + span.received.as_deref().map_or(0, received)
        };
        std::mem::size_of::<Self>() + self.spans.iter().map(span).sum::<usize>() + self.source_bytes()
    }

    /// The part of its sources' memory that is this trace's: others may share them, as far as their counts of
    /// holders tell. It holds all of it once those are gone, so that no less than an eighth is its own.
    fn source_bytes(&self) -> usize {
        const MOST_COMPARED: usize = 8;
        const MOST_SHARING: usize = 8;
        let mut known: Vec<(&Arc<Source>, usize)> = Vec::new();
        for received in self.spans.iter().filter_map(|span| span.received.as_deref()) {
            let source = &received.source;
            match known.iter_mut().rev().take(MOST_COMPARED).find(|(known, _)| Arc::ptr_eq(known, source)) {
                Some((_, spans)) => *spans += 1,
                None => known.push((source, 1)),
            }
        }
        let share = |(source, spans): (&Arc<Source>, usize)| {
            source.size_bytes() / (Arc::strong_count(source) / spans).clamp(1, MOST_SHARING)
        };
        known.into_iter().map(share).sum()
    }
}
