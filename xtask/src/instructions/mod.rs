//! Instructions per operation of the engine, against the counts recorded in the repository.
//!
//! Time on a shared machine says little; instructions, counted by callgrind, hardly vary. Every
//! scenario of the bench `instructions` runs twice, with few and with many iterations, and what
//! start-up costs drops out of the difference.

mod measure;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::process;
use crate::step::{Outcome, StepResult, skip_unless_ci};
use measure::measure;

const PACKAGE: &str = "tta-telemetry";
const BENCH: &str = "instructions";
const BASELINE: &str = "crates/tta-telemetry/benches/instructions.json";
const TOLERANCE_PERCENT: f64 = 5.0;

/// Instructions per operation, by scenario.
type Counts = BTreeMap<String, f64>;

/// Measures and compares with the recorded counts.
pub(crate) fn run() -> StepResult {
    let Some(measured) = measure()? else {
        return missing();
    };
    let report = compare(&measured, &read_baseline()?);
    print!("{}", report.table);
    for note in &report.notes {
        println!("{note}");
    }
    if report.problems.is_empty() { Ok(Outcome::Done) } else { Err(report.problems.join("\n")) }
}

/// Measures and records the counts.
pub(crate) fn bless() -> StepResult {
    let Some(measured) = measure()? else {
        return missing();
    };
    let before = read_baseline().unwrap_or_default();
    print!("{}", compare(&measured, &before).table);
    let json = serde_json::to_string_pretty(&Value::from_iter(
        measured.into_iter().map(|(scenario, count)| (scenario, number(count))),
    ));
    let json = json.map_err(|error| format!("cannot write the counts as JSON: {error}"))?;
    std::fs::write(BASELINE, json + "\n").map_err(|error| format!("cannot write {BASELINE}: {error}"))?;
    println!("recorded in {BASELINE}");
    Ok(Outcome::Done)
}

fn missing() -> StepResult {
    let reason = if process::is_installed("valgrind") {
        format!("{PACKAGE} has no bench `{BENCH}`")
    } else {
        "counting instructions needs valgrind".to_owned()
    };
    skip_unless_ci(reason)
}

/// Whole counts are written without a decimal point.
fn number(count: f64) -> Value {
    if count.fract() == 0.0 { Value::from(count as u64) } else { Value::from(count) }
}

fn read_baseline() -> Result<Counts, String> {
    let text = std::fs::read_to_string(BASELINE)
        .map_err(|error| format!("cannot read {BASELINE}: {error}; run with --bless to write it"))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| format!("cannot read {BASELINE}: {error}"))?;
    let object = value.as_object().ok_or_else(|| format!("{BASELINE} is not a JSON object"))?;
    object
        .iter()
        .map(|(scenario, count)| {
            let count = count.as_f64().ok_or_else(|| format!("{BASELINE}: {scenario}: no number"))?;
            Ok((scenario.clone(), count))
        })
        .collect()
}

/// How measured counts differ from the recorded ones.
struct Report {
    table: String,
    /// What fails: slower, or not recorded, or recorded and gone.
    problems: Vec<String>,
    /// What is only worth knowing: faster.
    notes: Vec<String>,
}

fn compare(measured: &Counts, baseline: &Counts) -> Report {
    let mut table = format!("{:<36} {:>10} {:>10} {:>8}\n", "instructions per operation", "recorded", "now", "change");
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    for (scenario, &now) in measured {
        let Some(&recorded) = baseline.get(scenario) else {
            table.push_str(&format!("{scenario:<36} {:>10} {now:>10.1} {:>8}\n", "-", "new"));
            problems.push(format!("{scenario} is not recorded; run with --bless"));
            continue;
        };
        let change_percent = if recorded == now { 0.0 } else { (now - recorded) / recorded * 100.0 };
        table.push_str(&format!("{scenario:<36} {recorded:>10.1} {now:>10.1} {change_percent:>+7.1}%\n"));
        if change_percent > TOLERANCE_PERCENT {
            problems.push(format!(
                "{scenario} takes {now} instructions, more than {TOLERANCE_PERCENT} % above the \
                 {recorded} recorded"
            ));
        } else if change_percent < -TOLERANCE_PERCENT {
            notes.push(format!(
                "{scenario} is more than {TOLERANCE_PERCENT} % below what is recorded; run with \
                 --bless"
            ));
        }
    }
    for scenario in baseline.keys().filter(|scenario| !measured.contains_key(*scenario)) {
        problems.push(format!("{scenario} is recorded but no longer exists; run with --bless"));
    }
    Report { table, problems, notes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, f64)]) -> Counts {
        pairs.iter().map(|&(scenario, count)| (scenario.to_owned(), count)).collect()
    }

    #[test]
    fn more_than_five_percent_above_fails_and_more_than_five_below_is_noted() {
        let baseline = counts(&[("above", 100.0), ("below", 100.0), ("same", 100.0)]);
        let measured = counts(&[("above", 105.1), ("below", 94.9), ("same", 105.0)]);
        let report = compare(&measured, &baseline);
        assert_eq!(report.problems, ["above takes 105.1 instructions, more than 5 % above the 100 recorded"]);
        assert_eq!(report.notes, ["below is more than 5 % below what is recorded; run with --bless"]);
    }

    #[test]
    fn a_scenario_on_one_side_only_fails() {
        let report = compare(&counts(&[("new", 3.0)]), &counts(&[("gone", 3.0)]));
        assert_eq!(
            report.problems,
            ["new is not recorded; run with --bless", "gone is recorded but no longer exists; run with --bless"]
        );
    }

    #[test]
    fn what_was_free_must_stay_free() {
        let free = counts(&[("off", 0.0)]);
        assert!(compare(&free, &free).problems.is_empty());
        assert_eq!(compare(&counts(&[("off", 0.1)]), &free).problems.len(), 1);
    }
}
