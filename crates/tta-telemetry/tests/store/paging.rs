//! Pages: every trace once, whatever comes and goes between them; and queries that are none.

use std::time::Duration;

use proptest::prelude::*;
use tta_telemetry::IdSource;
use tta_telemetry::store::{MemoryTraceStore, TagFilter, TraceQuery, TraceStore};

use super::support::{found, put, small};

fn page(store: &MemoryTraceStore, limit: usize, cursor: Option<String>) -> (Vec<u128>, Option<String>) {
    let page = store.search(&TraceQuery { limit, cursor, ..TraceQuery::default() }).unwrap();
    (page.traces.iter().map(|summary| summary.trace_id.get()).collect(), page.next_cursor)
}

#[test]
fn pages_follow_one_another_and_the_last_has_no_next() {
    let store = MemoryTraceStore::new("own");
    (1..=5).for_each(|number| put(&store, small(number, "run")));
    let (first, cursor) = page(&store, 2, None);
    let (second, cursor) = page(&store, 2, Some(cursor.unwrap()));
    let (third, end) = page(&store, 2, Some(cursor.unwrap()));
    assert_eq!((first, second, third, end), (vec![5, 4], vec![3, 2], vec![1], None));
    // A page that holds all that is left says so.
    assert_eq!(page(&store, 5, None).1, None);
}

proptest! {
    #[test]
    fn nothing_is_shown_twice_or_missed_while_traces_come_and_go(
        at_first in 1_u128..300, arriving in 0_u128..40, limit in 1_usize..20,
    ) {
        let store = MemoryTraceStore::builder("own").capacity_bytes(96 * 1024).build();
        let mut next = 1;
        let mut add = |count| (0..count).for_each(|_| { put(&store, small(next, "run")); next += 1 });
        add(at_first);
        let there = found(&store, &TraceQuery { limit: 1_000, ..TraceQuery::default() });
        let (mut shown, mut cursor) = page(&store, limit, None);
        while let Some(at) = cursor {
            add(arriving);
            let (more, next) = page(&store, limit, Some(at));
            shown.extend(more);
            cursor = next;
        }
        let left = found(&store, &TraceQuery { limit: 1_000, ..TraceQuery::default() });
        // In order, each once, none that came later; what is missing had left.
        prop_assert_eq!(&shown, &there[..shown.len()]);
        prop_assert!(there[shown.len()..].iter().all(|missing| !left.contains(missing)));
    }
}

/// A thread keeps traces while others read pages: each page goes on below the last.
#[test]
fn threads_that_read_pages_while_traces_are_kept_see_each_at_most_once() {
    let store = MemoryTraceStore::builder("own").capacity_bytes(256 * 1024).build();
    (1..=200).for_each(|number| put(&store, small(number, "run")));
    std::thread::scope(|scope| {
        scope.spawn(|| (201..=5_000).for_each(|number| put(&store, small(number, "run"))));
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let (mut shown, mut cursor) = page(&store, 7, None);
                    while let Some(at) = cursor {
                        let (more, next) = page(&store, 7, Some(at));
                        shown.extend(more);
                        cursor = next;
                    }
                    assert!(!shown.is_empty() && shown.is_sorted_by(|one, next| *one == next + 1));
                }
            });
        }
    });
    let status = store.status();
    assert_eq!(status.traces + status.evicted_traces, 5_000);
}

#[test]
fn a_cursor_that_is_none_or_of_another_store_is_refused() {
    let store = |seed| MemoryTraceStore::builder("own").ids(IdSource::seeded(seed)).build();
    let (one, other) = (store(1), store(2));
    (1..=2).for_each(|number| put(&one, small(number, "run")));
    let cursor = page(&one, 1, None).1.unwrap();
    let said = |store: &MemoryTraceStore, cursor: &str| {
        let query = TraceQuery { cursor: Some(cursor.to_owned()), ..TraceQuery::default() };
        store.search(&query).unwrap_err().to_string()
    };
    let accepted = "accepted is the cursor of the page before, as it came, from this process since its start";
    assert_eq!(said(&other, &cursor), format!("`cursor` is `{cursor}`, {accepted}"));
    assert_eq!(said(&one, "+1"), format!("`cursor` is `+1`, {accepted}"));
    assert!(said(&one, &"f".repeat(100_000)).len() < 300);
    assert!(said(&one, "ééééééééééééééééé").contains("`cursor`"));
}

#[test]
fn queries_out_of_range_are_refused_by_field_value_and_what_is_accepted() {
    let said = |query: TraceQuery| query.check().unwrap_err().to_string();
    let default = TraceQuery::default;
    assert_eq!(default().limit, 20);
    let ns = |ns| Some(Duration::from_nanos(ns));
    assert_eq!(said(TraceQuery { limit: 1_001, ..default() }), "`limit` is `1001`, accepted is 1 to 1000");
    assert_eq!(
        said(TraceQuery { min_duration: ns(2), max_duration: ns(1), ..default() }),
        "`max_duration` is `1ns`, accepted is at least the minimum, 2ns"
    );
    assert_eq!(
        said(TraceQuery { start_unix_ns: Some(5), end_unix_ns: Some(5), ..default() }),
        "`end` is `5 ns`, accepted is later than the start, 5 ns"
    );
    assert_eq!(
        said(TraceQuery { service: Some(String::new()), ..default() }),
        "`service` is ``, accepted is something, or leave it out"
    );
    let long = TraceQuery { text: Some("x".repeat(257)), ..default() };
    assert!(said(long).ends_with("…`, accepted is at most 256 bytes"));
    let many = TraceQuery { tags: vec![TagFilter::exists("a"); 17], ..default() };
    assert_eq!(said(many), "`tag` is `17 conditions`, accepted is at most 16");
}
