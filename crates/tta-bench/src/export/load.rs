//! One batch after the other: handed over at a pace, waited for, and without a pause.

use super::Reading;
use super::collector::State;
use super::spans::SPANS;
use crate::clock::{Stopwatch, process_cpu_ns, thread_cpu_ns};
use crate::measurement::Plan;
use crate::memory;
use crate::quantile;
use std::time::Duration;

/// A burst is a 15th of a second: so many batches are handed over in a second, which four workers send
/// also to a collector that takes 200 ms for each.
const BATCHES_PER_SECOND: u32 = 15;
/// Batches until connections are open, buffers have grown and a dead collector is known to be dead.
const WARM_UP: u32 = 20;

/// Sends spans.
pub(super) trait Exporter {
    /// A batch to be handed over.
    type Batch;

    /// Of the collector.
    fn state(&self) -> State;

    /// Makes a batch of traces that nobody has sent before, off the clock and uncharged.
    fn batch(&mut self) -> anyhow::Result<Self::Batch>;

    /// Hands a batch over: what is timed.
    fn hand_over(&mut self, batch: Self::Batch) -> anyhow::Result<()>;

    /// Waits until all that was handed over is sent or given up.
    fn settle(&mut self) -> anyhow::Result<()>;

    /// Batches after which it must settle so that it loses none for being handed too much; 0 for one that
    /// sees to it by itself.
    const QUEUE_BATCHES: u64;

    /// Spans that the collector has said that it has taken.
    fn taken(&self) -> u64;

    /// After a check that nothing is missing of so many spans handed over: those that were lost.
    fn lost(&self, handed_over: u64) -> anyhow::Result<u64>;
}

/// Measures one exporter with its collector.
pub(super) fn measure<E: Exporter>(exporter: &mut E, plan: &Plan) -> anyhow::Result<Reading> {
    let before_bytes = memory::resident_bytes(None)?;
    let mut batches = u64::from(WARM_UP);
    for _ in 0..WARM_UP {
        let batch = exporter.batch()?;
        exporter.hand_over(batch)?;
        if exporter.state() == State::Healthy {
            exporter.settle()?;
        }
    }
    let waits = if exporter.state() == State::Dead { 0 } else { plan.bursts / 2 };
    if waits > 0 {
        exporter.settle()?;
    }
    let mut taken_ns = waited_for(exporter, waits)?;
    let mut hand_ns = at_a_pace(exporter, plan.bursts)?;
    batches += (taken_ns.len() + hand_ns.len()) as u64;
    if waits > 0 {
        exporter.settle()?;
    }
    let mut full = without_pause(exporter, Duration::from_secs(1) * plan.bursts.div_ceil(BATCHES_PER_SECOND))?;
    batches += full.hand_ns.len() as u64;
    let _ = exporter.lost(batches * SPANS as u64)?;
    let spans = (full.hand_ns.len() * SPANS) as f64;
    let taken = quantile::middle_and_p99(&mut taken_ns, 1e6).unzip();
    let (hand_p50_us, hand_p99_us) = quantile::middle_and_p99(&mut hand_ns, 1e3).unwrap_or_default();
    Ok(Reading {
        hand_p50_us,
        hand_p99_us,
        full_p99_us: quantile::at(&mut full.hand_ns, 990).map_or(0.0, |ns| ns as f64 / 1e3),
        taken_p50_ms: taken.0,
        taken_p99_ms: taken.1,
        per_second: full.taken as f64 * 1e9 / full.elapsed_ns as f64,
        lost_percent: 100.0 * (1.0 - full.taken as f64 / spans).max(0.0),
        cpu_us: full.cpu_ns as f64 / 1e3 / spans,
        memory_mib: memory::peak_bytes(None)?.saturating_sub(before_bytes) as f64 / f64::from(1 << 20),
    })
}

/// Hands over so many batches, each after the one before was taken.
fn waited_for<E: Exporter>(exporter: &mut E, batches: u32) -> anyhow::Result<Vec<u64>> {
    let mut times = Vec::new();
    for _ in 0..batches {
        let batch = exporter.batch()?;
        let before = exporter.taken();
        let watch = Stopwatch::start();
        exporter.hand_over(batch)?;
        exporter.settle()?;
        times.push(watch.elapsed_ns());
        anyhow::ensure!(exporter.taken() == before + SPANS as u64, "a batch was not taken");
    }
    Ok(times)
}

/// Hands over so many batches, one in each burst.
fn at_a_pace<E: Exporter>(exporter: &mut E, batches: u32) -> anyhow::Result<Vec<u64>> {
    let pace = Stopwatch::start();
    let mut times = Vec::new();
    for number in 0..batches {
        let due_ns = u64::from(number) * 1_000_000_000 / u64::from(BATCHES_PER_SECOND);
        while let Some(early) = due_ns.checked_sub(pace.elapsed_ns()).filter(|early| *early > 0) {
            std::thread::park_timeout(Duration::from_nanos(early));
        }
        let batch = exporter.batch()?;
        let watch = Stopwatch::start();
        exporter.hand_over(batch)?;
        times.push(watch.elapsed_ns());
    }
    Ok(times)
}

/// What came of handing over without a pause.
struct Full {
    hand_ns: Vec<u64>,
    elapsed_ns: u64,
    cpu_ns: u64,
    taken: u64,
}

/// Hands over for so long, and waits until the last is taken where somebody takes it.
fn without_pause<E: Exporter>(exporter: &mut E, time: Duration) -> anyhow::Result<Full> {
    let is_dead = exporter.state() == State::Dead;
    let before = exporter.taken();
    let cpu_ns = process_cpu_ns();
    let watch = Stopwatch::start();
    let mut hand_ns = Vec::new();
    let mut making_ns = 0;
    while u128::from(watch.elapsed_ns()) < time.as_nanos() {
        let making = thread_cpu_ns();
        let batch = exporter.batch()?;
        making_ns += thread_cpu_ns() - making;
        let handing = Stopwatch::start();
        exporter.hand_over(batch)?;
        hand_ns.push(handing.elapsed_ns());
        if !is_dead && (hand_ns.len() as u64).checked_rem(E::QUEUE_BATCHES) == Some(0) {
            exporter.settle()?;
        }
    }
    if !is_dead {
        exporter.settle()?;
    }
    Ok(Full {
        hand_ns,
        elapsed_ns: watch.elapsed_ns(),
        cpu_ns: (process_cpu_ns() - cpu_ns).saturating_sub(making_ns),
        taken: exporter.taken() - before,
    })
}
