//! A memory: what steps remember across runs, as facts and conversations.
//!
//! Owns keys, namespaces, bounds on what is asked, and what is recorded. Where entries are kept is
//! a backend's.

mod backend;
mod config;
mod error;
mod local;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use backend::{Made, MemoryBackend, MemoryEntry, MemoryFuture, MemoryQuery, MemoryRecord, Search};
pub use config::MemoryBuilder;
pub use error::MemoryError;
pub use local::LocalMemory;

use tta_telemetry::{Health, HealthComponent, Name, Span, SpanStatus};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::observe::record_error;
use crate::policy::PolicyError;

/// The most entries that one search returns.
const MOST_FOUND: usize = 1_000;
/// The longest key, with its namespace.
const LONGEST_KEY: usize = 1_024;

type TextOf<V> = Arc<dyn for<'v> Fn(&'v V) -> Cow<'v, str> + Send + Sync>;

/// A bounded memory that steps share across runs: facts, conversations, intermediate results.
///
/// Cheap to clone; clones and namespaces share the entries and the bound. When it is full, the
/// entries that were added longest ago make room. Nothing is removed by being read, and reading
/// does not make an entry younger.
///
/// ```
/// use std::time::Duration;
/// use tta_primitives::{Context, Memory, Search};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let cx = Context::new();
/// let facts = Memory::<String>::builder("facts").search_text().default_ttl(Duration::from_secs(3600)).build()?;
/// facts.add("user:ada:city", "lives in London".to_owned(), None, &cx).await?;
/// facts.add("user:ada:tea", "drinks it black".to_owned(), Some(Duration::from_secs(60)), &cx).await?;
///
/// assert_eq!(facts.get("user:ada:city", &cx).await?.as_deref(), Some("lives in London"));
/// let found = facts.search(&Search::prefix("user:ada:"), 10, &cx).await?;
/// assert_eq!(found[0].key, "user:ada:tea"); // newest first
/// assert_eq!(facts.search(&Search::contains("London"), 10, &cx).await?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
///
/// # What is recorded
/// Each operation inside a run is a span, `memory.add`, `memory.get` and so on, with the memory's
/// name and backend and how many entries it found or removed. Keys and values are not recorded.
///
/// # Cancel safety
/// Dropping an operation gives up waiting. A change may then have happened or not.
pub struct Memory<V> {
    shared: Arc<Shared<V>>,
    /// The namespace, as it stands before keys.
    scope: Arc<str>,
}

struct Shared<V> {
    name: Name,
    max_entries: u64,
    default_ttl: Option<Duration>,
    text: Option<TextOf<V>>,
    backend: Arc<dyn MemoryBackend<V>>,
    evicted: AtomicU64,
    expired: AtomicU64,
    /// How the backend is, for engines' reports.
    component: Arc<dyn HealthComponent>,
    /// The engine that watches the component, the latest if there are several.
    watched_by: AtomicU64,
}

struct Component<V> {
    name: Name,
    backend: Arc<dyn MemoryBackend<V>>,
}

impl<V: 'static> HealthComponent for Component<V> {
    fn name(&self) -> Name {
        self.name.clone()
    }

    fn health(&self) -> Health {
        self.backend.health().unwrap_or_default()
    }
}

/// What a memory has forgotten by itself, as far as this handle and its clones have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryCounts {
    /// Entries forgotten to make room.
    pub evicted: u64,
    /// Entries forgotten because their time had passed.
    pub expired: u64,
}

impl<V> Clone for Memory<V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), scope: Arc::clone(&self.scope) }
    }
}

impl<V> fmt::Debug for Memory<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("name", &self.shared.name)
            .field("namespace", &self.scope)
            .field("max_entries", &self.shared.max_entries)
            .finish_non_exhaustive()
    }
}

