//! What an operator is shown is complete, fits a terminal, and is what was asked for.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

/// The numbers of the line that begins with `label`, without their signs and separators.
fn figures(text: &str, label: &str) -> Vec<f64> {
    let line = text.lines().find(|line| line.trim_start().starts_with(label)).expect(label);
    line.split(|c: char| c.is_whitespace() || c == ',').filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn an_operator_sees_failed_and_slow_runs_whole_and_ordinary_ones_by_chance() {
    let output = Command::new(env!("CARGO_BIN_EXE_production_observability")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let failed = figures(&text, "failed");
    assert!(failed.len() == 2 && failed.first() == failed.last() && failed.iter().all(|n| *n >= 50.0), "{text}");
    // Kept, of all, the share in percent, the rate in percent.
    let ordinary = figures(&text, "ordinary");
    assert_eq!((ordinary.len(), ordinary.last()), (4, Some(&5.0)), "{text}");
    assert!(ordinary.get(2).is_some_and(|share| (2.5..8.0).contains(share)), "{text}");
    let users = figures(&text, "by user");
    assert!(users.first() == Some(&2_000.0) && users.get(1).is_some_and(|series| *series <= 116.0), "{text}");
    for (when, status) in [("before", "healthy"), ("outage", "degraded"), ("after", "healthy")] {
        let line = text.lines().find(|line| line.trim_start().starts_with(when)).expect(when);
        assert!(line.contains(status), "{text}");
    }
    assert!(text.contains("full status: "), "{text}");
}
