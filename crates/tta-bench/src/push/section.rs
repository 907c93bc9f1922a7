//! The section of the report, with its own figures to reach. Reports; asserts nothing.

use super::load::{LARGE_SERIES, REQUEST_SERIES};
use super::{Case, Outcome, Reading, prometheus};
use crate::table::{figure, table, wrap};

const ABOUT: &str = "Sender, receiver and their kernel share the cores of this machine, and the scheduler \
    places them; each figure is the median over the rounds.";

/// A figure to reach, and what is to be said of it.
struct Target {
    what: &'static str,
    of: &'static str,
    to_reach: &'static str,
    value: fn(&Reading) -> f64,
}

const OTLP: &str = "tta, OTLP";
const REMOTE_WRITE: &str = "tta, remote write";
const PROMETHEUS: &str = "tta, Prometheus";

const fn p99(what: &'static str, of: &'static str) -> Target {
    Target { what, of, to_reach: "below 50", value: |reading| reading.p99_ms }
}

const fn rate(what: &'static str, of: &'static str) -> Target {
    Target { what, of, to_reach: "1000 or more", value: |reading| reading.per_second }
}

const TARGETS: &[Target] = &[
    p99("one request by OTLP, p99: ms", OTLP),
    p99("one request by remote write, p99: ms", REMOTE_WRITE),
    p99("one request to Prometheus, p99: ms", PROMETHEUS),
    rate("series per second by OTLP", OTLP),
    rate("series per second by remote write", REMOTE_WRITE),
    rate("series per second to Prometheus", PROMETHEUS),
];

pub(crate) fn render(Outcome { rows, has_prometheus }: &Outcome) -> String {
    let about = format!(
        "p50 and p99 are of a push of {REQUEST_SERIES} series, which is one request: milliseconds from telling \
         the sender to push until it has the answer, reading and encoding included. tta is asked whether it \
         has every 20 us, which is in its times. Series per second, and microseconds of CPU of the whole \
         process for each, are of pushes of {LARGE_SERIES} counters and what an engine has of its own, one after \
         the other without a pause; tta sends {REQUEST_SERIES} in a request and up to four requests at a time. {ABOUT}"
    );
    let mut text = format!("\n## Metrics pushed\n\n{}{}\n{}", targets(rows), measured(rows), wrap("", &about));
    if rows.iter().any(|(case, _)| case.needs_prometheus) {
        let version = prometheus::version().unwrap_or_default();
        text += &format!("\nPrometheus {version}.\n");
    } else if !has_prometheus {
        text += "\nSkipped: `prometheus` is not installed.\n";
    }
    let lines = rows.iter().map(|(case, _)| wrap("- ", &format!("**{}**: {}", case.name, case.about)));
    text + "\n" + &lines.collect::<String>()
}

fn targets(rows: &[(Case, Reading)]) -> String {
    let reached = TARGETS.iter().filter_map(|target| {
        let (_, reading) = rows.iter().find(|(case, _)| case.name == target.of)?;
        Some(vec![target.what.to_owned(), target.to_reach.to_owned(), figure((target.value)(reading))])
    });
    let reached: Vec<_> = reached.collect();
    if reached.is_empty() {
        return String::new();
    }
    table(1, &["figure", "to reach", "measured"], &reached) + "\n"
}

fn measured(rows: &[(Case, Reading)]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(case, r)| {
            let figures = [r.p50_ms, r.p99_ms, r.per_second, r.cpu_us, r.series].map(figure);
            [case.name.to_owned()].into_iter().chain(figures).collect()
        })
        .collect();
    table(1, &["who", "p50 ms", "p99 ms", "series/s", "CPU us", "series of a large push"], &rows)
}

#[cfg(test)]
mod tests {
    use super::super::CASES;
    use super::*;

    const READING: Reading = Reading { p50_ms: 0.25, p99_ms: 1.5, series: 1_050.0, per_second: 123_456.0, cpu_us: 2.5 };

    #[test]
    fn the_section_names_figures_to_reach_and_every_case() {
        let rows = CASES.iter().map(|&case| (case, READING)).collect();
        let text = render(&Outcome { rows, has_prometheus: true });
        assert!(text.starts_with("\n## Metrics pushed\n\n| figure "), "{text}");
        assert!(text.contains("| one request by OTLP, p99: ms         |     below 50 |      1.5 |\n"), "{text}");
        assert!(text.contains("| series per second by remote write    | 1000 or more |   123456 |\n"), "{text}");
        assert!(
            text.contains("| opentelemetry-otlp |   0.25 |    1.5 |   123456 |    2.5 |                   1050 |\n"),
            "{text}"
        );
        assert!(CASES.iter().all(|case| text.contains(&format!("- **{}**: ", case.name))), "{text}");
        assert!(TARGETS.iter().all(|target| CASES.iter().any(|case| case.name == target.of)));
    }

    #[test]
    fn what_needs_a_program_that_is_missing_is_told() {
        let text = render(&Outcome { rows: vec![(CASES[0], READING)], has_prometheus: false });
        assert!(text.contains("\nSkipped: `prometheus` is not installed.\n"), "{text}");
        assert!(!text.contains("to Prometheus"), "{text}");
    }
}
