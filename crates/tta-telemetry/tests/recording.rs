//! What is recorded comes out whole: structure, times, attributes, events, statuses, ids.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{ByHand, tree};
use tta_telemetry::{
    ActiveTrace, Attribute, Name, Sampling, Span, SpanEvent, SpanId, SpanRecord, SpanStatus, Telemetry, Trace,
    TraceClass, TraceCounts, TraceId, Value, ValueRef,
};

/// Manual clocks start at 2026-01-01T00:00:00Z.
const START_NS: u64 = 1_767_225_600_000_000_000;
const MS: u64 = 1_000_000;

fn attribute(key: &'static str, value: Value) -> Attribute {
    Attribute { key: key.into(), value }
}

/// A run that uses everything a caller can do.
fn import(by_hand: &ByHand) {
    let mut run = by_hand.telemetry.start_trace("import");
    run.set("tenant", "acme");
    let handle = run.handle();
    by_hand.advance_ms(1);
    let mut fetch = run.span("fetch", "retry");
    fetch.set("attempts", 2);
    handle.annotate(fetch.id().unwrap(), &[("cost_usd", ValueRef::F64(0.25))]);
    let mut attempt = run.child_of(fetch.id(), "attempt", "attempt");
    attempt.set("error.type", "timeout");
    attempt.set("error.message", "took longer than 1 ms");
    attempt.set_status(SpanStatus::Error);
    attempt.set_handled();
    by_hand.advance_ms(1);
    attempt.end();
    fetch.event("backoff", &[("delay_ms", ValueRef::I64(5))]);
    handle.span(fetch.id(), "attempt", "attempt").end();
    fetch.end();
    let mut audit = run.span("audit", "lambda");
    audit.set_status(SpanStatus::Cancelled);
    audit.end();
    let mut store = handle.span(run.root_span_id(), "store", "lambda");
    store.set("error.type", "io");
    store.set("error.message", "disk full");
    store.set_status(SpanStatus::Error);
    store.end();
    handle.annotate(run.root_span_id().unwrap(), &[("rows", ValueRef::I64(3))]);
    handle.event(run.root_span_id().unwrap(), "checkpoint", &[]);
    run.set_status(SpanStatus::Error);
    drop(handle);
    run.end();
}

#[test]
fn a_run_with_everything_in_it_comes_out_as_the_tree_that_was_recorded() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    import(&by_hand);
    insta::assert_snapshot!(tree(&by_hand.only_trace()), @r"
    import ✗
    │  tenant = acme
    │  rows = 3
    │  • checkpoint
    ├─ fetch (retry)
    │  │  attempts = 2
    │  │  cost_usd = 0.25
    │  │  • backoff delay_ms=5
    │  ├─ attempt ✗ handled
    │  │     timeout: took longer than 1 ms
    │  ╰─ attempt
    ├─ audit ⊘ cancelled
    ╰─ store ✗
          io: disk full
    ");
}

#[test]
fn every_field_of_a_trace_is_what_was_recorded() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    by_hand.advance_ms(7);
    let run = by_hand.telemetry.start_trace("import");
    let trace_id = run.handle().trace_id().unwrap();
    let root_span_id = run.root_span_id().unwrap();
    by_hand.advance_ms(1);
    let mut span = run.span("parse", "lambda");
    let span_id = span.id().unwrap();
    span.set("rows", 3);
    by_hand.advance_ms(2);
    span.event("half", &[("at", ValueRef::Bool(true))]);
    by_hand.advance_ms(3);
    span.set_status(SpanStatus::Cancelled);
    span.end();
    run.end();
    let record = |span_id, parent_span_id, name: &'static str, kind: &'static str, start_ms, ms, status| SpanRecord {
        parent_span_id,
        start_unix_ns: START_NS + start_ms * MS,
        duration_ns: ms * MS,
        status,
        ..SpanRecord::new(span_id, name.into(), kind.into())
    };
    let parse = SpanRecord {
        attributes: vec![attribute("rows", Value::I64(3))],
        events: vec![SpanEvent {
            attributes: vec![attribute("at", Value::Bool(true))],
            ..SpanEvent::new("half".into(), START_NS + 10 * MS)
        }],
        ..record(span_id, Some(root_span_id), "parse", "lambda", 8, 5, SpanStatus::Cancelled)
    };
    let trace = by_hand.only_trace();
    let want = Trace {
        trace_id,
        root_span_id,
        spans: vec![record(root_span_id, None, "import", "workflow", 7, 6, SpanStatus::Ok), parse],
        decision: trace.decision,
        adjusted_count: Some(1.0),
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    };
    assert_eq!(*trace, want);
}

