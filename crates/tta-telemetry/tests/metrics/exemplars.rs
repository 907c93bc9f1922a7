//! Exemplars: kept traces, and no others.

use tta_telemetry::{MemorySink, Sampling, SpanStatus, TraceId};

use super::support::{Engine, MS, engine_with, histogram};

/// A run with one step that takes so long; its trace.
fn run(engine: &Engine, ms: u64, status: SpanStatus) -> TraceId {
    let mut run = engine.telemetry.start_trace("crawl");
    let trace_id = run.handle().trace_id().unwrap();
    let mut span = run.span("fetch", "lambda");
    engine.hand.advance(std::time::Duration::from_millis(ms));
    span.set_status(status);
    span.end();
    engine.count(&engine.step("crawl", "fetch"), ms, status);
    run.set_status(status);
    run.end();
    engine.housekeep();
    trace_id
}

/// The place of each bucket that has an exemplar, with its trace and value.
fn exemplars(engine: &Engine) -> Vec<(usize, TraceId, f64)> {
    let family = engine.family("primitive_duration_seconds");
    let read = histogram(family.value(&[("primitive_name", "fetch")]).unwrap());
    let of = |(place, exemplar): (usize, &Option<tta_telemetry::Exemplar>)| {
        exemplar.map(|exemplar| (place, exemplar.trace_id, exemplar.value))
    };
    read.exemplars.iter().enumerate().filter_map(of).collect()
}

#[test]
fn each_bucket_points_at_the_latest_kept_trace_of_it() {
    let memory = MemorySink::new();
    let engine = engine_with(|builder| builder.sampling(Sampling::KeepFailed).sink(memory.clone()));
    run(&engine, 3, SpanStatus::Ok);
    assert_eq!(exemplars(&engine), [], "a dropped trace cannot be looked at");
    run(&engine, 4, SpanStatus::Error);
    let second = run(&engine, 5, SpanStatus::Error);
    let slow = run(&engine, 700, SpanStatus::Error);
    let beyond = run(&engine, 61_000, SpanStatus::Error);
    assert_eq!(exemplars(&engine), [(1, second, 0.005), (8, slow, 0.7), (14, beyond, 61.0)]);
    let kept: Vec<TraceId> = memory.traces().iter().map(|trace| trace.trace_id).collect();
    assert!([second, slow, beyond].iter().all(|trace| kept.contains(trace)));
    let family = engine.family("primitive_duration_seconds");
    let read = histogram(family.value(&[("primitive_name", "fetch")]).unwrap());
    let at = read.exemplars[8].unwrap();
    let trace = memory.traces().into_iter().find(|trace| trace.trace_id == slow).unwrap();
    let span = trace.spans.iter().find(|span| span.span_id == at.span_id).unwrap();
    assert_eq!((span.name.as_str(), span.duration_ns, at.unix_ns), ("fetch", 700 * MS, span.end_unix_ns()));
}

#[test]
fn a_step_of_a_workflow_inside_another_is_found_under_its_own() {
    let engine = engine_with(|builder| builder);
    let run = engine.telemetry.start_trace("outer");
    let handle = run.handle();
    let inner = handle.span(handle.root_span_id(), "inner", "workflow");
    handle.span(inner.id(), "fetch", "lambda").end();
    inner.end();
    engine.count(&engine.step("inner", "fetch"), 0, SpanStatus::Ok);
    engine.count(&engine.step("outer", "fetch"), 0, SpanStatus::Ok);
    drop(handle);
    run.end();
    engine.housekeep();
    let family = engine.family("primitive_duration_seconds");
    let has = |workflow| {
        let value = family.value(&[("workflow", workflow), ("primitive_name", "fetch")]).unwrap();
        !histogram(value).exemplars.is_empty()
    };
    assert_eq!((has("inner"), has("outer")), (true, false));
}

#[test]
fn an_older_execution_of_a_run_that_ends_later_replaces_nothing() {
    let engine = engine_with(|builder| builder);
    let late = engine.telemetry.start_trace("crawl");
    late.span("fetch", "lambda").end();
    engine.hand.advance(std::time::Duration::from_secs(1));
    let newer = run(&engine, 0, SpanStatus::Ok);
    assert_eq!(exemplars(&engine), [(0, newer, 0.0)]);
    late.end();
    engine.housekeep();
    assert_eq!(exemplars(&engine), [(0, newer, 0.0)]);
}
