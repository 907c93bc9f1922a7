//! Rules about what must not be written: ignored tests, unfinished work, sleeping tests, paths of
//! one machine.

use super::Problem;
use super::files::{SourceFile, code_of, has_word};

pub(super) fn no_ignored_tests(file: &SourceFile) -> Vec<Problem> {
    if !file.is_rust() {
        return Vec::new();
    }
    let is_ignored = |line: &str| {
        let line = line.trim_start();
        let doc = line.strip_prefix("///").or(line.strip_prefix("//!")).unwrap_or("");
        let fence = doc.trim_start().strip_prefix("```").unwrap_or("");
        line.starts_with(concat!("#[", "ignore")) || has_word(fence, "ignore")
    };
    report(file, "ignored-test", "no test is ignored: fix it or delete it", is_ignored)
}

/// Marks such as these belong in the issue tracker.
pub(super) fn no_unfinished_work(file: &SourceFile) -> Vec<Problem> {
    if !file.is_rust() && !file.path.ends_with(".toml") && !file.path.starts_with(".ci/") {
        return Vec::new();
    }
    let is_mark = |line: &str| {
        let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
        code_of(line).contains(concat!("todo", "!")) || marks.iter().any(|mark| has_word(line, mark))
    };
    report(file, "unfinished", "finish it, or open an issue and say here what holds now", is_mark)
}

/// Clippy bans the calls themselves everywhere; this rule also sees an `#[allow]`.
pub(super) fn no_sleeping_tests(file: &SourceFile) -> Vec<Problem> {
    if !file.is_rust() || !file.is_test_file() {
        return Vec::new();
    }
    let sleeps = |line: &str| {
        let code = code_of(line);
        has_word(&code, "thread::sleep") || has_word(&code, "time::sleep")
    };
    report(file, "sleeping-test", "no test sleeps: drive the clock, or wait on a condition", sleeps)
}

pub(super) fn no_machine_paths(file: &SourceFile) -> Vec<Problem> {
    let starts_with_machine_path = |line: &str| {
        [concat!("/wo", "rk/"), concat!("/ro", "ot/")].iter().any(|path| {
            line.match_indices(path).any(|(start, _)| {
                // After any of these the slash is inside a longer path.
                let before = line.get(..start).and_then(|text| text.chars().next_back());
                !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '~'))
            })
        })
    };
    report(file, "machine-path", "no path of one machine in the repository", starts_with_machine_path)
}

fn report(file: &SourceFile, rule: &'static str, message: &str, is_wrong: impl Fn(&str) -> bool) -> Vec<Problem> {
    file.lines()
        .filter(|(_, line)| is_wrong(line))
        .map(|(number, _)| file.problem(number, rule, message.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rule = fn(&SourceFile) -> Vec<Problem>;

    fn fires(rule: Rule, path: &str, line: &str) -> bool {
        !rule(&SourceFile::new(path, &format!("//! A.\n{line}\n"))).is_empty()
    }

    const MODULE: &str = "crates/tta/src/a.rs";
    const TEST: &str = "crates/tta/tests/a.rs";

    #[test]
    fn an_ignored_test_is_reported_also_in_documentation() {
        assert!(fires(no_ignored_tests, TEST, concat!("    #[", "ignore = \"slow\"]")));
        assert!(fires(no_ignored_tests, MODULE, "/// ```rust,ignore"));
        assert!(!fires(no_ignored_tests, MODULE, "/// ```no_run"));
        assert!(!fires(no_ignored_tests, MODULE, "#[test] // ignore this"));
    }

    #[test]
    fn unfinished_work_is_reported_in_comments_and_in_code() {
        assert!(fires(no_unfinished_work, MODULE, concat!("// TO", "DO: later")));
        assert!(fires(no_unfinished_work, "Cargo.toml", concat!("# FIX", "ME")));
        assert!(fires(no_unfinished_work, MODULE, concat!("    todo", "!()")));
        assert!(!fires(no_unfinished_work, MODULE, concat!("let MASTO", "DON = 1;")));
        assert!(!fires(no_unfinished_work, "notes.md", concat!("TO", "DO")));
    }

    #[test]
    fn a_sleeping_test_is_reported_and_a_clock_that_sleeps_is_not() {
        assert!(fires(no_sleeping_tests, TEST, "    std::thread::sleep(pause);"));
        assert!(fires(no_sleeping_tests, TEST, "use tokio::time::sleep;"));
        assert!(!fires(no_sleeping_tests, TEST, "    context.clock().sleep(pause).await;"));
        assert!(!fires(no_sleeping_tests, TEST, "    // unlike tokio::time::sleep"));
        assert!(!fires(no_sleeping_tests, MODULE, "    tokio::time::sleep(pause).await;"));
    }

    #[test]
    fn a_path_of_one_machine_is_reported_and_a_longer_path_is_not() {
        assert!(fires(no_machine_paths, "notes.md", concat!("see /wo", "rk/main")));
        assert!(fires(no_machine_paths, ".ci/run", concat!("cd \"/ro", "ot/x\"")));
        assert!(!fires(no_machine_paths, "notes.md", concat!("https://example.org/wo", "rk/main")));
        assert!(!fires(no_machine_paths, "notes.md", concat!("./wo", "rk/main")));
    }
}
