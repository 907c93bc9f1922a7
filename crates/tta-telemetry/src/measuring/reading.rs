//! One reading of everything that an engine counts, as metrics.

use super::Measuring;
use crate::cardinality::LabelLimiter;
use crate::cost::CostTotals;
use crate::counters::RecorderCounters;
use crate::decisions::DecisionCount;
use crate::health::{HealthReport, HealthStatus};
use crate::metrics::catalog::{self, BuiltIn};
use crate::metrics::{MetricCollector, MetricFamily, MetricValue, in_billionths, write_steps};
use crate::model::{DecisionReason, MOST_REASONS, Name};
use crate::money::Usd;
use crate::sink::SinkStatus;

/// What the engine knows beside what is measured here.
pub(crate) struct EngineReading {
    pub(crate) is_up: bool,
    /// The probability with which ordinary traces are kept.
    pub(crate) sampling_rate: f64,
    /// The share of the CPU time that telemetry took, where that is measured.
    pub(crate) overhead: Option<f64>,
    /// How far estimates from kept traces are from what was counted, relative.
    pub(crate) estimate_error: Option<f64>,
    pub(crate) counters: RecorderCounters,
    /// Traces kept and dropped, by reason.
    pub(crate) kept: [u64; MOST_REASONS],
    pub(crate) dropped: [u64; MOST_REASONS],
    pub(crate) decisions: Vec<DecisionCount>,
    pub(crate) sinks: Vec<SinkStatus>,
    pub(crate) health: HealthReport,
}

impl Measuring {
    /// Everything, each series once, by name.
    pub(crate) fn collect(&self, engine: &EngineReading) -> Vec<MetricFamily> {
        let mut out = MetricCollector::default();
        write_steps(&self.steps, self.now_unix_ns(), &mut out);
        self.write_costs(&mut out);
        for (labels, branches) in self.branches.read() {
            let active = MetricValue::Number(branches.get() as f64);
            out.add(&catalog::PARALLEL_BRANCHES, labels.iter().cloned(), active);
        }
        self.meter.collect(&mut out);
        super::decisions::write(&engine.decisions, &mut out);
        write_engine(engine, &mut out);
        write_labels(&self.limiter, &mut out);
        let mut families = out.finish();
        families.push(self.target());
        families.push(build());
        families.sort_by(|a, b| a.name.as_str().cmp(&b.name));
        families
    }

    fn write_costs(&self, out: &mut MetricCollector) {
        for (labels, account) in self.costs.read() {
            let totals = account.read();
            let CostTotals { cost, unpriced, .. } = totals;
            let savings = totals.savings();
            let dollars = |amount: Usd| MetricValue::Number(in_billionths(amount.nanos()));
            out.add(&catalog::COST, labels.iter().cloned(), dollars(cost));
            out.add(&catalog::COST_SAVINGS, labels.iter().cloned(), dollars(savings));
            if unpriced > 0 {
                out.add(&catalog::COST_UNPRICED, labels.iter().cloned(), MetricValue::Count(unpriced));
            }
        }
    }

    fn target(&self) -> MetricFamily {
        info(&catalog::TARGET, self.resource.clone())
    }
}

fn build() -> MetricFamily {
    let version = Name::from_static(env!("CARGO_PKG_VERSION"));
    info(&catalog::BUILD, vec![(Name::from_static("version"), version)])
}

fn info(metric: &BuiltIn, labels: Vec<(Name, Name)>) -> MetricFamily {
    let point = crate::metrics::MetricPoint { labels, value: MetricValue::Number(1.0) };
    MetricFamily { points: vec![point], ..metric.family() }
}

