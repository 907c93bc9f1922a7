//! The decision at a run's end, by what came of it.
//!
//! Owns the order of reasons and the weight of what is kept. Does not own the conditions of rules
//! (their outcome is given), or how much is too much (a [`RateBudget`] is given).

use std::collections::BTreeMap;

use super::budget::{BudgetClass, RateBudget};
use super::error::SamplingError;
use super::head::{HeadDecision, Selection};
use super::rate::Rate;
use super::threshold::Threshold;
use crate::model::{DecisionReason, Name, RuleName, SamplingDecision, Trace, TraceClass};

/// What the first rule that matched says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum RuleOutcome {
    /// None matched.
    #[default]
    None,
    /// Keep it.
    Keep(RuleName),
    /// Drop it, and count it out of what estimates are made about.
    Drop(RuleName),
    /// Keep this share of those the rule matches. 0 is [`Drop`](Self::Drop).
    Rate(RuleName, Rate),
}

/// What is known of a trace that has ended.
#[derive(Clone, Copy, Debug)]
pub struct FinishedTrace {
    /// How it ended.
    pub class: TraceClass,
    /// How long its root took, in milliseconds.
    pub duration_ms: f64,
    /// What was decided at its start.
    pub head: HeadDecision,
    /// What the rules say.
    pub rule: RuleOutcome,
    /// How much it would take if it was kept, for budgets.
    pub bytes: u64,
    /// What another process kept it by before it came here; that of a trace of our own keeps all.
    pub incoming: Threshold,
}

impl FinishedTrace {
    /// A trace that no rule matched, of unknown size.
    #[must_use]
    pub fn new(class: TraceClass, duration_ns: u64, head: HeadDecision) -> Self {
        Self {
            class,
            duration_ms: duration_ns as f64 / 1e6,
            head,
            rule: RuleOutcome::None,
            bytes: 0,
            incoming: Threshold::ALWAYS,
        }
    }
}

/// What was decided about a trace that has ended, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TailDecision {
    /// The decision.
    pub decision: SamplingDecision,
    /// How many traces a kept one stands for. `None` for a dropped one, and for a kept one whose
    /// caller did not say how likely that was: those are to be shown apart.
    pub adjusted_count: Option<f64>,
    /// A rule dropped it: it is not among the traces that estimates are about.
    pub is_excluded: bool,
}

impl TailDecision {
    /// The trace with this decision about it.
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) fn of(self, trace: Trace) -> Trace {
        Trace { decision: self.decision, adjusted_count: self.adjusted_count, ..trace }
    }
}

/// Which traces are kept whatever chance says. Small and cheap to copy: one for each workflow.
///
/// The first that applies decides: the trace was forced, failed, was cancelled, was slow, matched a
/// rule; else what was decided at its start. Nothing that is kept by one of these is dropped by a
/// later one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TailPolicy {
    /// Keep traces that failed. Default true.
    pub always_sample_errors: bool,
    /// Keep traces that were slow. Default true.
    pub always_sample_slow: bool,
    /// Keep traces that were cancelled. Default true.
    pub always_sample_cancelled: bool,
    /// From which duration on a trace is slow, in milliseconds. Default 1,000; at least 0, at which
    /// every trace is.
    pub slow_threshold_ms: f64,
}

impl Default for TailPolicy {
    fn default() -> Self {
        Self {
            always_sample_errors: true,
            always_sample_slow: true,
            always_sample_cancelled: true,
            slow_threshold_ms: 1_000.0,
        }
    }
}

impl TailPolicy {
    /// Checks every range.
    ///
    /// # Errors
    /// A threshold below 0, infinite or not a number.
    pub fn check(&self) -> Result<(), SamplingError> {
        check_slow(self.slow_threshold_ms)
    }

    /// Decides about a trace. A budget is told of the trace and holds the decision to its
    /// thresholds.
    #[must_use]
    pub fn decide(&self, trace: &FinishedTrace, budget: Option<&RateBudget>) -> TailDecision {
        if let Some((reason, sampler)) = self.always(trace) {
            return certain(trace, reason, sampler, budget);
        }
        match trace.rule {
            RuleOutcome::Keep(name) => certain(trace, DecisionReason::Rule(name), "rules", budget),
            RuleOutcome::Rate(name, rate) if rate > Rate::ZERO => {
                let threshold = Threshold::of_rate(rate.get()).max(trace.incoming);
                let reason = DecisionReason::Rule(name);
                by_threshold(trace, threshold, rate.get(), (reason, reason, "rules"), budget)
            }
            RuleOutcome::Drop(name) | RuleOutcome::Rate(name, _) => {
                let reason = DecisionReason::Rule(name);
                let decision = SamplingDecision { keep: false, rate: 0.0, reason, sampler: "rules" };
                TailDecision { decision, adjusted_count: None, is_excluded: true }
            }
            RuleOutcome::None => by_head(trace, budget),
        }
    }

    /// Whether this trace is kept whatever rules and chance say.
    #[must_use]
    pub fn keeps_always(&self, trace: &FinishedTrace) -> bool {
        self.always(trace).is_some()
    }

    /// Why this trace is kept whatever chance says.
    fn always(&self, trace: &FinishedTrace) -> Option<(DecisionReason, &'static str)> {
        let is = |class| trace.class == class;
        if trace.head.reason == DecisionReason::Forced {
            Some((DecisionReason::Forced, trace.head.sampler))
        } else if self.always_sample_errors && is(TraceClass::Failed) {
            Some((DecisionReason::TailError, "tail"))
        } else if self.always_sample_cancelled && is(TraceClass::Cancelled) {
            Some((DecisionReason::Cancelled, "tail"))
        } else if self.always_sample_slow && trace.duration_ms >= self.slow_threshold_ms {
            Some((DecisionReason::TailSlow, "tail"))
        } else {
            None
        }
    }
}

