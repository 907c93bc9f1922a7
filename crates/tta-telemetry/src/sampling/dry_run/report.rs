//! What a dry run found.

use crate::id::TraceId;
use crate::sampling::estimate::Estimate;

/// What a policy would have made of stored traces. See [`DryRun`](super::DryRun).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DryRunReport {
    /// Of all traces.
    pub total: DryRunRow,
    /// By what decides, in the order in which it is asked: every rule, and each reason that some
    /// trace had. They add up to `total`.
    pub rows: Vec<DryRunRow>,
    /// The rules, in their order.
    pub rules: Vec<DryRunRule>,
    /// Failed traces that would be dropped.
    pub lost_errors: u64,
    /// The first of them, at most 10.
    pub first_lost: Vec<TraceId>,
    /// Traces that only the budget drops.
    pub budget_dropped: u64,
    /// Parts that came after their trace and follow it; they are in no row.
    pub late_parts: u64,
    /// Their bytes.
    pub late_bytes: u64,
    /// Attributes that a rule names and no trace has.
    pub unknown_attributes: Vec<UnknownName>,
    /// Workflows with settings of their own of which there is no trace.
    pub unknown_workflows: Vec<UnknownName>,
    /// Traces of further workflows than the 256 whose quantiles are known: rules that ask for these
    /// did not match.
    pub without_quantiles: u64,
}

/// Traces that one reason or rule decides about.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DryRunRow {
    /// A stable string of [`DecisionReason`](crate::DecisionReason), of those that chance drops the
    /// one that they are kept for; `total` for all.
    pub reason: String,
    /// How many are stored.
    pub traces: u64,
    /// How many of these would be kept. Of traces that were left to chance before, those of the
    /// highest randomness are stored, which are also the first to be kept now: how many there would
    /// be in operation is `expected_kept`.
    pub kept: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Bytes of those that would be kept.
    pub kept_bytes: u64,
    /// How many runs the stored traces stand for, by their weights.
    pub stands_for: Estimate,
    /// Stored traces that say nothing of their weight; they are not in `stands_for`.
    pub of_unknown_weight: u64,
    /// How many of all these runs are expected to be kept. Of unknown weight only what is stored.
    pub expected_kept: f64,
    /// Bytes of those.
    pub expected_kept_bytes: f64,
}

/// How often a rule applies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DryRunRule {
    /// The rule.
    pub name: String,
    /// Traces that it matches, whoever decides about them.
    pub matched: u64,
    /// Traces that it decides about: neither kept always nor matched by an earlier rule.
    pub decided: u64,
}

/// A name of which there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownName {
    /// As the policy has it.
    pub name: String,
    /// The one in the traces that was probably meant.
    pub nearest: Option<String>,
}
