//! One sink's queue: bounded in spans and bytes, with room kept for failed traces.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{Trace, TraceClass};

/// Ordinary traces may fill this share of a queue, in percent; the rest is for failed ones.
const ORDINARY_PERCENT: usize = 75;

#[derive(Debug)]
pub(super) struct Queue {
    traces: VecDeque<(Arc<Trace>, usize)>,
    spans: usize,
    bytes: usize,
    max_spans: usize,
    max_bytes: usize,
}

impl Queue {
    pub(super) fn new(max_spans: usize, max_bytes: usize) -> Self {
        Self { traces: VecDeque::new(), spans: 0, bytes: 0, max_spans, max_bytes }
    }

    /// Adds a trace if its class still has room. Returns the traces lost: this one, or ordinary
    /// ones that had to make way for a failed one.
    pub(super) fn offer(&mut self, trace: &Arc<Trace>) -> Vec<Arc<Trace>> {
        let (spans, bytes) = (trace.spans.len(), trace.size_bytes());
        let failed = trace.class == TraceClass::Failed;
        let percent = if failed { 100 } else { ORDINARY_PERCENT };
        let mut lost = Vec::new();
        // A trace larger than the whole queue could otherwise never be sent.
        while !self.traces.is_empty() && !self.fits(spans, bytes, percent) {
            match self.oldest_ordinary().filter(|_| failed).and_then(|at| self.remove(at)) {
                Some(victim) => lost.push(victim),
                None => {
                    lost.push(Arc::clone(trace));
                    return lost;
                }
            }
        }
        self.spans += spans;
        self.bytes += bytes;
        self.traces.push_back((Arc::clone(trace), bytes));
        lost
    }

    fn fits(&self, spans: usize, bytes: usize, percent: usize) -> bool {
        // Wide, because a bound may be as large as the type allows.
        let share = |bound: usize| (bound as u128 * percent as u128 / 100).max(1);
        let within = |used: usize, more: usize, bound: usize| used as u128 + more as u128 <= share(bound);
        within(self.spans, spans, self.max_spans) && within(self.bytes, bytes, self.max_bytes)
    }

    /// Whether it is more than half full.
    pub(super) fn is_crowded(&self) -> bool {
        self.spans > self.max_spans / 2 || self.bytes > self.max_bytes / 2
    }

    fn oldest_ordinary(&self) -> Option<usize> {
        self.traces.iter().position(|(trace, _)| trace.class != TraceClass::Failed)
    }

    fn remove(&mut self, at: usize) -> Option<Arc<Trace>> {
        let (trace, bytes) = self.traces.remove(at)?;
        self.spans -= trace.spans.len();
        self.bytes -= bytes;
        Some(trace)
    }

    /// Takes the oldest traces, at least one and up to `max_spans` spans.
    pub(super) fn take_batch(&mut self, max_spans: usize) -> Vec<Arc<Trace>> {
        let mut batch = Vec::new();
        let mut spans = 0;
        while let Some((next, _)) = self.traces.front() {
            if !batch.is_empty() && spans + next.spans.len() > max_spans {
                break;
            }
            spans += next.spans.len();
            batch.extend(self.remove(0));
        }
        batch
    }

    pub(super) fn len(&self) -> usize {
        self.traces.len()
    }

    #[cfg(test)]
    pub(super) fn spans(&self) -> usize {
        self.spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SpanId, TraceId};
    use crate::model::{DecisionReason, SamplingDecision, SpanRecord, TraceCounts};

    fn trace(id: u128, spans: usize, class: TraceClass) -> Arc<Trace> {
        let root_span_id = SpanId::new(1).unwrap();
        let span = SpanRecord::new(root_span_id, "s".into(), "lambda".into());
        Arc::new(Trace {
            trace_id: TraceId::new(id).unwrap(),
            root_span_id,
            spans: vec![span; spans],
            decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "keep_all" },
            adjusted_count: Some(1.0),
            class,
            dropped: TraceCounts::default(),
            incomplete: false,
            late: false,
        })
    }

    fn ids(traces: &[Arc<Trace>]) -> Vec<u128> {
        traces.iter().map(|trace| trace.trace_id.get()).collect()
    }

    #[test]
    fn ordinary_traces_leave_a_quarter_of_the_queue_to_failed_ones() {
        let mut queue = Queue::new(8, usize::MAX);
        let lost: Vec<_> = (1..=8).flat_map(|id| queue.offer(&trace(id, 1, TraceClass::Normal))).collect();
        assert_eq!(ids(&lost), [7, 8]);
        assert!(queue.offer(&trace(9, 2, TraceClass::Failed)).is_empty());
        assert_eq!(queue.spans(), 8);
    }

    #[test]
    fn a_failed_trace_pushes_out_the_oldest_ordinary_ones() {
        let mut queue = Queue::new(8, usize::MAX);
        for id in 1..=6 {
            queue.offer(&trace(id, 1, TraceClass::Normal));
        }
        let lost = queue.offer(&trace(10, 4, TraceClass::Failed));
        assert_eq!(ids(&lost), [1, 2]);
        assert_eq!(ids(&queue.take_batch(100)), [3, 4, 5, 6, 10]);
    }

    #[test]
    fn failed_traces_are_lost_only_when_nothing_else_is_left_to_lose() {
        let mut queue = Queue::new(2, usize::MAX);
        assert!(queue.offer(&trace(1, 1, TraceClass::Failed)).is_empty());
        assert!(queue.offer(&trace(2, 1, TraceClass::Failed)).is_empty());
        assert_eq!(ids(&queue.offer(&trace(3, 1, TraceClass::Failed))), [3]);
    }

    #[test]
    fn bytes_bound_the_queue_too_and_a_giant_passes_alone() {
        let one = trace(1, 1, TraceClass::Normal).size_bytes();
        let mut queue = Queue::new(1_000_000, one * 4);
        let lost: Vec<_> = (1..=5).flat_map(|id| queue.offer(&trace(id, 1, TraceClass::Normal))).collect();
        assert_eq!(ids(&lost), [4, 5]);
        let mut empty = Queue::new(2, one);
        assert!(empty.offer(&trace(7, 10_000, TraceClass::Normal)).is_empty());
    }

    #[test]
    fn batches_keep_the_order_and_the_size() {
        let mut queue = Queue::new(100, usize::MAX);
        for id in 1..=5 {
            queue.offer(&trace(id, 2, TraceClass::Normal));
        }
        assert_eq!(ids(&queue.take_batch(4)), [1, 2]);
        assert_eq!(ids(&queue.take_batch(1)), [3]);
        assert_eq!(queue.len(), 2);
    }
}
