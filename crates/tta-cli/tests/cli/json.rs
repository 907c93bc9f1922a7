//! `tta demo --json`: the one object.

use serde_json::{Value, json};

use crate::support::{Tree, step};

/// The object with every duration replaced, after a look at whether it is one.
fn without_durations(mut document: Value) -> Value {
    let blank = |value: &mut Value| {
        assert!(value.as_f64().is_some_and(|seconds| seconds > 0.0), "{value}");
        *value = Value::Null;
    };
    blank(&mut document["duration_seconds"]);
    for step in document["steps"].as_array_mut().unwrap() {
        for quantile in ["p50_seconds", "p95_seconds", "p99_seconds", "max_seconds"] {
            blank(&mut step[quantile]);
        }
    }
    document
}

fn row(name: &str, kind: &str, runs: u64, errors: u64) -> Value {
    json!({
        "name": name, "type": kind, "runs": runs, "errors": errors,
        "p50_seconds": null, "p95_seconds": null, "p99_seconds": null, "max_seconds": null,
    })
}

#[test]
fn the_object_counts_every_file_step_and_failure() {
    let (code, document) = Tree::mixed().json(&[]);
    let expected = json!({
        "files": 10,
        "succeeded": 7,
        "failed": 3,
        "interrupted": false,
        "duration_seconds": null,
        // 14 of each file that succeeded; of the others the run, the step that read with its one
        // attempt, and the one that refused.
        "spans_recorded": 7 * 14 + 3 * 4,
        "steps": [
            row("analyse", "workflow", 10, 3),
            row("read", "lambda", 10, 0),
            row("validate", "lambda", 10, 3),
            row("measure", "parallel", 7, 0),
            row("statistics", "lambda", 7, 0),
            row("keywords", "lambda", 7, 0),
            row("readability", "lambda", 7, 0),
            row("language", "lambda", 7, 0),
            row("document", "lambda", 7, 0),
            row("collect", "lambda", 7, 0),
            row("summarise", "conditional", 7, 0),
            row("short_summary", "lambda", 6, 0),
            row("long_summary", "lambda", 1, 0),
            row("report", "lambda", 7, 0),
        ],
        "failures": [
            {
                "path": "./binary.bin",
                "kind": "invalid_input",
                "message": "document is binary: NUL byte at offset 7, only text is accepted",
            },
            {
                "path": "./empty.txt",
                "kind": "invalid_input",
                "message": "document is blank: 0 bytes without a visible character, at least one is needed",
            },
            {
                "path": "./latin1.txt",
                "kind": "invalid_input",
                "message": "document is not UTF-8: invalid byte at offset 6, only UTF-8 text is accepted",
            },
        ],
    });
    assert_eq!(without_durations(document), expected);
    assert_eq!(code, Some(0));
}

#[test]
fn every_file_of_many_is_analysed_at_any_concurrency() {
    let tree = Tree::new(&[]);
    for number in 0..300 {
        tree.write(&format!("{}/{number}.txt", number % 7), format!("File number {number} has words.").as_bytes());
    }
    for concurrency in ["1", "16", "10000"] {
        let (code, document) = tree.json(&["--concurrency", concurrency]);
        let counts = ["files", "succeeded", "failed", "spans_recorded"].map(|key| document[key].as_u64());
        assert_eq!((code, counts), (Some(0), [Some(300), Some(300), Some(0), Some(300 * 14)]));
    }
}

#[test]
fn a_limit_takes_the_first_files_by_name() {
    let (code, document) = Tree::mixed().json(&["--limit", "2"]);
    assert_eq!(code, Some(0));
    assert_eq!([&document["files"], &document["succeeded"]], [2, 1]);
    assert_eq!(document["failures"][0]["path"], "./binary.bin");
}

#[test]
fn a_file_that_several_paths_reach_is_counted_once() {
    let tree = Tree::mixed();
    let absolute = tree.path().join("nested").display().to_string();
    let (code, document) = tree.json(&["nested", "nested/deep/note.md", "nested/..", &absolute]);
    assert_eq!(code, Some(0));
    assert_eq!([&document["files"], &document["succeeded"], &document["failed"]], [10, 7, 3]);
}

#[test]
fn without_a_path_the_whole_repository_is_analysed_from_anywhere_in_it() {
    let tree = Tree::mixed();
    let output = tree.command(&["demo", "--json"]).current_dir(tree.path().join("nested/deep")).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!([&document["files"], &document["succeeded"]], [10, 7]);
    // With a path it is that path alone.
    let output = tree.command(&["demo", "--json", "."]).current_dir(tree.path().join("nested")).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["files"], 1);
}

#[test]
fn a_file_over_the_size_limit_is_refused_without_being_read() {
    let tree = Tree::new(&[]);
    tree.write("at.txt", &b"word word\n".repeat(500_000));
    tree.write("over.txt", &[&b"word word\n".repeat(500_000)[..], b"."].concat());
    let (code, document) = tree.json(&[]);
    assert_eq!(code, Some(0));
    assert_eq!((step(&document, "read"), step(&document, "validate")), ((2, 1), (1, 0)));
    let message = "document is too large: 5000001 bytes, at most 5000000 are accepted";
    let failure = json!({ "path": "./over.txt", "kind": "invalid_input", "message": message });
    assert_eq!(document["failures"], json!([failure]));
}
