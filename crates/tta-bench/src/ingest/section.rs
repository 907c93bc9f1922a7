//! The section of the report, with its own figures to reach. Reports; asserts nothing.

use super::request::{ATTRIBUTES, SPANS, TRACE_SPANS};
use super::{Case, Outcome, PACKAGES, Reading};
use crate::table::{figure, table, wrap};

const ABOUT: &str = "Four connections, each of which sends its next request when it has the answer to \
    the last. Sender, server and their kernel share the cores of this machine, and the scheduler places \
    them; each figure is the median over the rounds. CPU is in seconds for a million spans, of the \
    server and of its sender, each with its time in the kernel. The peak is the server's resident memory. \
    While it is loaded, `/health`, `/metrics` and `/api/v1/sampling` are asked for one after the other, up \
    to 20 times a second, each time by a connection of its own: the time is from connecting until the \
    reply has been read, in milliseconds.";

/// A figure to reach, and what is to be said of it.
struct Target {
    what: &'static str,
    of: &'static str,
    to_reach: &'static str,
    value: fn(&Reading) -> Option<f64>,
}

const FULL: &str = "tta serve";
const PACED: &str = "tta serve, at 300000/s";

const TARGETS: &[Target] = &[
    Target { what: "spans per second", of: FULL, to_reach: "300000 or more", value: |r| Some(r.per_second) },
    Target { what: "peak memory when overloaded: MiB", of: FULL, to_reach: "below 256", value: |r| Some(r.peak_mib) },
    Target { what: "peak memory: MiB", of: PACED, to_reach: "below 256", value: |r| Some(r.peak_mib) },
    Target { what: "`/health`, p99: ms", of: PACED, to_reach: "below 5", value: |r| r.health_p99_ms },
    Target { what: "`/metrics`, p99: ms", of: PACED, to_reach: "below 20", value: |r| r.metrics_p99_ms },
    Target { what: "`/health` when overloaded, p99: ms", of: FULL, to_reach: "below 5", value: |r| r.health_p99_ms },
    Target { what: "`/metrics` when overloaded, p99: ms", of: FULL, to_reach: "below 20", value: |r| r.metrics_p99_ms },
];

pub(crate) fn render(outcome: &Outcome) -> String {
    let Outcome { rows, skipped } = outcome;
    let about = format!(
        "Requests of {SPANS} spans with {ATTRIBUTES} attributes, in traces of {TRACE_SPANS}, all in one request. \
         {ABOUT} {}.",
        PACKAGES.join(", ")
    );
    let mut text = format!("\n## Ingest by OTLP\n\n{}{}\n{}", targets(rows), measured(rows), wrap("", &about));
    if let Some(reason) = skipped {
        text += &format!("\n{}", wrap("", &format!("Peers skipped: {reason}.")));
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
            let figures = [r.per_second, r.server_cpu, r.sender_cpu, r.peak_mib, r.refused_percent].map(figure);
            let name = [case.name.to_owned()].into_iter();
            name.chain(figures).chain([r.health_p99_ms, r.metrics_p99_ms, r.sampling_p99_ms].map(optional)).collect()
        })
        .collect();
    let figures = ["spans/s", "server CPU", "sender CPU", "peak MiB", "refused %"];
    let head: Vec<&str> =
        ["who"].into_iter().chain(figures).chain(["health p99", "metrics p99", "sampling p99"]).collect();
    table(1, &head, &rows)
}

#[cfg(test)]
mod tests {
    use super::super::CASES;
    use super::*;

    const READING: Reading = Reading {
        per_second: 345_678.0,
        server_cpu: 1.25,
        sender_cpu: 0.5,
        peak_mib: 199.0,
        refused_percent: 0.0,
        health_p99_ms: Some(2.5),
        metrics_p99_ms: None,
        sampling_p99_ms: Some(1.5),
    };

    #[test]
    fn the_section_names_figures_to_reach_and_every_case() {
        let rows = CASES.iter().map(|&case| (case, READING)).collect();
        let text = render(&Outcome { rows, skipped: None });
        assert!(text.starts_with("\n## Ingest by OTLP\n\n| figure "), "{text}");
        assert!(text.contains("| spans per second                   | 300000 or more |   345678 |\n"), "{text}");
        assert!(text.contains("| rotel                  |  345678 |        1.2 |"), "{text}");
        assert!(text.contains("|        2.5 |           - |          1.5 |\n"), "{text}");
        assert!(CASES.iter().all(|case| text.contains(&format!("- **{}**: ", case.name))), "{text}");
        assert!(TARGETS.iter().all(|target| CASES.iter().any(|case| case.name == target.of)));
        assert!(!text.contains("`/metrics`, p99") && !text.contains("skipped"), "{text}");
    }

    #[test]
    fn peers_that_could_not_be_are_told_with_the_reason() {
        let text = render(&Outcome { rows: vec![(CASES[0], READING)], skipped: Some("no network".to_owned()) });
        assert!(text.contains("\nPeers skipped: no network.\n"), "{text}");
    }
}
