//! The policy in effect, and what it makes of a trace.
//!
//! Exchanged as a whole, so that a decision never sees half of a change. The three simple choices
//! take no look at it: they are one byte.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::live::LiveTrace;
use crate::clock::Clock;
use crate::id::TraceId;
use crate::metrics::ShardedCounter;
use crate::model::{DecisionReason, Name, Sampling, SamplingDecision, Trace, TraceClass};
use crate::rules::{RuleAction, RuleSet, SamplingRule};
use crate::sampling::{
    AdaptiveController, AdaptiveStats, FinishedTrace, HeadDecision, HeadSampler, Rate, RateBudget, RemoteSampling,
    RuleOutcome, RunStart, SamplingError, SamplingHash, SamplingPolicy, SharedRate, TailDecision, TailPolicy,
    Threshold, WorkflowPolicy,
};

/// What is known of a trace that other processes recorded, when it is decided about.
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
}

/// A choice that needs no look at a policy, as a byte; or that there is a policy.
const KEEP_ALL: u8 = 0;
const KEEP_NONE: u8 = 1;
const KEEP_FAILED: u8 = 2;
const POLICY: u8 = 3;
/// A policy that has to be asked when a run starts.
const POLICY_AT_START: u8 = 4;

#[derive(Debug)]
pub(crate) struct Policies {
    mode: AtomicU8,
    policy: ArcSwapOption<Sampled>,
    /// Numbers of workflows that any policy had something to say about, from 1.
    workflows: Mutex<HashMap<Name, u32>>,
    pub(crate) weights: Weights,
}

/// What kept traces stand for, against what there was.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    /// Sum of the weights of kept traces, in millionths.
    estimated: ShardedCounter,
    /// Traces that estimates are about.
    exact: ShardedCounter,
}

/// A policy with what it needs to decide.
#[derive(Debug)]
struct Sampled {
    head: HeadSampler,
    policy: SamplingPolicy,
    /// By their numbers.
    workflows: HashMap<u32, WorkflowPolicy>,
    budget: Option<RateBudget>,
    rules: RuleSet,
    adaptive: Option<Mutex<AdaptiveController>>,
}

impl Policies {
    pub(crate) fn simple(sampling: Sampling) -> Self {
        Self {
            mode: AtomicU8::new(match sampling {
                Sampling::KeepAll => KEEP_ALL,
                Sampling::KeepNone => KEEP_NONE,
                Sampling::KeepFailed => KEEP_FAILED,
            }),
            policy: ArcSwapOption::empty(),
            workflows: Mutex::default(),
            weights: Weights::default(),
        }
    }

    /// Decides by this policy from now on; runs under way, too, when they end.
    pub(crate) fn set(&self, policy: SamplingPolicy, clock: &Clock) -> Result<(), SamplingError> {
        policy.check()?;
        let workflows = {
            let mut numbers = self.workflows.lock().unwrap_or_else(PoisonError::into_inner);
            let of = |(name, own): (&Name, &WorkflowPolicy)| {
                let next = numbers.len() as u32 + 1;
                (*numbers.entry(name.clone()).or_insert(next), *own)
            };
            policy.workflows.iter().map(of).collect::<HashMap<_, _>>()
        };
        let has_budget = policy.budget.max_traces_per_second.is_some() || policy.budget.max_bytes_per_second.is_some();
        let budget = has_budget.then(|| RateBudget::new(policy.budget.clone(), now_ns(clock))).transpose()?;
        let at_start = !workflows.is_empty() || policy.hash == SamplingHash::Md5;
        let adaptive = policy.adaptive().map(|config| AdaptiveController::new(config, now_ns(clock))).transpose()?;
        let name = if adaptive.is_some() { "adaptive" } else { "probabilistic" };
        let head = HeadSampler::sharing(policy.hash, SharedRate::new(policy.rate), name);
        let adaptive = adaptive.map(Mutex::new);
        let rules = RuleSet::new(policy.rules.iter().cloned()).unwrap_or_default();
        self.policy.store(Some(Arc::new(Sampled { head, policy, workflows, budget, rules, adaptive })));
        self.mode.store(if at_start { POLICY_AT_START } else { POLICY }, Ordering::Release);
        Ok(())
    }

