//! Every metric of tta's own: the one table that scrapes, documents and tests are made from.
//!
//! Owns names, kinds, units, labels and what is said of each. A name that is here cannot be
//! registered by a program.

use super::definition::{Metric, MetricKind, Unit};
use crate::model::Name;

/// A metric of tta's own.
#[derive(Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// The name; a counter's ends in `_total`.
    pub name: &'static str,
    /// How its values behave.
    pub kind: MetricKind,
    /// What they are measured in.
    pub unit: Unit,
    /// The label keys, in order.
    pub labels: &'static [&'static str],
    /// What it is, in a sentence.
    pub help: &'static str,
    /// How several sources of one series make one value.
    pub merge: Merge,
}

/// How several sources of one series make one value, as two circuits of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// They are added up.
    Sum,
    /// The largest counts.
    Max,
    /// The smallest counts.
    Min,
}

impl BuiltIn {
    pub(crate) fn metric(&self) -> Metric {
        Metric::named(self.name).help(self.help).unit(self.unit).labels(self.labels)
    }
}

/// The metric of this name, if it is one of tta's own.
#[must_use]
pub fn find(name: &str) -> Option<&'static BuiltIn> {
    ALL.iter().copied().find(|metric| metric.name == name)
}

macro_rules! catalog {
    ($($const:ident = $name:literal $kind:ident $unit:ident [$($label:literal),*] $($merge:ident)? : $help:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`: ", $help)]
            pub static $const: BuiltIn = BuiltIn {
                name: $name,
                kind: MetricKind::$kind,
                unit: Unit::$unit,
                labels: &[$($label),*],
                help: $help,
                merge: catalog!(@merge $($merge)?),
            };
        )+

        /// All of them, in the order of the documentation.
        pub static ALL: &[&BuiltIn] = &[$(&$const),+];
    };
    (@merge) => { Merge::Sum };
    (@merge $merge:ident) => { Merge::$merge };
}

catalog! {
    DURATION = "primitive_duration_seconds" Histogram Seconds ["workflow", "primitive_name", "primitive_type"]:
        "How long executions took, however they ended.";
    REQUESTS = "primitive_requests_total" Counter None ["workflow", "primitive_name", "primitive_type", "status"]:
        "Executions by how they ended: success, failure or cancelled.";
    ERRORS = "primitive_errors_total" Counter None ["workflow", "primitive_name", "primitive_type", "error_type"]:
        "Executions that failed, by the kind of error.";
    ACTIVE_REQUESTS = "primitive_active_requests" Gauge None ["workflow", "primitive_name", "primitive_type"]:
        "Executions under way.";
    REQUESTS_PER_SECOND = "primitive_requests_per_second" Gauge None ["workflow", "primitive_name", "primitive_type"]:
        "Executions that ended in the last 60 s, per second; in the first minute over the time since the start.";
    SLO_COMPLIANCE = "primitive_slo_compliance" Gauge Ratio ["workflow", "primitive_name", "primitive_type", "slo_name"] Min:
        "Share of executions in the objective's window that conform to it; 1 without any.";
    ERROR_BUDGET_REMAINING = "primitive_error_budget_remaining" Gauge Ratio ["workflow", "primitive_name", "primitive_type", "slo_name"] Min:
        "What is left of the objective's error budget: 1 untouched, 0 spent, below 0 overspent.";
    SLO_TARGET = "primitive_slo_target" Gauge Ratio ["workflow", "primitive_name", "primitive_type", "slo_name"] Min:
        "Share of executions that have to conform to the objective.";
    SLO_BURN_RATE = "primitive_slo_burn_rate" Gauge Ratio ["workflow", "primitive_name", "primitive_type", "slo_name", "window"] Max:
        "How fast the error budget is being spent; at 1 it lasts exactly the objective's window.";
    COST = "primitive_cost_total" Counter Dollars ["workflow", "primitive_name", "primitive_type", "category"]:
        "What executions cost, in US dollars.";
    COST_SAVINGS = "primitive_cost_savings_total" Counter Dollars ["workflow", "primitive_name", "primitive_type", "category"]:
        "What caches and routes saved, in US dollars.";
    COST_UNPRICED = "primitive_cost_unpriced_total" Counter None ["workflow", "primitive_name", "primitive_type", "category"]:
        "Calls that cost something nobody knows; they are not part of the cost.";
    ACTIVE_RUNS = "workflow_active_runs" Gauge None ["workflow"]:
        "Runs of the workflow that are under way.";
    CONNECTIONS = "primitive_connections_total" Counter None ["workflow", "source", "target"]:
        "How often one primitive was followed by, or ran, another: the edges of the dependency graph.";
    ROUTER_DECISIONS = "router_decisions_total" Counter None ["primitive_name", "route", "reason"]:
        "Routes taken, by reason.";
    ROUTER_EXECUTION = "router_execution_seconds" Histogram Seconds ["primitive_name", "route"]:
        "How long the routes took.";
    ROUTER_COST = "router_cost_usd_total" Counter Dollars ["primitive_name", "route"]:
        "What the calls of the routes cost, in US dollars.";
    ROUTER_SAVINGS = "router_cost_savings_usd_total" Counter Dollars ["primitive_name", "route"]:
        "What was saved against the dearest route, in US dollars.";
    ROUTER_ERRORS = "router_errors_total" Counter None ["primitive_name", "route", "error_type"]:
        "Calls of routes that failed, by the kind of error.";
    CACHE_HITS = "cache_hits_total" Counter None ["operation"]:
        "Lookups answered from what was kept: fresh, stale, or a failure that was kept.";
    CACHE_MISSES = "cache_misses_total" Counter None ["operation"]:
        "Lookups that were not answered from what was kept.";
    CACHE_ERRORS = "cache_errors_total" Counter None ["operation"]:
        "Lookups and writes that failed in the store, and entries that could not be read.";
    CACHE_HIT_RATE = "cache_hit_rate" Gauge Ratio ["operation"] Max:
        "Hits over lookups since the start, 0 to 1.";
    CACHE_LATENCY = "cache_latency_seconds" Histogram Seconds ["operation", "hit"]:
        "How long executions took, by whether the cache answered: true or false.";
    CACHE_SAVINGS = "cache_cost_savings_usd_total" Counter Dollars ["operation"]:
        "What the calls that were not made would have cost, in US dollars.";
    CACHE_ENTRIES = "cache_entries" Gauge None ["operation"] Max:
        "Entries in the store, where it can tell.";
    CACHE_EVICTIONS = "cache_evictions_total" Counter None ["operation", "cause"]:
        "Entries that were forgotten: for size (to make room), or expired.";
    TIMEOUT_SUCCESSES = "timeout_successes_total" Counter None ["operation"]:
        "Executions that ended in time.";
    TIMEOUT_FAILURES = "timeout_failures_total" Counter None ["operation"]:
        "Executions that were given up at their time limit.";
    TIMEOUT_EXECUTION = "timeout_execution_seconds" Histogram Seconds ["operation"]:
        "How long executions under a time limit took, those given up included.";
    TIMEOUT_RATE = "timeout_rate" Gauge Ratio ["operation"] Max:
        "Executions given up over all since the start, 0 to 1.";
    RETRY_ATTEMPTS = "retry_attempts_total" Counter None ["primitive_name", "outcome"]:
        "Attempts that ended: success or failure.";
    RETRY_EXHAUSTED = "retry_exhausted_total" Counter None ["primitive_name"]:
        "Executions that would have been tried again, but had no attempt, budget or time left.";
    RETRY_BUDGET = "retry_budget_remaining" Gauge Ratio ["primitive_name"] Min:
        "What is left of the budget of retries, 0 to 1.";
    FALLBACK_USED = "fallback_used_total" Counter None ["primitive_name", "position"]:
        "Executions answered by an alternative, by its place: 1 is the first after the primary.";
    SAGA_COMPENSATIONS = "saga_compensations_total" Counter None ["primitive_name", "outcome"]:
        "Compensations by how they ended.";
    CIRCUIT_STATE = "circuit_state" Gauge None ["primitive_name"] Max:
        "The circuit's state: 0 closed, 1 half open, 2 open.";
    CIRCUIT_TRANSITIONS = "circuit_transitions_total" Counter None ["primitive_name", "to"]:
        "Changes of the circuit's state, by the new one: open, half_open or closed.";
    CIRCUIT_REJECTED = "circuit_rejected_total" Counter None ["primitive_name"]:
        "Executions refused by an open circuit.";
    BULKHEAD_ACTIVE = "bulkhead_active" Gauge None ["primitive_name"]:
        "Executions inside the bulkhead.";
    BULKHEAD_QUEUE = "bulkhead_queue_length" Gauge None ["primitive_name"]:
        "Executions waiting for room in the bulkhead.";
    BULKHEAD_REJECTED = "bulkhead_rejected_total" Counter None ["primitive_name"]:
        "Executions refused because the bulkhead and its queue were full, or the wait too long.";
    RATE_LIMIT_REJECTED = "rate_limit_rejected_total" Counter None ["primitive_name"]:
        "Executions refused by a rate limit.";
    HEDGE_REQUESTS = "hedge_requests_total" Counter None ["primitive_name", "outcome"]:
        "Executions of hedged primitives by what came of the hedge.";
    HEDGE_WASTE = "hedge_waste_usd_total" Counter Dollars ["primitive_name"]:
        "What attempts cost whose answer was not used, in US dollars.";
    PARALLEL_BRANCHES = "parallel_active_branches" Gauge None ["primitive_name"]:
        "Parallel branches under way.";
    SAMPLING_DECISIONS = "sampling_decisions_total" Counter None ["decision", "reason"]:
        "Traces by what was decided about them (sample or drop), and why.";
    SAMPLING_RATE = "sampling_rate" Gauge Ratio []:
        "The probability with which ordinary traces are kept, 0 to 1.";
    ESTIMATE_ERROR = "sampling_estimate_error_ratio" Gauge Ratio []:
        "How far the number of runs estimated from kept traces is from the exact one, relative to it.";
    UP = "telemetry_up" Gauge None []:
        "1 while the telemetry engine records, 0 after its shutdown.";
    OVERHEAD = "telemetry_overhead_ratio" Gauge Ratio []:
        "Share of the process's CPU time that telemetry took in the last second, where it is measured.";
    LIVE_BYTES = "telemetry_live_bytes" Gauge Bytes []:
        "Memory held for traces that are recorded or wait to be sent.";
    DROPPED = "telemetry_dropped_total" Counter None ["what", "cause"]:
        "What the engine's bounds made it drop.";
    RECEIVED_SPANS = "telemetry_received_spans_total" Counter None []:
        "Spans that other processes recorded and sent.";
    MISSED_ERRORS = "telemetry_missed_error_spans_total" Counter None []:
        "Failed spans that came after their trace was decided to be dropped.";
    QUEUE_LENGTH = "telemetry_queue_length" Gauge None ["sink"]:
        "Traces that wait for a sink.";
    EXPORT_SECONDS = "telemetry_export_seconds" Histogram Seconds ["sink"]:
        "How long sinks took to take a batch.";
    EXPORTS = "telemetry_exports_total" Counter None ["sink", "outcome"]:
        "Traces given to sinks: success or failure.";
    SENT = "telemetry_sent_total" Counter None ["sink"]:
        "Spans, or series of metrics, that a collector took. What was lost on the way is in telemetry_dropped_total.";
    SENDING = "telemetry_sending" Gauge None ["sink"]:
        "Spans that wait for the collector or are on their way to it.";
    LABEL_VALUES = "telemetry_label_values" Gauge None ["key"]:
        "Distinct values known of a label.";
    LABEL_OVERFLOW = "telemetry_label_overflow_total" Counter None ["key"]:
        "Values of a label that were beyond its limit.";
    SERIES_OVERFLOW = "telemetry_series_overflow_total" Counter None ["metric"]:
        "Label combinations of a metric that were beyond its limit.";
    HEALTH = "health_status" Gauge None ["component"] Max:
        "How a component is: 0 healthy, 1 degraded, 2 unhealthy.";
    TARGET = "target_info" Info None []:
        "What this process is: name and version of the service, and further attributes.";
    BUILD = "tta_build_info" Info None ["version"]:
        "The version of tta.";
}

impl BuiltIn {
    /// An empty family of it.
    pub(crate) fn family(&self) -> super::sample::MetricFamily {
        super::sample::MetricFamily {
            name: Name::from_static(self.name),
            help: Name::from_static(self.help),
            kind: self.kind,
            unit: self.unit,
            points: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_our_own_would_be_accepted_of_a_program() {
        for (place, metric) in ALL.iter().enumerate() {
            if metric.kind == MetricKind::Info {
                assert!(metric.name.ends_with("_info"));
                continue;
            }
            assert_eq!(metric.metric().check(metric.kind), Ok(()));
            assert!(metric.help.ends_with('.') && metric.help.len() < 120, "{}", metric.name);
            assert!(ALL[..place].iter().all(|other| other.name != metric.name), "{} twice", metric.name);
        }
        assert_eq!(find("circuit_state"), Some(&CIRCUIT_STATE));
        assert_eq!(find("circuit"), None);
    }
}
