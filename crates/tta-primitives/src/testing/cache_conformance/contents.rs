//! What goes in comes out, and is forgotten when it is to be.

use super::{Bench, HOUR, case, entry, key, some};
use crate::cache::{CacheKey, Entry, Found, Payload};
use crate::error::ErrorKind;

case! {
    /// A value comes back whole, with the times it was kept with.
    what_was_put_is_found, |bench, make| {
        bench.keep("a", Entry { stale_for: 2 * HOUR, ..entry("apple", &[]) }).await;
        let hit = bench.hit("a").await;
        let found = hit.map(|hit| (hit.payload, hit.age, hit.fresh_for, hit.stale_for));
        let zero = std::time::Duration::ZERO;
        assert_eq!(found, Some((Payload::Value("apple".to_owned()), zero, HOUR, 2 * HOUR)));
    }
}

case! {
    /// A key under which nothing was kept is a miss, also next to others.
    what_was_never_put_is_missed, |bench, make| {
        assert_eq!(bench.find("a").await, Found::Miss);
        bench.put("a", "apple", &[]).await;
        assert_eq!(bench.find("b").await, Found::Miss);
    }
}

case! {
    /// The last one that was put counts, whatever its size or kind.
    a_later_entry_takes_the_place_of_the_first, |bench, make| {
        bench.put("a", "apple, a long one", &[]).await;
        bench.put("a", "pear", &[]).await;
        assert_eq!(bench.text("a").await.as_deref(), Some("pear"));
        let failure = Payload::Failure { kind: ErrorKind::App, message: "rotten".into() };
        bench.keep("a", Entry { payload: failure, ..entry("", &[]) }).await;
        assert_eq!(bench.text("a").await.as_deref(), Some("app: rotten"));
        bench.put("a", "plum", &[]).await;
        assert_eq!(bench.text("a").await.as_deref(), Some("plum"));
    }
}

case! {
    /// One entry goes, and only once.
    removing_says_whether_there_was_one, |bench, make| {
        bench.put("a", "apple", &[]).await;
        bench.put("b", "banana", &[]).await;
        assert_eq!((bench.remove("a").await, bench.remove("a").await), (true, false));
        assert_eq!(bench.texts(&["a", "b"]).await, [None, Some("banana".to_owned())]);
    }
}

case! {
    /// No text is too strange: empty, with zero bytes and line ends, beyond ASCII, a megabyte.
    empty_large_and_foreign_texts_come_back_as_they_were, |bench, make| {
        let large = "0123456789abcdef".repeat(1 << 16);
        for text in ["", "\0\r\n\u{1}", "{\"payload\": null}", "déjà vu 🦀 \u{202e}", &large] {
            bench.put("a", text, &[]).await;
            assert!(bench.text("a").await.as_deref() == Some(text), "{:?}", text.get(..20));
        }
    }
}

case! {
    /// How making a value failed is kept like a value.
    failures_come_back_with_kind_and_message, |bench, make| {
        let kinds = [
            ErrorKind::App,
            ErrorKind::InvalidInput,
            ErrorKind::Upstream,
            ErrorKind::RateLimited,
            ErrorKind::LimitReached,
        ];
        for kind in kinds {
            for message in ["", "no such user: 🦀\n"] {
                let payload = Payload::Failure { kind, message: message.into() };
                bench.keep("a", Entry { payload: payload.clone(), ..entry("", &["t"]) }).await;
                assert_eq!(bench.hit("a").await.map(|hit| hit.payload), Some(payload));
            }
        }
        assert_eq!(bench.invalidate("t").await, 1);
    }
}

case! {
    /// Keys as long as they get, and those that differ in little.
    long_and_similar_keys_are_kept_apart, |bench, make| {
        let names = ["a".repeat(196), "a".repeat(197), "a".repeat(5_000), format!("{}b", "a".repeat(4_999))];
        let names: Vec<&str> = names.iter().map(String::as_str).chain(["a b", "a%20b", "A", "*", "a*", "[a]"]).collect();
        for (position, name) in names.iter().enumerate() {
            assert!(key(name).as_str().len() <= CacheKey::MAX_BYTES);
            bench.put(name, &position.to_string(), &[]).await;
        }
        let want: Vec<_> = (0..names.len()).map(|position| Some(position.to_string())).collect();
        assert_eq!(bench.texts(&names).await, want);
    }
}

case! {
    /// Another cache in the same place is none of its business.
    clearing_forgets_all_of_its_own_and_nothing_of_others, |bench, make| {
        let other = Bench::new(make).await;
        for name in ["a", "b", "c"] {
            bench.put(name, "ours", &["tag"]).await;
            other.put(name, "theirs", &["tag"]).await;
        }
        assert_eq!(bench.clear().await, 3);
        assert_eq!(bench.texts(&["a", "b", "c"]).await, [None, None, None]);
        assert_eq!(other.texts(&["a", "b", "c"]).await, some(&["theirs"; 3]));
        assert_eq!(bench.clear().await, 0);
        // What was cleared has left its tags, and can come back.
        bench.put("a", "again", &[]).await;
        assert_eq!((bench.invalidate("tag").await, other.invalidate("tag").await), (0, 3));
        assert_eq!(bench.text("a").await.as_deref(), Some("again"));
    }
}

case! {
    /// A store that tells how many entries it has tells the truth.
    entries_are_counted_where_the_store_can, |bench, make| {
        if bench.store.entries().is_none() {
            return;
        }
        for name in ["a", "b", "c", "c"] {
            bench.put(name, "text", &["tag"]).await;
        }
        assert_eq!(bench.store.entries(), Some(3));
        bench.remove("a").await;
        assert_eq!(bench.store.entries(), Some(2));
        bench.invalidate("tag").await;
        assert_eq!(bench.store.entries(), Some(0));
    }
}
