//! Keys of cached values.
// Placeholder until the cache itself is merged; on a conflict take the other side, whole.

use std::sync::Arc;

/// What a value is cached under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(Arc<str>);

impl CacheKey {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for CacheKey {
    fn from(key: &str) -> Self {
        Self(key.into())
    }
}
