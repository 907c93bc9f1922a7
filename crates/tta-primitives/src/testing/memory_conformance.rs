//! What every backend of a memory has to do, as one test to run against each.

use std::time::Duration;

use tta_telemetry::{Clock, ManualClock};

use crate::memory::{Made, MemoryBackend, MemoryEntry, MemoryError, MemoryQuery, MemoryRecord, Search};

const MINUTE: Duration = Duration::from_secs(60);

/// Checks a backend: values, TTLs, the bound, order, search, namespaces, isolation.
///
/// `open` gives a backend for a name: an empty one, and another that shares nothing with it for
/// another name. Time is moved by hand; a backend that expires entries by a clock of its own must
/// not do so early.
///
/// # Panics
/// When the backend does something else.
pub async fn memory_conformance<B: MemoryBackend<String>>(open: impl Fn(&str) -> B) {
    let (clock, hand) = Clock::manual();
    values(&Kit { backend: open("values"), clock: clock.clone() }).await;
    expiry(&Kit { backend: open("expiry"), clock: clock.clone() }, &hand).await;
    expired_entries_make_room_first(&Kit { backend: open("room"), clock: clock.clone() }, &hand).await;
    bound(&Kit { backend: open("bound"), clock: clock.clone() }).await;
    search(&Kit { backend: open("search"), clock: clock.clone() }, &hand).await;
    scopes(&Kit { backend: open("scopes"), clock: clock.clone() }).await;
    let (one, two) = (open("one"), open("two"));
    isolation(&Kit { backend: one, clock: clock.clone() }, &Kit { backend: two, clock: clock.clone() }).await;
    strange_keys(&Kit { backend: open("strange"), clock }).await;
}

struct Kit<B> {
    backend: B,
    clock: Clock,
}

impl<B: MemoryBackend<String>> Kit<B> {
    async fn add(&self, key: &str, value: &str, ttl: Option<Duration>, max_entries: u64) -> Made {
        let text = Some(value.to_uppercase());
        let record = MemoryRecord { key, value: value.to_owned(), text, ttl, max_entries };
        let made = self.backend.add(record, &self.clock).await;
        assert!(made.is_ok(), "`{key}` is added: {made:?}");
        made.unwrap_or_default()
    }

    async fn get(&self, key: &str) -> Result<Option<String>, MemoryError> {
        self.backend.get(key, &self.clock).await
    }

    async fn holds(&self, key: &str, value: Option<&str>) {
        assert_eq!(self.get(key).await, Ok(value.map(str::to_owned)), "what is under `{key}`");
    }

    async fn size(&self, scope: &str) -> Result<u64, MemoryError> {
        self.backend.size(scope, &self.clock).await
    }

    async fn found(&self, scope: &str, search: &Search, limit: usize) -> String {
        let query = MemoryQuery { scope, search, limit };
        let found: Result<Vec<MemoryEntry<String>>, _> = self.backend.search(query, &self.clock).await;
        assert!(found.is_ok(), "a search for {search:?} succeeds: {found:?}");
        let found = found.unwrap_or_default();
        found.iter().map(|entry| format!("{}={}", entry.key, entry.value)).collect::<Vec<_>>().join(" ")
    }
}

async fn values<B: MemoryBackend<String>>(kit: &Kit<B>) {
    kit.holds("a", None).await;
    assert_eq!(kit.size("").await, Ok(0));
    assert_eq!(kit.add("a", "one", None, 10).await, Made::default());
    kit.holds("a", Some("one")).await;
    kit.add("a", "two", None, 10).await;
    kit.holds("a", Some("two")).await;
    assert_eq!(kit.size("").await, Ok(1), "a key holds one value");
    assert_eq!(kit.backend.delete("a", &kit.clock).await, Ok(true));
    assert_eq!(kit.backend.delete("a", &kit.clock).await, Ok(false));
    kit.holds("a", None).await;
    for key in ["a", "b", "c"] {
        kit.add(key, "", None, 10).await;
    }
    kit.holds("b", Some("")).await;
    assert_eq!(kit.backend.clear("").await, Ok(3));
    assert_eq!((kit.size("").await, kit.backend.clear("").await), (Ok(0), Ok(0)));
}

async fn expiry<B: MemoryBackend<String>>(kit: &Kit<B>, hand: &ManualClock) {
    kit.add("short", "x", Some(MINUTE), 10).await;
    kit.add("long", "y", Some(10 * MINUTE), 10).await;
    kit.add("kept", "z", None, 10).await;
    hand.advance(MINUTE - Duration::from_nanos(1));
    kit.holds("short", Some("x")).await;
    assert_eq!(kit.size("").await, Ok(3));
    hand.advance(Duration::from_nanos(1));
    kit.holds("short", None).await;
    assert_eq!(kit.size("").await, Ok(2));
    assert_eq!(kit.found("", &Search::prefix(""), 10).await, "kept=z long=y");
    assert_eq!(kit.backend.delete("short", &kit.clock).await, Ok(false), "its time has passed");
    // Adding again sets the time anew, and takes it away.
    kit.add("long", "y", None, 10).await;
    kit.add("kept", "z", Some(MINUTE), 10).await;
    hand.advance(20 * MINUTE);
    kit.holds("long", Some("y")).await;
    kit.holds("kept", None).await;
    hand.advance(1_000_000 * MINUTE);
    kit.holds("long", Some("y")).await;
}