    /// Keeps nothing from now on.
    #[cfg_attr(not(feature = "config"), allow(dead_code))]
    pub(crate) fn keep_none(&self) {
        self.mode.store(KEEP_NONE, Ordering::Release);
    }

    /// The number of a workflow that the policy has something to say about; 0 is none.
    #[inline]
    pub(crate) fn workflow(&self, name: &Name) -> u32 {
        if self.mode.load(Ordering::Relaxed) == POLICY_AT_START { self.find_workflow(name) } else { 0 }
    }

    #[cold]
    fn find_workflow(&self, name: &Name) -> u32 {
        self.workflows.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or(0)
    }

    /// Whether what is carried in place of the trace id decides by chance.
    #[inline]
    pub(crate) fn asks_for_correlation_id(&self) -> bool {
        self.mode.load(Ordering::Relaxed) == POLICY_AT_START
            && self.policy.load().as_ref().is_some_and(|sampled| sampled.policy.hash == SamplingHash::Md5)
    }

    /// What is decided at the start of a run, for what is told to those it calls; `None` where a
    /// simple choice says it.
    pub(crate) fn head(&self, live: &LiveTrace) -> Option<HeadDecision> {
        if self.mode.load(Ordering::Acquire) < POLICY {
            return None;
        }
        self.policy.load().as_ref().map(|sampled| sampled.head(live))
    }

    /// The same for a run that is not recorded.
    pub(crate) fn keeps_all(&self) -> bool {
        self.mode.load(Ordering::Relaxed) == KEEP_ALL
    }

    /// The share of ordinary traces that is kept.
    pub(crate) fn rate(&self) -> f64 {
        match self.mode.load(Ordering::Relaxed) {
            KEEP_ALL => 1.0,
            KEEP_NONE | KEEP_FAILED => 0.0,
            _ => self.policy.load().as_ref().map_or(0.0, |sampled| sampled.head.rate().get().get()),
        }
    }

    /// The decision about a trace as it stands. One rule for every way a trace can end. `None`: a
    /// rule may have something to say, which takes the whole trace.
    #[inline]
    pub(crate) fn decide(&self, live: &LiveTrace) -> Option<TailDecision> {
        match self.mode.load(Ordering::Acquire) {
            KEEP_ALL => Some(simple(Sampling::KeepAll, live.class())),
            KEEP_NONE => Some(simple(Sampling::KeepNone, live.class())),
            KEEP_FAILED => Some(simple(Sampling::KeepFailed, live.class())),
            _ => self.decide_by_policy(live),
        }
    }

    fn decide_by_policy(&self, live: &LiveTrace) -> Option<TailDecision> {
        let decided = match &*self.policy.load() {
            Some(sampled) => sampled.decide(live)?,
            // There is one whenever the mode says so.
            None => simple(Sampling::KeepAll, live.class()),
        };
        self.weights.note(&decided);
        Some(decided)
    }

    /// The same with the whole trace at hand.
    pub(crate) fn decide_whole(&self, live: &LiveTrace, trace: &Trace) -> TailDecision {
        let decided = match &*self.policy.load() {
            Some(sampled) => sampled.decide_whole(live, trace),
            // The policy was replaced by a simple choice.
            None => simple(Sampling::KeepAll, live.class()),
        };
        self.weights.note(&decided);
        decided
    }

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

    /// The rules, with how often each decided.
    pub(crate) fn rule_counts(&self) -> Vec<(String, u64)> {
        let policy = self.policy.load();
        let rules = policy.iter().flat_map(|sampled| sampled.rules.counts());
        rules.map(|count| (count.name.to_owned(), count.matched)).collect()
    }

