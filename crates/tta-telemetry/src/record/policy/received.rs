//! The decision about a trace that other processes recorded.
//!
//! As about our own, but that any failed span makes it a failed trace, nobody's `sampled` flag binds
//! us, and what was sampled before it came stands for as many as it did then.

use std::sync::atomic::Ordering;

use super::super::core::CounterCells;
use super::super::hooks::{HookedRun, Hooks, SAMPLER};
use super::{KEEP_ALL, KEEP_FAILED, KEEP_NONE, Policies, Sampled, simple};
use crate::id::TraceId;
use crate::model::{Name, Sampling, Trace, TraceClass};
use crate::sampling::{FinishedTrace, RemoteSampling, RuleOutcome, RunStart, TailDecision, TailPolicy, Threshold};

/// What is known of it when it is decided about.
#[derive(Debug)]
pub(crate) struct ReceivedTrace<'a> {
    pub(crate) trace_id: TraceId,
    /// What settings of workflows are looked up by.
    pub(crate) service: Option<&'a Name>,
    pub(crate) class: TraceClass,
    pub(crate) duration_ns: u64,
    pub(crate) bytes: u64,
    pub(crate) remote: RemoteSampling,
    /// What its sender kept it by.
    pub(crate) incoming: Threshold,
    /// What a program's own samplers have to know of it; `None` where there are no hooks.
    pub(crate) hooked: Option<(&'a Hooks, &'a HookedRun)>,
    pub(crate) cells: &'a CounterCells,
}

impl<'a> ReceivedTrace<'a> {
    /// What is known at the start of a trace, as far as others count.
    pub(crate) fn start(trace_id: TraceId, remote: RemoteSampling) -> RunStart<'a> {
        RunStart { trace_id, remote, correlation_id: None, forced: false }
    }

    fn has_samplers(&self) -> bool {
        self.hooked.is_some_and(|(hooks, run)| hooks.samples(run))
    }
}

impl Policies {
    /// The decision about a trace that other processes recorded. `None`: a rule may have something to
    /// say, which takes the whole trace.
    pub(crate) fn decide_received(&self, trace: &ReceivedTrace<'_>) -> Option<TailDecision> {
        let decided = match self.mode.load(Ordering::Acquire) {
            KEEP_ALL => weighted(simple(Sampling::KeepAll, trace.class), trace.incoming),
            KEEP_NONE => simple(Sampling::KeepNone, trace.class),
            KEEP_FAILED => weighted(simple(Sampling::KeepFailed, trace.class), trace.incoming),
            _ => match &*self.policy.load() {
                Some(sampled) => sampled.decide_received(trace, self.own_number(trace))?,
                None => weighted(simple(Sampling::KeepAll, trace.class), trace.incoming),
            },
        };
        self.note_received(&decided, trace);
        Some(decided)
    }

    /// The same with the whole trace at hand.
    pub(crate) fn decide_received_whole(&self, trace: &ReceivedTrace<'_>, whole: &Trace) -> TailDecision {
        let decided = match &*self.policy.load() {
            Some(sampled) => sampled.decide_received_whole(trace, self.own_number(trace), whole),
            None => weighted(simple(Sampling::KeepAll, trace.class), trace.incoming),
        };
        self.note_received(&decided, trace);
        decided
    }

    fn own_number(&self, trace: &ReceivedTrace<'_>) -> u32 {
        trace.service.map_or(0, |service| self.workflow(service))
    }

    /// Of traces that were sampled before they came it is not known how many there were.
    fn note_received(&self, decided: &TailDecision, trace: &ReceivedTrace<'_>) {
        if trace.incoming == Threshold::ALWAYS {
            self.weights.note(decided);
        }
    }
}

impl Sampled {
    fn decide_received(&self, trace: &ReceivedTrace<'_>, number: u32) -> Option<TailDecision> {
        let (tail, finished) = self.finished_received(trace, number);
        if (!self.rules.is_empty() || trace.has_samplers()) && !tail.keeps_always(&finished) {
            return None;
        }
        Some(tail.decide(&finished, self.budget.as_ref()))
    }

    fn decide_received_whole(&self, trace: &ReceivedTrace<'_>, number: u32, whole: &Trace) -> TailDecision {
        let (tail, mut finished) = self.finished_received(trace, number);
        if let Some((hooks, run)) = trace.hooked.filter(|_| !tail.keeps_always(&finished)) {
            finished.rule = hooks.tail(run, &finished, whole, trace.cells);
            if finished.rule != RuleOutcome::None {
                let mut decided = tail.decide(&finished, self.budget.as_ref());
                decided.decision.sampler = SAMPLER;
                return decided;
            }
        }
        let latencies = self.latencies.load();
        tail.ask(&self.rules, whole, &mut finished, &|root, quantile| latencies.of(root, quantile));
        tail.decide(&finished, self.budget.as_ref())
    }

    fn finished_received(&self, trace: &ReceivedTrace<'_>, number: u32) -> (TailPolicy, FinishedTrace) {
        let own = self.own_of(number);
        let asked = trace.hooked.and_then(|(_, run)| run.rate);
        let rate = asked.or(own.rate).unwrap_or_else(|| self.head.rate().get());
        let mut head = self.head.decide_at(rate, &ReceivedTrace::start(trace.trace_id, trace.remote));
        if asked.is_some() {
            head.sampler = SAMPLER;
        }
        let finished = FinishedTrace::new(trace.class, trace.duration_ns, head);
        let finished = FinishedTrace { bytes: trace.bytes, incoming: trace.incoming, ..finished };
        (own.tail.unwrap_or(self.policy.tail), finished)
    }
}

/// A kept trace stands for as many as were dropped before it came, too.
fn weighted(decided: TailDecision, incoming: Threshold) -> TailDecision {
    let adjusted_count = decided.adjusted_count.map(|count| count * incoming.adjusted_count());
    TailDecision { adjusted_count, ..decided }
}
