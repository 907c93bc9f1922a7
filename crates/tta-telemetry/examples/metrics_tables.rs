//! Prints the tables of `docs/metrics.md` from the table of tta's own metrics. `cargo xtask docs` runs it.
#![forbid(unsafe_code)]

use std::io::{self, Write};

use tta_telemetry::MetricKind;
use tta_telemetry::catalog::{self, BuiltIn, Merge};

/// Headings, and what the names of their metrics begin with. The longest beginning counts.
const GROUPS: &[(&str, &[&str])] = &[
    ("Steps and workflows", &["primitive_", "workflow_"]),
    ("Objectives", &["primitive_slo_", "primitive_error_budget_"]),
    ("Cost", &["primitive_cost_"]),
    ("Routers", &["router_"]),
    ("Caches", &["cache_"]),
    ("Timeouts, retries, fallbacks and sagas", &["timeout_", "retry_", "fallback_", "saga_"]),
    (
        "Circuits, bulkheads, rate limits, hedges and branches",
        &["circuit_", "bulkhead_", "rate_limit_", "hedge_", "parallel_"],
    ),
    ("The engine and the process", &["sampling_", "telemetry_", "health_", "target_", "tta_"]),
];

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut shown = 0;
    for (place, (heading, _)) in GROUPS.iter().enumerate() {
        writeln!(out, "\n### {heading}\n\n| metric | type | labels | what it is |\n|---|---|---|---|")?;
        for metric in catalog::ALL.iter().filter(|metric| group(metric) == Some(place)) {
            writeln!(out, "{}", row(metric))?;
            shown += 1;
        }
    }
    // One that belongs nowhere must not be left out silently.
    if shown == catalog::ALL.len() { Ok(()) } else { Err(io::Error::other("a metric has no heading")) }
}

fn group(metric: &BuiltIn) -> Option<usize> {
    let all =
        GROUPS.iter().enumerate().flat_map(|(place, (_, starts))| starts.iter().map(move |start| (place, *start)));
    let fits = all.filter(|(_, start)| metric.name.starts_with(start));
    fits.max_by_key(|(_, start)| start.len()).map(|(place, _)| place)
}

fn row(metric: &BuiltIn) -> String {
    let unit = metric.unit.as_str();
    let kind = metric.kind.as_str();
    let kind = if unit.is_empty() { kind.to_owned() } else { format!("{kind}, {unit}") };
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let several = match (metric.kind, metric.merge) {
        (MetricKind::Gauge, Merge::Max) => " Of several: the largest.",
        (MetricKind::Gauge, Merge::Min) => " Of several: the smallest.",
        _ => "",
    };
    format!("| `{}` | {kind} | {} | {}{several} |", metric.name, labels.join(", "), metric.help)
}