async fn expired_entries_make_room_first<B: MemoryBackend<String>>(kit: &Kit<B>, hand: &ManualClock) {
    kit.add("old", "1", None, 3).await;
    kit.add("b", "2", Some(MINUTE), 3).await;
    kit.add("c", "3", Some(MINUTE), 3).await;
    hand.advance(MINUTE);
    assert_eq!(kit.add("d", "4", None, 3).await, Made { evicted: 0, expired: 2 });
    kit.holds("old", Some("1")).await;
    assert_eq!(kit.size("").await, Ok(2));
}

async fn bound<B: MemoryBackend<String>>(kit: &Kit<B>) {
    for (key, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
        assert_eq!(kit.add(key, value, Some(MINUTE), 3).await.evicted, 0);
    }
    // Adding makes young, reading does not.
    assert_eq!(kit.add("a", "4", None, 3).await.evicted, 0);
    kit.holds("b", Some("2")).await;
    assert_eq!(kit.add("d", "5", None, 3).await, Made { evicted: 1, expired: 0 });
    kit.holds("b", None).await;
    assert_eq!(kit.found("", &Search::prefix(""), 10).await, "d=5 a=4 c=3");
    // A smaller bound makes room at once.
    assert_eq!(kit.add("e", "6", None, 2).await.evicted, 2);
    assert_eq!((kit.size("").await, kit.found("", &Search::prefix(""), 10).await), (Ok(2), "e=6 d=5".to_owned()));
    kit.holds("d", Some("5")).await;
}

async fn search<B: MemoryBackend<String>>(kit: &Kit<B>, hand: &ManualClock) {
    kit.add("user:1", "likes tea", None, 1_000).await;
    kit.add("user:2", "likes mate", Some(MINUTE), 1_000).await;
    kit.add("order:1", "tea", None, 1_000).await;
    assert_eq!(kit.found("", &Search::prefix("user:"), 10).await, "user:2=likes mate user:1=likes tea");
    assert_eq!(kit.found("", &Search::prefix("user:"), 1).await, "user:2=likes mate");
    assert_eq!(kit.found("", &Search::prefix("ser:"), 10).await, "");
    // The text that was given counts, not the value; and so does case.
    assert_eq!(kit.found("", &Search::contains("TEA"), 10).await, "order:1=tea user:1=likes tea");
    assert_eq!(kit.found("", &Search::contains("tea"), 10).await, "");
    assert_eq!(kit.found("", &Search::contains("er:1"), 10).await, "order:1=tea user:1=likes tea");
    // Nothing in a search is a pattern.
    assert_eq!(kit.found("", &Search::prefix("*"), 10).await, "");
    assert_eq!(kit.found("", &Search::contains("?"), 10).await, "");
    hand.advance(MINUTE);
    assert_eq!(kit.found("", &Search::contains("MATE"), 10).await, "", "its time has passed");
    for number in 0..450 {
        kit.add(&format!("n:{number}"), "", None, 1_000).await;
    }
    let all = kit.found("", &Search::prefix("n:"), 1_000).await;
    assert_eq!((all.split(' ').count(), all.starts_with("n:449= n:448="), all.ends_with(" n:0=")), (450, true, true));
    assert_eq!(kit.found("", &Search::prefix("user:1"), 1).await, "user:1=likes tea", "the oldest of many");
}

async fn scopes<B: MemoryBackend<String>>(kit: &Kit<B>) {
    for key in ["ada/x", "ada/y", "adam/x", "x"] {
        kit.add(key, key, None, 10).await;
    }
    assert_eq!((kit.size("ada/").await, kit.size("").await), (Ok(2), Ok(4)));
    assert_eq!(kit.found("ada/", &Search::prefix(""), 10).await, "y=ada/y x=ada/x");
    assert_eq!(kit.found("ada/", &Search::prefix("ada"), 10).await, "");
    assert_eq!(kit.found("ada/", &Search::contains("x"), 10).await, "x=ada/x");
    assert_eq!(kit.backend.clear("ada/").await, Ok(2));
    assert_eq!(kit.found("", &Search::prefix(""), 10).await, "x=x adam/x=adam/x");
}

async fn isolation<B: MemoryBackend<String>>(one: &Kit<B>, two: &Kit<B>) {
    one.add("a", "1", None, 10).await;
    two.add("a", "2", None, 10).await;
    one.holds("a", Some("1")).await;
    assert_eq!(one.backend.clear("").await, Ok(1));
    two.holds("a", Some("2")).await;
    assert_eq!(two.size("").await, Ok(1));
}

async fn strange_keys<B: MemoryBackend<String>>(kit: &Kit<B>) {
    let keys = ["{a}b", "a b\r\nc", "*", "käse\u{1f9c0}", "a:b:c", "\u{0}", "[x]"];
    for key in keys {
        kit.add(key, key, None, 100).await;
    }
    for key in keys {
        kit.holds(key, Some(key)).await;
    }
    assert_eq!(kit.size("").await, Ok(keys.len() as u64));
    assert_eq!(kit.backend.delete("*", &kit.clock).await, Ok(true));
    assert_eq!(kit.size("").await, Ok(keys.len() as u64 - 1));
}
