//! What the tests share: a server of their own, and waiting for what happens in it.

mod certificates;
mod server;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use server::{RedisServer, server};
use tta_primitives::cache::{CacheKey, CacheStore, Entry, Found, Payload, StoreError};
use tta_redis::{Redis, RedisBuilder, RedisCache};
use tta_telemetry::{Clock, Name};

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const MS: Duration = Duration::from_millis(1);

/// The server of a test, or the end of the test.
macro_rules! server_or_skip {
    ($($argument:expr),* $(,)?) => {
        match crate::support::server(&[$($argument),*]) {
            Some(server) => server,
            None => return,
        }
    };
}
pub(crate) use server_or_skip;

pub(crate) fn key(name: &str) -> CacheKey {
    CacheKey::of(name)
}

pub(crate) fn tagged(text: &str, tags: &[&str]) -> Entry<String> {
    let tags: Arc<[Name]> = tags.iter().map(|tag| Name::from((*tag).to_owned())).collect();
    Entry { payload: Payload::Value(text.to_owned()), fresh_for: HOUR, stale_for: Duration::ZERO, tags }
}

/// A handle that reconnects quickly, as tests do not want to wait.
pub(crate) fn quick(server: &RedisServer) -> RedisBuilder {
    Redis::builder(&server.url()).min_reconnect_delay(MS).max_reconnect_delay(5 * MS)
}

/// A cache and a clock for it.
pub(crate) struct Bench {
    pub(crate) cache: RedisCache<String>,
    pub(crate) clock: Clock,
}

impl Bench {
    pub(crate) fn new(redis: &Redis) -> Self {
        Self { cache: RedisCache::new(redis, "test").unwrap(), clock: Clock::system() }
    }

    pub(crate) async fn put(&self, name: &str, text: &str, tags: &[&str]) -> Result<(), StoreError> {
        self.cache.put(&key(name), tagged(text, tags), &self.clock).wait().await.map(drop)
    }

    pub(crate) async fn find(&self, name: &str) -> Result<Found<String>, StoreError> {
        self.cache.get(&key(name), &self.clock).wait().await
    }

    /// The text under a key; what is corrupt or a failure is no text.
    pub(crate) async fn text(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(match self.find(name).await? {
            Found::Hit(hit) => match hit.payload {
                Payload::Value(text) => Some(text),
                Payload::Failure { .. } => None,
            },
            _ => None,
        })
    }
}

/// Tries until it is so, for as long as another process may reasonably take.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    for _ in 0..2_000 {
        if let Some(outcome) = attempt().await {
            return outcome;
        }
        // On real time: another process has to do something.
        tokio::time::timeout(5 * MS, std::future::pending::<()>()).await.unwrap_err();
    }
    panic!("{what} did not come about");
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
