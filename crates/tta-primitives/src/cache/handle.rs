//! The cache itself: looking up, keeping, invalidating, and how it is.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tta_telemetry::{Health, HealthComponent, Name};

use super::config::{CacheBuilder, Policy};
use super::error::{is_about_the_value, is_kept_by_default, message_of};
use super::flights::Flights;
use super::invalidations::{Invalidated, Invalidations};
use super::key::{CacheKey, IntoCacheKey};
use super::reach::Reach;
use super::stats::{CacheStats, Counters, count};
use super::store::{CacheStore, Entry, Found, Kept, Payload, Reply, StoreError};
use crate::context::Context;
use crate::error::{ErrorKind, Result};

/// Tags that one value may have.
const MAX_TAGS: usize = 64;
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

pub(super) struct Shared<V> {
    pub(super) name: Name,
    component: Name,
    pub(super) policy: Policy<V>,
    store: Arc<dyn CacheStore<V>>,
    pub(super) flights: Arc<Flights<V>>,
    pub(super) invalidations: Invalidations,
    pub(super) counters: Counters,
    pub(super) refreshing: AtomicUsize,
    reads: Reach,
    writes: Reach,
    /// The engine met last, and those met so far.
    met: AtomicU64,
    engines: Mutex<Vec<u64>>,
}

/// What a lookup came to.
pub(super) enum Looked<V> {
    Fresh(V),
    Stale(V),
    Failure {
        kind: ErrorKind,
        message: Arc<str>,
    },
    Nothing,
    Corrupt,
    Failed,
    /// The store is left alone for a moment.
    Resting,
}

