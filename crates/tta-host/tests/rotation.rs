//! Rotation: which file a line goes to, what is kept, and that no line is split or lost.

mod support;

use std::fs;

use support::{export, id, numbers_in, numbers_in_all, trace};
use tta_host::{TraceFileSink, find_trace, trace_files};
use tta_telemetry::Sink;

#[test]
fn a_file_is_rotated_before_the_line_that_would_take_it_past_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let line_bytes = support::line(&trace(1, 1_000)).len() as u64 + 1;
    let mut sink = TraceFileSink::builder(&path).rotate_at_bytes(4 * line_bytes).open().unwrap();
    export(&mut sink, 1..=4, 1_000);
    assert_eq!(fs::metadata(&path).unwrap().len(), 4 * line_bytes);
    assert_eq!(trace_files(&path).unwrap().len(), 1, "exactly full is not past the limit");
    export(&mut sink, 5..=5, 1_000);
    assert_eq!((numbers_in(&path), numbers_in(path.with_extension("jsonl.1"))), (vec![5], vec![1, 2, 3, 4]));
}

#[test]
fn one_batch_fills_as_many_files_as_it_needs_and_keeps_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut sink = TraceFileSink::builder(&path).rotate_at_bytes(4_096).keep_files(1_000).open().unwrap();
    export(&mut sink, 1..=50, 1_000);
    export(&mut sink, 51..=53, 10);
    assert_eq!(numbers_in_all(&path), (1..=53).collect::<Vec<_>>());
    let files = trace_files(&path).unwrap();
    assert!(files.len() > 15, "{}", files.len());
    for file in files {
        let size = fs::metadata(&file).unwrap().len();
        assert!((1..=4_096).contains(&size), "{} has {size} bytes", file.display());
    }
}

#[test]
fn the_oldest_file_is_deleted_and_the_others_move_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut sink = TraceFileSink::builder(&path).rotate_at_bytes(4_096).keep_files(2).open().unwrap();
    for number in 1..=5 {
        export(&mut sink, [number], 3_000);
    }
    assert_eq!(numbers_in_all(&path), [3, 4, 5]);
    assert_eq!(trace_files(&path).unwrap().len(), 3);
    assert!(find_trace(&path, id(2)).unwrap().is_none());
    assert_eq!(find_trace(&path, id(3)).unwrap().unwrap(), *trace(3, 3_000));
}

#[test]
fn a_line_larger_than_the_limit_has_a_file_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut sink = TraceFileSink::builder(&path).rotate_at_bytes(4_096).open().unwrap();
    sink.export(&[trace(1, 10), trace(2, 10_000), trace(3, 10), trace(4, 10)]).unwrap();
    let files: Vec<_> = trace_files(&path).unwrap().into_iter().map(numbers_in).collect();
    assert_eq!(files, [vec![3, 4], vec![2], vec![1]]);
}

#[test]
fn zero_never_rotates() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut sink = TraceFileSink::builder(&path).rotate_at_bytes(0).open().unwrap();
    export(&mut sink, 1..=20, 100_000);
    assert_eq!(trace_files(&path).unwrap(), std::slice::from_ref(&path));
    assert_eq!(numbers_in(&path).len(), 20);
}

#[test]
fn a_file_of_an_earlier_process_is_continued_and_counts_towards_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    for number in 1..=3 {
        let mut sink = TraceFileSink::builder(&path).rotate_at_bytes(4_096).open().unwrap();
        export(&mut sink, [number], 1_000);
    }
    let files: Vec<_> = trace_files(&path).unwrap().into_iter().map(numbers_in).collect();
    assert_eq!(files, [vec![3], vec![1, 2]]);
}

#[test]
fn a_file_that_was_deleted_or_moved_by_hand_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut sink = TraceFileSink::builder(&path).open().unwrap();
    export(&mut sink, [1], 10);
    fs::rename(&path, directory.path().join("aside")).unwrap();
    export(&mut sink, [2], 10);
    fs::remove_file(&path).unwrap();
    export(&mut sink, [3], 10);
    assert_eq!((numbers_in(directory.path().join("aside")), numbers_in(&path)), (vec![1], vec![3]));
}

#[test]
fn a_rotation_that_fails_loses_its_batch_says_why_and_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut sink = TraceFileSink::builder(&path).rotate_at_bytes(4_096).keep_files(1).open().unwrap();
    export(&mut sink, [1], 3_000);
    let obstacle = directory.path().join("t.jsonl.1");
    fs::create_dir(&obstacle).unwrap();
    let error = sink.export(&[trace(2, 3_000)]).unwrap_err().to_string();
    let expected = format!("sink failed: cannot delete the oldest trace file `{}`: ", obstacle.display());
    assert!(error.starts_with(&expected), "{error}");
    fs::remove_dir(&obstacle).unwrap();
    export(&mut sink, [3], 3_000);
    assert_eq!(numbers_in_all(&path), [1, 3]);
}

#[test]
fn a_relative_path_stays_where_it_was_opened() {
    let sink = TraceFileSink::builder("no-such-directory/t.jsonl").open();
    let error = sink.unwrap_err().to_string();
    let expected = std::env::current_dir().unwrap().join("no-such-directory");
    assert!(error.ends_with(&format!("there is no directory `{}`", expected.display())), "{error}");
}