    /// Lets time pass: ends the budget's window, and the interval after which the rate moves.
    pub(crate) fn advance(&self, clock: &Clock) {
        let policy = self.policy.load();
        let Some(sampled) = policy.as_ref() else { return };
        if let Some(budget) = &sampled.budget {
            budget.advance(now_ns(clock));
        }
        if let Some(adaptive) = &sampled.adaptive {
            let rate = adaptive.lock().unwrap_or_else(PoisonError::into_inner).advance(now_ns(clock));
            rate.into_iter().for_each(|rate| sampled.head.rate().set(rate));
        }
    }

    /// Tells an adaptive rate what telemetry costs.
    pub(crate) fn observe_overhead(&self, share: f64) {
        if let Some(adaptive) = self.policy.load().as_ref().and_then(|sampled| sampled.adaptive.as_ref()) {
            adaptive.lock().unwrap_or_else(PoisonError::into_inner).observe(share);
        }
    }

    /// Where an adaptive rate stands.
    pub(crate) fn adaptive_stats(&self, decisions: u64, kept: u64) -> Option<AdaptiveStats> {
        let policy = self.policy.load();
        let adaptive = policy.as_ref()?.adaptive.as_ref()?;
        Some(adaptive.lock().unwrap_or_else(PoisonError::into_inner).stats(decisions, kept))
    }
}

fn now_ns(clock: &Clock) -> u64 {
    // Only differences matter, and the wall clock is anchored to the monotonic one.
    clock.unix_ns(clock.ticks())
}

impl Sampled {
    fn own(&self, live: &LiveTrace) -> WorkflowPolicy {
        self.own_of(live.workflow())
    }

    fn own_of(&self, number: u32) -> WorkflowPolicy {
        if number == 0 { WorkflowPolicy::default() } else { self.workflows.get(&number).copied().unwrap_or_default() }
    }

    fn head(&self, live: &LiveTrace) -> HeadDecision {
        self.head_at(live, &self.own(live))
    }

    fn head_at(&self, live: &LiveTrace, own: &WorkflowPolicy) -> HeadDecision {
        let rate = own.rate.unwrap_or_else(|| self.head.rate().get());
        let id = live.correlation_id();
        let start = RunStart {
            trace_id: live.trace_id(),
            remote: live.remote_sampling(),
            correlation_id: id.as_deref(),
            forced: live.is_forced(),
        };
        self.head.decide_at(rate, &start)
    }

    /// `None` when it is for the rules to say.
    fn decide(&self, live: &LiveTrace) -> Option<TailDecision> {
        let (tail, finished) = self.finished(live);
        if !self.rules.is_empty() && !tail.keeps_always(&finished) {
            return None;
        }
        Some(tail.decide(&finished, self.budget.as_ref()))
    }

    fn decide_whole(&self, live: &LiveTrace, trace: &Trace) -> TailDecision {
        let (tail, mut finished) = self.finished(live);
        if !tail.keeps_always(&finished) {
            finished.rule = self.rule(&tail, trace);
        }
        tail.decide(&finished, self.budget.as_ref())
    }

    fn finished(&self, live: &LiveTrace) -> (TailPolicy, FinishedTrace) {
        let own = self.own(live);
        let head = self.head_at(live, &own);
        let clock = &live.core.clock;
        let end = live.root_ended().unwrap_or_else(|| clock.ticks());
        let bytes = if self.budget.is_some() { live.log.allocated_bytes() as u64 } else { 0 };
        let finished =
            FinishedTrace { bytes, ..FinishedTrace::new(live.class(), clock.nanos_between(live.started(), end), head) };
        (own.tail.unwrap_or(self.policy.tail), finished)
    }
}

impl Sampled {
    fn decide_received(&self, trace: &ReceivedTrace<'_>, number: u32) -> Option<TailDecision> {
        let (tail, finished) = self.finished_received(trace, number);
        if !self.rules.is_empty() && !tail.keeps_always(&finished) {
            return None;
        }
        Some(tail.decide(&finished, self.budget.as_ref()))
    }

