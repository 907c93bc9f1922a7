//! Through the primitive: a step whose results are cached in Redis.

use super::Reading;
use super::load::{self, Turn, WARM_KEYS};
use super::server::Server;
use crate::measurement::Plan;
use crate::steps::recorded;
use std::sync::Arc;
use std::time::Duration;
use tta_primitives::{Cache, Context, Workflow, step};
use tta_redis::{Redis, RedisCache};

const HOUR: Duration = Duration::from_secs(3_600);
/// Longer than by default, so that a pause of the machine is measured instead of cut off.
const PATIENCE: Duration = Duration::from_secs(10);
/// A value as it may come from a service.
pub(super) const VALUE_BYTES: usize = 100;

pub(super) struct Kit {
    cache: Cache<String>,
    ask: Workflow<u64, String>,
    cx: Context,
}

async fn make(_: u64) -> Result<String, std::convert::Infallible> {
    Ok("x".repeat(VALUE_BYTES))
}

impl Kit {
    pub(super) fn new(server: &Server) -> anyhow::Result<Self> {
        let redis = Redis::builder(&server.url()).connect_timeout(PATIENCE).response_timeout(PATIENCE).build()?;
        let cache = Cache::named("answers").ttl(HOUR).lookup_timeout(PATIENCE);
        let cache = cache.store(RedisCache::new(&redis, "answers")?).build()?;
        let ask = step(make).cache(cache.clone(), |input: &u64| *input);
        Ok(Self { cache, ask, cx: Context::on(recorded()?) })
    }

    pub(super) async fn ask(&self, input: u64) -> anyhow::Result<()> {
        Ok(self.ask.run(input, &self.cx).await.map(drop)?)
    }

    /// Every lookup did what it was meant to measure.
    fn check(&self, hits: u64, misses: u64) -> anyhow::Result<()> {
        let stats = self.cache.stats();
        let counted = (stats.hits, stats.misses, stats.get_errors, stats.put_errors);
        anyhow::ensure!(counted == (hits, misses, 0, 0), "{hits} hits and {misses} misses were meant: {stats:?}");
        Ok(())
    }
}

pub(super) fn hits(server: &Server, plan: &Plan) -> anyhow::Result<Reading> {
    let kit = Kit::new(server)?;
    let reading = load::alone_runtime()?.block_on(async {
        kit.ask(0).await?;
        load::alone(plan, async || kit.ask(0).await).await
    })?;
    kit.check(load::operations_alone(plan), 1)?;
    Ok(reading)
}

pub(super) fn crowd(server: &Server, plan: &Plan) -> anyhow::Result<Reading> {
    let kit = Arc::new(Kit::new(server)?);
    let runtime = load::crowd_runtime()?;
    runtime.block_on(async {
        for key in 0..WARM_KEYS {
            kit.ask(key).await?;
        }
        anyhow::Ok(())
    })?;
    let asked = Arc::clone(&kit);
    let reading = load::crowd(&runtime, plan, move |turn| {
        let kit = Arc::clone(&asked);
        async move {
            let (Turn::Hit(key) | Turn::Miss(key)) = turn;
            kit.ask(key).await
        }
    })?;
    let (hits, misses) = load::operations_in_crowd(plan);
    kit.check(hits, misses + WARM_KEYS)?;
    Ok(reading)
}
