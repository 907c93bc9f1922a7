//! Pushes one after the other: small ones, each timed, and large ones.

use super::Reading;
use crate::clock::{Stopwatch, process_cpu_ns};
use crate::measurement::Plan;
use crate::quantile;
use std::time::Duration;

/// Series of a request, at most; and of a small push, which is one request.
pub(super) const REQUEST_SERIES: usize = 100;
/// Series of a large push that are made for it; an engine has some of its own.
pub(super) const LARGE_SERIES: usize = 1_000;
/// Small pushes for a burst.
const PUSHES: u32 = 4;
const BURSTS_PER_SECOND: u32 = 15;

/// How much is pushed at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// [`REQUEST_SERIES`] altogether.
    Small,
    /// [`LARGE_SERIES`] and what there is anyway.
    Large,
}

/// Pushes metrics.
pub(super) trait Pusher {
    /// Pushes everything once; the series that were taken.
    fn push(&mut self) -> anyhow::Result<u64>;

    /// Fails unless the receiver has answered as many requests as were sent.
    fn check(&self) -> anyhow::Result<()>;
}

/// Measures a pusher of either size.
pub(super) fn measure<P: Pusher>(start: impl Fn(Size) -> anyhow::Result<P>, plan: &Plan) -> anyhow::Result<Reading> {
    let mut small = start(Size::Small)?;
    let mut times = Vec::new();
    for _ in 0..plan.warm_up_bursts() {
        small.push()?;
    }
    for _ in 0..PUSHES * plan.bursts {
        let watch = Stopwatch::start();
        let series = small.push()?;
        times.push(watch.elapsed_ns());
        anyhow::ensure!(series == REQUEST_SERIES as u64, "a small push was of {series} series");
    }
    small.check()?;
    drop(small);
    let (p50_ms, p99_ms) = quantile::middle_and_p99(&mut times, 1e6).unwrap_or_default();
    let mut large = start(Size::Large)?;
    let series = large.push()?;
    anyhow::ensure!(series >= LARGE_SERIES as u64, "a large push was of {series} series");
    let limit = Duration::from_secs(1) * plan.bursts.div_ceil(BURSTS_PER_SECOND);
    let cpu_ns = process_cpu_ns();
    let watch = Stopwatch::start();
    let mut sent = 0;
    while u128::from(watch.elapsed_ns()) < limit.as_nanos() {
        sent += large.push()?;
    }
    let elapsed_ns = watch.elapsed_ns();
    let cpu_ns = process_cpu_ns() - cpu_ns;
    large.check()?;
    Ok(Reading {
        p50_ms,
        p99_ms,
        series: series as f64,
        per_second: sent as f64 * 1e9 / elapsed_ns as f64,
        cpu_us: cpu_ns as f64 / 1e3 / sent as f64,
    })
}
