//! Where cached values live: the contract between the cache and its backends.
//!
//! A store keeps payloads under keys for a time; it knows nothing of single flight, staleness or
//! accounting, which are the cache's. A store in memory answers at once and without allocating; a
//! remote one answers later.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tta_telemetry::{Clock, Health, Name};

use super::key::CacheKey;
use crate::error::ErrorKind;

/// A store's answer: at once, or later.
pub enum Reply<'a, T> {
    /// It is here.
    Ready(Result<T, StoreError>),
    /// It has to be waited for. Dropping it gives the operation up.
    Later(Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>),
}

impl<T> Reply<'_, T> {
    /// Waits for the answer, if that is needed.
    ///
    /// # Errors
    /// What the store failed with.
    pub async fn wait(self) -> Result<T, StoreError> {
        match self {
            Reply::Ready(answer) => answer,
            Reply::Later(answer) => answer.await,
        }
    }
}

/// Why a store could not do what it was asked. The cache goes on without it.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached, or the connection broke.
    #[error("the cache store cannot be reached: {0}")]
    Unavailable(String),
    /// It was reached and refused: out of memory, not allowed.
    #[error("the cache store refused: {0}")]
    Refused(String),
    /// It did not answer in time.
    #[error("the cache store did not answer within {0:?}")]
    TimedOut(Duration),
    /// The value cannot be written in the store's form.
    #[error("the value cannot be encoded: {0}")]
    Encoding(String),
}

/// What is kept: a value, or, under a negative TTL, how making it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<V> {
    /// A value.
    Value(V),
    /// The failure to make one.
    Failure {
        /// Its kind.
        kind: ErrorKind,
        /// Its message.
        message: Arc<str>,
    },
}

/// Something to keep.
#[derive(Clone, Debug)]
pub struct Entry<V> {
    /// What.
    pub payload: Payload<V>,
    /// For how long it is good.
    pub fresh_for: Duration,
    /// For how long after that it may still be shown while it is made anew. The store may forget
    /// it once both have passed.
    pub stale_for: Duration,
    /// What it can be invalidated by.
    pub tags: Arc<[Name]>,
}

/// What a store found under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<V> {
    /// An entry, whatever its age: the cache judges that.
    Hit(Hit<V>),
    /// Nothing.
    Miss,
    /// Something that cannot be read. The store has deleted it.
    Corrupt,
}

/// An entry that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit<V> {
    /// What was kept.
    pub payload: Payload<V>,
    /// How long ago, on the injected clock.
    pub age: Duration,
    /// As in [`Entry::fresh_for`].
    pub fresh_for: Duration,
    /// As in [`Entry::stale_for`].
    pub stale_for: Duration,
}

/// What became of an entry that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept.
    Yes,
    /// It is larger than all the store may hold.
    TooLarge,
}

/// Keeps values of one type.
///
/// Age is measured on the clock that is given, so that tests can move it. A store that expires
/// entries by a clock of its own (as Redis does) must not do so before `fresh_for + stale_for`
/// has passed; what it forgets later is a matter of memory only, never of correctness.
///
/// # Cancel safety
/// Dropping a reply gives up waiting; a write may then have happened or not.
pub trait CacheStore<V>: Send + Sync + 'static {
    /// What is kept under a key.
    fn get<'a>(&'a self, key: &'a CacheKey, clock: &'a Clock) -> Reply<'a, Found<V>>;

    /// Keeps an entry in the place of the one that was there.
    fn put<'a>(&'a self, key: &'a CacheKey, entry: Entry<V>, clock: &'a Clock) -> Reply<'a, Kept>;

    /// Forgets an entry; whether there was one.
    fn remove<'a>(&'a self, key: &'a CacheKey) -> Reply<'a, bool>;

    /// Forgets every entry that has this tag and was kept before the call; how many those were.
    fn invalidate_tag<'a>(&'a self, tag: &'a str) -> Reply<'a, u64>;

    /// Forgets everything in this cache, and nothing of others in the same store; how much.
    fn clear(&self) -> Reply<'_, u64>;

    /// How many entries there are, where that can be told cheaply.
    fn entries(&self) -> Option<u64>;

    /// How many bytes they take, where that can be told cheaply.
    fn bytes(&self) -> Option<u64>;

    /// Entries forgotten to make room, and those forgotten because their time had passed.
    fn evictions(&self) -> (u64, u64);

    /// How the store is.
    fn health(&self) -> Health;

    /// What it is: `memory`, `redis`.
    fn kind(&self) -> &'static str;
}
