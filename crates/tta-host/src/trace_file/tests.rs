//! Settings, their defaults, and how a batch is cut into what has room.

use tta_telemetry::TraceId;

use super::*;
use crate::trace_json::from_json;

fn trace(number: u128, name: String) -> Arc<Trace> {
    let id = TraceId::new(number).unwrap();
    let line = format!(
        r#"{{"version":1,"trace_id":"{id}","root_span_id":"0000000000000001","class":"normal","decision":{{"keep":true,
        "rate":1.0,"reason":"sampling_rate_one","sampler":"keep_all"}},"spans":[{{"span_id":"0000000000000001",
        "name":"","kind":"workflow","start_unix_ns":0,"duration_ns":0,"status":"ok"}}]}}"#
    );
    let mut trace = from_json(line.as_bytes()).unwrap();
    trace.spans[0].name = name.into();
    Arc::new(trace)
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let builder = TraceFileSink::builder("traces.jsonl");
    assert_eq!((builder.rotate_at_bytes, builder.keep_files), (67_108_864, 5));
}

#[test]
fn a_setting_out_of_range_is_named_with_what_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let open = |rotate_at_bytes, keep_files| {
        TraceFileSink::builder(&path).rotate_at_bytes(rotate_at_bytes).keep_files(keep_files).open()
    };
    let error = |rotate_at_bytes, keep_files| open(rotate_at_bytes, keep_files).unwrap_err().to_string();
    assert_eq!(error(4_095, 1), "setting `rotate_at_bytes` is 4095, accepted is 0 (never) or at least 4096");
    assert_eq!(error(0, 0), "setting `keep_files` is 0, accepted is 1 to 1000");
    assert_eq!(error(0, 1_001), "setting `keep_files` is 1001, accepted is 1 to 1000");
    assert!(!path.exists(), "a refused setting leaves no file behind");
    for (rotate_at_bytes, keep_files) in [(0, 1), (4_096, 1_000), (u64::MAX, 5)] {
        assert_eq!(open(rotate_at_bytes, keep_files).unwrap().path(), path);
    }
}

#[test]
fn a_batch_is_taken_in_whole_lines_that_have_room() {
    let traces: Vec<_> = (1..=3).map(|number| trace(number, "n".to_owned())).collect();
    let mut batch = Batch::encode(&traces);
    let line = batch.take(u64::MAX, false, false).unwrap().len() as u64 / 3;
    assert!(batch.is_empty());

    let mut batch = Batch::encode(&traces);
    assert_eq!(batch.take(line - 1, false, false), None);
    assert_eq!(batch.take(line, false, true), None, "the line break before it needs room too");
    let first = batch.take(2 * line, false, true).unwrap();
    assert_eq!((first.len() as u64, first[0], first[first.len() - 1]), (line + 1, b'\n', b'\n'));
    let second = batch.take(0, true, true).unwrap();
    assert_eq!((second.len() as u64, second[0]), (line + 1, b'\n'));
    let third = batch.take(line, false, false).unwrap();
    assert_eq!((third.len() as u64, third[0]), (line, b'{'));
    assert!(batch.is_empty());
    assert_eq!(batch.take(u64::MAX, true, true), None);
}

#[test]
fn a_trace_that_no_reader_would_take_is_refused_and_the_others_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut sink = TraceFileSink::builder(&path).rotate_at_bytes(0).open().unwrap();
    let huge = trace(2, "x".repeat(crate::trace_json::MAX_LINE_BYTES));
    let error = sink.export(&[trace(1, "a".into()), huge, trace(3, "c".into())]).unwrap_err().to_string();
    assert!(error.starts_with("sink failed: trace 00000000000000000000000000000002 takes 67"), "{error}");
    assert!(error.ends_with(" bytes, accepted is at most 67108864; the rest of its batch was written"), "{error}");
    let ids: Vec<_> = crate::read_traces(&path).map(|trace| trace.unwrap().trace_id.get()).collect();
    assert_eq!(ids, [1, 3]);
}

#[test]
fn a_batch_of_nothing_but_refused_traces_writes_nothing() {
    let mut batch = Batch::encode(&[]);
    assert!(batch.is_empty());
    assert_eq!(batch.take(u64::MAX, true, true), None);
    assert!(batch.refused().is_none());
}
