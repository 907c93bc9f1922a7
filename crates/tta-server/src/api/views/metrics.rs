//! What is counted of primitives and workflows, as JSON.

use serde::Serialize;
use tta_telemetry::{BasicMetrics, Percentiles, PrimitiveMetrics};
use utoipa::ToSchema;

use super::cost::Totals;
use super::slo::Objective;

/// What is counted of each name. Exact: sampling does not touch it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Metrics {
    pub(crate) metrics: Vec<Primitive>,
}

/// Everything that is counted of the primitives and workflows of one name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Primitive {
    name: String,
    executions: Executions,
    duration_ns: Windows,
    throughput: Throughput,
    slo: Vec<Objective>,
    cost: Totals,
}

/// Executions since the start, and how they ended.
#[derive(Debug, Serialize, ToSchema)]
struct Executions {
    total: u64,
    successful: u64,
    failed: u64,
    cancelled: u64,
    /// Null when none returned or failed.
    success_rate: Option<f64>,
    total_duration_ns: u64,
    average_duration_ns: Option<f64>,
    min_duration_ns: Option<u64>,
    max_duration_ns: Option<u64>,
    /// By kind of error, the most frequent first.
    errors: Vec<ErrorCount>,
}

/// How often one kind of error occurred.
#[derive(Debug, Serialize, ToSchema)]
struct ErrorCount {
    kind: String,
    count: u64,
}

/// How long executions took, over four windows.
#[derive(Debug, Serialize, ToSchema)]
struct Windows {
    minute: Quantiles,
    five_minutes: Quantiles,
    hour: Quantiles,
    since_start: Quantiles,
}

/// Null when there is no value.
#[derive(Debug, Serialize, ToSchema)]
struct Quantiles {
    count: u64,
    sum: u64,
    mean: Option<f64>,
    min: Option<u64>,
    max: Option<u64>,
    p50: Option<u64>,
    p90: Option<u64>,
    p95: Option<u64>,
    p99: Option<u64>,
    p999: Option<u64>,
}

/// How many requests.
#[derive(Debug, Serialize, ToSchema)]
struct Throughput {
    total: u64,
    last_minute: f64,
    requests_per_second: f64,
    active: u64,
    peak: u64,
}

impl From<&PrimitiveMetrics> for Primitive {
    fn from(metrics: &PrimitiveMetrics) -> Self {
        Self {
            name: metrics.name.to_string(),
            executions: Executions::from(&metrics.basic),
            duration_ns: Windows {
                minute: Quantiles::from(&metrics.percentiles.minute),
                five_minutes: Quantiles::from(&metrics.percentiles.five_minutes),
                hour: Quantiles::from(&metrics.percentiles.hour),
                since_start: Quantiles::from(&metrics.percentiles.since_start),
            },
            throughput: Throughput {
                total: metrics.throughput.total,
                last_minute: metrics.throughput.last_minute,
                requests_per_second: metrics.throughput.requests_per_second,
                active: metrics.throughput.active,
                peak: metrics.throughput.peak,
            },
            slo: metrics.slo.iter().map(Objective::from).collect(),
            cost: Totals::from(&metrics.cost),
        }
    }
}

impl From<&BasicMetrics> for Executions {
    fn from(basic: &BasicMetrics) -> Self {
        let errors = basic.error_counts.iter();
        Self {
            total: basic.total_executions,
            successful: basic.successful_executions,
            failed: basic.failed_executions,
            cancelled: basic.cancelled_executions,
            success_rate: basic.success_rate,
            total_duration_ns: basic.total_duration_ns,
            average_duration_ns: basic.average_duration_ns,
            min_duration_ns: basic.min_duration_ns,
            max_duration_ns: basic.max_duration_ns,
            errors: errors.map(|(kind, count)| ErrorCount { kind: kind.to_string(), count: *count }).collect(),
        }
    }
}

impl From<&Percentiles> for Quantiles {
    fn from(of: &Percentiles) -> Self {
        Self {
            count: of.count,
            sum: of.sum,
            mean: of.mean,
            min: of.min,
            max: of.max,
            p50: of.p50,
            p90: of.p90,
            p95: of.p95,
            p99: of.p99,
            p999: of.p999,
        }
    }
}
