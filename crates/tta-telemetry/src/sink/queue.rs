//! One sink's queue: bounded in spans and bytes, with room kept for failed and slow traces.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{DecisionReason, Trace, TraceClass};

/// Ordinary traces may fill this share of a queue, in percent; the rest is for failed and slow ones.
const ORDINARY_PERCENT: usize = 75;

#[derive(Debug)]
pub(super) struct Queue {
    ordinary: Lane,
    /// Failed and slow ones.
    precious: Lane,
    /// The number of the next trace: those of both lanes leave in the order in which they came.
    next: u64,
    max_spans: usize,
    max_bytes: usize,
}

/// Traces of one sort, the oldest first.
#[derive(Debug, Default)]
struct Lane {
    traces: VecDeque<Waiting>,
    spans: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    trace: Arc<Trace>,
    bytes: usize,
}

impl Lane {
    fn push(&mut self, waiting: Waiting) {
        self.spans += waiting.trace.spans.len();
        self.bytes += waiting.bytes;
        self.traces.push_back(waiting);
    }

    fn pop(&mut self) -> Option<Arc<Trace>> {
        let Waiting { trace, bytes, .. } = self.traces.pop_front()?;
        self.spans -= trace.spans.len();
        self.bytes -= bytes;
        Some(trace)
    }

    fn first(&self) -> Option<u64> {
        self.traces.front().map(|waiting| waiting.number)
    }
}

impl Queue {
    pub(super) fn new(max_spans: usize, max_bytes: usize) -> Self {
        let (ordinary, precious) = Default::default();
        Self { ordinary, precious, next: 0, max_spans, max_bytes }
    }

    /// Adds a trace if its sort still has room. Returns the traces lost: this one, or ordinary ones that
    /// had to make way for a failed or slow one.
    pub(super) fn offer(&mut self, trace: &Arc<Trace>) -> Vec<Arc<Trace>> {
        let (spans, bytes) = (trace.spans.len(), trace.size_bytes());
        let is_precious = is_precious(trace);
        let mut lost = Vec::new();
        if is_precious && self.fits_beside(&[&self.precious], spans, bytes, 100) {
            while !self.fits_beside(&[&self.precious, &self.ordinary], spans, bytes, 100) {
                let Some(victim) = self.ordinary.pop() else { break };
                lost.push(victim);
            }
        } else if is_precious || !self.fits_beside(&[&self.precious, &self.ordinary], spans, bytes, ORDINARY_PERCENT) {
            lost.push(Arc::clone(trace));
            return lost;
        }
        let waiting = Waiting { number: self.next, trace: Arc::clone(trace), bytes };
        self.next += 1;
        if is_precious {
            self.precious.push(waiting)
        } else {
            self.ordinary.push(waiting)
        }
        lost
    }

    /// Whether there is room if only these were there. A trace larger than the whole queue could otherwise
    /// never be sent, so there is always room beside nothing.
    fn fits_beside(&self, lanes: &[&Lane], spans: usize, bytes: usize, percent: usize) -> bool {
        let sum = |of: fn(&Lane) -> usize| lanes.iter().map(|lane| of(lane)).sum::<usize>();
        // Wide, because a bound may be as large as the type allows.
        let share = |bound: usize| (bound as u128 * percent as u128 / 100).max(1);
        let within = |used: usize, more: usize, bound: usize| used as u128 + more as u128 <= share(bound);
        sum(|lane| lane.traces.len()) == 0
            || within(sum(|lane| lane.spans), spans, self.max_spans)
                && within(sum(|lane| lane.bytes), bytes, self.max_bytes)
    }

    /// Whether it is more than half full.
    pub(super) fn is_crowded(&self) -> bool {
        let (spans, bytes) = (self.ordinary.spans + self.precious.spans, self.ordinary.bytes + self.precious.bytes);
        spans > self.max_spans / 2 || bytes > self.max_bytes / 2
    }

    /// Takes the oldest traces, at least one and up to `max_spans` spans.
    pub(super) fn take_batch(&mut self, max_spans: usize) -> Vec<Arc<Trace>> {
        let mut batch = Vec::new();
        let mut spans = 0;
        loop {
            let lane = match (self.ordinary.first(), self.precious.first()) {
                (Some(ordinary), Some(precious)) if precious < ordinary => &mut self.precious,
                (None, _) => &mut self.precious,
                _ => &mut self.ordinary,
            };
            let Some(next) = lane.traces.front() else { return batch };
            spans += next.trace.spans.len();
            if !batch.is_empty() && spans > max_spans {
                return batch;
            }
            batch.extend(lane.pop());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ordinary.traces.len() + self.precious.traces.len()
    }

    #[cfg(test)]
    pub(super) fn spans(&self) -> usize {
        self.ordinary.spans + self.precious.spans
    }
}

fn is_precious(trace: &Trace) -> bool {
    trace.class == TraceClass::Failed || trace.decision.reason == DecisionReason::TailSlow
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SpanId, TraceId};
    use crate::model::{SamplingDecision, SpanRecord, TraceCounts};

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
    fn a_slow_trace_has_the_room_of_a_failed_one_and_is_lost_as_late() {
        let mut queue = Queue::new(8, usize::MAX);
        for id in 1..=6 {
            queue.offer(&trace(id, 1, TraceClass::Normal));
        }
        let mut slow = (*trace(10, 2, TraceClass::Normal)).clone();
        slow.decision.reason = DecisionReason::TailSlow;
        assert!(queue.offer(&Arc::new(slow)).is_empty());
        assert_eq!(ids(&queue.offer(&trace(11, 6, TraceClass::Failed))), [1, 2, 3, 4, 5, 6]);
        assert_eq!(ids(&queue.take_batch(100)), [10, 11]);
    }

    #[test]
    fn a_failed_trace_that_has_no_room_whoever_makes_way_pushes_nobody_out() {
        let mut queue = Queue::new(8, usize::MAX);
        queue.offer(&trace(1, 3, TraceClass::Failed));
        queue.offer(&trace(2, 3, TraceClass::Normal));
        assert_eq!(ids(&queue.offer(&trace(3, 6, TraceClass::Failed))), [3]);
        assert_eq!(ids(&queue.take_batch(100)), [1, 2]);
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
