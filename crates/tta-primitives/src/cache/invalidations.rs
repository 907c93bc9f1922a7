//! What was invalidated of late, so that a value made from older data is not kept after it.
//!
//! A step that began before an invalidation may return after it, with what it read before. Its
//! value is given to those who wait for it, but it is not kept. Tags are known only once the value
//! is, so the log is looked at afterwards.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tta_telemetry::Name;

use super::key::CacheKey;

/// Invalidations that are remembered. A step during which there were more counts as concerned.
const REMEMBERED: usize = 256;

/// What an invalidation was about.
#[derive(Debug)]
pub(super) enum Invalidated {
    Key(CacheKey),
    Tag(String),
    All,
}

#[derive(Debug, Default)]
pub(super) struct Invalidations {
    /// How many there were.
    count: AtomicU64,
    recent: Mutex<VecDeque<Invalidated>>,
}

impl Invalidations {
    /// To be said before the store does it: a value put before the store does is gone with it, one
    /// put later is looked at again after this.
    pub(super) fn add(&self, what: Invalidated) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(what);
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    /// A point in time, for [`Invalidations::concern`].
    pub(super) fn mark(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Whether an entry of this key and these tags was invalidated since.
    pub(super) fn concern(&self, since: u64, key: &CacheKey, tags: &[Name]) -> bool {
        if self.mark() == since {
            return false;
        }
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(self.mark().saturating_sub(since)).unwrap_or(usize::MAX);
        let concerns = |what: &Invalidated| match what {
            Invalidated::Key(other) => other == key,
            Invalidated::Tag(tag) => tags.iter().any(|own| own == tag.as_str()),
            Invalidated::All => true,
        };
        new > recent.len() || recent.iter().rev().take(new).any(concerns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_later_and_is_about_the_entry_concerns_it() {
        let (log, key) = (Invalidations::default(), CacheKey::of("a"));
        let concern = |since, tags: &[Name]| log.concern(since, &key, tags);
        log.add(Invalidated::All);
        let since = log.mark();
        assert!(!concern(since, &["t".into()]));
        log.add(Invalidated::Key(CacheKey::of("b")));
        log.add(Invalidated::Tag("t".to_owned()));
        assert_eq!((concern(since, &[]), concern(since, &["t".into()])), (false, true));
        log.add(Invalidated::Key(key.clone()));
        assert!(concern(since, &[]) && !concern(log.mark(), &[]));
    }

    #[test]
    fn more_than_is_remembered_concerns_everything() {
        let (log, key) = (Invalidations::default(), CacheKey::of("a"));
        let since = log.mark();
        (0..REMEMBERED).for_each(|_| log.add(Invalidated::Tag("t".to_owned())));
        assert!(!log.concern(since, &key, &[]));
        log.add(Invalidated::Tag("t".to_owned()));
        assert!(log.concern(since, &key, &[]));
    }
}
