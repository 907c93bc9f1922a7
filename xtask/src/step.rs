//! A sequence of checks: each announced, timed and, at the end, listed with its outcome.
//!
//! Steps are independent. One that fails does not stop the next, so that one run shows every
//! problem.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::process;

/// How a step that did not fail has ended.
pub(crate) enum Outcome {
    Done,
    /// Not done, and why; a missing tool or a part that does not exist yet.
    Skipped(String),
}

/// A step's outcome; the error is one or more lines for the user.
pub(crate) type StepResult = Result<Outcome, String>;

/// A named check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> StepResult,
}

/// Skips on a developer's machine and fails in CI, where everything has to be present.
pub(crate) fn skip_unless_ci(reason: String) -> StepResult {
    if process::in_ci() { Err(format!("{reason} (required when CI=true)")) } else { skip(reason) }
}

/// Skips everywhere.
pub(crate) fn skip(reason: String) -> StepResult {
    Ok(Outcome::Skipped(reason))
}

/// Runs every step, prints the summary, and fails if any step failed.
pub(crate) fn run_all(steps: &[Step]) -> ExitCode {
    let mut lines = Vec::with_capacity(steps.len());
    let mut failed_count = 0;
    for step in steps {
        println!("\n==> {}", step.name);
        let (result, elapsed) = timed(step.run);
        let (word, note) = match result {
            Ok(Outcome::Done) => ("ok", None),
            Ok(Outcome::Skipped(reason)) => {
                println!("skipped: {reason}");
                ("skipped", Some(reason))
            }
            Err(error) => {
                failed_count += 1;
                println!("failed: {error}");
                ("failed", error.lines().next().map(str::to_owned))
            }
        };
        println!("<== {}: {word} in {:.1} s", step.name, elapsed.as_secs_f64());
        lines.push(summary_line(word, elapsed, step.name, note.as_deref()));
    }
    println!("\nSummary");
    for line in &lines {
        println!("{line}");
    }
    if failed_count == 0 {
        println!("all steps passed");
        ExitCode::SUCCESS
    } else {
        println!("{failed_count} of {} steps failed", steps.len());
        ExitCode::FAILURE
    }
}

fn summary_line(word: &str, elapsed: Duration, name: &str, note: Option<&str>) -> String {
    let line = format!("  {word:<7} {:>7.1} s  {name}", elapsed.as_secs_f64());
    note.map_or(line.clone(), |note| format!("{line}: {note}"))
}

#[allow(clippy::disallowed_methods, reason = "how long a build took has no clock to inject")]
fn timed(run: fn() -> StepResult) -> (StepResult, Duration) {
    let start = Instant::now();
    let result = run();
    (result, start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_line_has_the_outcome_the_seconds_the_name_and_the_reason() {
        let elapsed = Duration::from_millis(12_340);
        assert_eq!(summary_line("ok", elapsed, "format", None), "  ok         12.3 s  format");
        assert_eq!(
            summary_line("skipped", elapsed, "loom models", Some("no models")),
            "  skipped    12.3 s  loom models: no models"
        );
    }

    #[test]
    fn one_failed_step_fails_the_run_and_the_steps_after_it_still_run() {
        let steps =
            [Step { name: "bad", run: || Err("broken".into()) }, Step { name: "good", run: || Ok(Outcome::Done) }];
        assert_eq!(run_all(&steps), ExitCode::FAILURE);
        assert_eq!(run_all(steps.get(1..).unwrap()), ExitCode::SUCCESS);
    }
}
