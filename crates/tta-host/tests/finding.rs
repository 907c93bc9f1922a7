//! Finding one trace: its parts put together, across rotated files, by its id or the start of it.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use support::{append_raw, id, line, root_id, span, trace, trace_of};
use tta_host::{ReadError, find_trace, find_trace_by_prefix};
use tta_telemetry::{SpanStatus, Trace, TraceClass, TraceCounts};

fn write(path: &Path, traces: &[&Trace]) {
    let lines: String = traces.iter().map(|trace| line(trace) + "\n").collect();
    fs::write(path, lines).unwrap();
}

fn late(spans: Vec<tta_telemetry::SpanRecord>) -> Trace {
    Trace { late: true, ..trace_of(1, spans) }
}

fn span_numbers(trace: &Trace) -> Vec<u64> {
    trace.spans.iter().map(|span| span.span_id.get()).collect()
}

#[test]
fn late_parts_are_put_in_by_time_from_whatever_file_they_are_in() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let whole = trace_of(1, vec![span(1, None, 100), span(2, Some(1), 110), span(3, Some(1), 150)]);
    // Number 2 is missing, as after a crash in the middle of a rotation.
    write(&path, &[&late(vec![span(4, Some(1), 120)])]);
    write(&path.with_extension("jsonl.1"), &[&trace(2, 10), &late(vec![span(5, Some(3), 160)])]);
    write(&path.with_extension("jsonl.3"), &[&whole, &trace(3, 10)]);
    let found = find_trace(&path, id(1)).unwrap().unwrap();
    assert_eq!(span_numbers(&found), [1, 2, 4, 3, 5]);
    assert_eq!(Trace { spans: Vec::new(), ..found }, Trace { spans: Vec::new(), ..whole });
    assert_eq!(find_trace(&path, id(3)).unwrap().unwrap(), *trace(3, 10));
}

#[test]
fn a_late_root_comes_first_and_says_how_the_run_ended() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let early = Trace { incomplete: true, ..trace_of(1, vec![span(2, Some(1), 110)]) };
    for (status, class) in [
        (SpanStatus::Ok, TraceClass::Normal),
        (SpanStatus::Cancelled, TraceClass::Cancelled),
        (SpanStatus::Error, TraceClass::Failed),
    ] {
        let root = tta_telemetry::SpanRecord { status, ..span(1, None, 100) };
        write(&path, &[&early, &late(vec![root])]);
        let found = find_trace(&path, id(1)).unwrap().unwrap();
        assert_eq!((span_numbers(&found), found.class), (vec![1, 2], class));
        assert!(found.incomplete && !found.late);
    }
}

#[test]
fn a_late_failure_fails_the_whole_and_losses_add_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let lost = |over_span_limit, over_byte_limit| TraceCounts { over_span_limit, over_byte_limit };
    let whole = Trace { dropped: lost(1, u32::MAX), ..trace_of(1, vec![span(1, None, 100)]) };
    let failed = Trace { dropped: lost(2, 1), class: TraceClass::Failed, ..late(vec![span(2, Some(1), 200)]) };
    write(&path, &[&whole, &failed]);
    let found = find_trace(&path, id(1)).unwrap().unwrap();
    assert_eq!((found.class, found.dropped), (TraceClass::Failed, lost(3, u32::MAX)));
}

#[test]
fn the_whole_is_incomplete_when_the_part_of_another_process_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let cut_short = Trace { incomplete: true, ..trace_of(1, vec![span(8, Some(7), 110)]) };
    write(&path, &[&trace_of(1, vec![span(1, None, 100)]), &cut_short]);
    let found = find_trace(&path, id(1)).unwrap().unwrap();
    assert_eq!((span_numbers(&found), found.incomplete), (vec![1, 8], true));
}

#[test]
fn late_parts_alone_are_a_late_trace() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    write(&path, &[&late(vec![span(3, Some(1), 300)]), &late(vec![span(2, Some(1), 200)])]);
    let found = find_trace(&path, id(1)).unwrap().unwrap();
    assert_eq!((span_numbers(&found), found.late), (vec![2, 3], true));
}

