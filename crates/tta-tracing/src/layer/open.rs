//! The library spans that are open, by the number the subscriber gave them.
//!
//! Owns the table and what is kept of a span. Not in the registry's extensions: those cost a
//! look-up, a lock and a hash by type each time, and an allocation per span.
//!
//! No code of users and nothing of the engine that could wait runs while the table is locked.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_core::span::Id;
use tta_primitives::interop::Place;
use tta_telemetry::{OwnedSpan, TraceHandle};

/// Parts of the table, so that threads seldom wait for each other.
const SHARDS: usize = 64;
const SHARD_BITS: u32 = SHARDS.trailing_zeros();

/// Spans that may be open in one part: about 131,000 in all.
const MAX_PER_SHARD: usize = 2_048;

/// Ended spans whose memory a thread keeps for its next ones.
const MAX_SPARE: usize = 64;

thread_local! {
    // Boxed as in the table, so that a span is never moved: it holds its attributes inline.
    #[allow(clippy::vec_box)]
    static SPARE: RefCell<Vec<Box<OpenSpan>>> = const { RefCell::new(Vec::new()) };
}

/// A library span that is open.
#[derive(Debug)]
pub(super) struct OpenSpan {
    pub(super) span: OwnedSpan,
    /// At the span: where what is entered in it goes. `None` in spare ones.
    place: Option<Place>,
    /// The library said how the span ended; nothing else changes it.
    pub(super) is_status_said: bool,
}

impl OpenSpan {
    /// Starts a span at a place, if the run is recorded.
    pub(super) fn start(place: Place, name: &'static str, kind: &'static str) -> Option<Box<Self>> {
        let spare = SPARE.try_with(|spare| spare.try_borrow_mut().ok()?.pop()).ok().flatten();
        let mut open = spare.unwrap_or_else(|| {
            let span = TraceHandle::default().owned_span(None, "", kind);
            Box::new(Self { span, place: None, is_status_said: false })
        });
        open.span.restart(place.trace(), place.span_id(), name, kind);
        let id = open.span.id()?;
        open.place = Some(place.at(id));
        open.is_status_said = false;
        Some(open)
    }

    /// Ends the span.
    pub(super) fn end(mut self: Box<Self>) {
        self.span.stop();
        self.place = None;
        let _ = SPARE.try_with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && spare.len() < MAX_SPARE
            {
                spare.push(self);
            }
        });
    }

    pub(super) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

/// As many spans are open as may be.
#[derive(Debug)]
pub(super) struct TooManyOpen;

#[derive(Debug)]
pub(super) struct OpenSpans {
    shards: Box<[Shard]>,
}

impl Default for OpenSpans {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }
}

/// On a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard {
    /// How many there are: written under the lock, read without it.
    len: AtomicUsize,
    spans: Mutex<Spans>,
}

type Spans = HashMap<Key, Box<OpenSpan>, BuildHasherDefault<SameHash>>;

/// A subscriber's number with its bits mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(u64);

impl Key {
    #[inline]
    fn of(id: &Id) -> Self {
        // Fibonacci hashing (Knuth, volume 3, section 6.4): an odd factor loses nothing.
        Self(id.into_u64().wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// Keys are mixed already.
#[derive(Default)]
struct SameHash(u64);

impl Hasher for SameHash {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[inline]
    fn write_u64(&mut self, key: u64) {
        // The table takes its seven bits from the top, where all keys of a shard agree.
        self.0 = key.rotate_left(SHARD_BITS);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

impl Shard {
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Spans> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenSpans {
    /// The part of the table, unless nothing is in it.
    #[inline]
    fn occupied(&self, key: Key) -> Option<&Shard> {
        // Whoever asks for a span was told its number after it was put in here, so it sees a
        // count that includes it.
        self.shard(key).filter(|shard| shard.len.load(Ordering::Relaxed) > 0)
    }

    #[inline]
    fn shard(&self, key: Key) -> Option<&Shard> {
        self.shards.get((key.0 >> (u64::BITS - SHARD_BITS)) as usize)
    }

    /// Returns the span that had the number before, if one did.
    ///
    /// # Errors
    /// When too many are open: the span is thrown away unrecorded.
    pub(super) fn insert(&self, id: &Id, span: Box<OpenSpan>) -> Result<Option<Box<OpenSpan>>, TooManyOpen> {
        let key = Key::of(id);
        let Some(shard) = self.shard(key) else { return Err(TooManyOpen) };
        let mut spans = shard.lock();
        if spans.len() >= MAX_PER_SHARD {
            return Err(TooManyOpen);
        }
        let replaced = spans.insert(key, span);
        shard.len.store(spans.len(), Ordering::Relaxed);
        Ok(replaced)
    }

    /// Whether a span may be open; cheap when none is.
    #[inline]
    pub(super) fn may_contain(&self, id: &Id) -> bool {
        self.occupied(Key::of(id)).is_some()
    }

    /// Calls `f` with a span that is open.
    #[inline]
    pub(super) fn with<R>(&self, id: &Id, f: impl FnOnce(&mut OpenSpan) -> R) -> Option<R> {
        let key = Key::of(id);
        self.occupied(key)?.lock().get_mut(&key).map(|span| f(span))
    }

    pub(super) fn contains(&self, id: &Id) -> bool {
        self.with(id, |_| ()).is_some()
    }

    #[inline]
    pub(super) fn remove(&self, id: &Id) -> Option<Box<OpenSpan>> {
        let key = Key::of(id);
        let shard = self.occupied(key)?;
        let mut spans = shard.lock();
        let removed = spans.remove(&key);
        shard.len.store(spans.len(), Ordering::Relaxed);
        removed
    }
}
