//! Spans that outlive their root: waited for, then sent after their trace or counted.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{ByHand, names};
use tta_telemetry::{Limits, Sampling, Span, SpanStatus, Trace, TraceClass, TraceHandle, ValueRef};

const WAIT_MS: u64 = 10_000;
const MS: u64 = 1_000_000;

/// A run whose root has ended while this handle keeps it open.
fn root_ended(by_hand: &ByHand) -> TraceHandle {
    let run = by_hand.telemetry.start_trace("root");
    by_hand.advance_ms(1);
    run.span("step", "lambda").end();
    run.handle()
}

fn child<'h>(handle: &'h TraceHandle, name: &'static str) -> Span<'h> {
    handle.span(handle.root_span_id(), name, "lambda")
}

fn facts(trace: &Trace) -> (Vec<&str>, bool, bool) {
    (names(trace), trace.incomplete, trace.late)
}

#[test]
fn a_span_that_ends_within_the_wait_is_part_of_its_trace() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let handle = root_ended(&by_hand);
    let span = child(&handle, "outlives");
    by_hand.advance_ms(WAIT_MS - 1);
    assert_eq!(by_hand.traces(), []);
    span.end();
    drop(handle);
    assert_eq!(facts(&by_hand.only_trace()), (vec!["root", "step", "outlives"], false, false));
    assert_eq!(by_hand.telemetry.counters().traces_incomplete, 0);
}

#[test]
fn after_the_wait_the_trace_is_sent_as_it_stands_and_the_span_follows_it() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let handle = root_ended(&by_hand);
    let mut span = child(&handle, "outlives");
    by_hand.advance_ms(WAIT_MS);
    let trace = by_hand.only_trace();
    assert_eq!(facts(&trace), (vec!["root", "step"], true, false));
    assert_eq!(handle.decision(), Some(trace.decision));
    span.set("rows", 3);
    span.event("half", &[]);
    span.end();
    let late = by_hand.only_trace();
    assert_eq!(facts(&late), (vec!["outlives"], false, true));
    assert_eq!((late.trace_id, late.root_span_id), (trace.trace_id, trace.root_span_id));
    assert_eq!((late.decision, late.class), (trace.decision, TraceClass::Normal));
    let span = late.find("outlives").unwrap();
    assert_eq!(span.parent_span_id, Some(trace.root_span_id));
    assert_eq!(span.duration_ns, WAIT_MS * MS);
    assert_eq!((span.attributes.len(), span.events.len()), (1, 1));
    drop(handle);
    assert_eq!(by_hand.traces(), []);
    let counters = by_hand.telemetry.counters();
    assert_eq!((counters.traces_kept, counters.traces_incomplete, counters.late_kept), (1, 1, 2));
}

#[test]
fn late_spans_of_one_trace_are_sent_together_and_those_of_another_apart() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let (first, second) = (root_ended(&by_hand), root_ended(&by_hand));
    by_hand.advance_ms(WAIT_MS);
    assert_eq!(by_hand.traces().len(), 2);
    for name in ["a", "b"] {
        child(&first, name).end();
        child(&second, name).end();
        by_hand.advance_ms(1);
    }
    let late = by_hand.traces();
    assert_eq!(late.iter().map(|trace| names(trace)).collect::<Vec<_>>(), [["a", "b"], ["a", "b"]]);
    assert_ne!(late[0].trace_id, late[1].trace_id);
}

#[test]
fn a_late_error_makes_the_late_part_a_failed_one_unless_it_was_handled() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    for (handled, class) in [(false, TraceClass::Failed), (true, TraceClass::Normal)] {
        let handle = root_ended(&by_hand);
        by_hand.advance_ms(WAIT_MS);
        assert_eq!(by_hand.only_trace().class, TraceClass::Normal);
        let mut span = child(&handle, "late");
        span.set_status(SpanStatus::Error);
        if handled {
            span.set_handled();
        }
        span.end();
        assert_eq!(by_hand.only_trace().class, class);
    }
}

