//! What each primitive adds to the engine's metrics: names, labels and values, exactly.

mod budgets;
mod cache;
mod catalog;
mod connections;
mod costs;
mod hedge;
mod levels;
mod router;
mod times;

use tta_primitives::testing::TestEngine;
use tta_telemetry::{MetricPoint, MetricValue};

/// `labels: value` of every series of a metric, sorted; a histogram's is count and sum.
fn series(engine: &TestEngine, metric: &str) -> Vec<String> {
    let families = engine.telemetry().collect_metrics();
    let points = families.iter().filter(|family| family.name == metric).flat_map(|family| &family.points);
    let mut lines: Vec<String> = points.map(line).collect();
    lines.sort();
    lines
}

fn line(point: &MetricPoint) -> String {
    let labels: Vec<String> = point.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let value = match &point.value {
        MetricValue::Count(count) => count.to_string(),
        MetricValue::Number(number) => number.to_string(),
        MetricValue::Histogram(values) => format!("{} in {} s", values.count, values.sum),
    };
    format!("{}: {value}", labels.join(" "))
}
