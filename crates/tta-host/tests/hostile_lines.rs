//! Lines that no sink wrote: each is one error that names it, and the lines around it are read.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::fs;

use support::{append_raw, id, line, trace};
use tta_host::trace_json::MAX_LINE_BYTES;
use tta_host::{ReadError, find_trace, read_traces};

fn good() -> String {
    line(&trace(1, 10))
}

/// A good line with one place changed.
fn with(from: &str, to: &str) -> Vec<u8> {
    assert!(good().contains(from), "{from}");
    good().replacen(from, to, 1).into_bytes()
}

/// A line, and a part of what is said about it.
fn hostile() -> Vec<(Vec<u8>, &'static str)> {
    let deep = "[".repeat(100_000);
    let deep_objects = "{\"a\":".repeat(100_000);
    let not_utf8 = [&b"{\"version\":1,\"trace_id\":\""[..], &[0xc3, 0x28, 0xff], b"\"}"].concat();
    let mut not_utf8_in_a_value = with("\"xxxxxxxxxx\"", "\"x\"");
    let position = not_utf8_in_a_value.windows(3).position(|window| window == b"\"x\"").unwrap();
    not_utf8_in_a_value[position + 1] = 0xff;
    vec![
        (good().into_bytes()[..250].to_vec(), "EOF while parsing"),
        (b"not json".to_vec(), "expected ident"),
        (b"{}".to_vec(), "missing field `version`"),
        (b"null".to_vec(), "invalid type: null, expected the object of a trace"),
        ([good().as_bytes(), b"{}"].concat(), "trailing characters"),
        (with("\"version\":1", "\"version\":1,\"version\":1"), "duplicate field `version`"),
        (with("\"version\":1", "\"version\":\"1\""), "invalid type: string \"1\", expected u64"),
        (with("\"keep\":true", "\"keep\":1"), "invalid type: integer `1`, expected a boolean"),
        (with("\"spans\":[", "\"spans\":[7,"), "invalid type: integer `7`, expected the object of a span"),
        (with("\"duration_ns\":10", "\"duration_ns\":1e30"), "invalid type: floating point `1e+30`, expected u64"),
        (with("\"duration_ns\":10", "\"duration_ns\":18446744073709551616"), "expected u64"),
        (with("\"duration_ns\":10", "\"duration_ns\":1e400"), "number out of range"),
        (with("\"dropped_events\":0", "\"dropped_events\":4294967296"), "integer `4294967296`, expected u32"),
        (with("\"span_id\":\"0", "\"span_id\":\"x"), "is not a span id: expected 16 lower-case"),
        (with("\"xxxxxxxxxx\"", "[{\"a\":1}]"), "invalid value: string \"a\", expected a boolean"),
        (with("\"xxxxxxxxxx\"", &deep), "recursion limit exceeded"),
        (with("\"xxxxxxxxxx\"", &deep_objects), "invalid value: string \"a\", expected a boolean"),
        (with("\"class\"", &format!("\"unknown\":{deep}")), "expected value"),
        (with("\"class\"", &format!("\"unknown\":{deep_objects}")), "expected value"),
        (deep.into_bytes(), "invalid type: sequence, expected u64"),
        (with("\"xxxxxxxxxx\"", "\"\\ud800\""), "hex escape"),
        (not_utf8, "invalid unicode code point"),
        (not_utf8_in_a_value, "invalid unicode code point"),
        (vec![0; 64], "expected value"),
    ]
}

#[test]
fn a_hostile_line_is_one_error_with_its_place_and_the_next_line_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    for (hostile, message) in hostile() {
        fs::write(&path, [good().as_bytes(), b"\n\n  \r\n", &hostile, b"\n", good().as_bytes(), b"\r\n"].concat())
            .unwrap();
        let read: Vec<_> = read_traces(&path).collect();
        let shown = String::from_utf8_lossy(&hostile[..hostile.len().min(400)]).into_owned();
        assert_eq!(read.len(), 3, "{shown}");
        assert_eq!(
            [&read[0], &read[2]].map(|trace| trace.as_ref().unwrap().clone()),
            [(*trace(1, 10)).clone(), (*trace(1, 10)).clone()]
        );
        let error = read[1].as_ref().unwrap_err();
        let ReadError::Line { line: 4, column, .. } = error else { panic!("{error}: {shown}") };
        assert!((1..=hostile.len() + 1).contains(column), "{error}: {shown}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("{}:4:{column}: ", path.display())), "{text}");
        assert!(text.contains(message), "{text} should contain {message}: {shown}");
        assert!(!error.is_torn_tail());
    }
}

#[test]
fn a_line_over_the_bound_is_skipped_without_being_held_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    append_raw(&path, b"{\"version\":1,\"x\":\"");
    append_raw(&path, &vec![b'x'; MAX_LINE_BYTES]);
    append_raw(&path, format!("\n{}\n", good()).as_bytes());
    let read: Vec<_> = read_traces(&path).collect();
    let expected = format!("{}:1:67108865: the line is too long, accepted are at most 67108864 bytes", path.display());
    assert_eq!(read[0].as_ref().unwrap_err().to_string(), expected);
    assert_eq!(*read[1].as_ref().unwrap(), *trace(1, 10));
    assert_eq!(read.len(), 2);
    assert_eq!(find_trace(&path, id(1)).unwrap().unwrap(), *trace(1, 10));
}

#[test]
fn hostile_lines_are_in_nobodys_way_when_a_trace_is_looked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    for (hostile, _) in hostile() {
        // The same lines, about another trace.
        let text = String::from_utf8_lossy(&hostile).replace(&id(1).to_string(), &id(2).to_string());
        append_raw(&path, format!("{text}\n").as_bytes());
    }
    append_raw(&path, good().as_bytes());
    assert_eq!(find_trace(&path, id(1)).unwrap().unwrap(), *trace(1, 10));
    assert!(find_trace(&path, id(3)).unwrap().is_none());
}

#[test]
fn a_file_that_cannot_be_read_is_the_last_item() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.jsonl");
    let read: Vec<_> = read_traces(&missing).collect();
    assert_eq!(read.len(), 1);
    let error = read[0].as_ref().unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot open trace file `{}`: ", missing.display())), "{error}");
    assert!(matches!(find_trace(&missing, id(1)), Err(ReadError::Open { path, .. }) if path == missing));
    assert!(matches!(find_trace(missing.join("t.jsonl"), id(1)), Err(ReadError::Open { .. })));
}

#[cfg(unix)]
#[test]
fn a_directory_is_one_error() {
    let directory = tempfile::tempdir().unwrap();
    let read: Vec<_> = read_traces(directory.path()).collect();
    assert_eq!(read.len(), 1);
    let expected = format!("{}:1: cannot read on: ", directory.path().display());
    assert!(read[0].as_ref().unwrap_err().to_string().starts_with(&expected), "{read:?}");
}
