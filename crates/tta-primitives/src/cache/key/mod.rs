//! Keys that cannot collide: parts in length-prefixed form, hashed when that is too long.
//!
//! Owns the form of a key. What can be a part is in `parts`; a key function that fails is the
//! caller's to deal with.

mod parts;
mod writer;

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

pub use parts::{CacheKeyParts, IntoCacheKey};
pub use writer::CacheKeyWriter;

/// What a value is kept under: equal for equal parts, different for different ones.
///
/// ```
/// use tta_primitives::CacheKey;
///
/// let key = CacheKey::of(&("user", 42, "déjà vu"));
/// assert_eq!(key.as_str(), "4:user2:429:d%C3%A9j%C3%A0%20vu");
/// assert_ne!(CacheKey::of(&("ab", "c")), CacheKey::of(&("a", "bc")));
/// ```
///
/// Each part stands behind its length in bytes, so no choice of parts can look like another.
/// Bytes other than ASCII letters, digits and common punctuation are written as `%` and two
/// hexadecimal digits. A key is at most [`CacheKey::MAX_BYTES`] long; what does not fit is a
/// readable beginning, `~`, and the SHA-256 of the whole.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(Arc<str>);

impl CacheKey {
    /// The longest form of a key, in bytes.
    pub const MAX_BYTES: usize = 200;

    /// The key of some parts: texts, numbers, or tuples, lists and options of them.
    #[must_use]
    pub fn of<P: CacheKeyParts + ?Sized>(parts: &P) -> Self {
        let mut writer = CacheKeyWriter::new();
        parts.write(&mut writer);
        writer.finish()
    }

    /// The key as printable ASCII, without spaces and braces.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for CacheKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({})", &self.0)
    }
}

#[cfg(test)]
mod tests;
