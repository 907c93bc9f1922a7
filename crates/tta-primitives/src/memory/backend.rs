//! The contract between a memory and where it is kept, and what passes between them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{Clock, Health};

use super::error::MemoryError;

/// A backend's answer, now or later.
pub type MemoryFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, MemoryError>> + Send + 'a>>;

/// What a search looks for. Case matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// Keys that start so.
    Prefix(Arc<str>),
    /// Keys or values that contain this: of a value, the text that
    /// [`MemoryBuilder::search_values`](super::MemoryBuilder::search_values) gives.
    Contains(Arc<str>),
}

impl Search {
    /// Entries whose key starts so; an empty prefix finds all.
    pub fn prefix(prefix: impl Into<Arc<str>>) -> Self {
        Search::Prefix(prefix.into())
    }

    /// Entries whose key or text contains this.
    pub fn contains(text: impl Into<Arc<str>>) -> Self {
        Search::Contains(text.into())
    }

    /// Whether an entry is found, by its key without the namespace and its text.
    #[must_use]
    pub fn finds(&self, key: &str, text: Option<&str>) -> bool {
        match self {
            Search::Prefix(prefix) => key.starts_with(&**prefix),
            Search::Contains(part) => key.contains(&**part) || text.is_some_and(|text| text.contains(&**part)),
        }
    }

    /// The same for keys alone; `None` when the text decides.
    #[must_use]
    pub fn finds_key(&self, key: &str) -> Option<bool> {
        match self {
            Search::Prefix(prefix) => Some(key.starts_with(&**prefix)),
            Search::Contains(part) => key.contains(&**part).then_some(true),
        }
    }
}

/// What is to be remembered.
#[derive(Clone, Debug)]
pub struct MemoryRecord<'a, V> {
    /// The key, with its namespace.
    pub key: &'a str,
    /// The value.
    pub value: V,
    /// What searches look at in the value.
    pub text: Option<String>,
    /// For how long; for good when `None`.
    pub ttl: Option<Duration>,
    /// How many entries the store may hold: the oldest make room.
    pub max_entries: u64,
}

/// What had to go when something was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Entries forgotten to make room.
    pub evicted: u64,
    /// Entries forgotten because their time had passed.
    pub expired: u64,
}

/// What a search asks of a backend.
#[derive(Clone, Copy, Debug)]
pub struct MemoryQuery<'a> {
    /// The namespace: only keys that start so are looked at, and it is cut off before they are
    /// matched and returned.
    pub scope: &'a str,
    /// What to look for.
    pub search: &'a Search,
    /// How many entries at most.
    pub limit: usize,
}

/// An entry that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryEntry<V> {
    /// Its key, without the namespace.
    pub key: String,
    /// The value.
    pub value: V,
}

/// Keeps the entries of one memory.
///
/// Time is the given clock's wall-clock time: an entry is gone once its TTL has passed on it.
/// Entries are ordered by when they were last added. `testing::memory_conformance` (feature
/// `test-util`) says the rest in tests.
///
/// # Cancel safety
/// Dropping an answer gives up waiting; a change may then have happened or not.
pub trait MemoryBackend<V>: Send + Sync + 'static {
    /// Remembers, in the place of what was under the key, as the newest entry. Forgets the
    /// entries whose time has passed, then the oldest, until there is room.
    fn add<'a>(&'a self, record: MemoryRecord<'a, V>, clock: &'a Clock) -> MemoryFuture<'a, Made>;

    /// What is under a key.
    fn get<'a>(&'a self, key: &'a str, clock: &'a Clock) -> MemoryFuture<'a, Option<V>>;

    /// The entries that match, newest first. Values that cannot be read are left out.
    fn search<'a>(&'a self, query: MemoryQuery<'a>, clock: &'a Clock) -> MemoryFuture<'a, Vec<MemoryEntry<V>>>;

    /// Forgets an entry; whether there was one whose time had not passed.
    fn delete<'a>(&'a self, key: &'a str, clock: &'a Clock) -> MemoryFuture<'a, bool>;

    /// Forgets every entry whose key starts with the namespace (all, when that is empty), and
    /// nothing of others in the same store; how many.
    fn clear<'a>(&'a self, scope: &'a str) -> MemoryFuture<'a, u64>;

    /// How many entries there are in the namespace (in all, when that is empty) whose time has
    /// not passed.
    fn size<'a>(&'a self, scope: &'a str, clock: &'a Clock) -> MemoryFuture<'a, u64>;

    /// How the store is; `None` for one that cannot fail.
    fn health(&self) -> Option<Health>;

    /// What it is: `memory`, `redis`.
    fn kind(&self) -> &'static str;
}
