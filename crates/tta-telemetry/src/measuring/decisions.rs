//! Counts of decisions, as metrics: which word of which family is counted where.

use std::collections::BTreeMap;

use crate::decisions::{DecisionCount, DecisionKey};
use crate::metrics::catalog::{self, BuiltIn};
use crate::metrics::{MetricCollector, MetricValue};
use crate::model::Name;

/// Adds every count to the metric it belongs to; one that belongs to none is left out.
pub(super) fn write(counts: &[DecisionCount], out: &mut MetricCollector) {
    let mut rates: BTreeMap<(&'static str, Name), Rate> = BTreeMap::new();
    for count in counts {
        write_one(count, out);
        let (family, name) = (count.key.family, &count.key.primitive);
        let part = match (family, count.outcome) {
            ("cache", "hit" | "stale" | "negative") | ("timeout", "expired") => Some(true),
            ("cache", outcome) if is_miss(outcome) => Some(false),
            ("timeout", _) => Some(false),
            _ => None,
        };
        if let Some(is_part) = part {
            let rate = rates.entry((family, name.clone())).or_default();
            rate.all += count.count;
            rate.part += if is_part { count.count } else { 0 };
        }
    }
    for ((family, name), rate) in rates {
        let metric = if family == "cache" { &catalog::CACHE_HIT_RATE } else { &catalog::TIMEOUT_RATE };
        let share = if rate.all == 0 { 0.0 } else { rate.part as f64 / rate.all as f64 };
        out.number(metric, &[&name], share);
    }
}

#[derive(Default)]
struct Rate {
    part: u64,
    all: u64,
}

/// Lookups that were not answered from what was kept.
fn is_miss(outcome: &str) -> bool {
    matches!(outcome, "miss" | "shared" | "corrupt" | "error" | "resting")
}

/// The name of the policy where it has one of its own, as a breaker that several steps share, else
/// the step's: the same as its gauges have.
fn policy_of(key: &DecisionKey) -> &Name {
    if key.subject.is_empty() { &key.primitive } else { &key.subject }
}

fn write_one(count: &DecisionCount, out: &mut MetricCollector) {
    let name = &count.key.primitive;
    let policy = policy_of(&count.key);
    let word = Name::from_static(count.outcome);
    let mut add = |metric: &'static BuiltIn, labels: &[&Name]| {
        out.add(metric, labels.iter().map(|label| (*label).clone()), MetricValue::Count(count.count));
    };
    match (count.key.family, count.outcome) {
        // Most reasons cannot happen with most strategies.
        ("router", _) if count.count == 0 => {}
        ("router", _) => add(&catalog::ROUTER_DECISIONS, &[name, &count.key.subject, &word]),
        ("cache", "hit" | "stale" | "negative") => add(&catalog::CACHE_HITS, &[name]),
        ("cache", outcome) if is_miss(outcome) => add(&catalog::CACHE_MISSES, &[name]),
        ("cache_lookup", "failed" | "corrupt") | ("cache_put", "failed") => add(&catalog::CACHE_ERRORS, &[name]),
        ("timeout", "expired") => add(&catalog::TIMEOUT_FAILURES, &[name]),
        ("timeout", "in_time" | "in_grace") => add(&catalog::TIMEOUT_SUCCESSES, &[name]),
        ("attempt", _) => add(&catalog::RETRY_ATTEMPTS, &[name, &word]),
        ("retry", "exhausted" | "budget_exhausted" | "deadline_too_close") => add(&catalog::RETRY_EXHAUSTED, &[name]),
        ("fallback_position", _) => add(&catalog::FALLBACK_USED, &[name, &count.key.subject]),
        ("compensation", _) => add(&catalog::SAGA_COMPENSATIONS, &[name, &word]),
        ("circuit", "rejected") => add(&catalog::CIRCUIT_REJECTED, &[policy]),
        ("circuit", "opened") => add(&catalog::CIRCUIT_TRANSITIONS, &[policy, &Name::from_static("open")]),
        ("circuit", "half_opened") => add(&catalog::CIRCUIT_TRANSITIONS, &[policy, &Name::from_static("half_open")]),
        ("circuit", "closed") => add(&catalog::CIRCUIT_TRANSITIONS, &[policy, &Name::from_static("closed")]),
        ("bulkhead", "queue_full" | "waited_too_long" | "deadline_passed") => {
            add(&catalog::BULKHEAD_REJECTED, &[policy])
        }
        ("rate_limit", "refused" | "wait_too_long" | "deadline_too_close") => {
            add(&catalog::RATE_LIMIT_REJECTED, &[policy]);
        }
        ("hedge", _) => add(&catalog::HEDGE_REQUESTS, &[name, &word]),
        _ => {}
    }
}
