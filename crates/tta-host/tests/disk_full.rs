//! A full disk: the batch is lost and said to be, and the sink comes back by itself.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use support::{export, id, line, numbers_in, trace};
use tta_host::{TraceFileSink, find_trace, read_traces};
use tta_telemetry::{Sink, Telemetry};

#[test]
fn a_failed_batch_is_reported_and_counted_by_the_engine() {
    let sink = TraceFileSink::builder("/dev/full").rotate_at_bytes(4_096).open().unwrap();
    let telemetry = Telemetry::builder().sink(sink).by_hand().build().unwrap();
    for _ in 0..2 {
        telemetry.start_trace("import").end();
        assert!(telemetry.flush_blocking(Duration::from_secs(5)).complete);
    }
    let status = &telemetry.sinks()[0];
    assert_eq!((status.name.as_str(), status.exported_traces, status.lost_failed), ("trace_file", 0, 2));
    assert_eq!(status.failures, 2);
    let error = status.last_error.as_deref().unwrap();
    assert!(error.starts_with("sink failed: cannot write "), "{error}");
    assert!(error.contains(" bytes to trace file `/dev/full`: No space left on device"), "{error}");
}

#[test]
fn the_next_export_opens_the_file_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    symlink("/dev/full", &path).unwrap();
    let mut sink = TraceFileSink::builder(&path).open().unwrap();
    assert!(sink.export(&[trace(1, 10)]).is_err());
    assert!(sink.export(&[trace(2, 10)]).is_err());
    fs::remove_file(&path).unwrap();
    export(&mut sink, [3], 10);
    sink.flush().unwrap();
    assert_eq!(numbers_in(&path), [3]);
}

#[test]
fn a_device_is_never_rotated() {
    let mut sink = TraceFileSink::builder("/dev/null").rotate_at_bytes(4_096).open().unwrap();
    export(&mut sink, 1..=10, 3_000);
    sink.flush().unwrap();
    assert!(!fs::exists("/dev/null.1").unwrap());
}

#[test]
fn what_a_full_disk_cut_in_half_costs_no_other_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut sink = TraceFileSink::builder(&path).open().unwrap();
    export(&mut sink, [1], 10);
    // As the disk leaves it when it takes a part of a write.
    support::append_raw(&path, &line(&trace(2, 10)).as_bytes()[..300]);
    export(&mut sink, [3, 4], 10);
    let read: Vec<_> = read_traces(&path).map(|trace| trace.map(|trace| trace.trace_id.get())).collect();
    assert_eq!(read.len(), 4);
    assert_eq!([0, 2, 3].map(|at: usize| *read[at].as_ref().unwrap()), [1, 3, 4]);
    let error = read[1].as_ref().unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("{}:2:300: this line is no trace: EOF while parsing", path.display())),
        "{error}"
    );
    assert!(!error.is_torn_tail(), "it is closed now");
    assert!(find_trace(&path, id(3)).unwrap().is_some());
}
