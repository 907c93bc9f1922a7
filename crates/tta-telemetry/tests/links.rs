//! Links to other traces, errors that are marked as handled later, and spans that own their place.

#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::ByHand;
use tta_telemetry::{Limits, Sampling, SpanId, SpanStatus, Telemetry, TraceId, Value, ValueRef};

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

fn other() -> (TraceId, SpanId) {
    (TraceId::new(TRACE).unwrap(), SpanId::new(7).unwrap())
}

#[test]
fn links_keep_their_ids_attributes_and_order() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("batch");
    let span = run.span("load", "lambda");
    span.link(other(), &[("batch.position", ValueRef::from(1))]);
    run.handle().link(span.id().unwrap(), (TraceId::new(3).unwrap(), SpanId::new(4).unwrap()), &[]);
    span.end();
    run.end();
    let trace = by_hand.only_trace();
    let links = &trace.find("load").unwrap().links;
    assert_eq!(links.len(), 2);
    assert_eq!((links[0].trace_id, links[0].span_id), other());
    assert_eq!(links[0].attributes[0].value, Value::I64(1));
    assert_eq!((links[1].trace_id.get(), links[1].span_id.get()), (3, 4));
    assert!(trace.find("batch").unwrap().links.is_empty());
}

#[test]
fn links_beyond_the_limit_are_dropped_and_counted() {
    let by_hand = ByHand::with(Sampling::KeepAll, Limits { links_per_span: 2, ..Limits::default() });
    let run = by_hand.telemetry.start_trace("batch");
    let span = run.span("load", "lambda");
    (0..5).for_each(|_| span.link(other(), &[]));
    span.end();
    run.end();
    let trace = by_hand.only_trace();
    let load = trace.find("load").unwrap();
    assert_eq!((load.links.len(), load.dropped_links), (2, 3));
    assert_eq!(by_hand.telemetry.counters().links_dropped, 3);
    let refused = Telemetry::builder().limits(Limits { links_per_span: 0, ..Limits::default() }).build();
    assert_eq!(refused.unwrap_err().to_string(), "limit `links_per_span` is 0, accepted is 1 to 10000");
}

#[test]
fn an_error_can_be_marked_as_handled_after_its_span_has_closed_and_nothing_else_can() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("run");
    let mut ids = Vec::new();
    for (name, status) in [("failed", SpanStatus::Error), ("fine", SpanStatus::Ok), ("other", SpanStatus::Error)] {
        let mut span = run.span(name, "lambda");
        span.set_status(status);
        ids.push(span.id().unwrap());
        span.end();
    }
    run.handle().mark_handled(ids[0]);
    run.handle().mark_handled(ids[1]);
    run.end();
    let trace = by_hand.only_trace();
    let handled = |name| trace.find(name).unwrap().handled;
    assert_eq!((handled("failed"), handled("fine"), handled("other")), (true, false, false));
}

#[test]
fn an_owned_span_moves_between_threads_and_keeps_the_trace_open() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("run");
    let mut span = run.handle().owned_span(run.root_span_id(), format!("job {}", 3), "task");
    run.end();
    assert_eq!(by_hand.traces().len(), 0, "the span is open");
    std::thread::spawn(move || {
        span.set("rows", 12);
        span.set_with("dear", || "computed");
        span.event("half way", &[]);
        span.link(other(), &[]);
        span.set_status(SpanStatus::Error);
        span.set_handled();
    })
    .join()
    .unwrap();
    let trace = by_hand.only_trace();
    let job = trace.find("job 3").unwrap();
    assert_eq!((job.kind.as_str(), job.parent_span_id), ("task", Some(trace.root_span_id)));
    assert_eq!((job.status, job.handled, job.links.len(), job.events.len()), (SpanStatus::Error, true, 1, 1));
    assert_eq!(job.attribute("rows"), Some(&Value::I64(12)));
    assert_eq!(job.attribute("dear"), Some(&Value::Str("computed".into())));
}

