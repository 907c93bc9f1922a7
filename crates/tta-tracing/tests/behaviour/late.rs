//! Spans that outlive their run.

use std::time::Duration;

use tracing::{info, info_span};
use tta_primitives::Context;
use tta_primitives::testing::TestEngine;
use tta_telemetry::Sampling;

use crate::support::{engine, find, here, in_run, only_trace};

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_span_that_ends_within_the_wait_is_part_of_the_trace() {
    let engine = engine();
    let span = in_run(&engine, |_| info_span!("span"));
    assert!(engine.traces().is_empty(), "the trace waits for the span");
    engine.clock().advance(Duration::from_secs(9));
    span.in_scope(|| info!("late"));
    drop(span);
    let trace = only_trace(&engine);
    let span = find(&trace, "span");
    assert_eq!((span.duration_ns, span.events.len(), trace.spans.len()), (9_000_000_000, 1, 2));
}

#[test]
fn a_span_that_is_kept_for_an_hour_follows_the_decision() {
    let engine = engine();
    let span = in_run(&engine, |_| info_span!("span"));
    engine.clock().advance(HOUR);
    assert_eq!(engine.traces().len(), 1, "the trace was decided without it");
    // It can be entered still, and so can spans that are made in it.
    span.in_scope(|| {
        assert_eq!(here(), Context::current().unwrap().span_id());
        info_span!("child").in_scope(|| info!("event"));
    });
    assert!(Context::current().is_none());
    span.record("rows", 3);
    drop(span);
    let traces = engine.traces();
    let names: Vec<Vec<&str>> =
        traces.iter().map(|trace| trace.spans.iter().map(|span| span.name.as_str()).collect()).collect();
    assert_eq!(names[0], ["run"]);
    assert_eq!(names[1..].concat().len(), 2, "{names:?}");
    assert_eq!((engine.telemetry().counters().late_kept, traces[1].trace_id), (3, traces[0].trace_id));
}

#[test]
fn a_late_span_of_a_dropped_trace_is_dropped_and_its_error_counted() {
    super::support::engine();
    let engine = TestEngine::with(|builder| builder.sampling(Sampling::KeepNone));
    let span = in_run(&engine, |_| info_span!("span"));
    engine.clock().advance(HOUR);
    assert!(engine.traces().is_empty());
    span.in_scope(|| tracing::error!("too late"));
    drop(span);
    assert!(engine.traces().is_empty());
    assert_eq!(engine.telemetry().counters().missed_error_spans, 1);
}
