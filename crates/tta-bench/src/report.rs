//! Renders the outcomes as the Markdown of `docs/performance.md`.

use crate::arguments::Arguments;
use crate::case::{Fate, Shape, SpanCase};
use crate::distance::are_alike;
use crate::export;
use crate::ingest;
use crate::jobs::{FAMILIES, Job};
use crate::machine;
use crate::measurement::{Measurement, median};
use crate::peers::IMPLEMENTATIONS;
use crate::push;
use crate::redis;
use crate::rounds::Outcome;
use crate::row::Family;
use crate::run::BURST_SPANS;
use crate::scrape;
use crate::table::{figure, table, wrap};
use crate::targets;

const METHOD: &str = "Every span carries three attributes: an integer, a static text, and a text of \
    20 bytes that the recorder must copy. A trace of n spans is a root and n - 1 children, opened \
    and closed one after the other while the root is open. Through `tracing`, its macros make the \
    spans, which are entered and find their parent on the thread; what a bridge opens around a \
    trace is in its figures, but is not one of the n. Every measurement is a process of its own; \
    those of one trace size and table take turns, and each figure is the median over the rounds. \
    Both sides of any ratio are to be taken from one trace size of one table.";

const PLACEMENT: &str = "Callers are pinned to the first cores and everything else to the last, so \
    that what is handed to the background crosses between cores in every run, as it does on a \
    server. On a virtual machine the host moves the cores about, and the price of crossing varies \
    up to twentyfold; so each measurement also times a cache line to the other core and back, and \
    only rounds at one distance go into a row. It is printed under each table. Between rows at \
    different distances nothing can be compared.";

const COLUMNS: &[(&str, &str)] = &[
    (
        "ns",
        "wall-clock time on the calling thread, per span: the median over bursts of spans, \
        between which the background may catch up.",
    ),
    (
        "CPU",
        "CPU nanoseconds of the whole process per span, background threads, flush and shutdown \
        included; what an idle flush costs is taken off, once per flush.",
    ),
    ("mi", "the same two on mimalloc; the others on glibc's malloc."),
    ("allocs", "allocations and reallocations per span while the caller records."),
    ("all", "the same by all threads, shutdown included."),
    ("bytes", "bytes asked for by all threads, per span."),
];

/// What was measured of that which has a section of its own form.
pub(crate) struct Sections {
    pub(crate) scrape: Option<scrape::Outcome>,
    pub(crate) redis: Option<redis::Outcome>,
    pub(crate) ingest: Option<ingest::Outcome>,
    pub(crate) export: Option<export::Outcome>,
    pub(crate) push: Option<push::Outcome>,
}

impl Sections {
    /// Whether nothing was.
    pub(crate) fn is_empty(&self) -> bool {
        self.texts().all(|text| text.is_none())
    }

    /// In the order of the report.
    fn texts(&self) -> impl Iterator<Item = Option<String>> {
        [
            self.scrape.as_ref().map(scrape::render),
            self.redis.as_ref().map(redis::render),
            self.ingest.as_ref().map(ingest::render),
            self.export.as_ref().map(export::render),
            self.push.as_ref().map(push::render),
        ]
        .into_iter()
    }
}

