//! What a policy would have kept of traces that are there already.
//!
//! Owns the order in which a stored trace is decided about, the same as the recorder's, and the
//! bounds on what is remembered. Does not own reading traces or printing; what is told is `report`'s.
//! Memory does not grow with the number of traces.

mod latencies;
mod load;
mod names;
mod report;
mod tally;

use crate::model::{DecisionReason, SpanRecord, Trace, TraceClass, Value};
use crate::rules::{RuleSet, SamplingRule, duration_ns};

use super::error::SamplingError;
use super::head::{HeadSampler, RunStart};
use super::parent::{RemoteParent, RemoteSampling};
use super::policy::SamplingPolicy;
use super::tail::{FinishedTrace, RuleOutcome, TailDecision};
use super::threshold::Threshold;
use latencies::Latencies;
use load::Load;
use names::Names;
pub use report::{DryRunReport, DryRunRow, DryRunRule, UnknownName};
use tally::Tallies;

/// Ids that are remembered of failed traces that would be lost.
const MOST_LOST: usize = 10;
/// No trace stands for more runs; greater weights, and those below 1, count as unknown.
const MOST_WEIGHT: f64 = 1e18;

/// Decides about stored traces, one by one, as an engine with this policy would have.
///
/// It takes a trace as it is stored: its class, its root's name and duration, what is in its spans.
/// That it was asked for (`forced`) or that its caller kept it (`parent_sampled`) stays so; all else
/// that was decided about it is forgotten. The `md5` rule takes the root's `correlation.id`.
///
/// - An adaptive rate stays where it starts, for there is nothing to measure.
/// - A budget's windows, and those of quantiles in rules, go by the ends of the roots, so traces are
///   to be given in about the order in which they ended; one that is older counts as if it had
///   ended now. A trace of weight 10 is 10 in these windows, at most 1,000.
/// - Late parts follow their trace and are only counted.
///
/// Remembered are 256 workflows for quantiles (usually 28 KiB each), 1,000 names of attributes and of
/// workflows, and the first 10 failed traces that would be lost.
///
/// ```
/// use tta_telemetry::sampling::{DryRun, SamplingPolicy, TailPolicy};
/// use tta_telemetry::{MemorySink, Telemetry};
///
/// let sink = MemorySink::with_capacity(10);
/// let telemetry = Telemetry::builder().sink(sink.clone()).build()?;
/// telemetry.start_trace("crawl").end();
/// let _ = telemetry.flush_blocking(std::time::Duration::from_secs(10));
///
/// let rules = vec!["crawl: keep when workflow == \"crawl\"".parse()?];
/// let mut dry_run = DryRun::new(SamplingPolicy { rules, ..SamplingPolicy::default() })?;
/// for trace in sink.take() {
///     dry_run.add(&trace, 1_000);
/// }
/// # #[cfg(feature = "record")]
/// assert_eq!((dry_run.report().total.kept, dry_run.report().rules[0].decided), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DryRun {
    policy: SamplingPolicy,
    head: HeadSampler,
    rules: Vec<Ruled>,
    load: Option<Load>,
    latencies: Latencies,
    tallies: Tallies,
    names: Names,
    late_parts: u64,
    late_bytes: u64,
    budget_dropped: u64,
    lost_errors: u64,
    first_lost: Vec<crate::id::TraceId>,
}

/// A rule, and how many traces it matches whoever decides about them.
#[derive(Debug)]
struct Ruled {
    rule: SamplingRule,
    matched: u64,
}

impl DryRun {
    /// Decides by this policy.
    ///
    /// # Errors
    /// What is outside its range.
    pub fn new(policy: SamplingPolicy) -> Result<Self, SamplingError> {
        policy.check()?;
        let set = RuleSet::new(policy.rules.iter().cloned()).unwrap_or_default();
        let names: Vec<_> = set.rules().map(|rule| rule.name().to_owned()).collect();
        Ok(Self {
            head: HeadSampler::new(policy.hash, policy.rate),
            load: Load::new(&policy.budget),
            latencies: Latencies::new(set.quantiles()),
            tallies: Tallies::new(names),
            names: Names::new(set.attributes(), policy.workflows.keys().map(|name| name.as_str())),
            rules: set.rules().cloned().map(|rule| Ruled { rule, matched: 0 }).collect(),
            policy,
            late_parts: 0,
            late_bytes: 0,
            budget_dropped: 0,
            lost_errors: 0,
            first_lost: Vec::new(),
        })
    }

