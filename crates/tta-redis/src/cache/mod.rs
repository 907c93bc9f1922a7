//! Cached values in Redis: one key for each, forgotten by Redis itself some time after they are
//! of no more use.

mod scan;
mod tags;

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use redis::Cmd;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tta_primitives::cache::{CacheKey, CacheStore, Entry, Found, Hit, Kept, Reply, StoreError};
use tta_telemetry::{Clock, Health};

use crate::codec::{Codec, Json};
use crate::config::RedisConfigError;
use crate::envelope;
use crate::failure::Failure;
use crate::handle::Redis;
use crate::names;
use crate::vitals::Access;

/// The longest value that Redis takes.
const MOST_BYTES: usize = 512 << 20;
/// The longest value that is kept unless told otherwise.
const DEFAULT_BYTES: usize = 4 << 20;

/// A cache's values in Redis, shared by all processes that use the same server, key prefix and
/// namespace.
///
/// ```
/// use tta_redis::{Redis, RedisCache};
///
/// let redis = Redis::connect("redis://localhost")?;
/// let prices = RedisCache::<f64>::new(&redis, "prices")?;
/// # Ok::<(), tta_redis::RedisConfigError>(())
/// ```
///
/// # Time
/// An entry's age is the difference between the injected clocks of who wrote it and who reads it,
/// never below 0: processes whose clocks differ see ages that differ as much. Redis forgets an
/// entry when `fresh_for + stale_for`, a hundredth of it and a second have passed on its clock.
///
/// # Tags
/// Each tag has a sorted set of the keys of its entries, which expires after the last of them.
/// On a single server, entry and tags are written in one transaction. In a cluster they live on
/// different nodes; there the tags are written before the entry and again after it, so an
/// invalidation that comes after a `put` has returned always finds its entry. Only a process that
/// dies between the two writes, while another invalidates the same tag, leaves an entry that a
/// later invalidation does not find; it ends with its TTL. Entries with more than 4 KiB of tags
/// may be forgotten with tags that they no longer have. Clocks of processes that share tags must
/// agree within five minutes.
///
/// # Clearing
/// Walks over the keys of its namespace in batches. In a server with many keys of others that
/// takes a time in proportion to all of them, and blocks nobody.
pub struct RedisCache<V, C = Json> {
    redis: Redis,
    /// What all its keys start with.
    prefix: String,
    codec: C,
    max_value_bytes: usize,
    value: PhantomData<fn(V) -> V>,
}

impl<V, C> fmt::Debug for RedisCache<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache").field("redis", &self.redis).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl<V: Serialize + DeserializeOwned> RedisCache<V> {
    /// Values as JSON under a namespace: 1 to 100 letters, digits, `_`, `.` or `-`.
    ///
    /// # Errors
    /// A namespace of another form.
    pub fn new(redis: &Redis, namespace: &str) -> Result<Self, RedisConfigError> {
        Self::with_codec(redis, namespace, Json)
    }
}

impl<V, C: Codec<V>> RedisCache<V, C> {
    /// Values in another form.
    ///
    /// # Errors
    /// As [`RedisCache::new`].
    pub fn with_codec(redis: &Redis, namespace: &str, codec: C) -> Result<Self, RedisConfigError> {
        names::check_namespace(namespace)?;
        let prefix = format!("{}:c:{namespace}:", redis.key_prefix());
        Ok(Self { redis: redis.clone(), prefix, codec, max_value_bytes: DEFAULT_BYTES, value: PhantomData })
    }

    /// The longest value that is kept, in bytes of its written form: 1 to 512 MiB. A longer one is
    /// counted (`too_large`) and not sent: while it crosses the connection, all that share it wait.
    /// Default: 4 MiB.
    ///
    /// # Errors
    /// A bound outside that range.
    pub fn max_value_bytes(mut self, bytes: usize) -> Result<Self, RedisConfigError> {
        if !(1..=MOST_BYTES).contains(&bytes) {
            return Err(RedisConfigError::new("max_value_bytes", bytes.to_string(), "1 to 536870912"));
        }
        self.max_value_bytes = bytes;
        Ok(self)
    }

    fn entry_key(&self, key: &CacheKey) -> String {
        format!("{}e:{}", self.prefix, key.as_str())
    }

