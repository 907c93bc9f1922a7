//! A memory's entries in Redis: a hash of the values and two sorted sets of their keys, by age
//! and by when they are gone, all on the same node of a cluster.

mod walk;

use std::fmt;
use std::marker::PhantomData;

use redis::Pipeline;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tta_primitives::{Made, MemoryBackend, MemoryEntry, MemoryError, MemoryFuture, MemoryQuery, MemoryRecord};
use tta_telemetry::{Clock, Health};

use crate::codec::{Codec, Json};
use crate::config::RedisConfigError;
use crate::envelope;
use crate::failure::Failure;
use crate::handle::Redis;
use crate::names;
use crate::vitals::Access;

const ADD: &str = include_str!("add.lua");

/// A memory's entries in Redis, shared by all processes that use the same server, key prefix and
/// namespace.
///
/// Adding is one step on the server, a script, so that the bound holds however many processes
/// add. TTLs go by the clocks of those who read; entries whose time has passed are removed by the
/// next `add`. A search reads the entries in batches, from the newest: one that is added or
/// removed meanwhile may be found or not. All of a memory is on one node of a cluster.
pub struct RedisMemory<V, C = Json> {
    redis: Redis,
    keys: Keys,
    codec: C,
    value: PhantomData<fn(V) -> V>,
}

struct Keys {
    values: String,
    order: String,
    expiry: String,
}

impl<V, C> fmt::Debug for RedisMemory<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RedisMemory");
        debug.field("redis", &self.redis).field("values", &self.keys.values).finish_non_exhaustive()
    }
}

impl<V: Serialize + DeserializeOwned> RedisMemory<V> {
    /// Values as JSON under a namespace: 1 to 100 letters, digits, `_`, `.` or `-`.
    ///
    /// # Errors
    /// A namespace of another form.
    pub fn new(redis: &Redis, namespace: &str) -> Result<Self, RedisConfigError> {
        Self::with_codec(redis, namespace, Json)
    }
}

impl<V, C: Codec<V>> RedisMemory<V, C> {
    /// Values in another form.
    ///
    /// # Errors
    /// As [`RedisMemory::new`].
    pub fn with_codec(redis: &Redis, namespace: &str, codec: C) -> Result<Self, RedisConfigError> {
        names::check_namespace(namespace)?;
        // What stands in braces decides on the node.
        let key = |part| format!("{{{}:m:{namespace}}}:{part}", redis.key_prefix());
        let keys = Keys { values: key("values"), order: key("order"), expiry: key("expiry") };
        Ok(Self { redis: redis.clone(), keys, codec, value: PhantomData })
    }

    async fn write(&self, record: MemoryRecord<'_, V>, now: u64) -> Result<Made, MemoryError> {
        let expires = record.ttl.map(|ttl| now.saturating_add(envelope::nanos(ttl)));
        let bytes = envelope::write_memory(&self.codec, &record.value, record.text.as_deref(), expires)
            .map_err(|error| MemoryError::Encoding(error.0))?;
        let mut script = redis::cmd("EVAL");
        script.arg(ADD).arg(3).arg(&self.keys.values).arg(&self.keys.order).arg(&self.keys.expiry);
        script.arg(record.key).arg(bytes).arg(passed_us(now));
        match expires {
            Some(expires) => script.arg(expires.div_ceil(1_000)),
            None => script.arg(""),
        };
        script.arg(record.max_entries);
        let (evicted, expired) = self.redis.one(&script, Access::Store).await.map_err(Failure::into_memory)?;
        Ok(Made { evicted, expired })
    }

    async fn read(&self, key: &str, now: u64) -> Result<Option<V>, MemoryError> {
        let command = redis::cmd("HGET").arg(&self.keys.values).arg(key).to_owned();
        let bytes: Option<Vec<u8>> = self.redis.one(&command, Access::Plain).await.map_err(Failure::into_memory)?;
        let Some(bytes) = bytes else { return Ok(None) };
        let unreadable = |error: crate::CodecError| MemoryError::Unreadable { key: key.to_owned(), reason: error.0 };
        let remembered = envelope::read_memory::<V, C>(&bytes).map_err(unreadable)?;
        if !remembered.is_live(now) {
            return Ok(None);
        }
        remembered.value(&self.codec).map(Some).map_err(unreadable)
    }

