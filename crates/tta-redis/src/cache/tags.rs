//! Which entries have a tag, and forgetting them.
//!
//! A tag's sorted set holds the keys of entries that had it when they were put, with when they
//! are gone as their scores. What an entry's tags are now, its own header says; so a key that is
//! left in a set from an earlier entry does no harm. It goes when its score has passed.

use redis::{Cmd, Pipeline};
use tta_telemetry::Name;

use super::RedisCache;
use super::scan::Batch;
use crate::codec::Codec;
use crate::envelope;
use crate::failure::Failure;
use crate::vitals::Access;

/// How much longer than its entries a tag's set and its members stay, in milliseconds: by so
/// much the clocks of processes may differ.
const SLACK_MS: u64 = 300_000;
const BATCH: usize = 500;

/// An entry that is about to be written with its tags.
pub(super) struct Tagged<'a> {
    pub(super) key: &'a str,
    pub(super) tags: &'a [Name],
    pub(super) now_ms: u64,
    pub(super) keep_ms: u64,
}

impl Tagged<'_> {
    /// Adds the commands that put the entry into a tag's set.
    fn index(&self, set: &str, pipeline: &mut Pipeline) {
        let until = self.keep_ms.saturating_add(SLACK_MS);
        pipeline.cmd("ZREMRANGEBYSCORE").arg(set).arg("-inf").arg(self.now_ms).ignore();
        pipeline.cmd("ZADD").arg(set).arg(self.now_ms.saturating_add(until)).arg(self.key).ignore();
        // A set that has no expiry yet gets one; one that has one keeps the later.
        pipeline.cmd("PEXPIRE").arg(set).arg(until).arg("NX").ignore();
        pipeline.cmd("PEXPIRE").arg(set).arg(until).arg("GT").ignore();
    }
}

impl<V, C: Codec<V>> RedisCache<V, C> {
    fn tag_key(&self, tag: &str) -> String {
        format!("{}t:{tag}", self.prefix)
    }

    pub(super) async fn put_tagged(&self, set: Cmd, tagged: Tagged<'_>) -> Result<(), Failure> {
        if self.redis.is_cluster() {
            // An invalidation that meets the entry half-way may take it off its tags before it is
            // there; so they are written again behind it.
            self.index(&tagged).await?;
            self.redis.one::<()>(&set, Access::Store).await?;
            return self.index(&tagged).await;
        }
        let mut pipeline = Pipeline::new();
        pipeline.atomic().add_command(set).ignore();
        for tag in tagged.tags {
            tagged.index(&self.tag_key(tag), &mut pipeline);
        }
        self.redis.many(&pipeline, Access::Store).await
    }

    async fn index(&self, tagged: &Tagged<'_>) -> Result<(), Failure> {
        for tag in tagged.tags {
            let mut pipeline = Pipeline::new();
            tagged.index(&self.tag_key(tag), &mut pipeline);
            self.redis.many::<()>(&pipeline, Access::Store).await?;
        }
        Ok(())
    }

    pub(super) async fn invalidate(&self, tag: &str) -> Result<u64, Failure> {
        let set = self.tag_key(tag);
        let (mut cursor, mut forgotten) = (0, 0);
        loop {
            // A walk finds every member that is there from its beginning to its end, whatever
            // else comes and goes.
            let mut scan = redis::cmd("ZSCAN");
            scan.arg(&set).arg(cursor).arg("COUNT").arg(BATCH);
            let (next, members): Batch<(Vec<u8>, f64)> = self.redis.one(&scan, Access::Plain).await?;
            let keys = members.into_iter().map(|(key, _)| key).collect();
            forgotten += self.forget_tagged(&set, tag, keys).await?;
            cursor = next;
            if cursor == 0 {
                return Ok(forgotten);
            }
        }
    }

    /// Forgets those of the entries that have the tag now.
    async fn forget_tagged(&self, set: &str, tag: &str, keys: Vec<Vec<u8>>) -> Result<u64, Failure> {
        let look = |key: &Vec<u8>| {
            let mut command = redis::cmd("GETRANGE");
            command.arg(key).arg(0).arg(envelope::HEAD_BYTES - 1);
            command
        };
        let heads: Vec<Vec<u8>> = self.redis.each(keys.iter().map(look).collect(), Access::Plain).await?;
        let tagged = keys.into_iter().zip(&heads).filter(|(_, head)| envelope::head_has_tag(head, tag));
        let tagged: Vec<Vec<u8>> = tagged.map(|(key, _)| key).collect();
        if tagged.is_empty() {
            return Ok(0);
        }
        // First off the tag, then the entries: one that is put between the two is forgotten as
        // well. The other way round, it would stay and be on no tag.
        self.redis.one::<u64>(redis::cmd("ZREM").arg(set).arg(&tagged), Access::Plain).await?;
        self.unlink_all(&tagged).await
    }

    /// Forgets keys; how many there were.
    pub(super) async fn unlink_all(&self, keys: &[Vec<u8>]) -> Result<u64, Failure> {
        let command = |key: &Vec<u8>| {
            let mut command = redis::cmd("UNLINK");
            command.arg(key);
            command
        };
        let removed: Vec<u64> = self.redis.each(keys.iter().map(command).collect(), Access::Plain).await?;
        Ok(removed.iter().sum())
    }
}
