//! A table of steps, 80 columns wide.

use std::fmt::Display;

use tta::telemetry::{StepStatistics, format};

const NAME: usize = 20;
const KIND: usize = 11;
const NUMBER: usize = 7;
const TIME: usize = 7;

/// A heading and one line for each step; nothing when no step ran.
pub(super) fn render(steps: &[StepStatistics]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let mut out = line("step", "type", [&"runs", &"errors"], ["p50", "p95", "p99", "max"].map(str::to_owned));
    for step in steps {
        let durations = &step.durations;
        let times = [durations.quantile(0.5), durations.quantile(0.95), durations.quantile(0.99), durations.max()];
        let times = times.map(|ns| ns.map(format::duration).unwrap_or_default());
        out.push_str(&line(&step.name, &step.kind, [&step.runs(), &step.failure], times));
    }
    out
}

fn line(name: &str, kind: &str, [runs, errors]: [&dyn Display; 2], [p50, p95, p99, max]: [String; 4]) -> String {
    let (name, kind) = (format::clip(name, NAME), format::clip(kind, KIND));
    format!(
        "{name:<NAME$} {kind:<KIND$} {runs:>NUMBER$} {errors:>NUMBER$} {p50:>TIME$} {p95:>TIME$} {p99:>TIME$} {max:>TIME$}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tta::telemetry::Histogram;

    fn step(name: &'static str, kind: &'static str, failure: u64, durations_ns: &[u64]) -> StepStatistics {
        let mut durations = Histogram::default();
        durations_ns.iter().for_each(|ns| durations.record(*ns));
        let success = durations_ns.len() as u64 - failure;
        StepStatistics {
            workflow: "analyse".into(),
            name: name.into(),
            kind: kind.into(),
            success,
            failure,
            cancelled: 0,
            durations,
        }
    }

    #[test]
    fn every_step_has_a_line_and_all_columns_are_aligned() {
        let steps = [
            step("read", "lambda", 1, &[1_000, 1_000, 2_000_000]),
            step("a_step_with_a_name_that_is_long", "unusually_wide", 0, &[61_000_000_000]),
            step("summarise", "conditional", 0, &[]),
        ];
        insta::assert_snapshot!(render(&steps), @r"
        step                 type           runs  errors     p50     p95     p99     max
        read                 lambda            3       1 1.00 µs 2.00 ms 2.00 ms 2.00 ms
        a_step_with_a_name_… unusually_…       1       0  61.0 s  61.0 s  61.0 s  61.0 s
        summarise            conditional       0       0
        ");
    }

    #[test]
    fn no_step_gives_no_table() {
        assert_eq!(render(&[]), "");
    }

    #[test]
    fn a_line_is_as_wide_as_a_terminal_with_millions_of_runs() {
        let line = line("n", "k", [&9_999_999, &9_999_999], [const { "999 ms" }; 4].map(str::to_owned));
        assert_eq!(line.trim_end_matches('\n').chars().count(), 80);
    }
}
