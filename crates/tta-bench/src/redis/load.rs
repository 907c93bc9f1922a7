//! Who asks, and how long the answers take: one after the other, or many at a time.

use crate::clock::Stopwatch;
use crate::measurement::Plan;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

/// Tasks that ask at a time.
const TASKS: u64 = 64;
const WORKERS: usize = 2;
/// Operations of one burst: of the only task, and of each of many.
const ALONE: u64 = 100;
const EACH: u64 = 10;
/// Of so many operations in a crowd, one is a miss.
const MISS_EVERY: u64 = 5;
/// Different keys of a crowd's hits.
pub(super) const WARM_KEYS: u64 = 100;

/// What one process has measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Half of the operations took no longer, in microseconds.
    pub(crate) p50_us: f64,
    /// Of a hundred operations one took longer.
    pub(crate) p99_us: f64,
    /// Operations in a second of the wall clock, by all tasks together.
    pub(crate) per_second: f64,
}

/// One operation of a crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Asks for this key, one of [`WARM_KEYS`].
    Hit(u64),
    /// Asks for this key, which nobody has asked for before.
    Miss(u64),
}

impl Turn {
    fn of(number: u64) -> Self {
        if number % MISS_EVERY == MISS_EVERY - 1 {
            Turn::Miss(WARM_KEYS + number)
        } else {
            Turn::Hit(number % WARM_KEYS)
        }
    }
}

pub(super) fn alone_runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

pub(super) fn crowd_runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?)
}

/// Operations that [`alone`] makes, those of the warm-up included.
pub(super) fn operations_alone(plan: &Plan) -> u64 {
    ALONE * u64::from(plan.warm_up_bursts() + plan.bursts)
}

/// Hits and misses that [`crowd`] makes, those of the warm-up included.
pub(super) fn operations_in_crowd(plan: &Plan) -> (u64, u64) {
    let all = TASKS * EACH * u64::from(plan.warm_up_bursts() + plan.bursts);
    (all - all / MISS_EVERY, all / MISS_EVERY)
}

/// Operations one after the other.
pub(super) async fn alone(plan: &Plan, operation: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<Reading> {
    for _ in 0..ALONE * u64::from(plan.warm_up_bursts()) {
        operation().await?;
    }
    let mut taken = Vec::new();
    let watch = Stopwatch::start();
    for _ in 0..ALONE * u64::from(plan.bursts) {
        let one = Stopwatch::start();
        operation().await?;
        taken.push(one.elapsed_ns());
    }
    Ok(Reading::of(taken, watch.elapsed_ns()))
}

/// Operations of many tasks at a time.
pub(super) fn crowd<F>(
    runtime: &Runtime,
    plan: &Plan,
    operation: impl Fn(Turn) -> F + Clone + Send + 'static,
) -> anyhow::Result<Reading>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let warm_up = EACH * u64::from(plan.warm_up_bursts());
    rush(runtime, 0, warm_up, &operation)?;
    let watch = Stopwatch::start();
    let taken = rush(runtime, TASKS * warm_up, EACH * u64::from(plan.bursts), &operation)?;
    Ok(Reading::of(taken, watch.elapsed_ns()))
}

/// So many operations of each task, numbered from `first`; how long each took.
fn rush<F>(
    runtime: &Runtime,
    first: u64,
    each: u64,
    operation: &(impl Fn(Turn) -> F + Clone + Send + 'static),
) -> anyhow::Result<Vec<u64>>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let operation = operation.clone();
            runtime.spawn(async move {
                let mut taken = Vec::new();
                // Neighbours in number go to different tasks.
                for number in (first + task..).step_by(TASKS as usize).take(each as usize) {
                    let one = Stopwatch::start();
                    operation(Turn::of(number)).await?;
                    taken.push(one.elapsed_ns());
                }
                anyhow::Ok(taken)
            })
        })
        .collect();
    runtime.block_on(async {
        let mut taken = Vec::new();
        for task in tasks {
            taken.extend(task.await??);
        }
        Ok(taken)
    })
}

impl Reading {
    fn of(mut taken_ns: Vec<u64>, elapsed_ns: u64) -> Self {
        taken_ns.sort_unstable();
        Self {
            p50_us: percentile_us(&taken_ns, 50),
            p99_us: percentile_us(&taken_ns, 99),
            per_second: taken_ns.len() as f64 * 1e9 / elapsed_ns.max(1) as f64,
        }
    }
}

/// The smallest value that so many of a hundred do not exceed; 0 if there is none.
fn percentile_us(sorted_ns: &[u64], percent: usize) -> f64 {
    let rank = (sorted_ns.len() * percent).div_ceil(100);
    let ns = rank.checked_sub(1).and_then(|index| sorted_ns.get(index));
    ns.map_or(0.0, |&ns| ns as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let reading = Reading::of((1..=200).rev().map(|us| us * 1_000).collect(), 1_000_000_000);
        assert_eq!(reading, Reading { p50_us: 100.0, p99_us: 198.0, per_second: 200.0 });
        assert_eq!(Reading::of(vec![3_000], 3_000).p99_us, 3.0);
        assert_eq!(Reading::of(Vec::new(), 0).p50_us, 0.0);
    }

    #[test]
    fn a_crowd_misses_one_time_in_five_and_never_twice_with_the_same_key() {
        let turns: Vec<Turn> = (0..1_000).map(Turn::of).collect();
        let mut missed: Vec<u64> =
            turns.iter().filter_map(|turn| if let Turn::Miss(key) = turn { Some(*key) } else { None }).collect();
        assert_eq!(missed.len(), 200);
        assert!(missed.iter().all(|&key| key >= WARM_KEYS));
        missed.dedup();
        assert_eq!(missed.len(), 200);
        assert!(turns.iter().all(|turn| !matches!(turn, Turn::Hit(key) if *key >= WARM_KEYS)));
    }
}
