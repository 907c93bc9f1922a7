//! Counts instructions: builds the bench `instructions` and runs it under callgrind.
//!
//! The bench takes a scenario and a number of iterations, and lists its scenarios with `--list`.

use serde_json::Value;

use super::{BENCH, Counts, PACKAGE};
use crate::process;
use crate::workspace::Workspace;

const FEW_ITERATIONS: u32 = 1_000;
const MANY_ITERATIONS: u32 = 11_000;

/// Measures every scenario; nothing when the bench or valgrind is missing.
pub(super) fn measure() -> Result<Option<Counts>, String> {
    let workspace = Workspace::load()?;
    let has_bench = workspace
        .package(PACKAGE)
        .is_some_and(|package| package.targets_of_kind("bench").any(|bench| bench.name == BENCH));
    if !has_bench || !process::is_installed("valgrind") {
        return Ok(None);
    }
    let binary = build()?;
    let scenarios = process::capture(process::command(&binary).arg("--list"))?.stdout;
    let mut counts = Counts::new();
    for scenario in scenarios.split_whitespace() {
        let few = count(&binary, scenario, FEW_ITERATIONS)?;
        let many = count(&binary, scenario, MANY_ITERATIONS)?;
        counts.insert(scenario.to_owned(), per_operation(few, many));
    }
    if counts.is_empty() {
        return Err(format!("the bench `{BENCH}` of {PACKAGE} lists no scenario"));
    }
    Ok(Some(counts))
}

/// Builds the bench; the path of its binary.
fn build() -> Result<String, String> {
    println!("$ cargo build --profile bench -p {PACKAGE} --bench {BENCH}");
    let mut command = process::cargo();
    command.args(["build", "--profile", "bench", "-p", PACKAGE, "--bench", BENCH]);
    let output = process::capture(command.arg("--message-format=json-render-diagnostics"))?;
    executable(&output.stdout).ok_or_else(|| format!("cargo did not name the binary of the bench `{BENCH}`"))
}

/// The bench's binary in cargo's messages, one JSON object per line.
fn executable(messages: &str) -> Option<String> {
    messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let is_bench = message.pointer("/target/name").and_then(Value::as_str) == Some(BENCH);
        let path = message.get("executable").filter(|_| is_bench)?;
        path.as_str().map(str::to_owned)
    })
}

/// The instructions of one run's loop.
fn count(binary: &str, scenario: &str, iterations: u32) -> Result<u64, String> {
    let mut valgrind = process::command("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    // Only what happens inside the loop; the bench says why.
    valgrind.args(["--collect-atstart=no", "--toggle-collect=*measured_*", binary, scenario]);
    let output = process::capture(valgrind.arg(iterations.to_string()))?;
    collected(&output.stderr).ok_or_else(|| format!("valgrind printed no total for {scenario}:\n{}", output.stderr))
}

/// The total in callgrind's closing lines, as in `==123== Collected : 456`.
fn collected(stderr: &str) -> Option<u64> {
    stderr.lines().find_map(|line| {
        let (_, total) = line.split_once("Collected")?;
        total.trim_start().strip_prefix(':')?.trim().parse().ok()
    })
}

/// To one decimal: below that the counts are noise.
fn per_operation(few: u64, many: u64) -> f64 {
    let difference = many.saturating_sub(few) as f64;
    (difference * 10.0 / f64::from(MANY_ITERATIONS - FEW_ITERATIONS)).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found_in_the_closing_lines_of_callgrind() {
        let stderr = "==7== Callgrind\n==7== \n==7== Events    : Ir\n==7== Collected : 20917\n==7==\n";
        assert_eq!(collected(stderr), Some(20_917));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }

    #[test]
    fn start_up_drops_out_of_the_difference() {
        assert_eq!(per_operation(500_000 + 1_000 * 42, 500_000 + 11_000 * 42), 42.0);
        assert_eq!(per_operation(1_000, 3_345), 0.2);
    }

    #[test]
    fn the_binary_is_found_in_the_messages_of_cargo() {
        let messages = "{\"target\":{\"name\":\"other\"},\"executable\":\"/x\"}\n\
                        {\"target\":{\"name\":\"instructions\"},\"executable\":\"/bench\"}\n";
        assert_eq!(executable(messages), Some("/bench".to_owned()));
    }
}
