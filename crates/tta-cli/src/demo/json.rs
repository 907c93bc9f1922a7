//! `--json`: the outcome as one object.

use serde::Serialize;
use tta::telemetry::StepStatistics;

use super::Outcome;
use crate::output::Failure;

#[derive(Serialize)]
struct Document<'a> {
    files: usize,
    succeeded: usize,
    failed: usize,
    interrupted: bool,
    duration_seconds: f64,
    spans_recorded: u64,
    steps: Vec<Step<'a>>,
    failures: Vec<Failed<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    name: &'a str,
    r#type: &'a str,
    runs: u64,
    errors: u64,
    p50_seconds: f64,
    p95_seconds: f64,
    p99_seconds: f64,
    max_seconds: f64,
}

#[derive(Serialize)]
struct Failed<'a> {
    path: String,
    kind: &'a str,
    message: &'a str,
}

fn seconds(ns: Option<u64>) -> f64 {
    ns.unwrap_or(0) as f64 / 1e9
}

fn step(step: &StepStatistics) -> Step<'_> {
    Step {
        name: &step.name,
        r#type: &step.kind,
        runs: step.runs(),
        errors: step.failure,
        p50_seconds: seconds(step.durations.quantile(0.5)),
        p95_seconds: seconds(step.durations.quantile(0.95)),
        p99_seconds: seconds(step.durations.quantile(0.99)),
        max_seconds: seconds(step.durations.max()),
    }
}

pub(super) fn render(outcome: &Outcome) -> Result<String, Failure> {
    let failures = outcome.failures.iter().map(|failed| Failed {
        // Paths are bytes; JSON is text.
        path: failed.path.to_string_lossy().into_owned(),
        kind: &failed.kind,
        message: &failed.message,
    });
    let document = Document {
        files: outcome.files,
        succeeded: outcome.succeeded,
        failed: outcome.failures.len(),
        interrupted: outcome.interrupted,
        duration_seconds: outcome.took.as_secs_f64(),
        spans_recorded: outcome.spans_recorded(),
        steps: outcome.steps.iter().map(step).collect(),
        failures: failures.collect(),
    };
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| Failure::new(format!("cannot write the outcome as JSON: {error}")))?;
    Ok(text + "\n")
}
