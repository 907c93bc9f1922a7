//! Which entries have a tag, so that they can be forgotten together.
//!
//! A tag's generation is an object, its cell. Entries hold the cells of their tags; invalidating a
//! tag marks its cell as gone and takes it out of the map, so that later entries get a new one.
//! An entry is good as long as all its cells are. So an entry that is put while its tag is being
//! invalidated is either in the new generation or forgotten, whichever of the two was first to the
//! map, and needs no lock around the cache itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tta_telemetry::Name;

use crate::cache::key::CacheKey;

/// Tags that are known before those without entries are looked for.
const SWEEP_FROM: usize = 1_024;

/// The tags in use.
#[derive(Debug, Default)]
pub(super) struct Tags(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    cells: HashMap<Name, Arc<Cell>>,
    /// How many there may be before the next sweep.
    sweep_at: usize,
    next_entry: u64,
}

/// One generation of a tag.
#[derive(Debug, Default)]
struct Cell {
    is_gone: AtomicBool,
    /// Entries that have the tag, by their number: one that replaces another has the same key.
    entries: Mutex<HashMap<u64, CacheKey>>,
}

/// What an entry is tagged with. Dropped with the entry, it leaves the tags' lists.
#[derive(Debug, Default)]
pub(super) struct Tagged {
    number: u64,
    cells: Vec<Arc<Cell>>,
}

impl Tags {
    /// Tags a new entry.
    pub(super) fn tag(&self, key: &CacheKey, tags: &[Name]) -> Tagged {
        if tags.is_empty() {
            return Tagged::default();
        }
        let mut known = lock(&self.0);
        known.sweep();
        known.next_entry += 1;
        let number = known.next_entry;
        let cell = |tag: &Name| {
            let cell = Arc::clone(known.cells.entry(tag.clone()).or_default());
            lock(&cell.entries).insert(number, key.clone());
            cell
        };
        Tagged { number, cells: tags.iter().map(cell).collect() }
    }

    /// Ends a tag's generation; the entries that had it.
    pub(super) fn end(&self, tag: &str) -> Vec<(u64, CacheKey)> {
        let Some(cell) = lock(&self.0).cells.remove(tag) else { return Vec::new() };
        cell.is_gone.store(true, Ordering::Release);
        let entries = std::mem::take(&mut *lock(&cell.entries));
        entries.into_iter().collect()
    }
}

impl Known {
    /// Now and then forgets tags that no entry has: a map twice as large as what is in use at most.
    fn sweep(&mut self) {
        if self.cells.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.cells.retain(|_, cell| Arc::strong_count(cell) > 1);
        self.sweep_at = self.cells.len() * 2;
    }
}

impl Tagged {
    /// Whether none of its tags was invalidated.
    #[inline]
    pub(super) fn is_good(&self) -> bool {
        self.cells.iter().all(|cell| !cell.is_gone.load(Ordering::Acquire))
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Tagged {
    fn drop(&mut self) {
        for cell in &self.cells {
            lock(&cell.entries).remove(&self.number);
        }
    }
}

/// Nothing in here can be left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> CacheKey {
        CacheKey::of(&number)
    }

    #[test]
    fn a_tag_ends_for_those_who_have_it_and_begins_anew() {
        let tags = Tags::default();
        let old = tags.tag(&key(1), &["a".into(), "b".into()]);
        let other = tags.tag(&key(2), &["b".into()]);
        assert_eq!(tags.end("a"), [(old.number(), key(1))]);
        let new = tags.tag(&key(1), &["a".into()]);
        assert_eq!((old.is_good(), other.is_good(), new.is_good()), (false, true, true));
        assert_eq!(tags.end("nobody's"), []);
    }

    #[test]
    fn entries_that_are_gone_are_in_no_list_and_tags_without_entries_are_swept() {
        let tags = Tags::default();
        let first = tags.tag(&key(1), &["kept".into()]);
        drop(tags.tag(&key(1), &["kept".into()]));
        for number in 0..3 * SWEEP_FROM {
            drop(tags.tag(&key(number), &[format!("tag {number}").into()]));
        }
        assert!(lock(&tags.0).cells.len() <= SWEEP_FROM + 1, "{}", lock(&tags.0).cells.len());
        assert_eq!(tags.end("kept"), [(first.number(), key(1))]);
    }
}
