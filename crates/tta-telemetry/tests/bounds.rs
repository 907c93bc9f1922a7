//! What one trace may hold: spans, attributes, events, bytes of text. Beyond that it is cut,
//! counted, and marked.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::collections::HashSet;
use std::sync::LazyLock;
use std::thread;

use common::{ByHand, roomy};
use tta_telemetry::{ActiveTrace, Limits, Name, Sampling, Span, Value, ValueRef};

/// Keys are literals, so they are made once.
fn keys(count: usize) -> Vec<&'static str> {
    static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| (0..100).map(|i| format!("key {i}")).collect());
    KEYS[..count].iter().map(String::as_str).collect()
}

fn record_children(run: &ActiveTrace, count: usize) {
    for _ in 0..count {
        run.span("child", "lambda").end();
    }
}

fn assert_cut_at_ten_thousand(by_hand: &ByHand) {
    let trace = by_hand.only_trace();
    assert_eq!(trace.spans.len(), 10_000);
    assert_eq!(trace.root().unwrap().name, "run");
    let ids: HashSet<_> = trace.spans.iter().map(|span| span.span_id).collect();
    assert_eq!(ids.len(), 10_000);
    assert_eq!((trace.dropped.over_span_limit, trace.dropped.over_byte_limit), (1, 0));
    assert_eq!(by_hand.telemetry.counters().spans_over_limit, 1);
}

#[test]
fn of_ten_thousand_and_one_spans_ten_thousand_are_kept_and_the_root_among_them() {
    let by_hand = ByHand::with(Sampling::KeepAll, roomy());
    let run = by_hand.telemetry.start_trace("run");
    record_children(&run, 10_000);
    run.end();
    assert_cut_at_ten_thousand(&by_hand);
}

#[test]
fn the_span_limit_is_exact_for_four_threads_at_once() {
    let by_hand = ByHand::with(Sampling::KeepAll, roomy());
    let run = by_hand.telemetry.start_trace("run");
    let start = std::sync::Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                record_children(&run, 2_500);
            });
        }
    });
    run.end();
    assert_cut_at_ten_thousand(&by_hand);
}

#[test]
fn a_trace_that_was_cut_leaves_the_next_one_in_its_memory_whole() {
    let limits = Limits { spans_per_trace: 3, ..roomy() };
    let by_hand = ByHand::with(Sampling::KeepAll, limits);
    for children in [9, 2] {
        let run = by_hand.telemetry.start_trace("run");
        record_children(&run, children);
        run.end();
        let trace = by_hand.only_trace();
        assert_eq!((trace.spans.len(), trace.dropped.over_span_limit as usize), (3, children - 2));
    }
}

#[test]
fn a_megabyte_of_text_is_cut_at_the_last_whole_character_of_four_kibibytes() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    // Two bytes each after one of one byte: 4,096 falls in the middle of a character.
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("x{}", "ß".repeat(512 * 1024)));
    let text: &'static str = &TEXT;
    let mut run = by_hand.telemetry.start_trace("run");
    run.set("text", text);
    run.set("list", ValueRef::List(&[text, "not reached"]));
    run.set("literal", ValueRef::literal(text));
    run.end();
    let trace = by_hand.only_trace();
    let root = trace.root().unwrap();
    let cut = &text[..4_095];
    assert_eq!(root.attribute("text"), Some(&Value::Str(cut.to_owned().into())));
    assert_eq!(root.attribute("literal"), Some(&Value::Str(cut.to_owned().into())));
    assert_eq!(root.attribute("list"), Some(&Value::List(vec![cut.to_owned()])));
    assert_eq!(root.truncated_attributes, 3);
    assert_eq!(by_hand.telemetry.counters().attributes_truncated, 3);
}

#[test]
fn attributes_beyond_sixty_four_are_dropped_and_counted() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let keys = keys(70);
    let run = by_hand.telemetry.start_trace("run");
    let mut span = run.span("span", "lambda");
    keys.iter().for_each(|key| span.set(key, 1));
    let pairs: Vec<_> = keys.iter().map(|key| (*key, ValueRef::I64(1))).collect();
    span.event("event", &pairs);
    span.end();
    run.end();
    let trace = by_hand.only_trace();
    let span = trace.find("span").unwrap();
    let kept: Vec<&str> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(kept, keys[..64]);
    assert_eq!(span.dropped_attributes, 6);
    assert_eq!(span.events[0].attributes.len(), 64);
    assert_eq!(by_hand.telemetry.counters().attributes_dropped, 12);
}