/// A class that is kept whole, within the bound of the budget.
fn certain(
    trace: &FinishedTrace,
    reason: DecisionReason,
    sampler: &'static str,
    budget: Option<&RateBudget>,
) -> TailDecision {
    let class = BudgetClass::Exempt;
    let bound = budget.map_or(Threshold::ALWAYS, |budget| budget.offer(class, Selection::Rate(1.0), trace.bytes));
    let keep = bound.keeps(trace.head.randomness);
    note(budget, class, keep);
    let decision = SamplingDecision { keep, rate: bound.probability(), reason, sampler };
    // Both look at the same randomness, so the greater one says how likely it was.
    let count = bound.max(trace.incoming).adjusted_count();
    TailDecision { decision, adjusted_count: keep.then_some(count), is_excluded: false }
}

/// By the greater of the trace's own threshold and the budget's: whoever would be kept by a greater
/// one is kept by a smaller, so the probability is that of the greater.
fn by_threshold(
    trace: &FinishedTrace,
    own: Threshold,
    rate: f64,
    (kept, dropped, sampler): (DecisionReason, DecisionReason, &'static str),
    budget: Option<&RateBudget>,
) -> TailDecision {
    let class = BudgetClass::Ordinary;
    let bound = budget.map_or(Threshold::ALWAYS, |budget| budget.offer(class, Selection::Threshold(own), trace.bytes));
    let threshold = own.max(bound);
    let keep = threshold.keeps(trace.head.randomness);
    note(budget, class, keep || !own.keeps(trace.head.randomness));
    let rate = if bound > own { bound.probability() } else { rate };
    let reason = if keep { kept } else { dropped };
    let decision = SamplingDecision { keep, rate, reason, sampler };
    TailDecision { decision, adjusted_count: keep.then(|| threshold.adjusted_count()), is_excluded: false }
}

/// As decided at the start, within the budget.
fn by_head(trace: &FinishedTrace, budget: Option<&RateBudget>) -> TailDecision {
    let HeadDecision { keep, selection, reason, rate, randomness, sampler } = trace.head;
    let dropped = match reason {
        DecisionReason::ParentNotSampled => reason,
        _ => DecisionReason::TailNormal,
    };
    if let Selection::Threshold(own) = selection {
        return by_threshold(trace, own.max(trace.incoming), rate, (reason, dropped, sampler), budget);
    }
    // The budget's threshold is taken of bits that had no part in the choice so far, so the
    // probabilities multiply.
    let class = BudgetClass::Ordinary;
    let bound = budget.map_or(Threshold::ALWAYS, |budget| budget.offer(class, selection, trace.bytes));
    let is_within = bound.keeps(randomness);
    note(budget, class, is_within || !keep);
    let keep = keep && is_within;
    let adjusted_count = match selection {
        Selection::Rate(own) if keep => Some(bound.max(trace.incoming).adjusted_count() / own),
        _ => None,
    };
    let reason = if keep { reason } else { dropped };
    let decision = SamplingDecision { keep, rate: rate * bound.probability(), reason, sampler };
    TailDecision { decision, adjusted_count, is_excluded: false }
}

fn note(budget: Option<&RateBudget>, class: BudgetClass, is_within: bool) {
    if let (Some(budget), false) = (budget, is_within) {
        budget.note_dropped(class);
    }
}

fn check_slow(slow_threshold_ms: f64) -> Result<(), SamplingError> {
    if slow_threshold_ms.is_finite() && slow_threshold_ms >= 0.0 {
        return Ok(());
    }
    Err(SamplingError::new("slow_threshold_ms", &slow_threshold_ms, "0 or more, finite"))
}

/// The policy of each workflow: one for all, some with a slow threshold of their own.
///
/// ```
/// use tta_telemetry::sampling::{TailPolicies, TailPolicy};
///
/// let policies = TailPolicies::new(TailPolicy::default())?.with_slow_threshold_ms("checkout", 250.0)?;
/// assert_eq!(policies.of("checkout").slow_threshold_ms, 250.0);
/// assert_eq!(policies.of("import").slow_threshold_ms, 1_000.0);
/// # Ok::<(), tta_telemetry::sampling::SamplingError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TailPolicies {
    usual: TailPolicy,
    slow_threshold_ms: BTreeMap<Name, f64>,
}

impl TailPolicies {
    /// The same for all workflows.
    ///
    /// # Errors
    /// See [`TailPolicy::check`].
    pub fn new(usual: TailPolicy) -> Result<Self, SamplingError> {
        usual.check()?;
        Ok(Self { usual, slow_threshold_ms: BTreeMap::new() })
    }

    /// Another slow threshold for one workflow, in milliseconds.
    ///
    /// # Errors
    /// Below 0, infinite or not a number.
    pub fn with_slow_threshold_ms(mut self, workflow: impl Into<Name>, ms: f64) -> Result<Self, SamplingError> {
        check_slow(ms)?;
        self.slow_threshold_ms.insert(workflow.into(), ms);
        Ok(self)
    }

    /// The policy of a workflow. To be looked up once, not for every run.
    #[must_use]
    pub fn of(&self, workflow: &str) -> TailPolicy {
        let slow_threshold_ms = self.slow_threshold_ms.get(workflow).copied().unwrap_or(self.usual.slow_threshold_ms);
        TailPolicy { slow_threshold_ms, ..self.usual }
    }
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
