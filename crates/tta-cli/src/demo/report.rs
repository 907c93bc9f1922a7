//! What a person sees at the end of a demo.

use std::collections::BTreeMap;

use tta::telemetry::{Trace, TraceTree, format};

use super::{Outcome, table};
use crate::analysis::{Readability, Report};
use crate::args::Which;

/// Failures listed one by one; the others are counted.
const LISTED: usize = 5;
const WIDTH: usize = 80;

/// Spans that reached the first sink, which keeps every trace.
pub(super) fn spans_recorded(outcome: &Outcome) -> u64 {
    outcome.telemetry.sinks.first().map_or(0, |sink| sink.exported_spans)
}

pub(super) fn render(outcome: &Outcome) -> String {
    let mut out = String::new();
    if let Some(report) = &outcome.single {
        out.push_str(&document(report));
        out.push('\n');
    }
    out.push_str(&table::render(&outcome.steps));
    if let Some(trace) = outcome.highlights.slowest() {
        out.push_str(&section("slowest run", &trace));
        out.push_str(&TraceTree::new(&trace).to_string());
    }
    if let Some(trace) = outcome.highlights.first_failed() {
        out.push_str(&section("first failed run", &trace));
        out.push_str(&TraceTree::new(&trace).to_string());
    }
    out.push_str(&failures(outcome));
    out.push_str(&totals(outcome));
    out
}

pub(super) fn one_trace(outcome: &Outcome, which: Which) -> String {
    let (trace, none) = match which {
        Which::Slowest => (outcome.highlights.slowest(), "no run was recorded\n"),
        Which::Failed => (outcome.highlights.first_failed(), "no run failed\n"),
    };
    trace.map_or_else(
        || none.to_owned(),
        |trace| format!("trace {}\n{}", trace.trace_id, TraceTree::new(&trace).attributes(true)),
    )
}

/// A heading: what it is, which file, which trace.
fn section(what: &str, trace: &Trace) -> String {
    let read = trace.spans.iter().find_map(|span| span.attribute("document.path"));
    let path = read.map(ToString::to_string).unwrap_or_default();
    format!("\n{}\ntrace {}\n", format::clip(&format!("{what}: {path}"), WIDTH), trace.trace_id)
}

fn failures(outcome: &Outcome) -> String {
    if outcome.failures.is_empty() {
        return String::new();
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for failed in &outcome.failures {
        *kinds.entry(&failed.kind).or_default() += 1;
    }
    let kinds: Vec<_> = kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let mut out = format!("\nfailed: {}\n", kinds.join(", "));
    for failed in outcome.failures.iter().take(LISTED) {
        let line = format!("  {}: {}", failed.path.display(), failed.message);
        out.push_str(&format::clip(&line, WIDTH));
        out.push('\n');
    }
    if outcome.failures.len() > LISTED {
        out.push_str(&format!("  and {} more (--json lists all)\n", outcome.failures.len() - LISTED));
    }
    out
}

fn totals(outcome: &Outcome) -> String {
    let took = format::duration(u64::try_from(outcome.took.as_nanos()).unwrap_or(u64::MAX));
    let done = outcome.succeeded + outcome.failures.len();
    let per_second = done as f64 / outcome.took.as_secs_f64().max(1e-9);
    let mut out = format!(
        "\n{} of {} files analysed, {} failed; {took}, {per_second:.0} files/s, {} spans recorded\n",
        outcome.succeeded,
        outcome.files,
        outcome.failures.len(),
        spans_recorded(outcome)
    );
    for sink in &outcome.telemetry.sinks {
        let lost = sink.lost_queue_full + sink.lost_failed + sink.waiting_traces;
        if lost > 0 {
            let why = sink.last_error.as_deref().unwrap_or("its queue was full");
            out.push_str(&format!("warning: {lost} traces did not reach {}: {why}\n", sink.name));
        }
    }
    out
}

/// One document's report, for a demo of a single file.
fn document(report: &Report) -> String {
    let statistics = &report.statistics;
    let keywords: Vec<_> = report.keywords.iter().map(|keyword| keyword.phrase.as_str()).collect();
    let readability = match report.readability {
        Readability::Scored { reading_ease, grade, .. } => format!("{reading_ease:.0} reading ease, grade {grade:.1}"),
        ref other => other.reason().replace('_', " "),
    };
    let lines = [
        report.path.display().to_string(),
        format!(
            "  {} lines, {} words ({} distinct), {} sentences",
            statistics.lines, statistics.words, statistics.distinct_words, statistics.sentences
        ),
        format!(
            "  language {} ({:.0} % sure); {readability}",
            report.language.language.code(),
            report.language.confidence * 100.0
        ),
        format!("  keywords: {}", keywords.join(", ")),
    ];
    let summary = report.summary.sentences.iter().map(|sentence| format!("  • {sentence}"));
    lines.into_iter().chain(summary).map(|line| format::clip(&line, WIDTH) + "\n").collect()
}