#[test]
fn late_spans_of_a_dropped_trace_are_counted_and_errors_among_them_apart() {
    let by_hand = ByHand::new(Sampling::KeepNone);
    let handle = root_ended(&by_hand);
    by_hand.advance_ms(WAIT_MS);
    assert_eq!(by_hand.traces(), []);
    assert!(!handle.decision().unwrap().keep);
    child(&handle, "fine").end();
    let mut handled = child(&handle, "handled");
    handled.set_status(SpanStatus::Error);
    handled.set_handled();
    handled.end();
    let mut failing = child(&handle, "failing");
    failing.set_status(SpanStatus::Error);
    failing.end();
    handle.event(handle.root_span_id().unwrap(), "event", &[("error", ValueRef::Bool(true))]);
    assert_eq!(by_hand.traces(), []);
    let counters = by_hand.telemetry.counters();
    assert_eq!((counters.late_dropped, counters.missed_error_spans, counters.late_kept), (4, 1, 0));
}

#[test]
fn a_detached_error_after_the_decision_is_missed_and_counted() {
    let by_hand = ByHand::new(Sampling::KeepFailed);
    let detached = root_ended(&by_hand).detached();
    by_hand.advance_ms(WAIT_MS);
    assert_eq!(by_hand.traces(), []);
    let mut span = child(&detached, "detached");
    span.set_status(SpanStatus::Error);
    span.end();
    drop(detached);
    let counters = by_hand.telemetry.counters();
    assert_eq!((counters.traces_dropped, counters.missed_error_spans), (1, 1));
}

#[test]
fn a_detached_error_before_the_wait_is_over_counts_for_the_decision() {
    let by_hand = ByHand::new(Sampling::KeepFailed);
    let detached = root_ended(&by_hand).detached();
    let mut span = child(&detached, "detached");
    span.set_status(SpanStatus::Error);
    span.end();
    by_hand.advance_ms(WAIT_MS);
    let trace = by_hand.only_trace();
    assert_eq!((trace.class, trace.incomplete), (TraceClass::Failed, true));
}

#[test]
fn a_wait_of_zero_decides_at_the_next_housekeeping() {
    let by_hand = ByHand::with(Sampling::KeepAll, Limits { decision_wait: Duration::ZERO, ..Limits::default() });
    let handle = root_ended(&by_hand);
    assert_eq!(facts(&by_hand.only_trace()), (vec!["root", "step"], true, false));
    drop(handle);
}

#[test]
fn a_run_whose_root_is_open_waits_for_it_however_long_it_takes() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("root");
    by_hand.advance_ms(1_000 * WAIT_MS);
    assert_eq!(by_hand.traces(), []);
    run.end();
    assert_eq!(facts(&by_hand.only_trace()), (vec!["root"], false, false));
}

#[test]
fn no_more_than_ten_thousand_late_records_wait() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let handle = root_ended(&by_hand);
    by_hand.advance_ms(WAIT_MS);
    assert_eq!(by_hand.traces().len(), 1);
    for round in 1..=2 {
        for _ in 0..10_001 {
            child(&handle, "late").end();
        }
        let counters = by_hand.telemetry.counters();
        assert_eq!((counters.late_kept, counters.late_lost), (10_000 * round, round));
        assert_eq!(by_hand.telemetry.sinks()[0].waiting_traces, 0);
        // The queue holds fewer spans than that, but lets one large trace pass.
        assert_eq!(by_hand.only_trace().spans.len(), 10_000);
    }
}

/// Their number alone was once bounded: ten thousand of the largest records are 5 GB.
#[test]
fn late_records_hold_no_more_than_an_eighth_of_the_byte_bound() {
    let by_hand = ByHand::with(Sampling::KeepAll, Limits { live_bytes: 1 << 20, ..Limits::default() });
    let text = "x".repeat(4_096);
    let handle = root_ended(&by_hand);
    by_hand.advance_ms(WAIT_MS);
    assert_eq!(by_hand.traces().len(), 1);
    for _ in 0..100 {
        child(&handle, "late").set("text", &text);
    }
    let counters = by_hand.telemetry.counters();
    assert_eq!((counters.late_kept, counters.late_lost), (31, 69));
    assert_eq!(by_hand.only_trace().spans.len(), 31);
    child(&handle, "late").set("text", &text);
    assert_eq!(by_hand.only_trace().spans.len(), 1);
}
