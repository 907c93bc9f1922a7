//! The handle of a cache: what user code does with it.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tta_telemetry::{HealthComponent, Name};

use super::config::{CacheBuilder, Policy};
use super::invalidations::Invalidated;
use super::key::IntoCacheKey;
use super::shared::{Looked, Shared, Stored, wait};
use super::stats::{CacheStats, count};
use super::store::{CacheStore, Reply, StoreError};
use crate::context::Context;
use crate::error::Result;

/// Engines that are remembered to know this cache already.
const MAX_ENGINES: usize = 64;
/// How long invalidating a tag, or everything, may take: it may be about many entries.
const LONG_OPERATION: Duration = Duration::from_secs(5);

/// Keeps what steps have made, for those who ask for the same again. Clones are the same cache, and
/// several workflows may share it.
///
/// ```
/// use std::time::Duration;
/// use tta_primitives::{Cache, Context, step};
///
/// # async fn ask_model(question: String) -> Result<String, String> { Ok(question.to_uppercase()) }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let answers = Cache::named("answers").ttl(Duration::from_secs(600)).build()?;
/// let ask = step(ask_model).cache(answers.clone(), |question: &String| question.trim().to_lowercase());
///
/// let cx = Context::new();
/// assert_eq!(ask.run("why?".to_owned(), &cx).await?, "WHY?");
/// assert_eq!(ask.run(" Why? ".to_owned(), &cx).await?, "WHY?");
/// let stats = answers.stats();
/// assert_eq!((stats.hits, stats.misses, stats.hit_rate()), (1, 1, 0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
///
/// Engines that share a cache must share a clock too, the system's or one that tests move: ages are
/// measured on it.
pub struct Cache<V>(pub(super) Arc<Shared<V>>);

impl<V> Clone for Cache<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// Starts building a cache. The name is in attributes, health reports and graphs.
    pub fn named(name: impl Into<Name>) -> CacheBuilder<V> {
        CacheBuilder::new(name.into())
    }

    pub(super) fn with(name: Name, policy: Policy<V>, store: Arc<dyn CacheStore<V>>) -> Self {
        Self(Arc::new(Shared::new(name, policy, store)))
    }

    /// The cache's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.0.name
    }

    /// What is kept under a key, fresh or, where that is allowed, stale. `None` also when the store
    /// fails or the key does: both are counted. A stale value is not refreshed by this.
    ///
    /// # Cancel safety
    /// Dropping it gives up the lookup.
    pub async fn get(&self, key: impl IntoCacheKey, cx: &Context) -> Option<V> {
        self.meet(cx);
        let counters = &self.0.counters;
        let Ok(key) = key.into_cache_key() else {
            count(&counters.key_failed);
            return None;
        };
        match self.0.look(&key, cx).await {
            Looked::Fresh(value) => {
                count(&counters.hits.0);
                Some(value)
            }
            Looked::Stale(value) => {
                count(&counters.stale_hits);
                Some(value)
            }
            Looked::Failure { .. } => {
                count(&counters.negative_hits);
                None
            }
            Looked::Nothing | Looked::Corrupt | Looked::Failed | Looked::Resting => {
                count(&counters.misses);
                None
            }
        }
    }

    /// Keeps a value under a key; whether it is kept. It is not when it is too large, when the key
    /// or the store fails, or when it is invalidated meanwhile. What a single flight is making for
    /// the key right now is given to those who wait, and not kept.
    ///
    /// # Cancel safety
    /// Dropping it gives up waiting; the value may then be kept or not.
    pub async fn put(&self, key: impl IntoCacheKey, value: V, cx: &Context) -> bool {
        self.meet(cx);
        let Ok(key) = key.into_cache_key() else {
            count(&self.0.counters.key_failed);
            return false;
        };
        // What an execution is making of this key right now is older than this value.
        if self.0.flights.forget(&key) {
            self.0.invalidations.add(Invalidated::Key(key.clone()));
        }
        let since = self.0.invalidations.mark();
        self.0.keep(&key, Ok(&value), since, cx).await == Some(Stored::Kept)
    }

    /// Forgets what is kept under a key; whether there was something. What is being made for it
    /// right now is given to those who wait, and not kept.
    ///
    /// # Errors
    /// What the store failed with, within [`lookup_timeout`](CacheBuilder::lookup_timeout); or
    /// [`StoreError::Encoding`] for a key that failed.
    pub async fn invalidate(&self, key: impl IntoCacheKey, cx: &Context) -> Result<bool, StoreError> {
        let key = key.into_cache_key().map_err(|error| StoreError::Encoding(error.to_string()))?;
        self.0.invalidations.add(Invalidated::Key(key.clone()));
        self.0.flights.forget(&key);
        self.invalidated(self.0.store.remove(&key), self.0.policy.lookup_timeout, cx).await
    }

    /// Forgets everything that has a tag; how much that was. What is being made right now and turns
    /// out to have the tag is not kept.
    ///
    /// # Errors
    /// What the store failed with, within 5 s.
    pub async fn invalidate_tag(&self, tag: &str, cx: &Context) -> Result<u64, StoreError> {
        self.0.invalidations.add(Invalidated::Tag(tag.to_owned()));
        self.0.flights.forget_all();
        self.invalidated(self.0.store.invalidate_tag(tag), LONG_OPERATION, cx).await
    }

    /// Forgets everything in this cache; how much that was. What is being made right now is not
    /// kept.
    ///
    /// # Errors
    /// What the store failed with, within 5 s.
    pub async fn clear(&self, cx: &Context) -> Result<u64, StoreError> {
        self.0.invalidations.add(Invalidated::All);
        self.0.flights.forget_all();
        self.invalidated(self.0.store.clear(), LONG_OPERATION, cx).await
    }

    async fn invalidated<T>(&self, reply: Reply<'_, T>, within: Duration, cx: &Context) -> Result<T, StoreError> {
        self.meet(cx);
        let done = wait(reply, within, cx).await;
        match &done {
            Ok(_) => self.0.writes.succeeded(),
            Err(error) => {
                count(&self.0.counters.invalidation_errors);
                self.0.writes.failed(error, cx.clock());
            }
        }
        done
    }

    /// What the cache has done so far, over all workflows and engines that share it.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let mut stats = self.0.counters.read(self.0.policy.cost_per_call);
        (stats.evictions, stats.expired) = self.0.evictions();
        stats.entries = self.0.store.entries();
        stats.bytes = self.0.store.bytes();
        stats
    }

    /// Makes itself known to the engine's health report, once per engine.
    #[inline]
    pub(super) fn meet(&self, cx: &Context) {
        if self.0.met.load(Ordering::Relaxed) != cx.telemetry().engine_id() {
            self.introduce(cx);
        }
    }

    #[cold]
    fn introduce(&self, cx: &Context) {
        let engine = cx.telemetry().engine_id();
        let mut engines = self.0.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if !engines.contains(&engine) {
            let component: Arc<dyn HealthComponent> = Arc::<Shared<V>>::clone(&self.0);
            cx.telemetry().watch_health(&component);
            if engines.len() < MAX_ENGINES {
                engines.push(engine);
            }
        }
        self.0.met.store(engine, Ordering::Relaxed);
    }
}

impl<V: 'static> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { name, policy, store, .. } = &*self.0;
        f.debug_struct("Cache")
            .field("name", name)
            .field("policy", policy)
            .field("store", &store.kind())
            .finish_non_exhaustive()
    }
}
