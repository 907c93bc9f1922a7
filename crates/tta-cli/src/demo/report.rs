//! What a person sees at the end of a demo.

use std::collections::BTreeMap;

use tta::telemetry::{Trace, TraceTree, format};

use super::{Outcome, table};
use crate::analysis::{Readability, Report};
use crate::args::Which;
use crate::wrap::wrap;

/// Failures listed one by one; the others are counted.
const LISTED: usize = 5;
const WIDTH: usize = 80;
/// Columns by which the further lines of an entry are indented.
const INDENT: usize = 4;

pub(super) fn render(outcome: &Outcome) -> String {
    let mut out = String::new();
    if let Some(report) = &outcome.single {
        out.push_str(&document(report));
        out.push('\n');
    }
    out.push_str(&table::render(&outcome.steps));
    match (outcome.highlights.slowest(), outcome.highlights.first_failed()) {
        (Some(slowest), Some(failed)) if slowest.trace_id == failed.trace_id => {
            out.push_str(&section("slowest run, and the first failed one", &slowest));
        }
        (slowest, failed) => {
            out.extend(slowest.map(|trace| section("slowest run", &trace)));
            out.extend(failed.map(|trace| section("first failed run", &trace)));
        }
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

/// What it is, which file, which trace; and the tree.
fn section(what: &str, trace: &Trace) -> String {
    let read = trace.spans.iter().find_map(|span| span.attribute("document.path"));
    let path = read.map(ToString::to_string).unwrap_or_default();
    let heading = wrap(&format!("{what}: {path}"), INDENT, WIDTH);
    format!("\n{heading}trace {}\n{}", trace.trace_id, TraceTree::new(trace))
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
    let mut out = format!("\n{}", wrap(&format!("failed: {}", kinds.join(", ")), INDENT, WIDTH));
    for failed in outcome.failures.iter().take(LISTED) {
        out.push_str(&wrap(&format!("  {}: {}", failed.path.display(), failed.message), INDENT, WIDTH));
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
    let is_first = outcome.steps.is_empty() && outcome.failures.is_empty();
    format!(
        "{}{} of {} files analysed, {} failed\n{took}, {per_second:.0} files/s, {} spans recorded\n",
        if is_first { "" } else { "\n" },
        outcome.succeeded,
        outcome.files,
        outcome.failures.len(),
        outcome.spans_recorded()
    )
}

/// What was asked for and did not happen: a line for each sink that lost traces, or failed.
pub(super) fn losses(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for sink in &outcome.telemetry.sinks {
        let lost = sink.lost_queue_full + sink.lost_failed + sink.waiting_traces;
        if lost > 0 || sink.failures > 0 {
            let why = sink.last_error.as_deref().unwrap_or("it did not keep up");
            lines.push(format!("{lost} traces did not reach `{}`: {why}", sink.name));
        }
    }
    lines
}

/// One document's report, for a demo of a single file.
fn document(report: &Report) -> String {
    let statistics = &report.statistics;
    let keywords: Vec<_> = report.keywords.iter().map(|keyword| keyword.phrase.as_str()).collect();
    let readability = match report.readability {
        Readability::Scored { reading_ease, grade, .. } => format!("{reading_ease:.0} reading ease, grade {grade:.1}"),
        ref other => format!("no readability score: {}", other.reason().replace('_', " ")),
    };
    let lines = [
        report.path.display().to_string(),
        format!(
            "  lines {}, words {} ({} distinct), sentences {}",
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
    lines.into_iter().chain(summary).map(|line| wrap(&line, INDENT, WIDTH)).collect()
}
