//! Forgetting a whole namespace: a walk over the server's keys, in batches.

use redis::Cmd;

use super::RedisCache;
use crate::codec::Codec;
use crate::failure::Failure;
use crate::vitals::Access;

/// Keys that a server looks at per batch: so many that the walk is quick, so few that nobody has
/// to wait for it.
const BATCH: usize = 1_000;

/// Where to go on, 0 at the end, and what was found.
pub(super) type Batch<T> = (u64, Vec<T>);

impl<V, C: Codec<V>> RedisCache<V, C> {
    pub(super) async fn clear_all(&self) -> Result<u64, Failure> {
        #[cfg(feature = "cluster")]
        if self.redis.is_cluster() {
            return self.clear_cluster().await;
        }
        let (mut cursor, mut forgotten) = (0, 0);
        loop {
            let batch: Batch<Vec<u8>> = self.redis.one(&self.scan(cursor), Access::Plain).await?;
            cursor = batch.0;
            forgotten += self.forget(batch.1).await?;
            if cursor == 0 {
                return Ok(forgotten);
            }
        }
    }

    /// One primary after the other.
    #[cfg(feature = "cluster")]
    async fn clear_cluster(&self) -> Result<u64, Failure> {
        use crate::connection::Request;

        let first = self.scan(0);
        let nodes: std::collections::HashMap<String, Batch<Vec<u8>>> =
            self.redis.routed(Request::Everywhere(&first)).await?;
        let mut forgotten = 0;
        for (node, mut batch) in nodes {
            loop {
                forgotten += self.forget(std::mem::take(&mut batch.1)).await?;
                if batch.0 == 0 {
                    break;
                }
                batch = self.redis.routed(Request::At(&self.scan(batch.0), &node)).await?;
            }
        }
        Ok(forgotten)
    }

    fn scan(&self, cursor: u64) -> Cmd {
        let mut command = redis::cmd("SCAN");
        // The prefix holds none of the characters that mean something in a pattern.
        command.arg(cursor).arg("MATCH").arg(format!("{}*", self.prefix)).arg("COUNT").arg(BATCH);
        command
    }

    /// Forgets entries and tags; how many entries.
    async fn forget(&self, keys: Vec<Vec<u8>>) -> Result<u64, Failure> {
        let entry = format!("{}e:", self.prefix);
        let (entries, tags): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.starts_with(entry.as_bytes()));
        self.unlink_all(&tags).await?;
        self.unlink_all(&entries).await
    }
}
