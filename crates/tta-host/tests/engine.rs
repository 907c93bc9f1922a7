//! From an engine to a file and back: what the other sinks got is what is read.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tta_host::{TraceFileSink, find_trace, read_traces};
use tta_telemetry::{
    Clock, IdSource, Limits, MemorySink, Sampling, SpanStatus, Telemetry, Trace, TraceClass, ValueRef,
};

const DEADLINE: Duration = Duration::from_secs(5);

/// An engine that hands the same traces to a file and to memory.
fn engine(path: &std::path::Path, sampling: Sampling, limits: Limits) -> (Telemetry, MemorySink) {
    let memory = MemorySink::new();
    let file = TraceFileSink::builder(path).open().unwrap();
    let (clock, _) = Clock::manual();
    let builder = Telemetry::builder().clock(clock).ids(IdSource::seeded(1)).limits(limits).sampling(sampling);
    (builder.sink(memory.clone()).sink(file).by_hand().build().unwrap(), memory)
}

fn run(telemetry: &Telemetry, status: SpanStatus) {
    let mut run = telemetry.start_trace("import");
    run.set("file", "a \"quoted\" name\n");
    run.set("share", 0.1);
    run.set_status(status);
    let mut step = run.span("parse", "lambda");
    step.set("rows", 3);
    step.set("first", true);
    step.event("retry", &[("attempt", 1.into()), ("why", ValueRef::List(&["timeout", "dns"]))]);
    step.end();
    run.end();
}

#[test]
fn every_trace_is_read_as_the_other_sinks_got_it_whatever_the_sampling() {
    for sampling in [Sampling::KeepAll, Sampling::KeepFailed, Sampling::KeepNone] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.jsonl");
        let (telemetry, memory) = engine(&path, sampling, Limits::default());
        for status in [SpanStatus::Ok, SpanStatus::Error, SpanStatus::Cancelled] {
            run(&telemetry, status);
        }
        assert!(telemetry.shutdown_blocking(DEADLINE).complete);
        let read: Vec<Trace> = read_traces(&path).collect::<Result<_, _>>().unwrap();
        let kept: Vec<Trace> = memory.traces().iter().map(|trace| (**trace).clone()).collect();
        assert_eq!(read, kept);
        let failed = kept.iter().filter(|trace| trace.class == TraceClass::Failed).count();
        assert_eq!(failed, usize::from(sampling != Sampling::KeepNone));
    }
}

#[test]
fn spans_that_end_after_the_decision_are_found_with_their_trace() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let limits = Limits { decision_wait: Duration::ZERO, ..Limits::default() };
    let (telemetry, memory) = engine(&path, Sampling::KeepAll, limits);
    let run = telemetry.start_trace("import");
    let handle = run.handle();
    let id = handle.trace_id().unwrap();
    run.end();
    assert!(telemetry.flush_blocking(DEADLINE).complete);
    handle.span(handle.root_span_id(), "tail", "lambda").end();
    drop(handle);
    assert!(telemetry.flush_blocking(DEADLINE).complete);

    let parts: Vec<bool> = memory.traces().iter().map(|trace| trace.late).collect();
    assert_eq!(parts, [false, true]);
    let found = find_trace(&path, id).unwrap().unwrap();
    let names: Vec<&str> = found.spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!((names, found.late, found.incomplete), (vec!["import", "tail"], false, true));
}

#[test]
fn a_flush_after_nothing_and_a_shutdown_find_nothing_to_fail() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let (telemetry, _) = engine(&path, Sampling::KeepAll, Limits::default());
    assert!(telemetry.flush_blocking(DEADLINE).complete);
    let report = telemetry.shutdown_blocking(DEADLINE);
    assert_eq!(report.sinks[1].failures, 0);
    assert_eq!(std::fs::read(&path).unwrap(), b"");
}
