//! The cache itself: looking up and keeping within bounds, and how it is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{Either, select};
use tta_telemetry::{Health, HealthComponent, Name};

use super::config::Policy;
use super::error::{is_about_the_value, is_kept_by_default, message_of};
use super::flights::Flights;
use super::invalidations::Invalidations;
use super::key::CacheKey;
use super::metrics::Contents;
use super::reach::Reach;
use super::stats::{Counters, count};
use super::store::{CacheStore, Entry, Found, Kept, Payload, Reply, StoreError};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};

/// Tags that one value may have.
const MAX_TAGS: usize = 64;

/// What the clones of a cache have in common.
pub(super) struct Shared<V> {
    pub(super) name: Name,
    component: Name,
    pub(super) policy: Policy<V>,
    pub(super) store: Arc<dyn CacheStore<V>>,
    pub(super) flights: Arc<Flights<V>>,
    pub(super) invalidations: Invalidations,
    pub(super) counters: Counters,
    pub(super) refreshing: AtomicUsize,
    reads: Reach,
    pub(super) writes: Reach,
    /// The engine met last, and those met so far.
    pub(super) met: AtomicU64,
    pub(super) engines: Mutex<Vec<u64>>,
    /// One for each operation that uses it.
    pub(super) contents: Mutex<Vec<Arc<Contents<V>>>>,
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

impl<V: Clone + Send + Sync + 'static> Shared<V> {
    pub(super) fn new(name: Name, policy: Policy<V>, store: Arc<dyn CacheStore<V>>) -> Self {
        Self {
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
            contents: Mutex::default(),
        }
    }

    /// Entries forgotten to make room, and those whose time had passed.
    pub(super) fn evictions(&self) -> (u64, u64) {
        let (evicted, expired) = self.store.evictions();
        (evicted, expired + self.counters.expired.load(Ordering::Relaxed))
    }

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
        result: Result<&V, &Error>,
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
            Stored::Kept => {}
            Stored::TooLarge => count(&self.counters.too_large),
            Stored::Superseded => count(&self.counters.superseded),
            Stored::Failed | Stored::Resting => count(&self.counters.put_errors),
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
    fn entry_of_failure(&self, error: &Error) -> Option<Entry<V>> {
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
pub(super) async fn wait<T>(reply: Reply<'_, T>, within: Duration, cx: &Context) -> Result<T, StoreError> {
    match reply {
        Reply::Ready(answer) => answer,
        // Timers are large: in a box, so that answers that are there stay small.
        Reply::Later(answer) => match select(answer, Box::pin(cx.sleep(within))).await {
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
