//! `--traces FILE`, and reading a trace back with `tta trace`.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Ran, Tree, spans, traces};

/// A tree that was analysed, with the file its traces are in.
fn analysed() -> (Tree, PathBuf, Value) {
    let tree = Tree::mixed();
    let file = tree.beside("traces.jsonl");
    let (code, document) = tree.json(&["--traces", file.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    (tree, file, document)
}

fn id_of(trace: &Value) -> &str {
    trace["trace_id"].as_str().unwrap()
}

/// The id of the trace of a file.
fn id_for(traces: &[Value], path: &str) -> String {
    let path = format!("\"{path}\"");
    id_of(traces.iter().find(|trace| trace["spans"].to_string().contains(&path)).unwrap()).to_owned()
}

fn look_up(tree: &Tree, id: &str, file: &std::path::Path) -> Ran {
    tree.run(&["trace", id, "--from", file.to_str().unwrap()])
}

#[test]
fn the_file_holds_every_run_and_every_span_that_was_counted() {
    let (_tree, file, document) = analysed();
    let traces = traces(&file);
    assert_eq!(traces.len(), 10);
    assert_eq!(spans(&traces) as u64, document["spans_recorded"].as_u64().unwrap());
    // Steps are counted apart from spans: each has one, and each attempt to read another.
    let runs: u64 = document["steps"].as_array().unwrap().iter().map(|step| step["runs"].as_u64().unwrap()).sum();
    assert_eq!(runs + 10, spans(&traces) as u64);
    assert_eq!(traces.iter().filter(|trace| trace["class"] == "failed").count(), 3);
}

#[test]
fn traces_are_appended_and_their_file_is_not_analysed() {
    let tree = Tree::new(&[("a.txt", b"some words")]);
    for runs in 1..=3 {
        let (code, document) = tree.json(&["--traces", "t.jsonl"]);
        assert_eq!((code, document["files"].as_u64()), (Some(0), Some(1)));
        assert_eq!(traces(&tree.path().join("t.jsonl")).len(), runs);
    }
    let (_, document) = tree.json(&[]);
    assert_eq!(document["files"], 2);
}

#[test]
fn a_trace_is_found_by_its_id_and_by_a_prefix_and_shown_as_a_tree() {
    let (tree, file, _) = analysed();
    let id = id_for(&traces(&file), "./binary.bin");
    let ran = look_up(&tree, &id, &file);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out.lines().next(), Some(&*format!("trace {id}")));
    for text in ["\n╰─ validate ✗ ", "invalid_input: document is binary: NUL byte", "document.path = ./binary.bin\n"]
    {
        assert!(ran.out.contains(text), "{text}\n{}", ran.out);
    }
    assert_eq!(look_up(&tree, &id[..12], &file), ran);
    assert_eq!(look_up(&tree, &id[..12].to_uppercase(), &file), ran);
    assert_eq!(look_up(&tree, &id.to_uppercase(), &file), ran);
}

#[test]
fn a_trace_that_is_not_there_is_no_fault_of_the_arguments() {
    let (tree, file, _) = analysed();
    let id = "0".repeat(31) + "1";
    let ran = look_up(&tree, &id, &file);
    let message = format!("error: no trace `{id}` in {}\n", file.display());
    assert_eq!(ran, Ran { code: Some(1), out: String::new(), err: message });
}

#[test]
fn what_is_no_id_says_what_is_one() {
    let (tree, file, _) = analysed();
    let long = "a".repeat(33);
    for id in ["", "abc", "xyzw", "abcd-ef", &long] {
        let message = format!("error: `{id}` is not a prefix of a trace id: expected 4 to 32 hexadecimal digits\n");
        assert_eq!(look_up(&tree, id, &file), Ran { code: Some(2), out: String::new(), err: message });
    }
}

#[test]
fn a_prefix_of_several_traces_lists_them() {
    let (tree, file, _) = analysed();
    let text = fs::read_to_string(&file).unwrap();
    let line = text.lines().next().unwrap();
    let id = id_of(&traces(&file)[0]).to_owned();
    let other = format!("{}{}", &id[..31], if id.ends_with('0') { '1' } else { '0' });
    fs::write(&file, format!("{line}\n{}\n", line.replace(&id, &other))).unwrap();
    let ran = look_up(&tree, &id[..8], &file);
    let message = format!("error: trace id prefix `{}` is ambiguous: {id}, {other}\n", &id[..8]);
    assert_eq!(ran, Ran { code: Some(2), out: String::new(), err: message });
    assert_eq!(look_up(&tree, &id, &file).code, Some(0));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let tree = Tree::new(&[]);
    let missing = tree.beside("missing.jsonl");
    let ran = look_up(&tree, "abcd", &missing);
    let message =
        format!("error: cannot open trace file `{}`: No such file or directory (os error 2)\n", missing.display());
    assert_eq!(ran, Ran { code: Some(2), out: String::new(), err: message });
    assert_eq!(look_up(&tree, "abcd", tree.path()).code, Some(2));
}

#[test]
fn a_trace_whose_line_was_torn_says_so_and_the_others_are_found() {
    let (tree, file, _) = analysed();
    let text = fs::read_to_string(&file).unwrap();
    let all = traces(&file);
    fs::write(&file, &text[..text.len() - 100]).unwrap();
    let ran = look_up(&tree, id_of(&all[9]), &file);
    let place = format!("error: {}:10:", file.display());
    assert!(ran.err.starts_with(&place), "{}", ran.err);
    let end = "; the file ends in this line, whose writer was stopped or is not done yet\n";
    assert!(ran.err.ends_with(end), "{}", ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert_eq!(look_up(&tree, &id_of(&all[8])[..16], &file).code, Some(0));
}
