//! A dry run as one JSON object, for programs.

use serde_json::{Value, json};
use tta::telemetry::sampling::{DryRunRow, UnknownName};

use super::dry_run::Found;

pub(super) fn write(found: &Found<'_>) -> String {
    let report = &found.report;
    let rows: Vec<Value> = report.rows.iter().map(|row| self::row(row, report.total.traces)).collect();
    let rules =
        report.rules.iter().map(|rule| json!({ "name": rule.name, "matched": rule.matched, "decided": rule.decided }));
    let value = json!({
        "config": found.config.display().to_string(),
        "file": found.file.display().to_string(),
        "total": row(&report.total, report.total.traces),
        "decided_by": rows,
        "rules": rules.collect::<Vec<_>>(),
        "lost_errors": {
            "traces": report.lost_errors,
            "first": report.first_lost.iter().map(ToString::to_string).collect::<Vec<_>>(),
        },
        "unknown_attributes": names(&report.unknown_attributes),
        "unknown_workflows": names(&report.unknown_workflows),
        "dropped_by_limits": report.budget_dropped,
        "late_parts": report.late_parts,
        "late_bytes": report.late_bytes,
        "unreadable_lines": found.unreadable,
        "notes": found.notes,
    });
    format!("{value:#}\n")
}

fn row(row: &DryRunRow, all: u64) -> Value {
    let (low, high) = row.stands_for.interval.unzip();
    json!({
        "reason": row.reason,
        "traces": row.traces,
        "share": if all > 0 { row.traces as f64 / all as f64 } else { 0.0 },
        "kept": row.kept,
        "dropped": row.traces - row.kept,
        "bytes": row.bytes,
        "kept_bytes": row.kept_bytes,
        "estimated_traces": { "value": row.stands_for.value, "low": low, "high": high },
        "of_unknown_weight": row.of_unknown_weight,
        "estimated_kept": row.expected_kept,
        "estimated_kept_bytes": row.expected_kept_bytes,
    })
}

fn names(names: &[UnknownName]) -> Vec<Value> {
    names.iter().map(|unknown| json!({ "name": unknown.name, "nearest": unknown.nearest })).collect()
}