impl<V: Clone + Send + Sync + 'static> Memory<V> {
    /// A memory to be set up. The name stands in spans and health reports: 1 to 100 bytes.
    pub fn builder(name: impl Into<Name>) -> MemoryBuilder<V> {
        MemoryBuilder::new(name.into())
    }

    fn from_parts(
        name: Name,
        max_entries: u64,
        default_ttl: Option<Duration>,
        text: Option<TextOf<V>>,
        backend: Arc<dyn MemoryBackend<V>>,
    ) -> Self {
        let component = Component { name: format!("memory:{name}").into(), backend: Arc::clone(&backend) };
        let (evicted, expired) = (AtomicU64::new(0), AtomicU64::new(0));
        let (component, watched_by) = (Arc::new(component), AtomicU64::new(u64::MAX));
        let shared = Shared { name, max_entries, default_ttl, text, backend, evicted, expired, component, watched_by };
        Self { shared: Arc::new(shared), scope: "".into() }
    }

    /// The part of this memory below a name: the keys that start with the name and a slash, seen
    /// without them. For one user's or one conversation's entries; the bound is shared.
    ///
    /// # Errors
    /// A name that is empty, longer than 200 bytes, or has a slash in it.
    pub fn namespace(&self, name: &str) -> Result<Self, PolicyError> {
        let is_good = (1..=200).contains(&name.len()) && !name.contains('/');
        PolicyError::check("memory", "namespace", name, "1 to 200 bytes without a slash", is_good)?;
        Ok(Self { shared: Arc::clone(&self.shared), scope: format!("{}{name}/", self.scope).into() })
    }

    /// Remembers a value in the place of what was under the key, as the newest entry. Without a
    /// TTL the memory's default holds.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a key that is empty or, with its namespace, longer than
    /// 1,024 bytes, and for a TTL of 0 or above 3650 days. Otherwise a [`MemoryError`].
    pub async fn add(&self, key: &str, value: V, ttl: Option<Duration>, cx: &Context) -> Result<()> {
        let shared = &*self.shared;
        let mut span = self.span("memory.add", cx);
        let ttl_good = ttl.is_none_or(config::is_ttl);
        let checked = self.check_key(key).and_then(|key| {
            PolicyError::check("memory", "ttl", ttl, config::TTL_RANGE, ttl_good).map(|()| key).map_err(invalid)
        });
        let key = done(&mut span, checked)?;
        let text = shared.text.as_ref().map(|text| text(&value).into_owned());
        let ttl = ttl.or(shared.default_ttl);
        let record = MemoryRecord { key: &key, value, text, ttl, max_entries: shared.max_entries };
        let made = shared.backend.add(record, cx.clock()).await;
        let made = answered(&mut span, made)?;
        shared.evicted.fetch_add(made.evicted, Ordering::Relaxed);
        shared.expired.fetch_add(made.expired, Ordering::Relaxed);
        if made.evicted > 0 {
            span.set("memory.evicted", made.evicted);
        }
        Ok(())
    }

    /// What is under a key.
    ///
    /// # Errors
    /// As [`Memory::add`] does for keys, and a [`MemoryError`].
    pub async fn get(&self, key: &str, cx: &Context) -> Result<Option<V>> {
        let mut span = self.span("memory.get", cx);
        let key = done(&mut span, self.check_key(key))?;
        let found = self.shared.backend.get(&key, cx.clock()).await;
        let found = answered(&mut span, found)?;
        span.set("memory.found", found.is_some());
        Ok(found)
    }

    /// The entries of this namespace that match, newest first, at most `limit` of them: 1 to
    /// 1,000. Looks at every entry; a value that cannot be read is left out.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a limit outside its range, and a [`MemoryError`].
    pub async fn search(&self, search: &Search, limit: usize, cx: &Context) -> Result<Vec<MemoryEntry<V>>> {
        let mut span = self.span("memory.search", cx);
        let in_range = (1..=MOST_FOUND).contains(&limit);
        done(&mut span, PolicyError::check("memory", "limit", limit, "1 to 1000", in_range).map_err(invalid))?;
        let found = self.shared.backend.search(MemoryQuery { scope: &self.scope, search, limit }, cx.clock()).await;
        let found = answered(&mut span, found)?;
        span.set("memory.results", found.len() as u64);
        Ok(found)
    }

    /// Forgets an entry; whether there was one.
    ///
    /// # Errors
    /// As [`Memory::get`].
    pub async fn delete(&self, key: &str, cx: &Context) -> Result<bool> {
        let mut span = self.span("memory.delete", cx);
        let key = done(&mut span, self.check_key(key))?;
        let removed = self.shared.backend.delete(&key, cx.clock()).await;
        let removed = answered(&mut span, removed)?;
        span.set("memory.removed", u64::from(removed));
        Ok(removed)
    }

    /// Forgets every entry of this namespace, those of namespaces below it too; how many.
    ///
    /// # Errors
    /// A [`MemoryError`].
    pub async fn clear(&self, cx: &Context) -> Result<u64> {
        let mut span = self.span("memory.clear", cx);
        let removed = self.shared.backend.clear(&self.scope).await;
        let removed = answered(&mut span, removed)?;
        span.set("memory.removed", removed);
        Ok(removed)
    }

    /// How many entries this namespace has, those of namespaces below it too.
    ///
    /// # Errors
    /// A [`MemoryError`].
    pub async fn size(&self, cx: &Context) -> Result<u64> {
        let mut span = self.span("memory.size", cx);
        let size = self.shared.backend.size(&self.scope, cx.clock()).await;
        let size = answered(&mut span, size)?;
        span.set("memory.entries", size);
        Ok(size)
    }

    /// What was forgotten by itself, as far as this handle and its clones have seen.
    #[must_use]
    pub fn counts(&self) -> MemoryCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        MemoryCounts { evicted: read(&self.shared.evicted), expired: read(&self.shared.expired) }
    }

    /// How the backend is, as the engine's health report says under `memory:<name>`; always
    /// healthy for one in this process.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.component.health()
    }

    fn check_key(&self, key: &str) -> Result<String> {
        let in_range = !key.is_empty() && self.scope.len() + key.len() <= LONGEST_KEY;
        let accepted = "1 to 1024 bytes with its namespace";
        PolicyError::check("memory", "key length", key.len(), accepted, in_range).map_err(invalid)?;
        Ok(format!("{}{key}", self.scope))
    }

    fn span<'c>(&self, operation: &'static str, cx: &'c Context) -> Span<'c> {
        self.watch(cx);
        let mut span = cx.span(operation);
        // Until it is known better: whoever is dropped before the end was cancelled.
        span.set_status(SpanStatus::Cancelled);
        span.set("memory.name", self.shared.name.as_str());
        span.set("memory.backend", self.shared.backend.kind());
        span
    }

    /// Has the engine report the backend's health, once per engine, where it has any.
    fn watch(&self, cx: &Context) {
        let engine = cx.telemetry().engine_id();
        if self.shared.watched_by.swap(engine, Ordering::Relaxed) != engine && self.shared.backend.health().is_some() {
            cx.telemetry().watch_health(&self.shared.component);
        }
    }
}

#[cold]
fn invalid(error: PolicyError) -> Error {
    Error::new(ErrorKind::InvalidInput, error)
}

fn answered<T>(span: &mut Span<'_>, answer: Result<T, MemoryError>) -> Result<T> {
    done(span, answer.map_err(MemoryError::into_error))
}

/// Says on the span how it went.
fn done<T>(span: &mut Span<'_>, result: Result<T>) -> Result<T> {
    let status = match &result {
        Ok(_) => SpanStatus::Ok,
        Err(error) => record_error(span, error),
    };
    span.set_status(status);
    result
}
