//! The memory store: its bounds, its clock, and threads that put and invalidate at once.

use std::sync::Barrier;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn entry(value: &str, tags: &[&'static str]) -> Entry<String> {
    let tags = tags.iter().map(|tag| (*tag).into()).collect();
    Entry { payload: Payload::Value(value.to_owned()), fresh_for: HOUR, stale_for: Duration::ZERO, tags }
}

fn ready<T>(reply: Reply<'_, T>) -> Result<T, StoreError> {
    match reply {
        Reply::Ready(answer) => answer,
        Reply::Later(_) => panic!("memory answers at once"),
    }
}

fn put(store: &MemoryStore<String>, clock: &Clock, key: usize, value: &str) -> Kept {
    ready(store.put(&CacheKey::of(&key), entry(value, &["all"]), clock)).unwrap()
}

fn has(store: &MemoryStore<String>, clock: &Clock, key: usize) -> bool {
    matches!(ready(store.get(&CacheKey::of(&key), clock)), Ok(Found::Hit(_)))
}

fn by_length(entries: u64, bytes: u64) -> MemoryStore<String> {
    MemoryStore::new(entries).unwrap().bounded_bytes(bytes, |text: &String| text.len() as u64).unwrap()
}

#[test]
fn there_are_never_more_entries_than_the_capacity() {
    let (clock, _) = Clock::manual();
    for capacity in [1, 2, 100] {
        let store = MemoryStore::new(capacity).unwrap();
        for key in 0..1_000 {
            put(&store, &clock, key, "text");
            assert!(store.entries().unwrap() <= capacity);
        }
        assert_eq!((store.entries(), store.evictions()), (Some(capacity), (1_000 - capacity, 0)));
        assert_eq!((0..1_000).filter(|key| has(&store, &clock, *key)).count() as u64, capacity);
    }
}

#[test]
fn there_are_never_more_bytes_than_the_capacity() {
    let (clock, _) = Clock::manual();
    let store = by_length(1_000, 100);
    for key in 0..500 {
        put(&store, &clock, key, &"x".repeat(key % 60));
        assert!(store.bytes().unwrap() <= 100, "{:?}", store.bytes());
    }
    let found = (0..500).filter(|key| has(&store, &clock, *key));
    assert_eq!(store.bytes(), Some(found.map(|key| key as u64 % 60).sum()));
    ready(store.clear()).unwrap();
    assert_eq!((store.bytes(), store.entries()), (Some(0), Some(0)));
}

#[test]
fn a_value_larger_than_all_the_bytes_is_not_kept_and_what_it_replaces_is_gone() {
    let (clock, _) = Clock::manual();
    let store = by_length(10, 100);
    assert_eq!(put(&store, &clock, 1, &"x".repeat(100)), Kept::Yes);
    assert!(has(&store, &clock, 1));
    assert_eq!(put(&store, &clock, 1, &"x".repeat(101)), Kept::TooLarge);
    assert!(!has(&store, &clock, 1));
}

#[test]
fn a_weigher_that_panics_is_a_failed_put_and_nothing_more() {
    let (clock, _) = Clock::manual();
    let store = MemoryStore::new(10).unwrap();
    let store = store.bounded_bytes(100, |text: &String| text.parse().expect("a number")).unwrap();
    let failed = ready(store.put(&CacheKey::of("a"), entry("x", &[]), &clock)).unwrap_err();
    assert_eq!(failed.to_string(), "the value cannot be encoded: the function that weighs values panicked");
    assert_eq!((put(&store, &clock, 1, "7"), store.bytes()), (Kept::Yes, Some(7)));
}

#[test]
fn an_entry_met_after_its_time_is_removed_and_counted() {
    let (clock, hand) = Clock::manual();
    let store = MemoryStore::new(10).unwrap();
    put(&store, &clock, 1, "text");
    hand.advance(HOUR - Duration::from_nanos(1));
    assert!(has(&store, &clock, 1));
    hand.advance(Duration::from_nanos(1));
    assert!(!has(&store, &clock, 1));
    assert_eq!((store.entries(), store.evictions()), (Some(0), (0, 1)));
}

#[test]
fn capacities_outside_their_range_are_refused_by_name() {
    let refusal = |capacity| MemoryStore::<String>::new(capacity).map(|_| ()).unwrap_err().to_string();
    assert_eq!(refusal(0), "cache: `capacity` is 0, accepted is 1 to 100000000");
    assert_eq!(refusal(100_000_001), "cache: `capacity` is 100000001, accepted is 1 to 100000000");
    let none = MemoryStore::new(1).unwrap().bounded_bytes(0, |_: &String| 1).map(|_| ()).unwrap_err();
    assert_eq!(none.to_string(), "cache: `capacity_bytes` is 0, accepted is above 0");
}

/// Threads put and invalidate at once; whatever the order, a last invalidation leaves nothing, and
/// the sums agree.
#[test]
fn threads_that_put_and_invalidate_leave_no_entry_behind() {
    const KEYS: usize = 200;
    for _ in 0..20 {
        let (clock, _) = Clock::manual();
        let store = by_length(10_000, 1 << 20);
        let start = Barrier::new(3);
        let forgotten: u64 = std::thread::scope(|scope| {
            for offset in [0, KEYS] {
                let (store, clock, start) = (&store, &clock, &start);
                scope.spawn(move || {
                    start.wait();
                    (offset..offset + KEYS).for_each(|key| assert_eq!(put(store, clock, key, "text"), Kept::Yes));
                });
            }
            let invalidating = scope.spawn(|| {
                start.wait();
                (0..50).map(|_| ready(store.invalidate_tag("all")).unwrap()).sum()
            });
            invalidating.join().unwrap()
        });
        let left = (0..2 * KEYS).filter(|key| has(&store, &clock, *key)).count() as u64;
        // An entry whose tag ended before it was in its place is forgotten without being counted.
        assert!(forgotten + left <= 2 * KEYS as u64, "{forgotten} {left}");
        assert_eq!(ready(store.invalidate_tag("all")).unwrap(), left);
        assert_eq!((store.entries(), store.bytes()), (Some(0), Some(0)));
    }
}
