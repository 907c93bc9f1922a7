//! Whole trees of text, compared with what they should be.

use super::*;
use crate::id::TraceId;
use crate::model::{DecisionReason, SamplingDecision, SpanEvent, TraceClass, TraceCounts};

const START_NS: u64 = 1_767_225_600_000_000_000;

/// A span of 1 ms, later than those with smaller ids.
fn span(id: u64, parent: u64, name: &'static str, kind: &'static str) -> SpanRecord {
    SpanRecord {
        parent_span_id: SpanId::new(parent),
        start_unix_ns: START_NS + id * 1_000_000,
        duration_ns: 1_000_000,
        ..SpanRecord::new(SpanId::new(id).unwrap(), name.into(), kind.into())
    }
}

fn attribute(key: &'static str, value: Value) -> Attribute {
    Attribute { key: key.into(), value }
}

fn text(value: &'static str) -> Value {
    Value::Str(value.into())
}

fn failed(mut span: SpanRecord, error_type: &'static str, message: &'static str) -> SpanRecord {
    span.status = SpanStatus::Error;
    span.attributes = vec![attribute("error.type", text(error_type)), attribute("error.message", text(message))];
    span
}

fn trace(spans: Vec<SpanRecord>) -> Trace {
    Trace {
        trace_id: TraceId::new(1).unwrap(),
        root_span_id: SpanId::new(1).unwrap(),
        spans,
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "keep_all" },
        adjusted_count: Some(1.0),
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}

fn bare(spans: Vec<SpanRecord>) -> String {
    TraceTree::new(&trace(spans)).timing(false).attributes(true).to_string()
}