#[test]
fn every_kind_of_value_comes_back_and_the_last_one_of_a_key_wins() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let owned = "owned and longer than one word".to_owned();
    let run = by_hand.telemetry.start_trace("values");
    let mut span = run.span("span", "lambda");
    span.set("flag", false);
    span.set("small", -7_i8);
    span.set("huge", u64::MAX);
    span.set("ratio", 0.5_f32);
    span.set("literal", ValueRef::literal("literal"));
    span.set("text", &owned);
    span.set("empty", "");
    span.set("list", ValueRef::List(&["a", "", "ß"]));
    span.set("name", &Name::from("shared".to_owned()));
    span.set("twice", 1);
    span.set("twice", "second");
    span.set("annotated", "by the span");
    run.handle().annotate(span.id().unwrap(), &[("annotated", ValueRef::Str("by the handle"))]);
    span.end();
    run.end();
    let trace = by_hand.only_trace();
    let span = trace.find("span").unwrap();
    let want = [
        ("flag", Value::Bool(false)),
        ("small", Value::I64(-7)),
        ("huge", Value::I64(i64::MAX)),
        ("ratio", Value::F64(0.5)),
        ("literal", Value::Str("literal".into())),
        ("text", Value::Str("owned and longer than one word".into())),
        ("empty", Value::Str("".into())),
        ("list", Value::List(vec!["a".into(), String::new(), "ß".into()])),
        ("name", Value::Str("shared".into())),
        ("twice", Value::Str("second".into())),
        ("annotated", Value::Str("by the handle".into())),
    ];
    assert_eq!(span.attributes, want.map(|(key, value)| attribute(key, value)));
    assert!(matches!(span.attribute("literal"), Some(Value::Str(Cow::Borrowed(_)))), "a literal is not copied");
}

#[test]
fn names_that_are_not_literals_and_kinds_come_back_too() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let shared: Name = Arc::<str>::from("step number one").into();
    let run = by_hand.telemetry.start_trace_in(format!("run {}", 7), "saga", None);
    let mut span = run.span(&shared, "circuit_breaker");
    span.set("after the name", 1);
    span.event(&shared, &[]);
    span.end();
    run.end();
    insta::assert_snapshot!(tree(&by_hand.only_trace()), @r"
    run 7 (saga)
    ╰─ step number one (circuit_breaker)
          after the name = 1
          • step number one
    ");
}

#[test]
fn a_span_can_end_on_another_thread_than_it_began_on() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("moved");
    thread::scope(|scope| {
        for name in ["left", "right"] {
            let mut span = run.span(name, "lambda");
            span.set("began", 1);
            scope.spawn(move || {
                span.set("ended", 2);
                span.end();
            });
        }
    });
    let moved: thread::JoinHandle<ActiveTrace> = thread::spawn(move || run);
    moved.join().unwrap().end();
    let trace = by_hand.only_trace();
    let spans = ["left", "right"].map(|name| &trace.find(name).unwrap().attributes);
    let want = [attribute("began", Value::I64(1)), attribute("ended", Value::I64(2))];
    assert_eq!(spans, [&want, &want]);
    assert_eq!(trace.spans.len(), 3);
}

#[test]
fn neighbouring_spans_can_share_a_reading_of_the_clock() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("run");
    let handle = run.handle();
    let start = by_hand.telemetry.clock().ticks();
    let middle = start + 4 * MS;
    let end = start + 9 * MS;
    let first = handle.span_at(None, "first", "lambda", start);
    assert_eq!(first.start_ticks(), Some(start));
    first.end_at(middle);
    handle.span_at(None, "second", "lambda", middle).end_at(end);
    drop(handle);
    run.end_at(end);
    let trace = by_hand.only_trace();
    let times: Vec<_> = trace.spans.iter().map(|span| (span.start_unix_ns - START_NS, span.duration_ns)).collect();
    assert_eq!(times, [(0, 9 * MS), (0, 4 * MS), (4 * MS, 5 * MS)]);
    assert_eq!(trace.duration_ns(), 9 * MS);
}

#[test]
fn a_trace_begun_elsewhere_goes_on_under_its_id_and_parent() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let trace_id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
    let parent: SpanId = "00f067aa0ba902b7".parse().unwrap();
    let run = by_hand.telemetry.start_trace_in("serve", "workflow", Some((trace_id, parent)));
    run.span("step", "lambda").end();
    run.end();
    let trace = by_hand.only_trace();
    assert_eq!(trace.trace_id, trace_id);
    assert_eq!(trace.root().unwrap().parent_span_id, Some(parent));
    assert_eq!(trace.find("step").unwrap().parent_span_id, Some(trace.root_span_id));
    assert_ne!(trace.root_span_id, parent);
}

#[test]
fn a_seed_and_a_clock_that_is_moved_by_hand_give_the_same_trace_every_time() {
    let record = || {
        let by_hand = ByHand::new(Sampling::KeepAll);
        import(&by_hand);
        import(&by_hand);
        by_hand.traces()
    };
    let (first, second) = (record(), record());
    assert_eq!(first, second);
    assert_eq!(first.len(), 2);
    assert_ne!(first[0].trace_id, first[1].trace_id);
}

#[test]
fn what_an_attribute_costs_to_compute_is_spent_only_when_it_is_recorded() {
    let computed = Cell::new(0);
    let compute = || {
        computed.set(computed.get() + 1);
        7
    };
    let off = Telemetry::disabled();
    let run = off.start_trace("off");
    run.span("span", "lambda").set_with("dear", compute);
    run.handle().span(None, "span", "lambda").set_with("dear", compute);
    Span::off().set_with("dear", compute);
    assert_eq!(computed.get(), 0);
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("on");
    run.span("span", "lambda").set_with("dear", compute);
    run.end();
    assert_eq!(computed.get(), 1);
    assert_eq!(by_hand.only_trace().find("span").unwrap().attribute("dear"), Some(&Value::I64(7)));
}

#[test]
fn dropping_a_span_or_a_run_ends_it() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    {
        let run = by_hand.telemetry.start_trace("run");
        let _span = run.span("span", "lambda");
        by_hand.clock.advance(Duration::from_nanos(9));
    }
    let trace = by_hand.only_trace();
    assert_eq!(trace.spans.iter().map(|span| span.duration_ns).collect::<Vec<_>>(), [9, 9]);
}
