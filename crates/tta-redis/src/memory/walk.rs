//! Going through a memory's keys from the newest, in batches.

use std::collections::HashSet;

use redis::Pipeline;
use tta_primitives::{MemoryEntry, MemoryQuery};

use super::{RedisMemory, passed_us};
use crate::codec::Codec;
use crate::envelope;
use crate::failure::Failure;
use crate::vitals::Access;

const BATCH: usize = 200;

/// Where a walk is.
enum Walk {
    From(String),
    Ended,
}

impl<V, C: Codec<V>> RedisMemory<V, C> {
    pub(super) async fn find(&self, query: MemoryQuery<'_>, now: u64) -> Result<Vec<MemoryEntry<V>>, Failure> {
        let (mut found, mut walk) = (Vec::new(), begin());
        while let Some(keys) = self.next(&mut walk).await? {
            let candidates = keys.into_iter().filter_map(|key| {
                let name = key.strip_prefix(query.scope)?.to_owned();
                let is_out = query.search.finds_key(&name) == Some(false);
                (!is_out).then_some((name, key))
            });
            let (names, keys): (Vec<String>, Vec<String>) = candidates.unzip();
            for (name, bytes) in names.into_iter().zip(self.values(&keys).await?) {
                if found.len() >= query.limit {
                    return Ok(found);
                }
                let entry = bytes.as_deref().and_then(|bytes| self.matching(&name, bytes, &query, now));
                found.extend(entry.map(|value| MemoryEntry { key: name, value }));
            }
        }
        Ok(found)
    }

    /// The value, if it can be read, is still good, and is looked for.
    fn matching(&self, name: &str, bytes: &[u8], query: &MemoryQuery<'_>, now: u64) -> Option<V> {
        let remembered = envelope::read_memory::<V, C>(bytes).ok()?;
        let is_found = remembered.is_live(now) && query.search.finds(name, remembered.text);
        if is_found { remembered.value(&self.codec).ok() } else { None }
    }

    async fn values(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("HMGET");
        command.arg(&self.keys.values).arg(keys);
        self.redis.one(&command, Access::Plain).await
    }

    pub(super) async fn clear_scope(&self, scope: &str) -> Result<u64, Failure> {
        let (mut removed, mut walk) = (0, begin());
        while let Some(mut keys) = self.next(&mut walk).await? {
            keys.retain(|key| key.starts_with(scope));
            if keys.is_empty() {
                continue;
            }
            let mut pipeline = Pipeline::new();
            pipeline.atomic();
            pipeline.cmd("HDEL").arg(&self.keys.values).arg(&keys);
            pipeline.cmd("ZREM").arg(&self.keys.order).arg(&keys).ignore();
            pipeline.cmd("ZREM").arg(&self.keys.expiry).arg(&keys).ignore();
            let (count,): (u64,) = self.redis.many(&pipeline, Access::Plain).await?;
            removed += count;
        }
        Ok(removed)
    }

    pub(super) async fn size_of(&self, scope: &str, now: u64) -> Result<u64, Failure> {
        let mut command = redis::cmd("ZRANGEBYSCORE");
        command.arg(&self.keys.expiry).arg("-inf").arg(passed_us(now));
        let expired: HashSet<String> = self.redis.one(&command, Access::Plain).await?;
        let (mut count, mut walk) = (0, begin());
        while let Some(keys) = self.next(&mut walk).await? {
            count += keys.iter().filter(|key| key.starts_with(scope) && !expired.contains(*key)).count() as u64;
        }
        Ok(count)
    }

    /// The next keys. Going on is by score, which no other entry has, so what is added or removed
    /// meanwhile shifts nothing.
    async fn next(&self, walk: &mut Walk) -> Result<Option<Vec<String>>, Failure> {
        let Walk::From(from) = walk else { return Ok(None) };
        let mut command = redis::cmd("ZREVRANGEBYSCORE");
        command.arg(&self.keys.order).arg(&*from).arg("-inf").arg("WITHSCORES").arg("LIMIT").arg(0).arg(BATCH);
        let keys: Vec<(String, f64)> = self.redis.one(&command, Access::Plain).await?;
        *walk = match keys.last() {
            Some((_, score)) if keys.len() == BATCH => Walk::From(format!("({score:.0}")),
            _ => Walk::Ended,
        };
        Ok(Some(keys.into_iter().map(|(key, _)| key).collect()))
    }
}

fn begin() -> Walk {
    Walk::From("+inf".to_owned())
}
