//! What a query finds, compared with a look at every trace.

use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::store::{
    MemoryTraceStore, Operation, ServiceSpans, StoredTrace, TagFilter, TagScope, TraceQuery, TraceStore,
};
use tta_telemetry::{DecisionReason, Sink, SpanStatus, Trace, TraceClass, Value};

use super::support::{SECOND, attribute, found, id, put, received, small, source, span, text, trace};

fn query() -> TraceQuery {
    TraceQuery::default()
}

#[test]
fn a_span_that_was_sent_twice_is_there_once_also_with_values_that_are_not_numbers() {
    let store = MemoryTraceStore::new("own");
    let nan = |bits: u64| Value::F64(f64::from_bits(bits));
    let sent = |value: Value| {
        let mut twice = span(2, Some(1), "GET /cart");
        let within = Value::Map(vec![attribute("in", Value::Array(vec![value.clone()]))]);
        twice.attributes = vec![attribute("ratio", value), attribute("deep", within)];
        twice
    };
    let (one, other) = (sent(nan(f64::NAN.to_bits())), sent(nan(f64::NAN.to_bits() ^ 1)));
    for spans in [vec![span(1, None, "order"), one.clone()], vec![one.clone()], vec![other.clone()]] {
        put(&store, trace(7, spans));
    }
    let stored = store.trace(id(7)).unwrap().unwrap();
    assert_eq!((stored.parts.len(), stored.spans().len(), stored.summary().unwrap().spans), (3, 3, 3));
    assert_eq!(stored.spans()[1..], [&one, &other]);
}

#[test]
fn a_trace_is_found_by_each_thing_that_is_known_of_it_and_not_by_another() {
    let store = MemoryTraceStore::new("own");
    let shop = source("shop");
    let mut call = received(span(2, Some(1), "GET /cart"), &shop);
    call.attributes = vec![attribute("http.status_code", Value::I64(503)), attribute("retry", Value::Bool(true))];
    call.status = SpanStatus::Error;
    call.duration_ns = 3 * SECOND;
    let kept = trace(7, vec![span(1, None, "order"), call]);
    put(
        &store,
        Trace {
            class: TraceClass::Failed,
            decision: tta_telemetry::SamplingDecision { reason: DecisionReason::TailError, ..kept.decision },
            ..kept
        },
    );
    put(&store, small(9, "other"));
    let some = |text: &str| Some(text.to_owned());
    let tag = |key: &str, value: &str| vec![TagFilter::equals(key, value)];
    let resource = |key: &str| vec![TagFilter { scope: TagScope::Resource, ..TagFilter::exists(key) }];
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let pairs: Vec<(TraceQuery, TraceQuery)> = vec![
        (TraceQuery { service: some("shop"), ..query() }, TraceQuery { service: some("sho"), ..query() }),
        (TraceQuery { operation: some("GET /cart"), ..query() }, TraceQuery { operation: some("GET"), ..query() }),
        (TraceQuery { kind: some("server"), ..query() }, TraceQuery { kind: some("client"), ..query() }),
        (
            TraceQuery { status: Some(SpanStatus::Error), ..query() },
            TraceQuery { status: Some(SpanStatus::Cancelled), ..query() },
        ),
        (
            TraceQuery { tags: tag("http.status_code", "503"), ..query() },
            TraceQuery { tags: tag("http.status_code", "50"), ..query() },
        ),
        (TraceQuery { tags: tag("retry", "true"), ..query() }, TraceQuery { tags: tag("retry", "false"), ..query() }),
        (
            TraceQuery { tags: vec![TagFilter::exists("host.name")], ..query() },
            TraceQuery { tags: vec![TagFilter::exists("host")], ..query() },
        ),
        (TraceQuery { tags: resource("host.name"), ..query() }, TraceQuery { tags: resource("retry"), ..query() }),
        (TraceQuery { text: some("/CART"), ..query() }, TraceQuery { text: some("cat"), ..query() }),
        (
            TraceQuery { min_span_duration: seconds(3), ..query() },
            TraceQuery { min_span_duration: seconds(4), ..query() },
        ),
        (
            TraceQuery { class: Some(TraceClass::Failed), ..query() },
            TraceQuery { class: Some(TraceClass::Cancelled), ..query() },
        ),
        // From second 1 to second 5.
        (TraceQuery { min_duration: seconds(4), ..query() }, TraceQuery { min_duration: seconds(5), ..query() }),
        (
            TraceQuery { start_unix_ns: Some(SECOND), end_unix_ns: Some(SECOND + 1), ..query() },
            TraceQuery { start_unix_ns: Some(2 * SECOND), end_unix_ns: Some(9 * SECOND), ..query() },
        ),
        (
            TraceQuery { reason: Some(DecisionReason::TailError), ..query() },
            TraceQuery { reason: Some(DecisionReason::TailSlow), ..query() },
        ),
    ];
    for (hit, miss) in pairs {
        assert_eq!((found(&store, &hit), found(&store, &miss)), (vec![7], vec![]), "{hit:?}");
    }
    assert_eq!(found(&store, &TraceQuery { max_duration: seconds(1), ..query() }), [9]);
    assert_eq!(found(&store, &TraceQuery { max_span_duration: seconds(1), ..query() }), [9, 7]);
}