pub(crate) fn render(arguments: &Arguments, moment: &str, outcomes: &[Outcome], sections: &Sections) -> String {
    let mut text = String::from("# Performance\n\n");
    text += &wrap("", &format!("{moment}. {}.", machine::describe()));
    text += "\nMade by `";
    text += &command(arguments);
    text += "`; do not edit.\n";
    if !arguments.is_full() {
        text += "**Not a full run: do not quote it.**\n";
    }
    text += &format!("\n{}\n{}\n", wrap("", METHOD), wrap("", PLACEMENT));
    for (name, meaning) in COLUMNS {
        text += &wrap("- ", &format!("**{name}**: {meaning}"));
    }
    text += &wrap(
        "- ",
        &format!(
            "Rounds: {} or more; bursts per round: {}; spans per burst and thread: {BURST_SPANS}.",
            arguments.rounds(),
            arguments.bursts()
        ),
    );
    text += &targets::render(outcomes);
    text += &spans(outcomes, Shape::WITH_EXPLICIT_PARENTS, "What dropped and kept mean");
    text += &spans(outcomes, &[Shape::Tracing], "What dropped and kept mean through `tracing`");
    if outcomes.iter().any(|outcome| matches!(outcome.job, Job::Span(..))) {
        text += &misplaced(outcomes);
        text += &spread(outcomes);
    }
    for family in FAMILIES {
        text += &rows(outcomes, family);
    }
    text.extend(sections.texts().flatten());
    text
}

/// How to make it again.
pub(crate) fn command(arguments: &Arguments) -> String {
    let mut words = vec!["cargo run --release -p tta-bench".to_owned()];
    if !arguments.is_full() {
        words.push("--".to_owned());
    }
    words.extend(arguments.quick.then(|| "--quick".to_owned()));
    words.extend(arguments.filter.iter().map(|filter| format!("--filter {filter}")));
    words.join(" ")
}

/// The tables of some shapes, and what their fates are to those who take part.
fn spans(outcomes: &[Outcome], shapes: &[Shape], glossary: &str) -> String {
    let mut text = String::new();
    for &shape in shapes {
        for fate in Fate::ALL {
            let rows = outcomes.iter().filter_map(|outcome| span_row(outcome, shape, fate));
            let rows: Vec<_> = rows.collect();
            if rows.is_empty() {
                continue;
            }
            let head = ["spans", "implementation", "ns", "CPU", "mi ns", "mi CPU", "allocs", "all", "bytes"];
            text += &format!("\n## Spans: {}, {fate}\n\n", lower_first(shape.title()));
            text += &table(2, &head, &rows);
            text += &format!("\n{}", distances_of(outcomes, shape, fate));
        }
    }
    if text.is_empty() {
        return text;
    }
    text += &format!("\n## {glossary}\n\n");
    let takes_part = |shape: &Shape| shapes.contains(shape);
    for implementation in IMPLEMENTATIONS.iter().filter(|row| row.shapes.iter().any(takes_part)) {
        let name = implementation.name;
        text += &wrap("- ", &format!("**{name}, dropped**: {}", implementation.dropped));
        text += &wrap("- ", &format!("**{name}, kept**: {}", implementation.kept));
    }
    text
}

/// How far apart the cores were, for each size of trace in one table.
fn distances_of(outcomes: &[Outcome], shape: Shape, fate: Fate) -> String {
    let sizes = shape.trace_sizes().iter().filter_map(|&size| {
        let is_here = |case: &SpanCase| case.shape == shape && case.fate == fate && case.spans_per_trace == size;
        let cell = outcomes.iter().filter(|outcome| match &outcome.job {
            Job::Span(case, _) => is_here(case),
            Job::Row(..) => false,
        });
        Some(format!("{} at {size}", distance_of(cell)?))
    });
    let sizes: Vec<_> = sizes.collect();
    wrap("", &format!("Core to core and back: {}.", sizes.join(", ")))
}

/// How far apart the cores were in these measurements; `None` where nothing crosses.
fn distance_of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Option<String> {
    let all: Vec<f64> = outcomes.flat_map(Outcome::rounds).map(|measurement| measurement.round_trip_ns).collect();
    let usual = median(all.iter().copied());
    let strays = all.iter().filter(|&&ns| !are_alike(ns, usual)).count();
    let strays = if strays == 0 { String::new() } else { format!(" but for {strays} of {} measurements", all.len()) };
    (usual > 0.0).then(|| format!("{} ns{strays}", figure(usual)))
}

