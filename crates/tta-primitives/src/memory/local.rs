//! A memory in this process: maps behind one lock, held for the length of one operation.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tta_telemetry::{Clock, Health};

use super::backend::{Made, MemoryBackend, MemoryEntry, MemoryFuture, MemoryQuery, MemoryRecord};

/// Keeps a memory's entries in this process; the default.
#[derive(Debug)]
pub struct LocalMemory<V>(Mutex<State<V>>);

#[derive(Debug)]
struct State<V> {
    entries: HashMap<Arc<str>, Kept<V>>,
    /// By number, which grows: the first is the oldest.
    order: BTreeMap<u64, Arc<str>>,
    /// Entries with a TTL, by when they are gone.
    expiry: BTreeSet<(u64, u64)>,
    next: u64,
}

#[derive(Debug)]
struct Kept<V> {
    value: V,
    text: Option<String>,
    number: u64,
    expires_unix_ns: Option<u64>,
}

impl<V> Kept<V> {
    fn is_live(&self, now: u64) -> bool {
        self.expires_unix_ns.is_none_or(|expires| now < expires)
    }
}

impl<V> Default for LocalMemory<V> {
    fn default() -> Self {
        let (entries, order, expiry) = (HashMap::new(), BTreeMap::new(), BTreeSet::new());
        Self(Mutex::new(State { entries, order, expiry, next: 0 }))
    }
}

fn now(clock: &Clock) -> u64 {
    clock.unix_ns(clock.ticks())
}

fn ready<'a, T: Send + 'a>(answer: T) -> MemoryFuture<'a, T> {
    Box::pin(std::future::ready(Ok(answer)))
}

impl<V> State<V> {
    fn remove(&mut self, key: &str) -> Option<Kept<V>> {
        let kept = self.entries.remove(key)?;
        self.order.remove(&kept.number);
        if let Some(expires) = kept.expires_unix_ns {
            self.expiry.remove(&(expires, kept.number));
        }
        Some(kept)
    }

    /// Forgets the entries whose time has passed; how many.
    fn expire(&mut self, now: u64) -> u64 {
        let mut expired = 0;
        while let Some(&(expires, number)) = self.expiry.first()
            && expires <= now
        {
            self.expiry.pop_first();
            if let Some(key) = self.order.get(&number).cloned() {
                self.remove(&key);
                expired += 1;
            }
        }
        expired
    }

    fn add(&mut self, key: &str, mut kept: Kept<V>, max_entries: u64, now: u64) -> Made {
        let expired = self.expire(now);
        self.remove(key);
        let mut evicted = 0;
        while self.entries.len() as u64 >= max_entries
            && let Some(oldest) = self.order.first_key_value().map(|(_, key)| Arc::clone(key))
        {
            self.remove(&oldest);
            evicted += 1;
        }
        kept.number = self.next;
        self.next += 1;
        let key: Arc<str> = key.into();
        self.order.insert(kept.number, Arc::clone(&key));
        if let Some(expires) = kept.expires_unix_ns {
            self.expiry.insert((expires, kept.number));
        }
        self.entries.insert(key, kept);
        Made { evicted, expired }
    }
}

impl<V> LocalMemory<V> {
    fn state(&self) -> MutexGuard<'_, State<V>> {
        // User code that runs under the lock only clones and drops values; the maps stay in step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Clone + Send + Sync + 'static> MemoryBackend<V> for LocalMemory<V> {
    fn add<'a>(&'a self, record: MemoryRecord<'a, V>, clock: &'a Clock) -> MemoryFuture<'a, Made> {
        let now = now(clock);
        let MemoryRecord { key, value, text, ttl, max_entries } = record;
        let kept = Kept { value, text, number: 0, expires_unix_ns: ttl.map(|ttl| later(now, ttl)) };
        ready(self.state().add(key, kept, max_entries, now))
    }

    fn get<'a>(&'a self, key: &'a str, clock: &'a Clock) -> MemoryFuture<'a, Option<V>> {
        let now = now(clock);
        let found = self.state().entries.get(key).filter(|kept| kept.is_live(now)).map(|kept| kept.value.clone());
        ready(found)
    }

    fn search<'a>(&'a self, query: MemoryQuery<'a>, clock: &'a Clock) -> MemoryFuture<'a, Vec<MemoryEntry<V>>> {
        let now = now(clock);
        let state = self.state();
        let newest_first = state.order.values().rev();
        let found = newest_first.filter_map(|key| {
            let name = key.strip_prefix(query.scope)?;
            let kept = state.entries.get(key).filter(|kept| kept.is_live(now))?;
            query
                .search
                .finds(name, kept.text.as_deref())
                .then(|| MemoryEntry { key: name.to_owned(), value: kept.value.clone() })
        });
        let found = found.take(query.limit).collect();
        drop(state);
        ready(found)
    }

    fn delete<'a>(&'a self, key: &'a str, clock: &'a Clock) -> MemoryFuture<'a, bool> {
        let now = now(clock);
        let removed = self.state().remove(key);
        ready(removed.is_some_and(|kept| kept.is_live(now)))
    }

    fn clear<'a>(&'a self, scope: &'a str) -> MemoryFuture<'a, u64> {
        let mut state = self.state();
        let keys: Vec<_> = state.entries.keys().filter(|key| key.starts_with(scope)).cloned().collect();
        keys.iter().for_each(|key| drop(state.remove(key)));
        ready(keys.len() as u64)
    }

    fn size<'a>(&'a self, scope: &'a str, clock: &'a Clock) -> MemoryFuture<'a, u64> {
        let now = now(clock);
        let state = self.state();
        let live = state.entries.iter().filter(|(key, kept)| key.starts_with(scope) && kept.is_live(now)).count();
        ready(live as u64)
    }

    fn health(&self) -> Option<Health> {
        None
    }

    fn kind(&self) -> &'static str {
        "memory"
    }
}

fn later(now: u64, ttl: Duration) -> u64 {
    now.saturating_add(u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX))
}