#[test]
fn what_is_said_of_spans_must_hold_of_one_span() {
    let store = MemoryTraceStore::new("own");
    let mut slow = span(2, Some(1), "slow");
    slow.attributes = vec![attribute("a", text("x"))];
    put(&store, trace(1, vec![span(1, None, "root"), slow]));
    let both = |operation: &str| TraceQuery {
        operation: Some(operation.to_owned()),
        tags: vec![TagFilter::equals("a", "x")],
        ..query()
    };
    assert_eq!((found(&store, &both("slow")), found(&store, &both("root"))), (vec![1], vec![]));
}

#[test]
fn our_own_spans_are_internal_and_have_their_service_for_a_resource() {
    let store = MemoryTraceStore::new("own");
    put(&store, small(1, "run"));
    put(&store, trace(2, vec![received(span(2, None, "call"), &source("shop"))]));
    let of_kind = |kind: &str| found(&store, &TraceQuery { kind: Some(kind.into()), ..query() });
    assert_eq!([of_kind("internal"), of_kind("lambda"), of_kind("server")], [vec![1], vec![1], vec![2]]);
    let of = |scope, value: &str| {
        let tag = TagFilter { scope, ..TagFilter::equals("service.name", value) };
        found(&store, &TraceQuery { tags: vec![tag], ..query() })
    };
    assert_eq!([of(TagScope::Any, "own"), of(TagScope::Resource, "shop")], [vec![1], vec![2]]);
    assert_eq!([of(TagScope::Span, "own"), of(TagScope::Any, "other")], [Vec::<u128>::new(), Vec::new()]);
}

#[test]
fn lists_are_found_by_their_elements_and_of_a_key_the_last_value_counts() {
    let store = MemoryTraceStore::new("own");
    let mut root = span(1, None, "root");
    root.attributes = vec![
        attribute("list", Value::List(vec!["a".into(), "b".into()])),
        attribute("mixed", Value::Array(vec![Value::I64(1), text("one")])),
        attribute("set", text("old")),
        attribute("set", text("new")),
        attribute("big", Value::I64(i64::MAX)),
        attribute("ratio", Value::F64(0.5)),
        attribute("raw", Value::Bytes(vec![0xab, 1])),
    ];
    put(&store, trace(1, vec![root]));
    let has = |key: &str, value: &str| {
        !found(&store, &TraceQuery { tags: vec![TagFilter::equals(key, value)], ..query() }).is_empty()
    };
    assert!(has("list", "a") && has("list", "b") && !has("list", "a <- b"));
    assert!(has("mixed", "1") && has("mixed", "one") && has("set", "new") && !has("set", "old"));
    assert!(has("big", "9223372036854775807") && has("ratio", "0.5") && has("raw", "ab01"));
}

