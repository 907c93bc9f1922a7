//! The store in memory.
//!
//! `moka` decides what makes room for what (TinyLFU). Time is ours: entries carry the reading of
//! the injected clock at which they were kept, and those met after their time are removed.

mod bounds;
mod tags;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Moka;
use tta_telemetry::{Clock, Health, Ticks};

use super::key::CacheKey;
use super::store::{CacheStore, Entry, Found, Hit, Kept, Payload, Reply, StoreError};
use crate::policy::PolicyError;
pub(super) use bounds::{Bounds, Weigher};
use tags::{Tagged, Tags};

/// Keeps values in the memory of this process, at most so many and, if wanted, so many bytes of
/// them.
///
/// Made by [`Cache::named`](crate::Cache::named) unless another store is given; there is rarely a
/// reason to make one by hand.
///
/// When it is full, what is used least often makes room, and a value that is new may be the one
/// that goes at once (TinyLFU: what everybody asks for is not pushed out by what one asks for
/// once). With a bound on bytes, an entry counts as the larger of its two shares, of the entries
/// and of the bytes, so that neither bound is ever exceeded.
///
/// ```
/// use tta_primitives::cache::MemoryStore;
///
/// let store: MemoryStore<String> = MemoryStore::new(1_000)?.bounded_bytes(1 << 20, |text: &String| text.len() as u64)?;
/// # Ok::<(), tta_primitives::PolicyError>(())
/// ```
pub struct MemoryStore<V> {
    entries: Moka<CacheKey, Arc<Stored<V>>>,
    bounds: Bounds<V>,
    tags: Tags,
    counts: Arc<Counts>,
}

struct Stored<V> {
    payload: Payload<V>,
    kept_at: Ticks,
    fresh_for: Duration,
    stale_for: Duration,
    weight: u32,
    bytes: u64,
    tagged: Tagged,
}

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
}

impl<V: Clone + Send + Sync + 'static> MemoryStore<V> {
    /// A store of at most so many entries: 1 to 100,000,000.
    ///
    /// # Errors
    /// A capacity outside that range.
    pub fn new(capacity: u64) -> Result<Self, PolicyError> {
        Ok(Self::within(Bounds::entries(capacity)?))
    }

    /// The same, empty, with a bound on the bytes of all values together as well: above 0. `weigh`
    /// says how many a value takes; one larger than the bound is not kept.
    ///
    /// # Errors
    /// A bound of 0.
    pub fn bounded_bytes(
        self,
        bytes: u64,
        weigh: impl Fn(&V) -> u64 + Send + Sync + 'static,
    ) -> Result<Self, PolicyError> {
        Ok(Self::within(self.bounds.bytes(bytes)?.weigh(Arc::new(weigh))))
    }

    pub(super) fn within(bounds: Bounds<V>) -> Self {
        let counts = Arc::new(Counts::default());
        let noted = Arc::clone(&counts);
        let entries = Moka::builder()
            .max_capacity(bounds.total_weight())
            .weigher(|_: &CacheKey, stored: &Arc<Stored<V>>| stored.weight)
            .eviction_policy(EvictionPolicy::tiny_lfu())
            .eviction_listener(move |_: Arc<CacheKey>, stored: Arc<Stored<V>>, cause| noted.left(stored.bytes, cause))
            .build();
        Self { entries, bounds, tags: Tags::default(), counts }
    }

    /// Removes this very entry, not one that has taken its place.
    #[cold]
    fn forget(&self, key: &CacheKey, stored: &Arc<Stored<V>>) -> bool {
        let mut removed = false;
        self.entries.entry_by_ref(key).and_compute_with(|found| match found {
            Some(found) if Arc::ptr_eq(found.value(), stored) => {
                removed = true;
                Op::Remove
            }
            _ => Op::Nop,
        });
        removed
    }

    fn find(&self, key: &CacheKey, clock: &Clock) -> Found<V> {
        let Some(stored) = self.entries.get(key) else { return Found::Miss };
        if !stored.tagged.is_good() {
            self.forget(key, &stored);
            return Found::Miss;
        }
        let age = clock.elapsed(stored.kept_at);
        let (fresh_for, stale_for) = (stored.fresh_for, stored.stale_for);
        if age >= fresh_for.saturating_add(stale_for) {
            if self.forget(key, &stored) {
                self.counts.expired.fetch_add(1, Ordering::Relaxed);
            }
            return Found::Miss;
        }
        Found::Hit(Hit { payload: stored.payload.clone(), age, fresh_for, stale_for })
    }

    fn keep(&self, key: &CacheKey, entry: Entry<V>, clock: &Clock) -> Result<Kept, StoreError> {
        let Entry { payload, fresh_for, stale_for, tags } = entry;
        let weighed = catch_unwind(AssertUnwindSafe(|| self.bounds.weigh_payload(&payload)));
        let (bytes, weight) =
            weighed.map_err(|_| StoreError::Encoding("the function that weighs values panicked".to_owned()))?;
        let Some(weight) = weight else {
            // What it was to replace is out of date all the same.
            self.entries.invalidate(key);
            return Ok(Kept::TooLarge);
        };
        let tagged = self.tags.tag(key, &tags);
        let stored = Stored { payload, kept_at: clock.ticks(), fresh_for, stale_for, weight, bytes, tagged };
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.entries.insert(key.clone(), Arc::new(stored));
        // So that the bounds hold now, not some hundred entries later. A write follows an execution
        // of the step, beside which this is little.
        self.entries.run_pending_tasks();
        Ok(Kept::Yes)
    }
}

