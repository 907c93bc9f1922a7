//! Where nothing is recorded: outside runs, and in runs of an engine that is off.

use tracing::{Instrument, error, info, info_span};
use tracing_subscriber::prelude::*;
use tta_primitives::Context;
use tta_primitives::testing::TestEngine;
use tta_telemetry::{SpanStatus, Telemetry};

use crate::support::{engine, here, in_run, only_trace};

#[test]
fn outside_a_run_spans_are_as_if_the_layer_were_not_there() {
    let engine = engine();
    let span = info_span!("span", rows = 1);
    span.record("rows", 2);
    span.in_scope(|| {
        assert!(Context::current().is_none());
        error!("event");
        drop(info_span!("child"));
    });
    // Entered inside a run, it stays what it is: not recorded.
    in_run(&engine, |_| {
        let step = here();
        span.in_scope(|| {
            assert_eq!(here(), step);
            info_span!("recorded").in_scope(|| info!("event"));
        });
    });
    let trace = only_trace(&engine);
    let names: Vec<_> = trace.spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!((names, trace.spans[1].parent_span_id), (vec!["run", "recorded"], Some(trace.root_span_id)));
}

#[test]
fn a_run_of_an_engine_that_is_off_goes_on_with_its_ids_and_records_nothing() {
    engine();
    let cx = Context::on(Telemetry::disabled());
    let run = cx.start_run("run", "test");
    let trace_id = run.context().trace_id();
    assert!(trace_id.is_some());
    run.context().in_scope(|| {
        let span = info_span!("span", never = ?NotFormatted).entered();
        span.record("never", tracing::field::debug(NotFormatted));
        info!(never = ?NotFormatted, "event");
        assert_eq!(Context::current().unwrap().trace_id(), trace_id);
    });
    assert_eq!(run.end_as(SpanStatus::Ok), None);
}

struct NotFormatted;

impl std::fmt::Debug for NotFormatted {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("formatted for nothing")
    }
}

#[test]
fn two_layers_in_one_process_keep_their_spans_apart() {
    let engine = TestEngine::new();
    let other = || tracing_subscriber::registry().with(tta_tracing::layer());
    let (first, second) = (tracing::Dispatch::new(other()), tracing::Dispatch::new(other()));
    in_run(&engine, |_| {
        // Both registries count from one, so their spans have the same numbers.
        let a = tracing::dispatcher::with_default(&first, || info_span!("a"));
        let b = tracing::dispatcher::with_default(&second, || info_span!("b"));
        assert_eq!(a.id(), b.id());
        let in_a = a.enter();
        let in_b = b.enter();
        drop(in_a);
        tracing::dispatcher::with_default(&first, || drop(info_span!("in b")));
        drop(in_b);
    });
    let trace = only_trace(&engine);
    assert_eq!(crate::support::parent(&trace, "in b"), "b");
    assert_eq!(trace.spans.len(), 4);
}

#[test]
fn a_future_that_is_instrumented_outside_a_run_is_not_drawn_into_one() {
    let engine = engine();
    let future = async { here() }.instrument(info_span!("outside"));
    in_run(&engine, |_| assert_eq!(engine.block_on(future), here()));
    assert_eq!(only_trace(&engine).spans.len(), 1);
}