    async fn remove(&self, key: &str, now: u64) -> Result<bool, Failure> {
        let mut pipeline = Pipeline::new();
        pipeline.atomic();
        pipeline.cmd("ZSCORE").arg(&self.keys.expiry).arg(key);
        pipeline.cmd("HDEL").arg(&self.keys.values).arg(key);
        pipeline.cmd("ZREM").arg(&self.keys.order).arg(key).ignore();
        pipeline.cmd("ZREM").arg(&self.keys.expiry).arg(key).ignore();
        let (expires, removed): (Option<f64>, u64) = self.redis.many(&pipeline, Access::Plain).await?;
        Ok(removed > 0 && expires.is_none_or(|expires| expires > passed_us(now) as f64))
    }

    async fn clear_all(&self) -> Result<u64, Failure> {
        let Keys { values, order, expiry } = &self.keys;
        let mut pipeline = Pipeline::new();
        pipeline.atomic();
        pipeline.cmd("HLEN").arg(values);
        pipeline.cmd("UNLINK").arg(values).arg(order).arg(expiry).ignore();
        let (removed,): (u64,) = self.redis.many(&pipeline, Access::Plain).await?;
        Ok(removed)
    }

    async fn size_of_all(&self, now: u64) -> Result<u64, Failure> {
        let mut pipeline = Pipeline::new();
        pipeline.atomic();
        pipeline.cmd("ZCARD").arg(&self.keys.order);
        pipeline.cmd("ZCOUNT").arg(&self.keys.expiry).arg("-inf").arg(passed_us(now));
        let (all, expired): (u64, u64) = self.redis.many(&pipeline, Access::Plain).await?;
        Ok(all.saturating_sub(expired))
    }
}

impl<V: Send + Sync + 'static, C: Codec<V>> MemoryBackend<V> for RedisMemory<V, C> {
    fn add<'a>(&'a self, record: MemoryRecord<'a, V>, clock: &'a Clock) -> MemoryFuture<'a, Made> {
        Box::pin(self.write(record, now(clock)))
    }

    fn get<'a>(&'a self, key: &'a str, clock: &'a Clock) -> MemoryFuture<'a, Option<V>> {
        Box::pin(self.read(key, now(clock)))
    }

    fn search<'a>(&'a self, query: MemoryQuery<'a>, clock: &'a Clock) -> MemoryFuture<'a, Vec<MemoryEntry<V>>> {
        Box::pin(async move { self.find(query, now(clock)).await.map_err(Failure::into_memory) })
    }

    fn delete<'a>(&'a self, key: &'a str, clock: &'a Clock) -> MemoryFuture<'a, bool> {
        Box::pin(async move { self.remove(key, now(clock)).await.map_err(Failure::into_memory) })
    }

    fn clear<'a>(&'a self, scope: &'a str) -> MemoryFuture<'a, u64> {
        Box::pin(async move {
            let cleared = if scope.is_empty() { self.clear_all().await } else { self.clear_scope(scope).await };
            cleared.map_err(Failure::into_memory)
        })
    }

    fn size<'a>(&'a self, scope: &'a str, clock: &'a Clock) -> MemoryFuture<'a, u64> {
        Box::pin(async move {
            let now = now(clock);
            let size = if scope.is_empty() { self.size_of_all(now).await } else { self.size_of(scope, now).await };
            size.map_err(Failure::into_memory)
        })
    }

    fn health(&self) -> Option<Health> {
        Some(self.redis.health())
    }

    fn kind(&self) -> &'static str {
        "redis"
    }
}

fn now(clock: &Clock) -> u64 {
    clock.unix_ns(clock.ticks())
}

/// Whole microseconds: scores hold no more digits exactly.
fn passed_us(unix_ns: u64) -> u64 {
    unix_ns / 1_000
}