#[test]
fn an_owned_span_can_be_renamed_until_it_ends_and_keeps_what_was_set() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("run");
    for renamed in ["literal".into(), tta_telemetry::Name::from(format!("GET /orders/{}", 7))] {
        let mut span = run.handle().owned_span(run.root_span_id(), format!("job {}", 3), "task");
        span.set("rows", 12);
        span.set_name(renamed);
        span.set("table", "orders");
        span.end();
    }
    run.end();
    let trace = by_hand.only_trace();
    for name in ["literal", "GET /orders/7"] {
        let attributes = &trace.find(name).unwrap().attributes;
        let facts: Vec<_> = attributes.iter().map(|a| (a.key.to_string(), a.value.to_string())).collect();
        assert_eq!(facts, [("rows".into(), "12".into()), ("table".into(), "orders".to_owned())]);
    }
    assert_eq!(trace.spans.len(), 3);
}

#[test]
fn an_owned_span_that_is_stopped_and_started_again_is_two_spans_and_lets_go_of_the_trace_between() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("first");
    let mut span = run.handle().owned_span(run.root_span_id(), format!("job {}", 1), "task");
    span.set("rows", 12);
    span.set_status(SpanStatus::Error);
    run.end();
    span.stop();
    assert!(!span.is_recording());
    let first = by_hand.only_trace();
    span.stop();
    let run = by_hand.telemetry.start_trace("second");
    for name in ["job 2", "job 3"] {
        span.restart(&run.handle(), run.root_span_id(), name, "other");
        assert!(span.is_recording());
    }
    let root = run.root_span_id();
    run.end();
    assert_eq!(by_hand.traces().len(), 0, "the span is open");
    drop(span);
    let second = by_hand.only_trace();
    let job = first.find("job 1").unwrap();
    assert_eq!((job.kind.as_str(), job.status, job.attributes.len()), ("task", SpanStatus::Error, 1));
    for name in ["job 2", "job 3"] {
        let job = second.find(name).unwrap();
        assert_eq!((job.kind.as_str(), job.status, job.attributes.len()), ("other", SpanStatus::Ok, 0));
        assert_eq!(job.parent_span_id, root);
    }
    assert_eq!((first.spans.len(), second.spans.len()), (2, 3));
}

#[test]
fn an_owned_span_of_nothing_records_nothing_and_computes_nothing() {
    let mut span = tta_telemetry::TraceHandle::default().owned_span(None, "job", "task");
    span.set_name("other");
    span.restart(&tta_telemetry::TraceHandle::default(), None, "job", "task");
    span.stop();
    span.set_with("dear", || -> &str { unreachable!("nothing is recorded") });
    span.link(other(), &[]);
    assert_eq!((span.id(), span.is_recording()), (None, false));
}

/// A step that records many events once used up the places of what says how steps went.
#[test]
fn events_and_links_leave_room_for_annotations_and_marks() {
    let by_hand = ByHand::with(Sampling::KeepAll, Limits { spans_per_trace: 81, ..Limits::default() });
    let run = by_hand.telemetry.start_trace("run");
    let mut span = run.span("step", "lambda");
    span.set_status(SpanStatus::Error);
    let id = span.id().unwrap();
    (0..60).for_each(|_| span.event("tick", &[]));
    (0..60).for_each(|_| span.link(other(), &[]));
    span.end();
    let handle = run.handle();
    handle.mark_handled(id);
    (0..8).for_each(|number| handle.annotate(id, &[("retry.attempts", ValueRef::from(number))]));
    drop(handle);
    run.end();
    let trace = by_hand.only_trace();
    let step = trace.find("step").unwrap();
    // 80 places beside the spans, 10 of them kept.
    assert_eq!((step.events.len(), step.links.len(), trace.dropped.over_span_limit), (60, 10, 50));
    assert!(step.handled);
    assert_eq!(step.attribute("retry.attempts"), Some(&Value::I64(7)));
}

#[test]
fn a_failure_that_is_noted_makes_a_run_failed_whose_root_succeeded() {
    let by_hand = ByHand::new(Sampling::KeepFailed);
    let run = by_hand.telemetry.start_trace("run");
    run.handle().note_failure();
    run.end();
    assert!(by_hand.only_trace().failed());
    tta_telemetry::TraceHandle::default().note_failure();
}