/// What became of a value that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Kept,
    TooLarge,
    Superseded,
    Failed,
    Resting,
}

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
        Self(Arc::new(Shared {
            component: Name::from(format!("cache:{name}")),
            name,
            flights: Flights::new(policy.max_flights),
            policy,
            store,
            invalidations: Invalidations::default(),
            counters: Counters::default(),
            refreshing: AtomicUsize::new(0),
            reads: Reach::new("reads"),
            writes: Reach::new("writes"),
            met: AtomicU64::new(u64::MAX),
            engines: Mutex::default(),
        }))
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
    /// or the store fails, or when it is invalidated meanwhile.
    ///
    /// # Cancel safety
    /// Dropping it gives up waiting; the value may then be kept or not.
    pub async fn put(&self, key: impl IntoCacheKey, value: V, cx: &Context) -> bool {
        self.meet(cx);
        let Ok(key) = key.into_cache_key() else {
            count(&self.0.counters.key_failed);
            return false;
        };
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
        let (evictions, expired) = self.0.store.evictions();
        stats.evictions = evictions;
        stats.expired += expired;
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

impl<V: Clone + Send + Sync + 'static> Shared<V> {
    /// Looks a key up. A store that answers at once costs no timer and no allocation.
    pub(super) async fn look(&self, key: &CacheKey, cx: &Context) -> Looked<V> {
        let clock = cx.clock();
        if !self.reads.may_try(clock) {
            count(&self.counters.resting);
            return Looked::Resting;
        }
        match wait(self.store.get(key, clock), self.policy.lookup_timeout, cx).await {
            Ok(found) => {
                self.reads.succeeded();
                self.judge(found)
            }
            Err(error) => {
                count(&self.counters.get_errors);
                self.reads.failed(&error, clock);
                Looked::Failed
            }
        }
    }

    /// By its age.
    #[inline]
    fn judge(&self, found: Found<V>) -> Looked<V> {
        match found {
            Found::Miss => Looked::Nothing,
            Found::Corrupt => {
                count(&self.counters.corrupt);
                Looked::Corrupt
            }
            Found::Hit(hit) => {
                let is_fresh = hit.age < hit.fresh_for;
                match hit.payload {
                    Payload::Value(value) if is_fresh => Looked::Fresh(value),
                    Payload::Failure { kind, message } if is_fresh => Looked::Failure { kind, message },
                    Payload::Value(value)
                        if !self.policy.stale_for.is_zero()
                            && hit.age < hit.fresh_for.saturating_add(hit.stale_for) =>
                    {
                        Looked::Stale(value)
                    }
                    _ => {
                        count(&self.counters.expired);
                        Looked::Nothing
                    }
                }
            }
        }
    }

    /// Keeps a result, if it is one to be kept: `None` when it is not. `since`: when the making of
    /// it began.
    pub(super) async fn keep(
        &self,
        key: &CacheKey,
        result: Result<&V, &crate::Error>,
        since: u64,
        cx: &Context,
    ) -> Option<Stored> {
        let entry = match result {
            Ok(value) => self.entry_of(value),
            Err(error) => Some(self.entry_of_failure(error)?),
        };
        let stored = match entry {
            Some(entry) => self.store_entry(key, entry, since, cx).await,
            None => Stored::Failed,
        };
        match stored {
            Stored::Kept | Stored::Resting => {}
            Stored::TooLarge => count(&self.counters.too_large),
            Stored::Superseded => count(&self.counters.superseded),
            Stored::Failed => count(&self.counters.put_errors),
        }
        Some(stored)
    }

    /// `None` when its tags cannot be told: it could not be invalidated by them.
    fn entry_of(&self, value: &V) -> Option<Entry<V>> {
        let tags = match &self.policy.tags {
            None => Vec::new(),
            Some(tags) => catch_unwind(AssertUnwindSafe(|| tags(value))).ok()?,
        };
        let (fresh_for, stale_for) = (self.policy.ttl, self.policy.stale_for);
        let payload = Payload::Value(value.clone());
        (tags.len() <= MAX_TAGS).then(|| Entry { payload, fresh_for, stale_for, tags: tags.into() })
    }

    /// `None` when it is not to be kept.
    fn entry_of_failure(&self, error: &crate::Error) -> Option<Entry<V>> {
        let fresh_for = self.policy.negative_ttl;
        if fresh_for.is_zero() || !is_about_the_value(error.kind()) {
            return None;
        }
        let is_wanted = match &self.policy.negative_when {
            None => is_kept_by_default(error),
            Some(when) => catch_unwind(AssertUnwindSafe(|| when(error))).unwrap_or(false),
        };
        let payload = Payload::Failure { kind: error.kind(), message: message_of(error) };
        is_wanted.then(|| Entry { payload, fresh_for, stale_for: Duration::ZERO, tags: Arc::default() })
    }

    async fn store_entry(&self, key: &CacheKey, entry: Entry<V>, since: u64, cx: &Context) -> Stored {
        let (clock, within) = (cx.clock(), self.policy.lookup_timeout);
        let tags = Arc::clone(&entry.tags);
        if self.invalidations.concern(since, key, &tags) {
            return Stored::Superseded;
        }
        if !self.writes.may_try(clock) {
            return Stored::Resting;
        }
        match wait(self.store.put(key, entry, clock), within, cx).await {
            Ok(kept) => {
                self.writes.succeeded();
                // One that came since we looked may have been through with the store before our
                // write was.
                if self.invalidations.concern(since, key, &tags) {
                    let _ = wait(self.store.remove(key), within, cx).await;
                    return Stored::Superseded;
                }
                if kept == Kept::Yes { Stored::Kept } else { Stored::TooLarge }
            }
            Err(error) => {
                self.writes.failed(&error, clock);
                Stored::Failed
            }
        }
    }
}

/// The store's answer, if it comes in time.
#[inline]
async fn wait<T>(reply: Reply<'_, T>, within: Duration, cx: &Context) -> Result<T, StoreError> {
    match reply {
        Reply::Ready(answer) => answer,
        Reply::Later(answer) => match select(answer, pin!(cx.sleep(within))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(StoreError::TimedOut(within)),
        },
    }
}

impl<V: Clone + Send + Sync + 'static> HealthComponent for Shared<V> {
    fn name(&self) -> Name {
        self.component.clone()
    }

    /// The worst of what reads, writes and the store itself say.
    fn health(&self) -> Health {
        let own = self.reads.health().or_else(|| self.writes.health());
        let stores = self.store.health();
        match own {
            Some(own) if own.status > stores.status => own,
            _ => stores,
        }
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
