//! What is read of a step, and of all steps of one name.

use std::sync::Arc;

use super::StepInstruments;
use crate::cost::CostTotals;
use crate::metrics::histogram::Histogram;
use crate::metrics::percentiles::Percentiles;
use crate::metrics::rolling::{RollingPercentiles, WindowsRead};
use crate::metrics::sample::{HistogramValue, MetricValue};
use crate::metrics::throughput::{ThroughputStats, per_second};
use crate::model::Name;
use crate::slo::{SloSet, SloStatus};

/// The merged cells of one step.
#[derive(Debug, Default)]
pub(super) struct StepTotals {
    pub(super) begun: u64,
    pub(super) success: u64,
    pub(super) failure: u64,
    pub(super) cancelled: u64,
    pub(super) values: Histogram,
    pub(super) below: Vec<u64>,
}

/// What an engine has counted of one step, over every run since its start.
#[derive(Clone, Debug, PartialEq)]
pub struct StepStatistics {
    /// The innermost named workflow the step belongs to.
    pub workflow: Name,
    /// The step.
    pub name: Name,
    /// What kind of primitive it is.
    pub kind: Name,
    /// Executions that returned.
    pub success: u64,
    /// Executions that failed or panicked.
    pub failure: u64,
    /// Executions that were cancelled.
    pub cancelled: u64,
    /// How long they took, in nanoseconds.
    pub durations: Histogram,
}

impl StepStatistics {
    /// All executions, however they ended.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.success + self.failure + self.cancelled
    }
}

/// Everything that is known of the primitives and workflows of one name, from one reading:
/// [`Telemetry::metrics`](crate::Telemetry::metrics).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PrimitiveMetrics {
    /// The name.
    pub name: Name,
    /// Executions and how they ended.
    pub basic: BasicMetrics,
    /// How long they took, in nanoseconds, over four windows.
    pub percentiles: RollingPercentiles,
    /// The objectives of this name.
    pub slo: Vec<SloStatus>,
    /// How many in the last minute, now, and at most at once.
    pub throughput: ThroughputStats,
    /// What they cost and saved. `entries` are the amounts that were recorded.
    pub cost: CostTotals,
}

/// Executions since the start. They are `successful + failed + cancelled`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BasicMetrics {
    /// Executions, however they ended.
    pub total_executions: u64,
    /// Those that returned.
    pub successful_executions: u64,
    /// Those that failed or panicked.
    pub failed_executions: u64,
    /// Those that were cancelled.
    pub cancelled_executions: u64,
    /// The share of those that returned among those that returned or failed, 0 to 1; `None` when
    /// there were none.
    pub success_rate: Option<f64>,
    /// How long all took together, in nanoseconds.
    pub total_duration_ns: u64,
    /// How long one took in the mean, in nanoseconds.
    pub average_duration_ns: Option<f64>,
    /// How long the quickest took, in nanoseconds.
    pub min_duration_ns: Option<u64>,
    /// How long the slowest took, in nanoseconds.
    pub max_duration_ns: Option<u64>,
    /// Those that failed, by kind of error; the most frequent first.
    pub error_counts: Vec<(Name, u64)>,
}

/// One reading of a step, of which everything else is made.
#[derive(Debug)]
pub(crate) struct StepRead {
    pub(super) totals: StepTotals,
    pub(super) errors: Vec<(Name, u64)>,
    pub(super) throughput: ThroughputStats,
    pub(super) windows: Option<WindowsRead>,
}

impl StepInstruments {
    /// The objectives it is judged by.
    pub(crate) fn slos(&self) -> Option<Arc<SloSet>> {
        self.slos.load_full()
    }

    pub(super) fn totals(&self) -> StepTotals {
        let mut totals = StepTotals::default();
        self.cells.all().for_each(|cell| cell.read_into(&mut totals));
        totals
    }

    /// Reads everything; the windows of durations, which take longer, only when asked for.
    pub(crate) fn read(&self, with_windows: bool) -> StepRead {
        let (windows, now_ns) = self.rolled();
        // Kinds first: each comes after the execution that failed with it.
        let errors = self.errors.read();
        let totals = self.totals();
        let total = totals.success + totals.failure + totals.cancelled;
        let last_minute = windows.finished.count(now_ns, total);
        let active = totals.begun.saturating_sub(total);
        let peak = self.peak.fetch_max(active, std::sync::atomic::Ordering::Relaxed).max(active);
        let requests_per_second = per_second(last_minute, now_ns);
        StepRead {
            throughput: ThroughputStats { total, last_minute, requests_per_second, active, peak },
            windows: with_windows.then(|| windows.durations.read(totals.values.clone())),
            errors,
            totals,
        }
    }

    /// How long executions took that ended in the last 5 to 6 minutes.
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) fn last_five_minutes(&self) -> Histogram {
        let (windows, _) = self.rolled();
        windows.durations.read(self.totals().values).into_five_minutes()
    }

    /// The durations as the value of a metric, which counts as many as the outcomes do.
    pub(super) fn histogram_value(&self, read: &StepRead) -> MetricValue {
        let totals = &read.totals;
        MetricValue::Histogram(Box::new(HistogramValue {
            exemplars: self.exemplars.read(),
            ..super::super::instruments::histogram_value(
                totals.values.clone(),
                &totals.below,
                read.throughput.total,
                &self.bounds,
            )
        }))
    }
}

/// Readings of steps of one name, made into one.
#[derive(Debug, Default)]
pub(crate) struct Combined {
    basic: BasicMetrics,
    durations: Histogram,
    windows: WindowsRead,
    throughput: ThroughputStats,
}

impl Combined {
    pub(crate) fn add(&mut self, read: StepRead) {
        let basic = &mut self.basic;
        basic.total_executions += read.throughput.total;
        basic.successful_executions += read.totals.success;
        basic.failed_executions += read.totals.failure;
        basic.cancelled_executions += read.totals.cancelled;
        for (kind, count) in read.errors {
            match basic.error_counts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, known)) => *known += count,
                None => basic.error_counts.push((kind, count)),
            }
        }
        self.durations.merge(&read.totals.values);
        if let Some(windows) = read.windows {
            self.windows.merge(&windows);
        }
        let (into, from) = (&mut self.throughput, read.throughput);
        into.total += from.total;
        into.last_minute += from.last_minute;
        into.requests_per_second += from.requests_per_second;
        into.active += from.active;
        // At most: their peaks may have been at different times.
        into.peak += from.peak;
    }

    pub(crate) fn finish(self, name: Name, slo: Vec<SloStatus>, cost: CostTotals) -> PrimitiveMetrics {
        let Self { mut basic, durations, windows, throughput } = self;
        let judged = basic.successful_executions + basic.failed_executions;
        basic.success_rate = (judged > 0).then(|| basic.successful_executions as f64 / judged as f64);
        let figures = Percentiles::from(&durations);
        basic.total_duration_ns = figures.sum;
        basic.average_duration_ns = figures.mean;
        basic.min_duration_ns = figures.min;
        basic.max_duration_ns = figures.max;
        basic.error_counts.sort_by(|(a, more), (b, less)| less.cmp(more).then_with(|| a.as_str().cmp(b)));
        let percentiles = RollingPercentiles::from(&windows);
        PrimitiveMetrics { name, basic, percentiles, slo, throughput, cost }
    }
}
