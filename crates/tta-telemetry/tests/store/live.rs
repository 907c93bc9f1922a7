//! Traces as they are kept: order, places, what is missed, and who may listen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tta_telemetry::IdSource;
use tta_telemetry::store::{LiveEvent, LiveFeed, LiveId, LiveTraces, MemoryTraceStore, StoreError, TraceStore};

use super::support::{put, small, span, trace};

fn store(seed: u64) -> MemoryTraceStore {
    MemoryTraceStore::builder("own").ids(IdSource::seeded(seed)).build()
}

/// The next event as text: the trace's number, or what was missed.
fn next(live: &mut LiveTraces) -> Option<String> {
    live.try_next().map(|event| match event {
        LiveEvent::Trace { summary, .. } => summary.trace_id.get().to_string(),
        LiveEvent::Missed { traces } => format!("missed {traces:?}"),
    })
}

fn place(live: &mut LiveTraces) -> LiveId {
    match live.try_next().unwrap() {
        LiveEvent::Trace { id, .. } => id,
        LiveEvent::Missed { .. } => panic!("missed"),
    }
}

#[test]
fn a_listener_hears_of_each_new_trace_once_from_when_it_listens() {
    let store = store(1);
    put(&store, small(1, "before"));
    let mut live = store.live().subscribe(None).unwrap();
    assert_eq!(next(&mut live), None);
    put(&store, small(2, "run"));
    put(&store, trace(2, vec![span(9, Some(2), "late")]));
    put(&store, small(3, "run"));
    assert_eq!([next(&mut live), next(&mut live), next(&mut live)], [Some("2".into()), Some("3".into()), None]);
}

#[test]
fn a_slow_listener_is_told_how_many_it_missed_and_delays_nobody() {
    let store = store(1);
    let mut live = store.live().subscribe(None).unwrap();
    let kept = LiveFeed::MOST_WAITING as u128;
    (1..=kept + 10).for_each(|number| put(&store, small(number, "run")));
    assert_eq!(next(&mut live), Some("missed Some(10)".into()));
    assert_eq!((next(&mut live), store.live().missed()), (Some("11".into()), 10));
    assert_eq!(store.status().traces, kept as u64 + 10);
}

#[test]
fn a_listener_that_comes_back_goes_on_where_it_was() {
    let (one, other) = (store(1), store(2));
    let mut live = one.live().subscribe(None).unwrap();
    (1..=3).for_each(|number| put(&one, small(number, "run")));
    let id = place(&mut live);
    let again = id.to_string().parse().unwrap();
    assert_eq!(id, again);
    let mut back = one.live().subscribe(Some(again)).unwrap();
    assert_eq!([next(&mut back), next(&mut back), next(&mut back)], [Some("2".into()), Some("3".into()), None]);
    // From another process nobody knows what was missed.
    let mut foreign = other.live().subscribe(Some(again)).unwrap();
    put(&other, small(7, "run"));
    assert_eq!([next(&mut foreign), next(&mut foreign)], [Some("missed None".into()), Some("7".into())]);
    assert!("7".parse::<LiveId>().unwrap_err().to_string().starts_with("`last-event-id` is `7`, "));
}

#[test]
fn listeners_are_bounded_and_make_room_when_they_go() {
    let store = store(1);
    let mut all: Vec<_> = (0..LiveFeed::MOST_LISTENERS).map(|_| store.live().subscribe(None).unwrap()).collect();
    assert_eq!(store.live().subscribe(None).unwrap_err(), StoreError::TooManyListeners { most: 64 });
    all.pop();
    assert_eq!(store.live().listeners(), 63);
    assert!(store.live().subscribe(None).is_ok());
}

#[test]
fn a_task_that_waits_is_woken_once_for_a_trace() {
    #[derive(Default)]
    struct Count(AtomicU64);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let store = store(1);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let mut live = store.live().subscribe(None).unwrap();
    assert!(live.poll_next(&mut cx).is_pending() && live.poll_next(&mut cx).is_pending());
    put(&store, small(1, "run"));
    put(&store, small(2, "run"));
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(matches!(live.poll_next(&mut cx), Poll::Ready(LiveEvent::Trace { .. })));
}
