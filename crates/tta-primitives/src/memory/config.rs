//! How a memory is built: its bound, its TTL, its backend, what searches see of a value.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::Name;

use super::backend::MemoryBackend;
use super::local::LocalMemory;
use super::{Memory, TextOf};
use crate::policy::PolicyError;

/// The longest time that is accepted.
pub(super) const LONGEST: Duration = Duration::from_secs(3_650 * 86_400);
pub(super) const TTL_RANGE: &str = "above 0, at most 3650 days";
const DEFAULT_MAX_ENTRIES: u64 = 1_000;
const MOST_ENTRIES: u64 = 1_000_000;

/// Builds a [`Memory`].
#[must_use]
pub struct MemoryBuilder<V> {
    name: Name,
    max_entries: u64,
    default_ttl: Option<Duration>,
    text: Option<TextOf<V>>,
    backend: Option<Arc<dyn MemoryBackend<V>>>,
}

impl<V> fmt::Debug for MemoryBuilder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBuilder")
            .field("name", &self.name)
            .field("max_entries", &self.max_entries)
            .field("default_ttl", &self.default_ttl)
            .finish_non_exhaustive()
    }
}

impl<V: Clone + Send + Sync + 'static> MemoryBuilder<V> {
    pub(super) fn new(name: Name) -> Self {
        Self { name, max_entries: DEFAULT_MAX_ENTRIES, default_ttl: None, text: None, backend: None }
    }

    /// How many entries it holds at most, over all its namespaces: the oldest make room for new
    /// ones, and are counted. Default 1,000; 1 to 1,000,000.
    pub fn max_entries(mut self, max_entries: u64) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// For how long entries are kept that are added without a TTL of their own: above 0, at most
    /// 3650 days. Default: until they are the oldest and there is no more room.
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.default_ttl = Some(ttl);
        self
    }

    /// What [`Search::contains`](super::Search::contains) looks at in a value. Default: nothing,
    /// it looks at keys alone.
    pub fn search_values(mut self, text: impl for<'v> Fn(&'v V) -> Cow<'v, str> + Send + Sync + 'static) -> Self {
        self.text = Some(Arc::new(text));
        self
    }

    /// Where entries are kept. Default: in this process.
    pub fn backend(mut self, backend: impl MemoryBackend<V>) -> Self {
        self.backend = Some(Arc::new(backend));
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn build(self) -> Result<Memory<V>, PolicyError> {
        let Self { name, max_entries, default_ttl, text, backend } = self;
        PolicyError::check("memory", "name", &name, "1 to 100 bytes", (1..=100).contains(&name.len()))?;
        let in_range = (1..=MOST_ENTRIES).contains(&max_entries);
        PolicyError::check("memory", "max_entries", max_entries, "1 to 1000000", in_range)?;
        if let Some(ttl) = default_ttl {
            PolicyError::check("memory", "default_ttl", ttl, TTL_RANGE, is_ttl(ttl))?;
        }
        let backend = backend.unwrap_or_else(|| Arc::new(LocalMemory::default()));
        Ok(Memory::from_parts(name, max_entries, default_ttl, text, backend))
    }
}

impl<V: AsRef<str> + Clone + Send + Sync + 'static> MemoryBuilder<V> {
    /// [`MemoryBuilder::search_values`] for values that are text: searches look at all of it.
    pub fn search_text(self) -> Self {
        self.search_values(|value| Cow::Borrowed(value.as_ref()))
    }
}

pub(super) fn is_ttl(ttl: Duration) -> bool {
    !ttl.is_zero() && ttl <= LONGEST
}
