//! Sampling as JSON: the policy in effect, what moves it, and what it decided.

use std::collections::BTreeMap;

use serde::Serialize;
use tta_telemetry::sampling::{AdaptiveStats, SamplingInEffect, SamplingPolicy, TailPolicy};
use tta_telemetry::{MetricFamily, MetricValue, RecorderCounters, Sampling, Telemetry};
use utoipa::ToSchema;

/// Which traces are kept, and which were.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SamplingState {
    /// `keep_all`, `keep_none`, `keep_failed` or `policy`.
    mode: &'static str,
    /// The share of ordinary traces that is kept now.
    rate: f64,
    /// Null unless the mode is `policy`.
    policy: Option<Policy>,
    /// Null unless the rate is adaptive.
    adaptive: Option<Adaptive>,
    /// How often each rule decided, in their order, since the policy was set.
    rules: Vec<RuleCount>,
    traces: TraceDecisions,
    /// By what was decided, and why.
    decisions: Vec<Decided>,
    /// How far the number of runs estimated from kept traces is from the exact one, relative to it; null
    /// while nothing can be said.
    estimate_error_ratio: Option<f64>,
}

/// A sampling policy, as it was set.
#[derive(Debug, Serialize, ToSchema)]
struct Policy {
    /// `otel` or `md5`.
    hash: &'static str,
    rate: f64,
    #[serde(flatten)]
    tail: Tail,
    /// What differs for single workflows.
    workflows: BTreeMap<String, Workflow>,
    rules: Vec<Rule>,
    adaptive_enabled: bool,
    max_traces_per_second: Option<f64>,
    max_bytes_per_second: Option<f64>,
}

/// Which traces are kept whatever chance says.
#[derive(Debug, Serialize, ToSchema)]
struct Tail {
    always_sample_errors: bool,
    always_sample_slow: bool,
    always_sample_cancelled: bool,
    slow_threshold_ms: f64,
}

/// What differs for one workflow; null is as for all.
#[derive(Debug, Serialize, ToSchema)]
struct Workflow {
    rate: Option<f64>,
    tail: Option<Tail>,
}

/// A rule for finished traces.
#[derive(Debug, Serialize, ToSchema)]
struct Rule {
    name: String,
    /// `keep`, `drop` or `rate <share>`.
    action: String,
    /// Null for every trace.
    condition: Option<String>,
}

/// Where an adaptive rate stands.
#[derive(Debug, Serialize, ToSchema)]
struct Adaptive {
    current_rate: f64,
    min_rate: f64,
    max_rate: f64,
    target_overhead: f64,
    total_decisions: u64,
    sampled: u64,
    actual_sample_rate: f64,
    refused_samples: u64,
}

/// How often a rule decided.
#[derive(Debug, Serialize, ToSchema)]
struct RuleCount {
    name: String,
    count: u64,
}

/// Decisions about traces since the start.
#[derive(Debug, Serialize, ToSchema)]
struct TraceDecisions {
    kept: u64,
    dropped: u64,
    /// Decided early for want of memory.
    evicted: u64,
    /// Decided before their end.
    incomplete: u64,
}

/// How often one decision was made for one reason.
#[derive(Debug, Serialize, ToSchema)]
struct Decided {
    decision: String,
    reason: String,
    count: u64,
}

impl SamplingState {
    pub(crate) fn of(telemetry: &Telemetry) -> Self {
        let families = telemetry.collect_metrics();
        let family = |name: &str| families.iter().find(|family| family.name == *name);
        let (mode, rate, policy) = match telemetry.sampling() {
            SamplingInEffect::Simple(Sampling::KeepAll) => ("keep_all", 1.0, None),
            SamplingInEffect::Simple(Sampling::KeepNone) => ("keep_none", 0.0, None),
            SamplingInEffect::Simple(Sampling::KeepFailed) => ("keep_failed", 0.0, None),
            SamplingInEffect::Policy { policy, rate } => ("policy", rate.get(), Some(Policy::from(&*policy))),
        };
        let rules = telemetry.rule_counts().into_iter();
        let error = family("sampling_estimate_error_ratio").and_then(|family| family.points.first());
        Self {
            mode,
            rate,
            policy,
            adaptive: telemetry.adaptive_stats().as_ref().map(Adaptive::from),
            rules: rules.map(|(name, count)| RuleCount { name, count }).collect(),
            traces: TraceDecisions::from(&telemetry.counters()),
            decisions: family("sampling_decisions_total").map(decided).unwrap_or_default(),
            estimate_error_ratio: error.and_then(|point| match point.value {
                MetricValue::Number(number) => Some(number).filter(|number| number.is_finite()),
                _ => None,
            }),
        }
    }
}

fn decided(family: &MetricFamily) -> Vec<Decided> {
    let label = |point: &tta_telemetry::MetricPoint, key: &str| {
        point.labels.iter().find(|(known, _)| *known == *key).map(|(_, value)| value.to_string()).unwrap_or_default()
    };
    let of = |point: &tta_telemetry::MetricPoint| match point.value {
        MetricValue::Count(count) => {
            Some(Decided { decision: label(point, "decision"), reason: label(point, "reason"), count })
        }
        _ => None,
    };
    family.points.iter().filter_map(of).collect()
}

impl From<&RecorderCounters> for TraceDecisions {
    fn from(counters: &RecorderCounters) -> Self {
        Self {
            kept: counters.traces_kept,
            dropped: counters.traces_dropped,
            evicted: counters.traces_evicted,
            incomplete: counters.traces_incomplete,
        }
    }
}

impl From<&TailPolicy> for Tail {
    fn from(tail: &TailPolicy) -> Self {
        Self {
            always_sample_errors: tail.always_sample_errors,
            always_sample_slow: tail.always_sample_slow,
            always_sample_cancelled: tail.always_sample_cancelled,
            slow_threshold_ms: tail.slow_threshold_ms,
        }
    }
}

impl From<&SamplingPolicy> for Policy {
    fn from(policy: &SamplingPolicy) -> Self {
        let workflow = |own: &tta_telemetry::sampling::WorkflowPolicy| Workflow {
            rate: own.rate.map(|rate| rate.get()),
            tail: own.tail.as_ref().map(Tail::from),
        };
        let rule = |rule: &tta_telemetry::SamplingRule| Rule {
            name: rule.name().to_owned(),
            action: rule.action().to_string(),
            condition: rule.condition(),
        };
        Self {
            hash: policy.hash.as_str(),
            rate: policy.rate.get(),
            tail: Tail::from(&policy.tail),
            workflows: policy.workflows.iter().map(|(name, own)| (name.to_string(), workflow(own))).collect(),
            rules: policy.rules.iter().map(rule).collect(),
            adaptive_enabled: policy.adaptive.is_some(),
            max_traces_per_second: policy.budget.max_traces_per_second,
            max_bytes_per_second: policy.budget.max_bytes_per_second,
        }
    }
}

impl From<&AdaptiveStats> for Adaptive {
    fn from(stats: &AdaptiveStats) -> Self {
        Self {
            current_rate: stats.current_rate,
            min_rate: stats.min_rate,
            max_rate: stats.max_rate,
            target_overhead: stats.target_overhead,
            total_decisions: stats.total_decisions,
            sampled: stats.sampled,
            actual_sample_rate: stats.actual_sample_rate,
            refused_samples: stats.refused_samples,
        }
    }
}