#[test]
fn parts_of_one_trace_are_one_trace_wherever_they_come_from() {
    let store = MemoryTraceStore::new("own");
    let shop = source("shop");
    let late = received(span(3, Some(2), "late"), &shop);
    put(&store, Trace { late: true, ..trace(1, vec![late.clone()]) });
    put(&store, trace(2, vec![span(20, None, "between")]));
    let mut failed = received(span(2, Some(1), "call"), &shop);
    failed.status = SpanStatus::Error;
    let decision =
        tta_telemetry::SamplingDecision { reason: DecisionReason::Forced, ..trace(1, vec![late.clone()]).decision };
    let part = trace(1, vec![failed, span(1, None, "root"), late]);
    put(&store, Trace { class: TraceClass::Failed, adjusted_count: Some(1.0), decision, ..part });
    let stored = store.trace(id(1)).unwrap().unwrap();
    let names: Vec<&str> = stored.spans().iter().map(|span| span.name.as_str()).collect();
    assert_eq!((names, stored.parts.len()), (vec!["root", "call", "late"], 2));
    let summary =
        store.search(&TraceQuery { reason: Some(DecisionReason::Forced), ..query() }).unwrap().traces.remove(0);
    assert_eq!((summary.root_service.as_str(), summary.root_name.as_str(), summary.spans), ("own", "root", 3));
    assert_eq!((summary.start_unix_ns, summary.duration_ns, summary.errors), (SECOND, 3 * SECOND, 1));
    assert_eq!((summary.class, summary.adjusted_count), (TraceClass::Failed, Some(1.0)));
    let of = |service: &str, spans, errors| ServiceSpans { service: service.to_owned().into(), spans, errors };
    assert_eq!(summary.services, [of("own", 1, 0), of("shop", 2, 1)]);
    // It keeps its place, and is found by what came later.
    assert_eq!(found(&store, &query()), [2, 1]);
    assert_eq!(found(&store, &TraceQuery { operation: Some("call".into()), ..query() }), [1]);
    assert!(store.trace(id(3)).unwrap().is_none());
}

#[test]
fn services_operations_and_tags_are_told_in_order_as_long_as_they_are_stored() {
    let store = MemoryTraceStore::builder("own").capacity_bytes(64 * 1024).build();
    let mut root = span(1, None, "root");
    root.attributes =
        vec![attribute("z", Value::I64(2)), attribute("a", Value::I64(10)), attribute("a", Value::I64(9))];
    put(&store, trace(1, vec![root, received(span(2, Some(1), "call"), &source("shop"))]));
    let services = || store.services().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(services(), ["own", "shop"]);
    assert_eq!(store.operations("shop").unwrap(), [Operation { name: "call".into(), kind: "server".into() }]);
    assert_eq!(store.operations("nobody").unwrap(), []);
    let names = store.tag_names().unwrap();
    assert_eq!(
        (names.span, names.resource, names.is_cut),
        (vec!["a".into(), "z".into()], vec!["host.name".into(), "service.name".into()], false)
    );
    assert_eq!(store.tag_values(TagScope::Span, "a").unwrap().values, ["10", "9"]);
    assert_eq!(store.tag_values(TagScope::Any, "host.name").unwrap().values, ["box-1"]);
    assert!(store.tag_values(TagScope::Span, "host.name").unwrap().values.is_empty());
    // Others push them out.
    (10..400).for_each(|number| put(&store, small(number, "later")));
    assert_eq!((services(), store.operations("own").unwrap().len()), (vec!["own".into()], 1));
    assert_eq!(store.operations("own").unwrap()[0].name, "later");
}

/// Twenty thousand traces, by index and by a look at each: the same are found.
#[test]
fn of_many_traces_the_same_are_found_as_by_a_look_at_each() {
    let traces: Vec<Arc<Trace>> = (1..=20_000_u128)
        .map(|number| {
            let mut root = span(number as u64, None, &format!("operation-{}", number % 97));
            root.attributes = vec![attribute("user", text(&format!("user-{}", number % 1_009)))];
            root.duration_ns = number as u64 * 1_000;
            Arc::new(trace(number, vec![root]))
        })
        .collect();
    let mut store = MemoryTraceStore::new("own");
    store.export(&traces).unwrap();
    assert_eq!(store.status().evicted_traces, 0);
    let queries = [
        TraceQuery { tags: vec![TagFilter::equals("user", "user-17")], limit: 1_000, ..query() },
        TraceQuery { operation: Some("operation-3".into()), limit: 1_000, ..query() },
        TraceQuery { min_duration: Some(Duration::from_nanos(19_500_000)), limit: 1_000, ..query() },
        TraceQuery { tags: vec![TagFilter::equals("user", "nobody")], limit: 1_000, ..query() },
    ];
    for query in queries {
        let of = |part: &Arc<Trace>| StoredTrace {
            trace_id: part.trace_id,
            own_service: "own".into(),
            parts: vec![Arc::clone(part)],
        };
        let expected: Vec<u128> = traces
            .iter()
            .rev()
            .map(of)
            .filter(|trace| query.matches(trace))
            .map(|trace| trace.trace_id.get())
            .collect();
        assert_eq!(found(&store, &query), expected);
    }
}
