//! Memory: what gives way, what is refused, and what is counted.

use std::sync::Arc;
use tta_telemetry::store::{MemoryTraceStore, TraceQuery, TraceStore};

use tta_telemetry::{Clock, HealthComponent, HealthStatus, Name, Resource, Scope, Source, SpanRecord, Trace};

use super::support::{SECOND, attribute, found, id, put, received, small, span, text, trace};

const CAPACITY: usize = 256 * 1024;

fn store() -> MemoryTraceStore {
    MemoryTraceStore::builder("own").capacity_bytes(CAPACITY).build()
}

/// A trace of about so many bytes.
fn large(number: u128, bytes: usize) -> Trace {
    let mut root = span(number as u64, None, "large");
    root.attributes = vec![attribute("text", text(&"x".repeat(bytes)))];
    trace(number, vec![root])
}

#[test]
fn the_first_kept_give_way_and_are_counted_and_the_bound_holds() {
    let store = store();
    for number in 1..=2_000 {
        put(&store, small(number, &format!("name-{number}")));
        assert!(store.status().bytes <= CAPACITY as u64);
    }
    let status = store.status();
    assert!(status.traces > 100 && status.traces == status.spans, "{status:?}");
    assert_eq!(status.traces + status.evicted_traces, 2_000);
    assert_eq!(status.newest_unix_ns, Some(2_000 * SECOND));
    assert_eq!(status.oldest_unix_ns, Some((2_001 - status.traces) * SECOND));
    assert_eq!(status.capacity_bytes, Some(CAPACITY as u64));
    assert_eq!(found(&store, &TraceQuery::default())[0], 2_000);
    assert!(store.trace(id(1)).unwrap().is_none());
    // Names leave with their traces.
    assert_eq!(store.operations("own").unwrap().len() as u64, status.traces);
}

#[test]
fn who_recorded_the_spans_counts_as_memory_and_less_where_several_traces_share_it() {
    let fat = |number: u128| {
        let resource = Resource::new(Name::from(format!("service-{number}")));
        let resource = Resource { attributes: vec![attribute("text", text(&"x".repeat(8_192)))], ..resource };
        Arc::new(Source { resource: Arc::new(resource), scope: Scope::new("lib".into(), "1".into()) })
    };
    let received = |number: u128, source: &Arc<Source>| {
        let spans = vec![received(span(1, None, "op"), source), received(span(2, Some(1), "op"), source)];
        trace(number, spans)
    };
    let (own, shared) = (store(), store());
    let common = fat(0);
    for number in 1..=100 {
        put(&own, received(number, &fat(number)));
        put(&shared, received(number, &common));
    }
    let (own, shared) = (own.status().traces, shared.status().traces);
    assert!((16..=CAPACITY as u64 / 8_192).contains(&own), "{own}");
    assert!(shared > 2 * own, "{shared} against {own}");
}

#[test]
fn a_span_that_does_not_know_when_it_began_does_not_date_its_trace_back_to_1970() {
    let store = store();
    let unknown = SpanRecord { start_unix_ns: 0, duration_ns: 0, ..span(2, Some(1), "unknown") };
    put(&store, trace(1, vec![span(1, None, "root"), unknown]));
    let stored = store.trace(id(1)).unwrap().unwrap();
    assert_eq!((stored.start_unix_ns(), stored.duration_ns()), (SECOND, SECOND));
    assert_eq!(stored.root().map(|root| root.name.as_str()), Some("root"));
}

#[test]
fn one_trace_takes_at_most_half_of_the_room_and_what_is_refused_is_counted_and_degrades_health() {
    let (clock, hand) = Clock::manual();
    let store = MemoryTraceStore::builder("own").capacity_bytes(CAPACITY).clock(clock).build();
    hand.advance(std::time::Duration::from_secs(1));
    put(&store, small(1, "before"));
    let stored_at = store.health().last_success_unix_ns;
    assert!(stored_at.is_some());
    hand.advance(std::time::Duration::from_secs(1));
    put(&store, large(2, CAPACITY / 2));
    assert_eq!((store.status().traces, store.status().refused_traces), (1, 1));
    let health = store.health();
    assert_eq!((health.status, health.last_success_unix_ns), (HealthStatus::Degraded, stored_at));
    assert!(health.reason.unwrap().contains("too large"));
    // One that grows part by part is refused from there on.
    (0..20).for_each(|_| put(&store, large(3, CAPACITY / 8)));
    assert_eq!((store.trace(id(3)).unwrap().unwrap().parts.len(), store.status().refused_traces), (3, 18));
    assert!(store.trace(id(1)).unwrap().is_some());
    put(&store, small(4, "after"));
    assert_eq!(store.health().status, HealthStatus::Healthy);
    assert!(store.health().last_success_unix_ns > stored_at);
}

#[test]
fn a_trace_without_spans_is_refused() {
    let store = store();
    put(&store, Trace { spans: Vec::new(), ..small(1, "none") });
    assert_eq!((store.status().traces, store.status().refused_traces), (0, 1));
}

#[test]
fn values_and_names_that_are_told_are_bounded_and_it_is_said() {
    let store = MemoryTraceStore::new("own");
    for number in 1..=1_200_u128 {
        let mut root = span(number as u64, None, "run");
        root.attributes = vec![attribute("user", text(&format!("user-{number}")))];
        put(&store, trace(number, vec![root]));
    }
    let values = store.tag_values(Default::default(), "user").unwrap();
    assert_eq!((values.values.len(), values.is_cut), (1_000, true));
    put(&store, large(5_000, 2_000));
    let long = store.tag_values(Default::default(), "text").unwrap();
    assert_eq!((long.values.len(), long.is_cut), (0, true));
}
