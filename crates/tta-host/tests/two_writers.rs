//! Several sinks on one path, in one process and in two, and a reader beside them: no line is lost,
//! split or mixed up.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::{export, id, numbers_in_all, trace};
use tta_host::{TraceFileSink, find_trace, trace_files};

const WRITERS: u128 = 4;
const BATCHES: u128 = 60;
const BATCH: u128 = 5;

/// Writes this writer's traces: numbers from `writer * 1_000_000 + 1` on, of very different sizes.
fn write_as(writer: u128, path: &Path, rotate_at_bytes: u64) {
    let mut sink = TraceFileSink::builder(path).rotate_at_bytes(rotate_at_bytes).keep_files(1_000).open().unwrap();
    for batch in 0..BATCHES {
        let first = writer * 1_000_000 + batch * BATCH + 1;
        export(&mut sink, first..first + BATCH, (batch as usize % 7) * 1_500);
    }
}

/// Every trace of every writer is there once, those of each writer in their order.
fn assert_complete(path: &Path, writers: impl Iterator<Item = u128>) {
    let numbers = numbers_in_all(path);
    let mut total = 0;
    for writer in writers {
        let own: Vec<u128> = numbers.iter().copied().filter(|number| number / 1_000_000 == writer).collect();
        let first = writer * 1_000_000 + 1;
        assert_eq!(own, (first..first + BATCHES * BATCH).collect::<Vec<_>>());
        total += own.len();
    }
    assert_eq!(numbers.len(), total);
}

fn write_at_once(path: &Path, rotate_at_bytes: u64) {
    let start = Barrier::new(WRITERS as usize);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                write_as(writer, path, rotate_at_bytes);
            });
        }
    });
}

#[test]
fn sinks_of_one_process_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    write_at_once(&path, 0);
    assert_eq!(trace_files(&path).unwrap().len(), 1);
    assert_complete(&path, 0..WRITERS);
}

#[cfg(unix)]
#[test]
fn sinks_of_one_process_that_rotate_the_same_file_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    write_at_once(&path, 64 * 1024);
    let files = trace_files(&path).unwrap();
    assert!(files.len() > 20, "{}", files.len());
    for file in files {
        assert!(std::fs::metadata(file).unwrap().len() <= 64 * 1024);
    }
    assert_complete(&path, 0..WRITERS);
}

/// Starts itself again, with the path in this variable, to be the other process.
const PATH_VARIABLE: &str = "TTA_HOST_TEST_PATH";

#[cfg(unix)]
#[test]
fn sinks_of_two_processes_that_rotate_the_same_file_lose_nothing() {
    if let Some(path) = std::env::var_os(PATH_VARIABLE) {
        return write_as(1, Path::new(&path), 64 * 1024);
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sinks_of_two_processes_that_rotate_the_same_file_lose_nothing"])
        .env(PATH_VARIABLE, &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    write_as(0, &path, 64 * 1024);
    assert!(other.wait().unwrap().success());
    assert_complete(&path, 0..2);
}

#[cfg(unix)]
#[test]
fn a_trace_is_found_while_its_file_is_being_rotated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut sink = TraceFileSink::builder(&path).rotate_at_bytes(4_096).keep_files(1_000).open().unwrap();
    export(&mut sink, [1], 10);
    let written = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 2..200 {
                export(&mut sink, [number], 3_500);
            }
            written.store(true, Ordering::SeqCst);
        });
        loop {
            let is_last = written.load(Ordering::SeqCst);
            assert_eq!(find_trace(&path, id(1)).unwrap().unwrap(), *trace(1, 10));
            if is_last {
                break;
            }
        }
    });
    assert_eq!(trace_files(&path).unwrap().len(), 199);
}
