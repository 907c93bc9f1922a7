//! Readings of steps, as metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StepInstruments;
use super::registry::StepRegistry;
use crate::metrics::catalog;
use crate::metrics::sample::MetricValue;
use crate::metrics::source::MetricCollector;
use crate::model::Name;
use crate::slo::SloStatus;

/// Adds what is known of every step: each is read once, and all of its metrics are made of that
/// reading, so that they fit together.
pub(crate) fn write_steps(steps: &StepRegistry, now_unix_ns: u64, out: &mut MetricCollector) {
    // Steps of one name share their objectives, which are read once, too.
    let mut statuses: BTreeMap<usize, Vec<SloStatus>> = BTreeMap::new();
    for (labels, step) in steps.all() {
        write_step(&labels, &step, out);
        if let Some(slos) = step.slos() {
            let read = statuses.entry(Arc::as_ptr(&slos).addr()).or_insert_with(|| slos.statuses(now_unix_ns));
            read.iter().for_each(|status| write_slo(&labels, status, out));
        }
    }
}

fn write_step(labels: &[Name], step: &StepInstruments, out: &mut MetricCollector) {
    let read = step.read(false);
    let and = |last: Name| labels.iter().cloned().chain([last]);
    out.add(&catalog::DURATION, labels.iter().cloned(), step.histogram_value(&read));
    let totals = &read.totals;
    for (status, count) in [("success", totals.success), ("failure", totals.failure), ("cancelled", totals.cancelled)] {
        out.add(&catalog::REQUESTS, and(Name::from_static(status)), MetricValue::Count(count));
    }
    for (kind, count) in read.errors {
        let kind = out.redactor().current().redacted_name("error_type", kind);
        out.add(&catalog::ERRORS, and(kind), MetricValue::Count(count));
    }
    let throughput = read.throughput;
    let active = MetricValue::Number(throughput.active as f64);
    if let [workflow, name, _] = labels
        && workflow == name
    {
        out.add(&catalog::ACTIVE_RUNS, [workflow.clone()], active.clone());
    }
    out.add(&catalog::ACTIVE_REQUESTS, labels.iter().cloned(), active);
    let per_second = MetricValue::Number(throughput.requests_per_second);
    out.add(&catalog::REQUESTS_PER_SECOND, labels.iter().cloned(), per_second);
}

fn write_slo(labels: &[Name], status: &SloStatus, out: &mut MetricCollector) {
    let name = status.slo.name().clone();
    let and = || labels.iter().cloned().chain([name.clone()]);
    let figures = [
        (&catalog::SLO_COMPLIANCE, status.compliance),
        (&catalog::ERROR_BUDGET_REMAINING, status.error_budget_remaining),
        (&catalog::SLO_TARGET, status.slo.target()),
    ];
    for (metric, figure) in figures {
        out.add(metric, and(), MetricValue::Number(figure));
    }
    for burn in &status.burn_rates {
        let window = Name::from_static(burn.label);
        out.add(&catalog::SLO_BURN_RATE, and().chain([window]), MetricValue::Number(burn.rate));
    }
}
