//! The workload through router, timeout and cache saves what it is said to save, and says so.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

/// The number in front of the unit in the line that begins with `label`.
fn figure(text: &str, label: &str, unit: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(label)).expect(label);
    let (before, _) = line.split_once(unit).expect(unit);
    let number = before.rsplit(' ').find(|word| !word.is_empty()).expect("a number");
    number.parse().expect("a number before the unit")
}

#[test]
fn a_workload_costs_less_than_half_and_most_is_answered_from_the_cache() {
    let output = Command::new(env!("CARGO_BIN_EXE_cached_router")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(figure(&text, "answered from the cache", " %") >= 60.0, "{text}");
    assert!(figure(&text, "router, timeout and cache", " % less") >= 40.0, "{text}");
}
