//! The section of the report, with its own figures to reach. Reports; asserts nothing.

use super::engine::STEPS;
use super::timing::RECORDINGS;
use super::{Memory, Outcome, Reading, Timed};
use crate::table::{figure, table, wrap};

const ABOUT: &str = "Times in microseconds, each from a process of its own with the threads on cores of \
    their own; each figure is the median over the rounds. A series is a line of the page in \
    Prometheus' format: a histogram is one for each bucket, the sum and the count.";

/// A figure to reach, of a case or of what it has above another one.
struct Target {
    what: &'static str,
    of: &'static str,
    minus: Option<&'static str>,
    to_reach: &'static str,
    value: fn(&Reading) -> f64,
}

const TARGETS: &[Target] = &[
    Target { what: "collect: us", of: COLLECT, minus: None, to_reach: "below 2000", value: |reading| reading.p50_us },
    Target {
        what: "collect and write: us",
        of: "collect and write",
        minus: None,
        to_reach: "below 2000",
        value: |reading| reading.p50_us,
    },
    Target {
        what: "collect, under load: us",
        of: "collect, under load",
        minus: None,
        to_reach: "below 2000",
        value: |reading| reading.p50_us,
    },
    Target {
        what: "record during scrapes above quiet, p99.9: us",
        of: DURING,
        minus: Some(QUIET),
        to_reach: "at most 1",
        value: |reading| reading.p999_us,
    },
    Target {
        what: "record during scrapes above quiet, longest: us",
        of: DURING,
        minus: Some(QUIET),
        to_reach: "at most 1",
        value: |reading| reading.longest_us,
    },
];

const COLLECT: &str = "collect";
const QUIET: &str = "record, quiet";
const DURING: &str = "record, during scrapes";

pub(crate) fn render(outcome: &Outcome) -> String {
    let Outcome { timed, memory } = outcome;
    let mut text = "\n## Scrape\n\n".to_owned();
    text += &targets(timed);
    text += &times(timed);
    text += &memory_table(memory);
    text
}

fn targets(timed: &[Timed]) -> String {
    let find = |name: &str| timed.iter().find(|timed| timed.case.name == name);
    let rows = TARGETS.iter().filter_map(|target| {
        let of = find(target.of)?;
        let minus = target.minus.map(find);
        let value = |reading: fn(&Timed) -> &Reading| {
            let less = match minus {
                Some(other) => (target.value)(reading(other?)),
                None => 0.0,
            };
            Some(figure((target.value)(reading(of)) - less))
        };
        let (glibc, mimalloc) = (value(|timed| &timed.glibc)?, value(|timed| &timed.mimalloc)?);
        Some(vec![target.what.to_owned(), target.to_reach.to_owned(), glibc, mimalloc])
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    table(1, &["figure", "to reach", "glibc", "mimalloc"], &rows) + "\n"
}

fn times(timed: &[Timed]) -> String {
    if timed.is_empty() {
        return String::new();
    }
    let figures = |reading: &Reading| [reading.p50_us, reading.p99_us, reading.p999_us, reading.longest_us].map(figure);
    let rows = timed.iter().map(|timed| {
        let name = [timed.case.name.to_owned()].into_iter();
        name.chain(figures(&timed.glibc)).chain(figures(&timed.mimalloc)).collect()
    });
    let head = ["way", "p50", "p99", "p99.9", "longest", "mi p50", "mi p99", "mi p99.9", "mi longest"];
    let mut text = table(1, &head, &rows.collect::<Vec<_>>()) + "\n";
    let series = timed.iter().map(|timed| timed.glibc.series).fold(0.0, f64::max);
    let longest = format!(
        "The longest is that of all scrapes, and of {RECORDINGS} recordings in the middle one of the \
         bursts: of more, the longest is an interrupt's."
    );
    text += &wrap("", &format!("{STEPS} steps, {series} series. {ABOUT} {longest}"));
    text += "\n";
    for timed in timed {
        text += &wrap("- ", &format!("**{}**: {}", timed.case.name, timed.case.about));
    }
    text
}

fn memory_table(memory: &[Memory]) -> String {
    if memory.is_empty() {
        return String::new();
    }
    let rows = memory.iter().map(|moment| {
        let [step, series] = moment.shares().map(figure);
        let own = figure(moment.heap_bytes as f64 / STEPS as f64);
        vec![format!("{} h", moment.hours), figure(moment.allocated_bytes as f64), step, series, own]
    });
    let head = ["after", "bytes", "per step", "per series", "`heap_bytes`"];
    let about = "Memory of the same engine in simulated time, in which every step is executed twelve \
        times a minute by one thread and nobody scrapes: bytes that the allocator has given out \
        since before the first step was made, and beside them what a step says that it holds. \
        Each further thread that records adds its cells.";
    format!("\n{}\n{}", table(1, &head, &rows.collect::<Vec<_>>()), wrap("", about))
}

#[cfg(test)]
mod tests {
    use super::super::CASES;
    use super::*;

    fn outcome() -> Outcome {
        let reading = |p50_us: f64| Reading { p50_us, p99_us: 2.0, p999_us: p50_us, longest_us: 40.0, series: 1_400.0 };
        let timed = CASES.iter().zip([700.0, 800.0, 900.0, 0.1, 0.6]).map(|(&case, p50_us)| Timed {
            case,
            glibc: reading(p50_us),
            mimalloc: reading(p50_us),
        });
        let memory = Memory { hours: 2, series: 1_400, allocated_bytes: 1_400_000, heap_bytes: 600_000 };
        Outcome { timed: timed.collect(), memory: vec![memory] }
    }

    #[test]
    fn the_section_names_figures_to_reach_and_every_case() {
        let text = render(&outcome());
        assert!(text.starts_with("\n## Scrape\n\n| figure "), "{text}");
        assert!(
            text.contains("| collect: us                                    | below 2000 |   700 |      700 |\n"),
            "{text}"
        );
        assert!(text.contains("quiet, p99.9: us   |  at most 1 |  0.50 |     0.50 |\n"), "{text}");
        assert!(text.contains("| 2 h   | 1400000 |    23333 |       1000 |        10000 |\n"), "{text}");
        assert!(CASES.iter().all(|case| text.contains(&format!("- **{}**: ", case.name))), "{text}");
        assert!(TARGETS.iter().all(|target| CASES.iter().any(|case| case.name == target.of)));
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        let text = render(&Outcome { timed: Vec::new(), ..outcome() });
        assert!(text.starts_with("\n## Scrape\n\n\n| after "), "{text}");
    }
}