impl Counts {
    fn left(&self, bytes: u64, cause: RemovalCause) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if cause == RemovalCause::Size {
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<V: Clone + Send + Sync + 'static> CacheStore<V> for MemoryStore<V> {
    #[inline]
    fn get<'a>(&'a self, key: &'a CacheKey, clock: &'a Clock) -> Reply<'a, Found<V>> {
        Reply::Ready(Ok(self.find(key, clock)))
    }

    fn put<'a>(&'a self, key: &'a CacheKey, entry: Entry<V>, clock: &'a Clock) -> Reply<'a, Kept> {
        Reply::Ready(self.keep(key, entry, clock))
    }

    fn remove<'a>(&'a self, key: &'a CacheKey) -> Reply<'a, bool> {
        let removed = self.entries.remove(key);
        Reply::Ready(Ok(removed.is_some_and(|stored| stored.tagged.is_good())))
    }

    fn invalidate_tag<'a>(&'a self, tag: &'a str) -> Reply<'a, u64> {
        let mut forgotten = 0;
        for (number, key) in self.tags.end(tag) {
            // An entry without this number has taken its place since.
            let stored = self.entries.get(&key).filter(|stored| stored.tagged.number() == number);
            forgotten += u64::from(stored.is_some_and(|stored| self.forget(&key, &stored)));
        }
        Reply::Ready(Ok(forgotten))
    }

    fn clear(&self) -> Reply<'_, u64> {
        let forgotten = self.entries.iter().filter(|(key, stored)| self.forget(key, stored)).count();
        Reply::Ready(Ok(forgotten as u64))
    }

    fn entries(&self) -> Option<u64> {
        self.entries.run_pending_tasks();
        Some(self.entries.entry_count())
    }

    fn bytes(&self) -> Option<u64> {
        self.bounds.is_weighed().then(|| self.counts.bytes.load(Ordering::Relaxed))
    }

    fn evictions(&self) -> (u64, u64) {
        (self.counts.evicted.load(Ordering::Relaxed), self.counts.expired.load(Ordering::Relaxed))
    }

    fn health(&self) -> Health {
        Health::healthy()
    }

    fn kind(&self) -> &'static str {
        "memory"
    }
}

impl<V> fmt::Debug for MemoryStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("bounds", &self.bounds)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
