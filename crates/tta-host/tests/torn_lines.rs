//! What a crash leaves behind: half a last line, and what reading and writing on make of it.

mod support;

use std::fs;

use support::{append_raw, export, id, line, numbers_in, span, trace, trace_of};
use tta_host::{TraceFileSink, find_trace, find_trace_by_prefix, read_traces};
use tta_telemetry::Trace;

#[test]
fn a_file_that_ends_in_half_a_line_is_continued_on_a_fresh_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let half = &line(&trace(1, 10))[..100];
    append_raw(&path, half.as_bytes());
    let mut sink = TraceFileSink::builder(&path).open().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), half, "opening alone changes nothing");
    export(&mut sink, [2], 10);
    export(&mut sink, [3], 10);
    let expected = format!("{half}\n{}\n{}\n", line(&trace(2, 10)), line(&trace(3, 10)));
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
}

#[test]
fn a_last_line_that_lacks_only_its_line_break_is_a_trace() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    append_raw(&path, line(&trace(1, 10)).as_bytes());
    assert_eq!(numbers_in(&path), [1]);
    export(&mut TraceFileSink::builder(&path).open().unwrap(), [2], 10);
    assert_eq!(numbers_in(&path), [1, 2]);
}

#[test]
fn a_crash_may_leave_zeros_where_the_line_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    append_raw(&path, &[0; 4_096]);
    export(&mut TraceFileSink::builder(&path).open().unwrap(), [2], 10);
    let read: Vec<_> = read_traces(&path).collect();
    let want = "this line is no trace: expected value; a trace is one JSON object on a line, as trace files of tta have \
                it (`version`, `trace_id`, `spans`, ...)";
    assert_eq!(read[0].as_ref().unwrap_err().to_string(), format!("{}:1:1: {want}", path.display()));
    assert_eq!(*read[1].as_ref().unwrap(), *trace(2, 10));
}

#[test]
fn the_last_line_while_it_is_being_written_is_told_from_a_broken_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    append_raw(&path, b"{\"version\":1,\n{\"version\":1,");
    let torn: Vec<bool> = read_traces(&path).map(|trace| trace.unwrap_err().is_torn_tail()).collect();
    assert_eq!(torn, [false, true]);
}

#[test]
fn a_torn_line_matters_only_to_the_trace_it_is_of() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    // The torn trace mentions another one, as a link does.
    let mut linked = span(1, None, 0);
    linked.name = format!("continues {}", id(1)).into();
    let torn = line(&trace_of(2, vec![linked]));
    append_raw(&path, format!("{}\n{}", line(&trace(1, 10)), &torn[..torn.len() - 20]).as_bytes());

    assert_eq!(find_trace(&path, id(1)).unwrap().unwrap(), *trace(1, 10));
    assert!(find_trace(&path, id(3)).unwrap().is_none());
    let error = find_trace(&path, id(2)).unwrap_err();
    assert!(error.is_torn_tail());
    assert!(error.to_string().starts_with(&format!("{}:2:", path.display())), "{error}");

    fs::write(&path, format!("{}\n{}", line(&trace(4, 10)), &torn[..torn.len() - 20])).unwrap();
    assert!(find_trace(&path, id(1)).unwrap().is_none(), "the torn line is known not to be of trace 1");
}

#[test]
fn a_line_torn_inside_its_id_is_of_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    append_raw(&path, &line(&trace(0x1234 << 112, 10)).as_bytes()[..40]);
    assert!(find_trace(&path, id(0x1234 << 112)).unwrap().is_none());
    assert!(find_trace_by_prefix(&path, "1234").unwrap().is_none());
}

#[test]
fn a_torn_line_of_others_is_an_error_for_the_id_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    append_raw(&path, format!("{{ \"trace_id\": \"{}\", \"version\"", id(7)).as_bytes());
    assert!(find_trace(&path, id(7)).unwrap_err().is_torn_tail());
    assert!(find_trace(&path, id(8)).unwrap().is_none());
}

#[test]
fn a_torn_late_part_leaves_the_trace_incomplete() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let late = line(&Trace { late: true, ..trace_of(1, vec![span(2, Some(1), 50)]) });
    append_raw(&path, format!("{}\n{}", line(&trace(1, 10)), &late[..late.len() - 1]).as_bytes());
    let found = find_trace(&path, id(1)).unwrap().unwrap();
    assert_eq!(found, Trace { incomplete: true, ..(*trace(1, 10)).clone() });
}

#[test]
fn a_torn_trace_is_an_error_even_when_its_late_part_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let late = line(&Trace { late: true, ..trace_of(1, vec![span(2, Some(1), 50)]) });
    append_raw(&path, format!("{}\n{late}\n", &line(&trace(1, 10))[..200]).as_bytes());
    let error = find_trace(&path, id(1)).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{}:1:200: ", path.display())), "{error}");
}
