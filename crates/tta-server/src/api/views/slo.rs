//! Objectives as JSON.

use serde::Serialize;
use tta_telemetry::{BurnRate, SloStatus, SloTotals};
use utoipa::ToSchema;

use super::super::time::iso;

/// How every objective stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Objectives {
    pub(crate) objectives: Vec<Objective>,
}

/// How an objective stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Objective {
    /// The primitive or workflow.
    subject: String,
    name: String,
    /// The share of requests that must conform.
    target: f64,
    latency_threshold_ns: Option<u64>,
    window_seconds: u64,
    #[schema(format = DateTime)]
    as_of: String,
    totals: Counts,
    compliance: f64,
    availability: f64,
    /// Null without a latency threshold.
    latency_compliance: Option<f64>,
    /// 1 is untouched, 0 is spent, below 0 is overspent.
    error_budget_remaining: f64,
    burn_rates: Vec<Burn>,
    is_compliant: bool,
    has_minimum_events: bool,
    /// Requests have not been counted for a whole window yet.
    is_incomplete: bool,
    observed_seconds: f64,
}

/// How fast the error budget is being spent.
#[derive(Debug, Serialize, ToSchema)]
struct Burn {
    /// `5m`, `30m`, `1h`, `2h`, `6h`, `1d` or `3d`.
    window: &'static str,
    rate: f64,
    totals: Counts,
    has_minimum_events: bool,
}

/// Requests in a window.
#[derive(Debug, Serialize, ToSchema)]
struct Counts {
    total: u64,
    bad: u64,
    failed: u64,
    slow: u64,
}

impl From<&SloTotals> for Counts {
    fn from(totals: &SloTotals) -> Self {
        Self { total: totals.total, bad: totals.bad, failed: totals.failed, slow: totals.slow }
    }
}

impl From<&SloStatus> for Objective {
    fn from(status: &SloStatus) -> Self {
        let burn = |rate: &BurnRate| Burn {
            window: rate.label,
            rate: rate.rate,
            totals: Counts::from(&rate.totals),
            has_minimum_events: rate.has_minimum_events,
        };
        Self {
            subject: status.subject.to_string(),
            name: status.slo.name().to_string(),
            target: status.slo.target(),
            latency_threshold_ns: status.slo.latency_threshold().map(|threshold| threshold.as_nanos() as u64),
            window_seconds: status.slo.window().as_secs(),
            as_of: iso(status.as_of_unix_ns),
            totals: Counts::from(&status.totals),
            compliance: status.compliance,
            availability: status.availability,
            latency_compliance: status.latency_compliance,
            error_budget_remaining: status.error_budget_remaining,
            burn_rates: status.burn_rates.iter().map(burn).collect(),
            is_compliant: status.is_compliant,
            has_minimum_events: status.has_minimum_events,
            is_incomplete: status.is_incomplete,
            observed_seconds: status.observed.as_secs_f64(),
        }
    }
}