fn span_row(outcome: &Outcome, shape: Shape, fate: Fate) -> Option<Vec<String>> {
    let Job::Span(case, implementation) = &outcome.job else {
        return None;
    };
    if case.shape != shape || case.fate != fate {
        return None;
    }
    let mut row = vec![case.spans_per_trace.to_string(), implementation.name.to_owned()];
    row.extend(figures(outcome));
    Some(row)
}

/// The median of one figure over the rounds.
fn middle(rounds: &[Measurement], figure: fn(&Measurement) -> f64) -> f64 {
    median(rounds.iter().map(figure))
}

fn figures(outcome: &Outcome) -> Vec<String> {
    let caller = |m: &Measurement| m.caller_ns;
    let cpu = |m: &Measurement| m.cpu_ns;
    let counted = &outcome.counted;
    let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), figure);
    vec![
        figure(middle(&outcome.glibc, caller)),
        figure(middle(&outcome.glibc, cpu)),
        figure(middle(&outcome.mimalloc, caller)),
        figure(middle(&outcome.mimalloc, cpu)),
        optional(counted.caller_allocations),
        optional(counted.allocations),
        optional(counted.allocated_bytes),
    ]
}

fn misplaced(outcomes: &[Outcome]) -> String {
    let misplaced: Vec<_> = outcomes.iter().filter(|outcome| outcome.misplaced() > 0).collect();
    if misplaced.is_empty() {
        return "\nNo span that was to be kept was lost, and none that was to be dropped was\nreported.\n".to_owned();
    }
    let lines = misplaced.iter().map(|outcome| {
        wrap("- ", &format!("**{} lost, or did not drop, {} spans.**", outcome.job.name(), outcome.misplaced()))
    });
    format!("\n{}", lines.collect::<String>())
}

/// How far the rounds of one row lie apart, so that a reader can tell a difference from noise.
fn spread(outcomes: &[Outcome]) -> String {
    let mut spreads: Vec<f64> = outcomes
        .iter()
        .flat_map(|outcome| [&outcome.glibc, &outcome.mimalloc])
        .filter_map(|rounds| {
            let caller_ns = |m: &Measurement| m.caller_ns;
            let least = rounds.iter().map(caller_ns).min_by(f64::total_cmp)?;
            let most = rounds.iter().map(caller_ns).max_by(f64::total_cmp)?;
            Some(100.0 * (most - least) / middle(rounds, caller_ns))
        })
        .collect();
    spreads.sort_by(f64::total_cmp);
    let at = |part: usize| spreads.get(spreads.len() * part / 10).copied().unwrap_or(0.0);
    let sentence = format!(
        "The rounds of a row lie {:.0} % apart (ns, largest less smallest, of the median) in the \
         middle row, and up to {:.0} % in nine rows of ten.",
        at(5),
        at(9)
    );
    format!("\n{}", wrap("", &sentence))
}

/// The table of a family.
fn rows(outcomes: &[Outcome], family: &Family) -> String {
    let is_here = |outcome: &&Outcome| matches!(&outcome.job, Job::Row(of, _) if of.name == family.name);
    let rows = outcomes.iter().filter(is_here).filter_map(|outcome| match &outcome.job {
        Job::Row(_, row) => Some([row.name.to_owned()].into_iter().chain(figures(outcome)).collect()),
        Job::Span(..) => None,
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = ["way", "ns", "CPU", "mi ns", "mi CPU", "allocs", "all", "bytes"];
    let mut text = format!("\n## {}\n\n{}\n", family.title, table(1, &head, &rows));
    if let Some(distance) = distance_of(outcomes.iter().filter(is_here)) {
        text += &format!("{}\n", wrap("", &format!("Core to core and back: {distance}.")));
    }
    if !family.about.is_empty() {
        text += &format!("{}\n", wrap("", family.about));
    }
    for row in family.rows.iter().filter(|row| !row.about.is_empty()) {
        text += &wrap("- ", &format!("**{}**: {}", row.name, row.about));
    }
    text
}

fn lower_first(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
