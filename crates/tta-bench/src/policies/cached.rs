//! A cache's hit, through the primitive and by the library that keeps the values.

use super::{CALLS, ours};
use crate::measurement::{Measurement, Plan};
use crate::row::measure;
use crate::steps::add;
use std::hint::black_box;
use tta_primitives::{Cache, CacheKey, step};

pub(super) fn hit<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    let cache = Cache::named("peer").build()?;
    ours::measured::<RECORDED>(plan, step(add).cache(cache, |input: &u64| *input))
}

/// The library by itself, with keys like ours: made for every call, as ours are.
pub(super) fn moka(plan: &Plan) -> anyhow::Result<Measurement> {
    let cache: moka::sync::Cache<CacheKey, u64> = moka::sync::Cache::new(10_000);
    for input in 0..u64::from(CALLS) {
        cache.insert(CacheKey::of(&input), input);
    }
    cache.run_pending_tasks();
    let mut missed = false;
    let measurement = measure(plan, CALLS, || {
        for input in 0..u64::from(CALLS) {
            // As many different keys as in the rows above: those of ten runs.
            missed |= black_box(cache.get(&CacheKey::of(&black_box(input % 10)))).is_none();
        }
    });
    anyhow::ensure!(!missed, "a value that was kept was not found");
    Ok(measurement)
}