fn write_engine(engine: &EngineReading, out: &mut MetricCollector) {
    for (index, label) in DecisionReason::LABELS.into_iter().enumerate() {
        let name = Name::from_static(label);
        for (decision, counts) in [("sample", &engine.kept), ("drop", &engine.dropped)] {
            let count = counts.get(index).copied().unwrap_or(0);
            if count > 0 {
                out.count(&catalog::SAMPLING_DECISIONS, &[&Name::from_static(decision), &name], count);
            }
        }
    }
    out.number(&catalog::SAMPLING_RATE, &[], engine.sampling_rate);
    if let Some(error) = engine.estimate_error {
        out.number(&catalog::ESTIMATE_ERROR, &[], error);
    }
    if let Some(overhead) = engine.overhead {
        out.number(&catalog::OVERHEAD, &[], overhead);
    }
    out.number(&catalog::UP, &[], f64::from(u8::from(engine.is_up)));
    let counters = &engine.counters;
    out.number(&catalog::LIVE_BYTES, &[], counters.live_bytes as f64);
    out.count(&catalog::RECEIVED_SPANS, &[], counters.received.spans);
    out.count(&catalog::MISSED_ERRORS, &[], counters.missed_error_spans);
    for (what, cause, count) in dropped(counters) {
        out.count(&catalog::DROPPED, &[&Name::from_static(what), &Name::from_static(cause)], count);
    }
    for sink in &engine.sinks {
        let name = Name::from(sink.name.clone());
        out.number(&catalog::QUEUE_LENGTH, &[&name], sink.waiting_traces as f64);
        for (outcome, count) in [("success", sink.exported_traces), ("failure", sink.lost_failed)] {
            out.count(&catalog::EXPORTS, &[&name, &Name::from_static(outcome)], count);
        }
        let traces = Name::from_static("traces");
        out.count(&catalog::DROPPED, &[&traces, &Name::from_static("queue_full")], sink.lost_queue_full);
        out.count(&catalog::DROPPED, &[&traces, &Name::from_static("sink_failed")], sink.lost_failed);
    }
    for component in &engine.health.components {
        let level = match component.health.status {
            HealthStatus::Healthy => 0.0,
            HealthStatus::Degraded => 1.0,
            HealthStatus::Unhealthy => 2.0,
        };
        out.number(&catalog::HEALTH, &[&component.name], level);
    }
}

/// What was dropped, why, and how often.
fn dropped(counters: &RecorderCounters) -> [(&'static str, &'static str, u64); 22] {
    [
        ("runs", "no_memory", counters.runs_unrecorded),
        ("spans", "span_limit", counters.spans_over_limit),
        ("spans", "byte_limit", counters.spans_over_bytes),
        ("attributes", "attribute_limit", counters.attributes_dropped),
        ("attribute_values", "attribute_bytes", counters.attributes_truncated),
        ("events", "event_limit", counters.events_dropped),
        ("links", "link_limit", counters.links_dropped),
        ("late_records", "trace_dropped", counters.late_dropped),
        ("late_records", "list_full", counters.late_lost),
        ("traces_early", "evicted", counters.traces_evicted),
        ("traces_early", "incomplete", counters.traces_incomplete),
        ("received_spans", "span_limit", counters.received.over_span_limit),
        ("received_spans", "ended", counters.received.after_end),
        ("received_spans", "duplicate", counters.received.duplicates),
        ("received_spans", "undecodable", counters.received.undecodable),
        ("received_traces_early", "evicted", counters.received.evicted),
        ("received_traces_early", "no_root", counters.received.rootless),
        ("step_labels", "series_limit", counters.steps_overflowed),
        ("decision_labels", "series_limit", counters.decisions_overflowed),
        ("decisions_told", "observer_panicked", counters.observer_panics),
        ("measurements", "refused", counters.measurements_refused),
        ("metric_sources", "panicked_or_too_many", counters.metric_source_panics + counters.metric_sources_refused),
    ]
}

fn write_labels(limiter: &LabelLimiter, out: &mut MetricCollector) {
    let stats = limiter.stats();
    for (key, values) in &stats.label_cardinality {
        out.number(&catalog::LABEL_VALUES, &[key], *values as f64);
        out.count(&catalog::LABEL_OVERFLOW, &[key], stats.dropped_labels.get(key).copied().unwrap_or(0));
    }
    for series in limiter.series() {
        if series.overflow > 0 {
            out.count(&catalog::SERIES_OVERFLOW, &[&series.metric], series.overflow);
        }
    }
}