#[test]
fn the_parts_of_several_processes_are_one_trace_under_the_root_of_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    // The called process ended first, and its clock is behind.
    let called = Trace { root_span_id: span(7, None, 0).span_id, ..trace_of(1, vec![span(7, Some(2), 90)]) };
    let caller = trace_of(1, vec![span(1, None, 100), span(2, Some(1), 110)]);
    write(&path, &[&called, &caller]);
    let found = find_trace(&path, id(1)).unwrap().unwrap();
    assert_eq!((found.root_span_id, span_numbers(&found)), (root_id(), vec![1, 7, 2]));
}

#[test]
fn a_line_that_is_there_twice_counts_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let dropped = TraceCounts { over_span_limit: 3, over_byte_limit: 0 };
    let once = Trace { dropped, ..trace_of(1, vec![span(1, None, 100)]) };
    write(&path, &[&once]);
    fs::copy(&path, path.with_extension("jsonl.1")).unwrap();
    assert_eq!(find_trace(&path, id(1)).unwrap().unwrap(), once);
}

#[test]
fn rotated_files_are_read_when_the_current_one_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    write(&path.with_extension("jsonl.2"), &[&trace(1, 10)]);
    assert_eq!(find_trace(&path, id(1)).unwrap().unwrap(), *trace(1, 10));
    assert!(find_trace(&path, id(2)).unwrap().is_none());
}

#[test]
fn lines_that_others_formatted_are_found_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let wanted = trace(0xabcd << 112, 10);
    append_raw(&path, format!(" {}\n", line(&wanted).replace("\":", "\" : ")).as_bytes());
    assert_eq!(find_trace(&path, wanted.trace_id).unwrap().unwrap(), *wanted);
    assert_eq!(find_trace_by_prefix(&path, "abcd").unwrap().unwrap(), *wanted);
    // On the line, but not where the id starts.
    assert!(find_trace_by_prefix(&path, "bcd0").unwrap().is_none());
}

#[test]
fn a_unique_prefix_finds_its_trace_in_either_case() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let (one, two) = (trace(0xa_bcd1 << 108, 10), trace(0xa_bcd2 << 108, 10));
    write(&path, &[&one]);
    write(&path.with_extension("jsonl.1"), &[&two]);
    for (prefix, wanted) in [("abcd1", &one), ("ABCD2", &two), (one.trace_id.to_string().as_str(), &one)] {
        assert_eq!(find_trace_by_prefix(&path, prefix).unwrap().unwrap(), **wanted);
    }
    assert!(find_trace_by_prefix(&path, "abcd3").unwrap().is_none());
    // A part of the id, but not its start.
    assert!(find_trace_by_prefix(&path, "bcd1").unwrap().is_none());
}

#[test]
fn an_ambiguous_prefix_is_answered_with_up_to_five_ids() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let traces: Vec<_> = (1..=6).map(|number| trace((0xabcd << 112) + number, 10)).collect();
    write(&path, &[&traces[1], &traces[0], &traces[1]]);
    let error = find_trace_by_prefix(&path, "ABCD").unwrap_err();
    let [first, second] = ["abcd0000000000000000000000000002", "abcd0000000000000000000000000001"];
    assert_eq!(error.to_string(), format!("trace id prefix `abcd` is ambiguous: {first}, {second}"));

    write(&path, &traces.iter().map(|trace| &**trace).collect::<Vec<_>>());
    let error = find_trace_by_prefix(&path, "abcd").unwrap_err();
    assert!(error.to_string().ends_with("5, and more"), "{error}");
    assert!(matches!(error, ReadError::Ambiguous { candidates, has_more: true, .. } if candidates.len() == 5));
}

#[test]
fn a_text_that_is_no_prefix_is_refused_before_any_file_is_read() {
    for text in ["", "abc", "abcg", "0x12ab", "äbcd", &"a".repeat(33)] {
        let error = find_trace_by_prefix("no such file", text).unwrap_err().to_string();
        assert_eq!(error, format!("`{text}` is not a prefix of a trace id: expected 4 to 32 hexadecimal digits"));
    }
}
