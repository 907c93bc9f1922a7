//! One span in whose place others are started: nothing of the one before is in the next.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use common::{ByHand, names, tree};
use tta_telemetry::{Sampling, Span, SpanStatus, Telemetry, ValueRef};

#[test]
fn a_span_started_in_the_place_of_another_has_nothing_of_it() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("run");
    let handle = run.handle();
    let now = || by_hand.telemetry.clock().ticks();
    let mut span = handle.span_at(run.root_span_id(), "first", "retry", now());
    let first = span.id();
    // More than fits where short attributes are kept, and more than is allowed.
    for key in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        span.set(key, &"x".repeat(5_000));
    }
    (0..60).for_each(|_| span.set("again", 1));
    span.set_status(SpanStatus::Error);
    span.set_handled();
    by_hand.advance_ms(2);
    span.stop_at(now());
    assert_eq!((span.id(), span.is_recording()), (None, false));
    span.set("after the end", 1);
    span.restart_at(&handle, first, "second", "lambda", now());
    assert_ne!(span.id(), first);
    span.set("own", "short");
    by_hand.advance_ms(3);
    span.end();
    drop(handle);
    run.end();
    let trace = by_hand.only_trace();
    assert_eq!(names(&trace), ["run", "first", "second"]);
    let (first, second) = (&trace.spans[1], &trace.spans[2]);
    assert_eq!((first.status, first.handled), (SpanStatus::Error, true));
    assert_eq!((first.attributes.len(), first.truncated_attributes, first.dropped_attributes), (11, 10, 6));
    assert_eq!((second.status, second.handled), (SpanStatus::Ok, false));
    assert_eq!((second.truncated_attributes, second.dropped_attributes), (0, 0));
    assert_eq!((second.parent_span_id, second.kind.as_str()), (Some(first.span_id), "lambda"));
    assert_eq!((first.duration_ns, second.duration_ns), (2_000_000, 3_000_000));
    assert_eq!(second.start_unix_ns, first.end_unix_ns());
    assert_eq!(second.attributes.len(), 1);
    assert_eq!(second.attribute("own").unwrap().as_str(), Some("short"));
}

#[test]
fn an_open_span_ends_where_the_next_one_starts() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("run");
    let handle = run.handle();
    let mut span = Span::off();
    for (name, ms) in [("one", 1), ("two", 2), ("three", 4)] {
        span.restart_at(&handle, run.root_span_id(), name, "lambda", by_hand.telemetry.clock().ticks());
        span.event("in", &[("name", ValueRef::Str(name))]);
        by_hand.advance_ms(ms);
    }
    drop(span);
    drop(handle);
    run.end();
    let trace = by_hand.only_trace();
    assert_eq!(trace.spans.iter().map(|span| span.duration_ns / 1_000_000).collect::<Vec<_>>(), [7, 1, 2, 4]);
    insta::assert_snapshot!(tree(&trace), @r"
    run
    ├─ one
    │     • in name=one
    ├─ two
    │     • in name=two
    ╰─ three
          • in name=three
    ");
}

#[test]
fn a_span_can_go_on_in_another_trace_and_as_detached_work() {
    let by_hand = ByHand::new(Sampling::KeepFailed);
    let (first, second) = (by_hand.telemetry.start_trace("first"), by_hand.telemetry.start_trace("second"));
    let (attached, detached) = (first.handle(), second.handle().detached());
    let mut span = attached.span(None, "attached", "lambda");
    span.set_status(SpanStatus::Error);
    span.restart_at(&detached, None, "detached", "lambda", 5);
    span.set_status(SpanStatus::Error);
    span.end();
    drop((attached, detached));
    first.end();
    second.end();
    // Only an error in detached work fails a run that succeeded.
    assert_eq!(names(&by_hand.only_trace()), ["second", "detached"]);
}

#[test]
fn a_span_restarted_where_nothing_is_recorded_records_nothing_and_ends_the_one_before() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let off = Telemetry::disabled().start_trace("off").handle();
    let run = by_hand.telemetry.start_trace("run");
    let handle = run.handle();
    let mut span = handle.span(None, "span", "lambda");
    span.restart_at(&off, None, "off", "lambda", 3);
    assert!(!span.is_recording());
    span.end();
    drop(handle);
    run.end();
    let trace = by_hand.only_trace();
    assert_eq!(names(&trace), ["run", "span"]);
    assert_eq!(trace.spans[1].duration_ns, 3);
}