#[test]
fn events_beyond_a_hundred_and_twenty_eight_are_dropped_and_counted() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("run");
    let span = run.span("span", "lambda");
    for i in 0..130 {
        by_hand.advance_ms(1);
        span.event("event", &[("i", ValueRef::I64(i))]);
    }
    span.end();
    run.end();
    let trace = by_hand.only_trace();
    let span = trace.find("span").unwrap();
    let kept: Vec<_> = span.events.iter().map(|event| event.attributes[0].value.clone()).collect();
    assert_eq!(kept, (0..128).map(Value::I64).collect::<Vec<_>>());
    assert_eq!(span.dropped_events, 2);
    assert_eq!(by_hand.telemetry.counters().events_dropped, 2);
}

/// A name longer than a record's length can say (512 KiB) once made the reader take the text of
/// the name for the next record.
#[test]
fn a_name_of_a_megabyte_is_cut_and_what_follows_it_is_read_whole() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let huge: Name = format!("x{}", "ß".repeat(512 * 1024)).into();
    let cut = &huge[..4_095];
    let run = by_hand.telemetry.start_trace(huge.clone());
    let mut span = run.span(&huge, "lambda");
    span.set("after", "the name");
    span.event(&huge, &[("after", ValueRef::I64(1))]);
    span.end();
    run.span("next", "lambda").end();
    run.end();
    let trace = by_hand.only_trace();
    assert_eq!(trace.root().unwrap().name, cut);
    let span = trace.find(cut).and_then(|root| trace.children(root.span_id).next()).unwrap();
    assert_eq!(span.name, cut);
    assert_eq!(span.attribute("after"), Some(&Value::Str("the name".into())));
    assert_eq!((span.events[0].name.as_str(), &span.events[0].attributes[0].value), (cut, &Value::I64(1)));
    assert!(trace.find("next").is_some());
    assert_eq!(by_hand.telemetry.counters().attributes_truncated, 3);
}

#[test]
fn the_largest_attributes_that_limits_allow_fit_into_one_record() {
    let limits = Limits { attribute_bytes: 131_072, attributes_per_span: 1_024, ..roomy() };
    let by_hand = ByHand::with(Sampling::KeepAll, limits);
    // What is longer than it looks at, redaction masks.
    by_hand.telemetry.set_redaction(&tta_telemetry::Redaction::builder().enabled(false).build().unwrap());
    let text = "x".repeat(131_072);
    let run = by_hand.telemetry.start_trace("run");
    let fill = |span: &mut Span<'_>| ["a", "b", "c", "d", "e"].iter().for_each(|key| span.set(key, &text));
    let mut span = run.span("large", "lambda");
    fill(&mut span);
    span.end();
    run.span("next", "lambda").end();
    run.end();
    let trace = by_hand.only_trace();
    let span = trace.find("large").unwrap();
    assert!(span.attributes.iter().all(|attribute| attribute.value.as_str() == Some(&text)));
    // A record has 16 bits for its length in words; two of these values fit into it.
    assert_eq!((span.attributes.len(), span.dropped_attributes), (2, 3));
    assert_eq!(trace.spans.len(), 3);
}

/// Annotations once went past `attributes_per_span`.
#[test]
fn a_flood_of_annotations_is_bounded_in_number_and_in_attributes() {
    let by_hand = ByHand::with(Sampling::KeepAll, roomy());
    let keys = keys(100);
    let run = by_hand.telemetry.start_trace("run");
    let handle = run.handle();
    let mut span = run.span("span", "lambda");
    span.set("own", 1);
    for i in 0..10_100_usize {
        handle.annotate(span.id().unwrap(), &[(keys[i % 100], ValueRef::from(i))]);
    }
    span.end();
    drop(handle);
    run.end();
    let trace = by_hand.only_trace();
    let span = trace.find("span").unwrap();
    assert_eq!(span.attributes.len(), 64);
    assert_eq!(span.attribute("own"), Some(&Value::I64(1)));
    assert_eq!(span.attribute(keys[0]), Some(&Value::I64(9_900)));
    assert_eq!(span.dropped_attributes, 37);
    // One place fewer than `spans_per_trace`, as for spans, where it is the root's.
    assert_eq!(trace.dropped.over_span_limit, 10_100 - 9_999);
    assert_eq!(by_hand.telemetry.counters().spans_over_limit, 10_100 - 9_999);
    assert_eq!(trace.spans.len(), 2);
}