    fn decide_received_whole(&self, trace: &ReceivedTrace<'_>, number: u32, whole: &Trace) -> TailDecision {
        let (tail, mut finished) = self.finished_received(trace, number);
        if !tail.keeps_always(&finished) {
            finished.rule = self.rule(&tail, whole);
        }
        tail.decide(&finished, self.budget.as_ref())
    }

    fn finished_received(&self, trace: &ReceivedTrace<'_>, number: u32) -> (TailPolicy, FinishedTrace) {
        let own = self.own_of(number);
        let rate = own.rate.unwrap_or_else(|| self.head.rate().get());
        let start = RunStart { trace_id: trace.trace_id, remote: trace.remote, correlation_id: None, forced: false };
        let head = self.head.decide_at(rate, &start);
        let finished = FinishedTrace::new(trace.class, trace.duration_ns, head);
        let finished = FinishedTrace { bytes: trace.bytes, incoming: trace.incoming, ..finished };
        (own.tail.unwrap_or(self.policy.tail), finished)
    }

    /// What the rules say.
    fn rule(&self, tail: &TailPolicy, trace: &Trace) -> RuleOutcome {
        let slow = Duration::from_secs_f64((tail.slow_threshold_ms / 1e3).clamp(0.0, 1e9));
        self.rules.decide(trace, Some(slow)).map_or(RuleOutcome::None, outcome)
    }
}

/// A kept trace stands for as many as were dropped before it came, too.
fn weighted(decided: TailDecision, incoming: Threshold) -> TailDecision {
    let adjusted_count = decided.adjusted_count.map(|count| count * incoming.adjusted_count());
    TailDecision { adjusted_count, ..decided }
}

fn outcome(rule: &SamplingRule) -> RuleOutcome {
    // Names were checked when the policy was set.
    let Ok(name) = rule.name().parse() else { return RuleOutcome::None };
    match rule.action() {
        RuleAction::Keep => RuleOutcome::Keep(name),
        RuleAction::Drop => RuleOutcome::Drop(name),
        RuleAction::Rate(rate) => RuleOutcome::Rate(name, Rate::new(rate).unwrap_or(Rate::ZERO)),
    }
}

fn simple(sampling: Sampling, class: TraceClass) -> TailDecision {
    let sampler = match sampling {
        Sampling::KeepAll => "keep_all",
        Sampling::KeepNone => "keep_none",
        Sampling::KeepFailed => "keep_failed",
    };
    let (keep, reason) = match (sampling, class) {
        (Sampling::KeepNone, _) => (false, DecisionReason::RateZero),
        (Sampling::KeepFailed, TraceClass::Normal) => (false, DecisionReason::TailNormal),
        (_, TraceClass::Failed) => (true, DecisionReason::TailError),
        (_, TraceClass::Cancelled) => (true, DecisionReason::Cancelled),
        (Sampling::KeepAll, TraceClass::Normal) => (true, DecisionReason::RateOne),
    };
    let rate = if keep { 1.0 } else { 0.0 };
    let decision = SamplingDecision { keep, rate, reason, sampler };
    TailDecision { decision, adjusted_count: keep.then_some(1.0), is_excluded: false }
}

impl Weights {
    /// Counts a decision, once for each trace: the traces that kept ones stand for, beside those that there were.
    #[inline]
    pub(crate) fn note(&self, decided: &TailDecision) {
        if decided.is_excluded {
            return;
        }
        match (decided.decision.keep, decided.adjusted_count) {
            (true, Some(count)) => {
                self.exact.add(1);
                self.estimated.add((count * 1e6) as u64);
            }
            // Of a weight that nobody knows: in neither.
            (true, None) => {}
            // Of a class of which none is kept: nothing stands for it, and it is counted as missing.
            (false, _) => self.exact.add(1),
        }
    }

    /// How far the number of traces that is estimated from kept ones is from the exact one, over
    /// the exact one; `None` before the first.
    pub(crate) fn error_ratio(&self) -> Option<f64> {
        let (exact, estimated) = (self.exact.get() as f64, self.estimated.get() as f64 / 1e6);
        (exact > 0.0).then(|| (estimated - exact).abs() / exact)
    }
}
