//! What every store of the cache must do, as cases that any store can be run through.
//!
//! ```
//! use tta_primitives::cache::MemoryStore;
//! use tta_primitives::testing::{TestEngine, cache_conformance};
//!
//! let make = || async { MemoryStore::new(10_000).unwrap() };
//! TestEngine::new().block_on(cache_conformance::all(&make));
//! ```
//!
//! `make` gives an empty store of its own each time it is called, in the same place as the others
//! where they have one: several prefixes of one server. Time is a manual clock's, so nothing waits.
//! A case panics where the store does something else; its name is in the message's location.

mod ages;
mod contents;
mod crowds;
mod tags;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub use ages::*;
pub use contents::*;
pub use crowds::*;
pub use tags::*;
use tta_telemetry::{Clock, ManualClock, Name};

use crate::cache::{CacheKey, CacheStore, Entry, Found, Hit, Kept, Payload};

const HOUR: Duration = Duration::from_secs(3_600);

/// Runs every case, each on a store of its own.
///
/// # Panics
/// When the store does not conform.
pub async fn all<Make, Making, Store>(make: &Make)
where
    Make: Fn() -> Making,
    Making: Future<Output = Store>,
    Store: CacheStore<String>,
{
    what_was_put_is_found(make).await;
    what_was_never_put_is_missed(make).await;
    a_later_entry_takes_the_place_of_the_first(make).await;
    removing_says_whether_there_was_one(make).await;
    empty_large_and_foreign_texts_come_back_as_they_were(make).await;
    failures_come_back_with_kind_and_message(make).await;
    long_and_similar_keys_are_kept_apart(make).await;
    clearing_forgets_all_of_its_own_and_nothing_of_others(make).await;
    entries_are_counted_where_the_store_can(make).await;
    age_is_measured_on_the_given_clock(make).await;
    an_entry_stays_until_it_is_neither_fresh_nor_stale(make).await;
    putting_again_begins_a_new_age(make).await;
    a_tag_forgets_its_entries_and_no_others(make).await;
    an_entry_with_several_tags_goes_with_any_of_them(make).await;
    an_entry_put_after_its_tag_was_invalidated_stays(make).await;
    an_entry_put_again_has_its_new_tags_only(make).await;
    odd_tags_are_kept_apart(make).await;
    concurrent_operations_lose_nothing(make).await;
    a_tag_invalidated_amid_puts_leaves_whole_entries(make).await;
    dropped_operations_leave_the_store_usable(make).await;
}

/// A store and the time it is given.
struct Bench<Store> {
    store: Store,
    clock: Clock,
    hand: ManualClock,
}

fn key(name: &str) -> CacheKey {
    CacheKey::of(name)
}

fn entry(text: &str, tags: &[&str]) -> Entry<String> {
    let tags: Arc<[Name]> = tags.iter().map(|tag| Name::from((*tag).to_owned())).collect();
    Entry { payload: Payload::Value(text.to_owned()), fresh_for: HOUR, stale_for: Duration::ZERO, tags }
}

// The kit fails the test when an operation fails.
#[allow(clippy::expect_used)]
impl<Store: CacheStore<String>> Bench<Store> {
    async fn new<Make, Making>(make: &Make) -> Self
    where
        Make: Fn() -> Making,
        Making: Future<Output = Store>,
    {
        let (clock, hand) = Clock::manual();
        Self { store: make().await, clock, hand }
    }

    async fn find(&self, name: &str) -> Found<String> {
        let key = key(name);
        self.store.get(&key, &self.clock).wait().await.expect("the store answers a get")
    }

    async fn hit(&self, name: &str) -> Option<Hit<String>> {
        match self.find(name).await {
            Found::Hit(hit) => Some(hit),
            Found::Miss => None,
            Found::Corrupt => Some(Hit {
                payload: Payload::Value(format!("{name} is corrupt")),
                age: Duration::MAX,
                fresh_for: Duration::ZERO,
                stale_for: Duration::ZERO,
            }),
        }
    }

    /// The text under a key; what is corrupt says so.
    async fn text(&self, name: &str) -> Option<String> {
        self.hit(name).await.map(|hit| match hit.payload {
            Payload::Value(text) => text,
            Payload::Failure { kind, message } => format!("{kind}: {message}"),
        })
    }

    async fn texts(&self, names: &[&str]) -> Vec<Option<String>> {
        let mut texts = Vec::new();
        for name in names {
            texts.push(self.text(name).await);
        }
        texts
    }

    async fn keep(&self, name: &str, entry: Entry<String>) {
        let key = key(name);
        let kept = self.store.put(&key, entry, &self.clock).wait().await.expect("the store answers a put");
        assert_eq!(kept, Kept::Yes, "{name}");
    }

    async fn put(&self, name: &str, text: &str, tags: &[&str]) {
        self.keep(name, entry(text, tags)).await;
    }

    async fn remove(&self, name: &str) -> bool {
        let key = key(name);
        self.store.remove(&key).wait().await.expect("the store answers a remove")
    }

    async fn invalidate(&self, tag: &str) -> u64 {
        self.store.invalidate_tag(tag).wait().await.expect("the store answers an invalidation")
    }

    async fn clear(&self) -> u64 {
        self.store.clear().wait().await.expect("the store answers a clear")
    }
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

/// Declares a case: a public function over a factory, whose body has a fresh bench.
macro_rules! case {
    ($(#[$doc:meta])* $name:ident, |$bench:ident, $make:ident| $body:block) => {
        $(#[$doc])*
        ///
        /// # Panics
        /// When the store does not conform.
        pub async fn $name<Make, Making, Store>(make: &Make)
        where
            Make: Fn() -> Making,
            Making: ::std::future::Future<Output = Store>,
            Store: $crate::cache::CacheStore<String>,
        {
            #[allow(unused_variables)]
            let $make = make;
            let $bench = super::Bench::new(make).await;
            $body
        }
    };
}

use case;