    /// Decides about a trace that takes so many bytes; `None` for a late part, which is not decided
    /// about.
    pub fn add(&mut self, trace: &Trace, bytes: u64) -> Option<TailDecision> {
        if trace.late {
            self.late_parts += 1;
            self.late_bytes += bytes;
            return None;
        }
        let root = trace.root();
        self.names.see(trace);
        // What comes from a file may be anything.
        let weight = trace.adjusted_count.filter(|weight| (1.0..=MOST_WEIGHT).contains(weight));
        self.latencies.see(root, weight);
        let own = root.and_then(|root| self.policy.workflows.get(&root.name)).copied().unwrap_or_default();
        let rate = own.rate.unwrap_or(self.policy.rate);
        let head = self.head.decide_at(rate, &start(trace, root));
        let tail = own.tail.unwrap_or(self.policy.tail);
        let mut finished = FinishedTrace { bytes, ..FinishedTrace::new(trace.class, duration_ns(trace), head) };
        let latency = |root: &SpanRecord, quantile| self.latencies.of(root, quantile);
        let context = tail.context(&latency);
        let mut first = None;
        for ruled in &mut self.rules {
            if ruled.rule.matches(trace, &context) {
                ruled.matched += 1;
                first = first.or(Some(&ruled.rule));
            }
        }
        if !tail.keeps_always(&finished) {
            finished.rule = first.map_or(RuleOutcome::None, RuleOutcome::of);
        }
        let free = tail.decide(&finished, None);
        let decided = match &mut self.load {
            Some(load) => load.decide(&tail, &finished, root, weight),
            None => free,
        };
        self.budget_dropped += u64::from(free.decision.keep && !decided.decision.keep);
        // By what the trace is, not by who was lucky: both outcomes of one chance are one row.
        let reason = match decided.decision.reason {
            DecisionReason::TailNormal => head.reason,
            reason => reason,
        };
        self.tallies.add(reason, &decided, weight, bytes);
        if trace.class == TraceClass::Failed && !decided.decision.keep {
            self.lost_errors += 1;
            if self.first_lost.len() < MOST_LOST {
                self.first_lost.push(trace.trace_id);
            }
        }
        Some(decided)
    }

    /// What came of all traces so far.
    #[must_use]
    pub fn report(&self) -> DryRunReport {
        let rule = |ruled: &Ruled| DryRunRule {
            name: ruled.rule.name().to_owned(),
            matched: ruled.matched,
            decided: self.tallies.of_rule(ruled.rule.name()),
        };
        DryRunReport {
            total: self.tallies.total(),
            rows: self.tallies.rows(),
            rules: self.rules.iter().map(rule).collect(),
            lost_errors: self.lost_errors,
            first_lost: self.first_lost.clone(),
            budget_dropped: self.budget_dropped,
            late_parts: self.late_parts,
            late_bytes: self.late_bytes,
            unknown_attributes: self.names.attributes(),
            unknown_workflows: self.names.workflows(),
            without_quantiles: self.latencies.refused(),
        }
    }
}

/// What was known at the start of a run, as far as its trace tells.
fn start<'t>(trace: &Trace, root: Option<&'t SpanRecord>) -> RunStart<'t> {
    let here = RemoteSampling::root(trace.trace_id);
    let parent = if trace.decision.reason == DecisionReason::ParentSampled {
        let threshold = trace.adjusted_count.and_then(|count| Threshold::from_probability(1.0 / count).ok());
        // The caller may have had other randomness than the id's, which is stored nowhere.
        RemoteParent::Sampled(threshold.filter(|threshold| threshold.keeps(here.randomness)))
    } else {
        RemoteParent::None
    };
    let correlation_id = match root.and_then(|root| root.attribute("correlation.id")) {
        Some(Value::Str(id)) => Some(&**id),
        _ => None,
    };
    let forced = trace.decision.reason == DecisionReason::Forced;
    RunStart { trace_id: trace.trace_id, remote: RemoteSampling { parent, ..here }, correlation_id, forced }
}

/// For how many runs a stored trace stands in windows of time.
fn copies(weight: Option<f64>) -> u32 {
    weight.map_or(1, |weight| weight.round().clamp(1.0, 1_000.0) as u32)
}

#[cfg(test)]
mod tests;