    async fn read(&self, key: &CacheKey, clock: &Clock) -> Result<Found<V>, Failure> {
        let key = self.entry_key(key);
        let bytes: Option<Vec<u8>> = self.redis.one(redis::cmd("GET").arg(&key), Access::Plain).await?;
        let Some(bytes) = bytes else { return Ok(Found::Miss) };
        let Some(stored) = envelope::read(&self.codec, &bytes) else {
            // If it cannot be deleted now, it will be found corrupt again.
            let _: Result<u64, _> = self.redis.one(&unlink(&key), Access::Plain).await;
            return Ok(Found::Corrupt);
        };
        let age = Duration::from_nanos(now(clock).saturating_sub(stored.stored_unix_ns));
        let (fresh_for, stale_for) = (stored.fresh_for, stored.stale_for);
        Ok(Found::Hit(Hit { payload: stored.payload, age, fresh_for, stale_for }))
    }

    async fn write(&self, key: &CacheKey, entry: Entry<V>, clock: &Clock) -> Result<Kept, StoreError> {
        let now = now(clock);
        let bytes = envelope::write(&self.codec, &entry, now).map_err(|error| StoreError::Encoding(error.0))?;
        if bytes.len() > self.max_value_bytes {
            return Ok(Kept::TooLarge);
        }
        let key = self.entry_key(key);
        let keep_ms = keep_ms(&entry);
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(bytes).arg("PX").arg(keep_ms);
        let done = if entry.tags.is_empty() {
            self.redis.one(&set, Access::Store).await
        } else {
            let tagged = tags::Tagged { key: &key, tags: &entry.tags, now_ms: now / 1_000_000, keep_ms };
            self.put_tagged(set, tagged).await
        };
        done.map(|()| Kept::Yes).map_err(Failure::into_store)
    }
}

impl<V: Send + Sync + 'static, C: Codec<V>> CacheStore<V> for RedisCache<V, C> {
    fn get<'a>(&'a self, key: &'a CacheKey, clock: &'a Clock) -> Reply<'a, Found<V>> {
        Reply::Later(Box::pin(async move { self.read(key, clock).await.map_err(Failure::into_store) }))
    }

    fn put<'a>(&'a self, key: &'a CacheKey, entry: Entry<V>, clock: &'a Clock) -> Reply<'a, Kept> {
        Reply::Later(Box::pin(self.write(key, entry, clock)))
    }

    fn remove<'a>(&'a self, key: &'a CacheKey) -> Reply<'a, bool> {
        let command = unlink(&self.entry_key(key));
        Reply::Later(Box::pin(async move {
            let removed: u64 = self.redis.one(&command, Access::Plain).await.map_err(Failure::into_store)?;
            Ok(removed > 0)
        }))
    }

    fn invalidate_tag<'a>(&'a self, tag: &'a str) -> Reply<'a, u64> {
        Reply::Later(Box::pin(async move { self.invalidate(tag).await.map_err(Failure::into_store) }))
    }

    fn clear(&self) -> Reply<'_, u64> {
        Reply::Later(Box::pin(async move { self.clear_all().await.map_err(Failure::into_store) }))
    }

    fn entries(&self) -> Option<u64> {
        None
    }

    fn bytes(&self) -> Option<u64> {
        None
    }

    /// Redis does not say which keys of whom it has forgotten.
    fn evictions(&self) -> (u64, u64) {
        (0, 0)
    }

    fn health(&self) -> Health {
        self.redis.health()
    }

    fn kind(&self) -> &'static str {
        "redis"
    }
}

fn now(clock: &Clock) -> u64 {
    clock.unix_ns(clock.ticks())
}

fn unlink(key: &str) -> Cmd {
    let mut command = redis::cmd("UNLINK");
    command.arg(key);
    command
}

/// For how long Redis keeps an entry: as long as it is of use, and somewhat longer, because
/// its clock may be ahead of ours.
fn keep_ms<V>(entry: &Entry<V>) -> u64 {
    let useful = entry.fresh_for.saturating_add(entry.stale_for);
    let kept = useful.saturating_add(useful / 100).saturating_add(Duration::from_secs(1));
    // Redis takes no more than fits a signed number when added to its clock.
    u64::try_from(kept.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 4)
}

#[cfg(test)]
mod tests {
    use tta_primitives::cache::Payload;

    use super::*;

    #[test]
    fn redis_keeps_an_entry_for_longer_than_it_is_of_use() {
        let kept = |fresh_for, stale_for| {
            keep_ms(&Entry { payload: Payload::Value(0), fresh_for, stale_for, tags: [].into() })
        };
        let second = Duration::from_secs(1);
        assert_eq!(kept(Duration::ZERO, Duration::ZERO), 1_000);
        assert_eq!(kept(Duration::from_nanos(1), Duration::ZERO), 1_001, "rounded up");
        assert_eq!(kept(60 * second, 40 * second), 102_000);
        assert_eq!(kept(Duration::MAX, Duration::MAX), i64::MAX as u64 / 4);
    }
}
