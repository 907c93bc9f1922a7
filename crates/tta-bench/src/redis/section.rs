//! The section of the report, with its own figures to reach. Reports; asserts nothing.

use super::by_primitive::VALUE_BYTES;
use super::{Case, Outcome, Reading, Server};
use crate::table::{figure, table, wrap};

const ABOUT: &str = "Wall-clock time from asking to having the value, in microseconds, and operations \
    in a second by all tasks together; an operation is a run of the workflow, or what the client \
    does in its place. Client and server share the cores of this machine, and the scheduler places \
    them; glibc's malloc. Each measurement has a server of its own, without persistence, on a free \
    port of the loopback interface; each figure is the median over the rounds.";

/// A figure to reach, and what is to be said of it.
struct Target {
    what: &'static str,
    of: &'static str,
    to_reach: &'static str,
    value: fn(&Reading) -> f64,
}

const TARGETS: &[Target] = &[
    Target { what: "cache hit, p99: ms", of: "hit, tta", to_reach: "below 5", value: |reading| reading.p99_us / 1e3 },
    Target {
        what: "64 at a time: operations per second",
        of: "64 at a time, tta",
        to_reach: "10000 or more",
        value: |reading| reading.per_second,
    },
];

pub(crate) fn render(outcome: &Outcome) -> String {
    let title = "\n## Redis on loopback\n\n";
    match outcome {
        Outcome::Skipped => format!("{title}Skipped: `redis-server` is not installed.\n"),
        Outcome::Measured(rows) => {
            let version = Server::version().unwrap_or_default();
            let about = format!("redis-server {version}; values of {VALUE_BYTES} bytes. {ABOUT}");
            format!("{title}{}{}\n{}", targets(rows), measured(rows), wrap("", &about) + &glossary(rows))
        }
    }
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
        .map(|(case, reading)| {
            let figures = [reading.p50_us, reading.p99_us, reading.per_second].map(figure);
            [case.name.to_owned()].into_iter().chain(figures).collect()
        })
        .collect();
    table(1, &["way", "p50 us", "p99 us", "per second"], &rows)
}

fn glossary(rows: &[(Case, Reading)]) -> String {
    let lines = rows.iter().map(|(case, _)| wrap("- ", &format!("**{}**: {}", case.name, case.about)));
    format!("\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::CASES;
    use super::*;

    const READING: Reading = Reading { p50_us: 40.5, p99_us: 120.0, per_second: 23_456.0 };

    #[test]
    fn the_section_names_figures_to_reach_and_every_way() {
        let text = render(&Outcome::Measured(CASES.iter().map(|&case| (case, READING)).collect()));
        assert!(text.starts_with("\n## Redis on loopback\n\n| figure "), "{text}");
        assert!(text.contains("| cache hit, p99: ms                  |       below 5 |     0.12 |\n"), "{text}");
        assert!(text.contains("| 64 at a time: operations per second | 10000 or more |    23456 |\n"), "{text}");
        assert!(text.contains("| hit, tta               |   40.5 |    120 |      23456 |\n"), "{text}");
        assert!(CASES.iter().all(|case| text.contains(&format!("- **{}**: ", case.name))), "{text}");
        assert!(TARGETS.iter().all(|target| CASES.iter().any(|case| case.name == target.of)));
    }

    #[test]
    fn without_a_server_the_section_is_one_line() {
        assert_eq!(render(&Outcome::Skipped), "\n## Redis on loopback\n\nSkipped: `redis-server` is not installed.\n");
    }
}
