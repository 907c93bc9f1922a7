//! The numbers of an objective, derived from its counts.

use std::time::Duration;

use super::config::{BILLION, Slo};
use super::counts::Counts;
use super::timeline::{BURN_RINGS, BURN_WINDOWS, Timeline};
use crate::model::Name;

/// Requests in a window, without cancelled ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SloTotals {
    /// All of them.
    pub total: u64,
    /// Those that did not conform: failed, or slow, or both.
    pub bad: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those beyond the latency threshold, however they ended.
    pub slow: u64,
}

/// How fast the error budget is being spent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurnRate {
    /// The window as a label: `5m`, `30m`, `1h`, `2h`, `6h`, `1d`, `3d`.
    pub label: &'static str,
    /// The window. It is measured in steps of a 60th: what is counted is never less than the
    /// window and less than a 60th (1.7 %) more.
    pub window: Duration,
    /// The share of bad requests over the share that may be: 1 spends exactly the budget, 2 spends
    /// it in half the objective's window. 0 without requests.
    pub rate: f64,
    /// What it is computed from.
    pub totals: SloTotals,
    /// There were at least [`Slo::minimum_events`] requests.
    pub has_minimum_events: bool,
}

/// How an objective stands, from one consistent read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SloStatus {
    /// The primitive or workflow.
    pub subject: Name,
    /// The objective.
    pub slo: Slo,
    /// When: the latest time the tracker has seen, in nanoseconds since the Unix epoch.
    pub as_of_unix_ns: u64,
    /// Requests in the objective's window. It is measured in steps of a 360th: what is counted is
    /// never less than the window and less than a 360th (0.3 %) more.
    pub totals: SloTotals,
    /// The share of requests that conformed; 1 without requests.
    pub compliance: f64,
    /// The share of requests that succeeded, however long they took; 1 without requests.
    pub availability: f64,
    /// The share of requests within the latency threshold, however they ended; 1 without requests,
    /// `None` without a threshold.
    pub latency_compliance: Option<f64>,
    /// `1 - bad / (total * (1 - target))`: 1 is untouched, 0 is spent, below 0 is overspent. 1
    /// without requests.
    pub error_budget_remaining: f64,
    /// Over seven windows, the shortest first.
    pub burn_rates: [BurnRate; BURN_RINGS],
    /// Compliance is at least the target, compared exactly.
    pub is_compliant: bool,
    /// There were at least [`Slo::minimum_events`] requests; with fewer, the numbers say little.
    pub has_minimum_events: bool,
    /// For how long requests have been counted, restored state and the time that a restart took
    /// included; at most the objective's window.
    pub observed: Duration,
    /// Requests have not been counted for a whole window yet.
    pub is_incomplete: bool,
    /// Budget callbacks that panicked.
    pub callback_panics: u64,
}

impl SloStatus {
    /// The burn rate over one of the seven windows.
    #[must_use]
    pub fn burn_rate(&self, window: Duration) -> Option<&BurnRate> {
        self.burn_rates.iter().find(|rate| rate.window == window)
    }

    pub(super) fn of(subject: &Name, slo: &Slo, timeline: &Timeline, callback_panics: u64) -> Self {
        let window = timeline.window();
        let total = window.total();
        let share_without = |bad: u64| 1.0 - share(bad, total);
        let burn_rate = |ring: usize| {
            let (label, seconds) = BURN_WINDOWS.get(ring).copied().unwrap_or_default();
            let counts = timeline.rings().get(ring).map(super::ring::Ring::sum).copied().unwrap_or_default();
            BurnRate {
                label,
                window: Duration::from_secs(seconds),
                rate: spent(&counts, slo),
                totals: totals(&counts),
                has_minimum_events: counts.total() >= slo.minimum_events(),
            }
        };
        Self {
            subject: subject.clone(),
            slo: slo.clone(),
            as_of_unix_ns: timeline.wall_unix_ns(),
            totals: totals(window),
            compliance: share_without(window.bad()),
            availability: share_without(window.failed()),
            latency_compliance: slo.latency_threshold().map(|_| share_without(window.slow())),
            error_budget_remaining: budget_remaining(window, slo),
            burn_rates: std::array::from_fn(burn_rate),
            is_compliant: parts(window, slo).is_none_or(|(bad, allowed)| bad <= allowed),
            has_minimum_events: total >= slo.minimum_events(),
            observed: Duration::from_nanos(timeline.elapsed_ns()).min(slo.window()),
            is_incomplete: timeline.elapsed_ns() < slo.window_ns(),
            callback_panics,
        }
    }
}

/// What is left of the error budget.
pub(super) fn budget_remaining(counts: &Counts, slo: &Slo) -> f64 {
    1.0 - spent(counts, slo)
}

/// The share of bad requests over the share that may be.
fn spent(counts: &Counts, slo: &Slo) -> f64 {
    parts(counts, slo).map_or(0.0, |(bad, allowed)| bad as f64 / allowed as f64)
}

/// Bad requests and those that may be, both times a billion and exact; `None` without requests.
fn parts(counts: &Counts, slo: &Slo) -> Option<(u128, u128)> {
    let allowed = u128::from(counts.total()) * u128::from(slo.allowed_bad());
    (allowed > 0).then(|| (u128::from(counts.bad()) * u128::from(BILLION), allowed))
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn totals(counts: &Counts) -> SloTotals {
    SloTotals { total: counts.total(), bad: counts.bad(), failed: counts.failed(), slow: counts.slow() }
}
