//! Which of the thread sanitizer's reports count when the standard library is not instrumented.
//!
//! A report counts when both of its accesses were made by the files with `unsafe`: safe code has no
//! data races, so reports from anywhere else come from locks the sanitizer could not see. Reports about the last owner of an `Arc` freeing it are not counted
//! either: `Arc` orders that by a fence, which the sanitizer does not understand.

use std::path::Path;
use std::process::Command;

use crate::process;

/// The files that may have `unsafe`, according to `tta-telemetry::record`.
const UNSAFE_FILES: [&str; 3] = [
    "crates/tta-telemetry/src/record/inline.rs",
    "crates/tta-telemetry/src/record/log.rs",
    "crates/tta-telemetry/src/record/words.rs",
];

/// Makes the tests of `command` write their reports into `directory`, emptied first, and lets
/// their exit code speak of the tests alone.
pub(super) fn collect_in(directory: &Path, command: &mut Command) -> Result<(), String> {
    if directory.exists() {
        std::fs::remove_dir_all(directory).map_err(|error| format!("cannot empty {}: {error}", directory.display()))?;
    }
    std::fs::create_dir_all(directory).map_err(|error| format!("cannot create {}: {error}", directory.display()))?;
    let options = format!("log_path={}:exitcode=0", directory.join("thread").display());
    command.env("TSAN_OPTIONS", process::flags_with("TSAN_OPTIONS", &options));
    Ok(())
}

/// Prints the reports that count; fails if there are any.
pub(super) fn judge(directory: &Path) -> Result<(), String> {
    let cannot_read = |error| format!("cannot read {}: {error}", directory.display());
    let mut counted = 0;
    let mut ignored = 0;
    for entry in std::fs::read_dir(directory).map_err(cannot_read)? {
        let text = std::fs::read(entry.map_err(cannot_read)?.path()).map_err(cannot_read)?;
        for report in reports(&String::from_utf8_lossy(&text)) {
            if counts(&report) {
                counted += 1;
                println!("{report}");
            } else {
                ignored += 1;
            }
        }
    }
    println!("{counted} reports from the files with `unsafe`, {ignored} others not counted");
    if counted == 0 { Ok(()) } else { Err(format!("{counted} reports from the files with `unsafe`")) }
}

/// The reports in one log. Each starts with a line with `WARNING:` and ends with `SUMMARY:`.
fn reports(log: &str) -> Vec<String> {
    let mut reports = Vec::new();
    let mut report = String::new();
    for line in log.lines() {
        if line.contains("WARNING: ThreadSanitizer") || !report.is_empty() {
            report.push_str(line);
            report.push('\n');
        }
        if line.contains("SUMMARY: ThreadSanitizer") {
            reports.push(std::mem::take(&mut report));
        }
    }
    // A log cut short by a crash ends in half a report, which is still a report.
    if !report.is_empty() {
        reports.push(report);
    }
    reports
}

/// A report is paragraphs: the first two are the stacks of the accesses. One that is no data race
/// (a deadlock, a leaked thread) counts always.
fn counts(report: &str) -> bool {
    if !report.contains("ThreadSanitizer: data race") {
        return true;
    }
    let mut accesses = report.split("\n\n").take(2);
    let is_unsafe = |frame: &str| UNSAFE_FILES.iter().any(|file| frame.contains(file));
    accesses.all(|stack| innermost_own_frame(stack).is_some_and(is_unsafe)) && !report.contains("::drop_slow")
}

/// The first frame of a stack that is in this repository.
fn innermost_own_frame(stack: &str) -> Option<&str> {
    stack.lines().find(|line| line.trim_start().starts_with('#') && line.contains("/crates/tta"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "    #1 push /src/crates/tta-telemetry/src/record/log.rs:9:1\n";
    const SAFE: &str = "    #1 remove /src/crates/tta-telemetry/src/record/pool.rs:9:1\n";
    const ELSEWHERE: &str = "    #1 poll /src/crates/tta-primitives/src/retry/mod.rs:9:1\n";

    fn race(first: &str, second: &str) -> String {
        let head = "WARNING: ThreadSanitizer: data race (pid=1)\n  Write of size 8:\n    #0 free\n";
        let tail = "  Thread T1 created at:\n    #0 main\n\nSUMMARY: ThreadSanitizer: data race\n";
        format!("{head}{first}\n  Previous read of size 4:\n{second}\n{tail}")
    }

    #[test]
    fn a_race_counts_when_both_accesses_are_in_files_with_unsafe() {
        assert!(counts(&race(HERE, HERE)));
        assert!(!counts(&race(HERE, ELSEWHERE)));
        assert!(!counts(&race(HERE, SAFE)));
        assert!(!counts(&race(SAFE, SAFE)));
        assert!(!counts(&race(&format!("{ELSEWHERE}{HERE}"), HERE)));
    }

    #[test]
    fn freeing_an_arc_is_not_counted_and_what_is_no_race_always_is() {
        assert!(!counts(&race(&format!("    #1 Arc<T>::drop_slow\n{HERE}"), HERE)));
        assert!(counts("WARNING: ThreadSanitizer: lock-order-inversion\n"));
    }

    #[test]
    fn a_log_is_cut_into_its_reports_even_when_the_last_is_not_complete() {
        let log = format!("====\n{}====\n====\n{}", race(HERE, HERE), "WARNING: ThreadSanitizer: x\n");
        let reports = reports(&log);
        assert_eq!(reports.first(), Some(&race(HERE, HERE)));
        assert_eq!(reports.len(), 2);
    }
}
