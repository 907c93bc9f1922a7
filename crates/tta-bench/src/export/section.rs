//! The section of the report, with its own figures to reach. Reports; asserts nothing.

use super::spans::{ATTRIBUTES, SPANS, TRACE_SPANS};
use super::{Case, Outcome, Reading};
use crate::table::{figure, table, wrap};

const ABOUT: &str = "All by OTLP over HTTP in protobuf, uncompressed, at the defaults of both: a queue of \
    2048 spans, requests of 512. Sender, collector and their kernel share the cores of this machine, and \
    the scheduler places them; each figure is the median over the rounds.";

const COLUMNS: &[(&str, &str)] = &[
    (
        "hand-over",
        "microseconds from calling until the call returns, for a batch; 15 batches a second are handed over.",
    ),
    ("taken", "milliseconds from that call until the collector has answered, one batch after the other."),
    (
        "at full speed",
        "batches are handed over without a pause: the time of a call; spans a second that the collector took, \
        and of a hundred spans how many were dropped instead; microseconds of CPU of the whole process, \
        encoding and the kernel's part included, for a span handed over. tta's queue makes a caller wait \
        while the collector takes what it gets; the SDK's drops, so its caller here waits for a flush after \
        every four batches, unless nobody is there.",
    ),
    ("MiB", "the most memory that the process had, above what it had when it began to export."),
];

/// A figure to reach, and what is to be said of it.
struct Target {
    what: &'static str,
    of: &'static str,
    to_reach: &'static str,
    value: fn(&Reading) -> Option<f64>,
}

const HEALTHY: &str = "tta, healthy";
const SLOW: &str = "tta, slow";
const DEAD: &str = "tta, dead";
/// What a hand-over is to stay below.
const BELOW: &str = "below 100";

const fn target(
    what: &'static str,
    of: &'static str,
    to_reach: &'static str,
    value: fn(&Reading) -> Option<f64>,
) -> Target {
    Target { what, of, to_reach, value }
}

const TARGETS: &[Target] = &[
    target("hand-over, p99: ms", HEALTHY, BELOW, |r| Some(r.hand_p99_us / 1e3)),
    target("hand-over, collector slow, p99: ms", SLOW, BELOW, |r| Some(r.hand_p99_us / 1e3)),
    target("hand-over, collector dead, p99: ms", DEAD, BELOW, |r| Some(r.hand_p99_us / 1e3)),
    target("hand-over at full speed, p99: ms", HEALTHY, BELOW, |r| Some(r.full_p99_us / 1e3)),
    target("hand-over at full speed, collector slow, p99: ms", SLOW, BELOW, |r| Some(r.full_p99_us / 1e3)),
    target("hand-over at full speed, collector dead, p99: ms", DEAD, BELOW, |r| Some(r.full_p99_us / 1e3)),
    target("until the collector has taken it, p99: ms", HEALTHY, BELOW, |r| r.taken_p99_ms),
    target("memory while the collector is dead: MiB", DEAD, "at most 64", |r| Some(r.memory_mib)),
];

pub(crate) fn render(Outcome(rows): &Outcome) -> String {
    let about = format!("Batches of {SPANS} spans with {ATTRIBUTES} attributes, in traces of {TRACE_SPANS}. {ABOUT}");
    let mut text = format!("\n## Export by OTLP\n\n{}{}\n{}\n", targets(rows), measured(rows), wrap("", &about));
    for (name, meaning) in COLUMNS {
        text += &wrap("- ", &format!("**{name}**: {meaning}"));
    }
    let lines = rows.iter().map(|(case, _)| wrap("- ", &format!("**{}**: {}", case.name, case.about)));
    text + "\n" + &lines.collect::<String>()
}

fn targets(rows: &[(Case, Reading)]) -> String {
    let reached = TARGETS.iter().filter_map(|target| {
        let (_, reading) = rows.iter().find(|(case, _)| case.name == target.of)?;
        Some(vec![target.what.to_owned(), target.to_reach.to_owned(), figure((target.value)(reading)?)])
    });
    let reached: Vec<_> = reached.collect();
    if reached.is_empty() {
        return String::new();
    }
    table(1, &["figure", "to reach", "measured"], &reached) + "\n"
}

fn measured(rows: &[(Case, Reading)]) -> String {
    let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), figure);
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(case, r)| {
            let hand = [r.hand_p50_us, r.hand_p99_us].map(figure).into_iter();
            let taken = [r.taken_p50_ms, r.taken_p99_ms].map(optional);
            let full = [r.full_p99_us, r.per_second, r.lost_percent, r.cpu_us, r.memory_mib].map(figure);
            [case.name.to_owned()].into_iter().chain(hand).chain(taken).chain(full).collect()
        })
        .collect();
    let hand = ["who", "hand-over p50 us", "p99 us", "taken p50 ms", "p99 ms"];
    let full = ["at full speed p99 us", "spans/s", "dropped %", "CPU us", "MiB"];
    table(1, &[hand, full].concat(), &rows)
}

#[cfg(test)]
mod tests {
    use super::super::CASES;
    use super::*;

    #[test]
    fn the_section_names_figures_to_reach_and_every_case() {
        let reading = Reading {
            hand_p50_us: 150.0,
            hand_p99_us: 250.0,
            full_p99_us: 50_000.0,
            taken_p50_ms: Some(1.5),
            taken_p99_ms: None,
            per_second: 345_678.0,
            lost_percent: 0.0,
            cpu_us: 1.25,
            memory_mib: 3.5,
        };
        let text = render(&Outcome(CASES.iter().map(|&case| (case, reading)).collect()));
        assert!(text.starts_with("\n## Export by OTLP\n\n| figure "), "{text}");
        assert!(
            text.contains("| hand-over, p99: ms                               |  below 100 |     0.25 |\n"),
            "{text}"
        );
        assert!(
            text.contains("| hand-over at full speed, collector slow, p99: ms |  below 100 |     50.0 |\n"),
            "{text}"
        );
        let row = ["| tta, dead                   |", "150 |    250 |", "1.5 |      - |", "50000 |  345678 |"];
        assert!(row.iter().all(|part| text.contains(part)), "{text}");
        assert!(!text.contains("until the collector has taken it"), "{text}");
        assert!(CASES.iter().all(|case| text.contains(&format!("- **{}**: ", case.name))), "{text}");
        assert!(TARGETS.iter().all(|target| CASES.iter().any(|case| case.name == target.of)));
    }
}
