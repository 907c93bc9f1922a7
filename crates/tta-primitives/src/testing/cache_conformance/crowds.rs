//! Many operations at once, and operations that are given up.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use futures_util::future::join_all;

use super::{case, entry, key};

const CROWD: usize = 64;

case! {
    /// Different keys do not disturb each other.
    concurrent_operations_lose_nothing, |bench, make| {
        let names: Vec<String> = (0..CROWD).map(|number| format!("key {number}")).collect();
        join_all(names.iter().map(|name| bench.put(name, name, &["all"]))).await;
        let texts = join_all(names.iter().map(|name| bench.text(name))).await;
        assert_eq!(texts, names.iter().cloned().map(Some).collect::<Vec<_>>());
        let removed = join_all(names.iter().take(CROWD / 2).map(|name| bench.remove(name))).await;
        assert_eq!(removed, [true; CROWD / 2]);
        assert_eq!(bench.invalidate("all").await, CROWD as u64 / 2);
    }
}

case! {
    /// Each entry was put before or after it: it is there as it was put, or it is not; the next
    /// invalidation finds all that are there.
    a_tag_invalidated_amid_puts_leaves_whole_entries, |bench, make| {
        let names: Vec<String> = (0..CROWD).map(|number| format!("key {number}")).collect();
        let puts = join_all(names.iter().map(|name| bench.put(name, name, &["all", "some"])));
        let invalidations = join_all([bench.invalidate("all"), bench.invalidate("all")]);
        let (_, forgotten) = futures_util::future::join(puts, invalidations).await;
        let texts = join_all(names.iter().map(|name| bench.text(name))).await;
        let left = texts.iter().flatten().count();
        for (text, name) in texts.iter().zip(&names) {
            assert!(text.as_ref().is_none_or(|text| text == name), "{name}: {text:?}");
        }
        assert_eq!(forgotten.iter().sum::<u64>() + left as u64, CROWD as u64);
        assert_eq!(bench.invalidate("all").await, left as u64);
        let texts = join_all(names.iter().map(|name| bench.text(name))).await;
        assert!(texts.iter().all(Option::is_none), "{texts:?}");
    }
}

case! {
    /// Giving up waiting breaks nothing: the write has happened or it has not.
    dropped_operations_leave_the_store_usable, |bench, make| {
        let mut task = Context::from_waker(Waker::noop());
        let name = key("a");
        for _ in 0..CROWD {
            let _ = pin!(bench.store.put(&name, entry("dropped", &["tag"]), &bench.clock).wait()).poll(&mut task);
            let _ = pin!(bench.store.get(&name, &bench.clock).wait()).poll(&mut task);
            let _ = pin!(bench.store.invalidate_tag("tag").wait()).poll(&mut task);
        }
        let text = bench.text("a").await;
        assert!(text.as_deref().is_none_or(|text| text == "dropped"), "{text:?}");
        bench.put("b", "kept", &["tag"]).await;
        assert_eq!(bench.text("b").await.as_deref(), Some("kept"));
        bench.clear().await;
        assert_eq!(bench.texts(&["a", "b"]).await, [None, None]);
    }
}