#[test]
fn nesting_order_kinds_and_every_way_to_end_are_drawn() {
    let mut timeout = failed(span(5, 4, "attempt", "attempt"), "timeout", "took longer than 2 ms");
    timeout.handled = true;
    let mut cancelled = span(7, 1, "audit", "lambda");
    cancelled.status = SpanStatus::Cancelled;
    let spans = vec![
        span(1, 0, "triage", "workflow"),
        span(2, 1, "validate", "lambda"),
        span(3, 1, "fetch", "retry"),
        span(4, 3, "cache", "cache"),
        timeout,
        span(6, 4, "attempt", "attempt"),
        cancelled,
        failed(span(8, 1, "store", "lambda"), "io", "disk full"),
    ];
    insta::assert_snapshot!(bare(spans), @r"
    triage
    ├─ validate
    ├─ fetch (retry)
    │  ╰─ cache
    │     ├─ attempt ✗ handled
    │     │     timeout: took longer than 2 ms
    │     ╰─ attempt
    ├─ audit ⊘ cancelled
    ╰─ store ✗
          io: disk full
    ");
}

#[test]
fn the_timeline_shows_where_in_the_run_each_span_lies() {
    let mut root = span(1, 0, "triage", "workflow");
    (root.start_unix_ns, root.duration_ns) = (START_NS, 3_000_000);
    let mut first = span(2, 1, "validate", "lambda");
    (first.start_unix_ns, first.duration_ns) = (START_NS, 1_000_000);
    let mut second = failed(span(3, 1, "fetch", "lambda"), "timeout", "step took longer than 2 ms");
    (second.start_unix_ns, second.duration_ns) = (START_NS + 1_000_000, 2_000_000);
    let mut instant = span(4, 3, "lookup", "lambda");
    (instant.start_unix_ns, instant.duration_ns) = (START_NS + 2_999_000, 250);
    let trace = trace(vec![root, first, second, instant]);
    insta::assert_snapshot!(TraceTree::new(&trace), @r"
    triage                                              3.00 ms ████████████████████
    ├─ validate                                         1.00 ms ██████▋
    ╰─ fetch ✗                                          2.00 ms       ██████████████
       │  timeout: step took longer than 2 ms
       ╰─ lookup                                         250 ns                    ▏
    ");
}

#[test]
fn attributes_and_events_stand_below_their_span_and_the_rule_goes_on_to_its_children() {
    let mut root = span(1, 0, "import", "workflow");
    root.attributes = vec![
        attribute("rows", Value::I64(3)),
        attribute("dry", Value::Bool(true)),
        attribute("steps", Value::List(vec!["a".into(), "b".into()])),
    ];
    root.events = vec![SpanEvent {
        attributes: vec![attribute("at", Value::F64(0.5)), attribute("file", text("x.csv"))],
        ..SpanEvent::new("checkpoint".into(), START_NS)
    }];
    let mut child = span(2, 1, "parse", "lambda");
    child.attributes = vec![attribute("line\nbreak", text("two\nlines"))];
    insta::assert_snapshot!(bare(vec![root, child]), @r"
    import
    │  rows = 3
    │  dry = true
    │  steps = a <- b
    │  • checkpoint at=0.5 file=x.csv
    ╰─ parse
          line break = two lines
    ");
}

#[test]
fn an_error_is_told_once_with_its_causes_and_its_other_attributes() {
    let mut root = failed(span(1, 0, "import", "workflow"), "io", "cannot read");
    root.attributes.push(attribute("error.chain", Value::List(vec!["permission denied".into(), "EPERM".into()])));
    root.attributes.push(attribute("error.retryable", Value::Bool(false)));
    insta::assert_snapshot!(bare(vec![root]), @r"
    import ✗
       io: cannot read
       caused by: permission denied
       caused by: EPERM
       error.retryable = false
    ");
}

/// An error without a type or message was once shown as a line with nothing but a colon, and
/// attributes that begin with `error.` were hidden even where no error was shown.
#[test]
fn nothing_is_said_of_an_error_that_says_nothing_and_nothing_is_hidden() {
    let mut root = span(1, 0, "import", "workflow");
    root.status = SpanStatus::Error;
    let mut only_type = span(2, 1, "parse", "lambda");
    only_type.status = SpanStatus::Error;
    only_type.attributes = vec![attribute("error.type", text("io")), attribute("error.chain", text("one cause"))];
    let mut cancelled = span(3, 1, "store", "lambda");
    cancelled.status = SpanStatus::Cancelled;
    cancelled.attributes = vec![attribute("error.type", text("cancelled"))];
    insta::assert_snapshot!(bare(vec![root, only_type, cancelled]), @r"
    import ✗
    ├─ parse ✗
    │     io
    │     error.chain = one cause
    ╰─ store ⊘ cancelled
          error.type = cancelled
    ");
}

#[test]
fn spans_whose_parent_is_elsewhere_or_in_a_circle_are_shown_too() {
    let spans = vec![
        span(1, 99, "root of this part", "workflow"),
        span(2, 98, "orphan", "lambda"),
        span(3, 2, "child of orphan", "lambda"),
        span(4, 5, "circle a", "lambda"),
        span(5, 4, "circle b", "lambda"),
        span(6, 6, "its own parent", "lambda"),
    ];
    insta::assert_snapshot!(bare(spans), @r"
    root of this part
    orphan
    ╰─ child of orphan
    circle a
    ╰─ circle b
    its own parent
    ");
}

#[test]
fn what_was_lost_is_said_at_the_end() {
    let mut trace = trace(vec![span(1, 0, "import", "workflow")]);
    trace.dropped = TraceCounts { over_span_limit: 2, over_byte_limit: 1 };
    trace.incomplete = true;
    trace.decision.reason = DecisionReason::Evicted;
    insta::assert_snapshot!(TraceTree::new(&trace).timing(false), @r"
    import
    (2 records dropped: over the span limit)
    (1 records dropped: out of memory for traces)
    (decided before its end: evicted)
    ");
}

#[test]
fn no_line_is_wider_than_eighty_columns() {
    const LONG: &str =
        "äöü ist ein Name, der in keine Zeile von achtzig Spalten passt, wie breit sie auch gesetzt wäre";
    let mut root = failed(span(1, 0, LONG, "sequential"), LONG, LONG);
    root.attributes.push(attribute("text", text(LONG)));
    root.events = vec![SpanEvent { attributes: vec![], ..SpanEvent::new(LONG.into(), START_NS) }];
    let trace = trace(vec![root, span(2, 1, LONG, "lambda")]);
    for tree in [TraceTree::new(&trace).attributes(true), TraceTree::new(&trace).attributes(true).timing(false)] {
        let widths: Vec<usize> = tree.to_string().lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 7);
        assert!(widths.iter().all(|width| *width <= WIDTH), "{widths:?}");
        assert!(tree.to_string().contains('…'));
    }
}

/// The indentation once grew with every level, so that names were cut off and the text of a chain
/// of spans grew with the square of its length: 15 GB at the largest `spans_per_trace`.
#[test]
fn deep_nesting_keeps_names_readable_and_the_text_small() {
    let chain = |depth: u64| (1..=depth).map(|id| span(id, id - 1, "step", "lambda")).collect::<Vec<_>>();
    let lines = bare(chain(14));
    let last: Vec<&str> = lines.lines().skip(9).collect();
    insta::assert_snapshot!(last.join("\n"), @r"
                            ╰─ step
                               ╰─ step
                                  ⋮11 step
                                  ⋮12 step
                                  ⋮13 step
    ");
    let deep = bare(chain(10_000));
    assert_eq!(deep.lines().count(), 10_000);
    assert!(deep.len() < 10_000 * 60, "{}", deep.len());
    assert!(deep.ends_with("⋮9999 step\n"));
}
