//! How long scrapes take, and how long recording takes meanwhile.

use super::engine::{Engine, STEPS, series};
use crate::clock::Stopwatch;
use crate::measurement::{Plan, median};
use crate::placement::Placement;
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use tta_server::{Format, Page};
use tta_telemetry::SpanStatus;

/// Scrapes for each burst of the plan.
const SCRAPES: u32 = 10;
/// Recordings of one burst: as many as take about as long as a scrape, and less than the pause between
/// two ticks of the scheduler, so that the longest of a burst is usually no interrupt.
pub(super) const RECORDINGS: usize = 10_000;
/// Times from here on are counted together.
const LONGEST_NS: usize = 100_000;

/// What one process has measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Half took no longer, in microseconds.
    pub(crate) p50_us: f64,
    /// Of a hundred one took longer.
    pub(crate) p99_us: f64,
    /// Of a thousand one took longer.
    pub(crate) p999_us: f64,
    /// The longest: of all scrapes, or of the recordings in the middle burst.
    pub(crate) longest_us: f64,
    /// Lines of the page, comments apart.
    pub(crate) series: f64,
}

/// How often each number of nanoseconds was taken; a table of its own so that nothing is allocated
/// while it is filled.
struct Times {
    counts: Vec<u32>,
    longest: Vec<f64>,
}

impl Times {
    fn new() -> Self {
        Self { counts: vec![0; LONGEST_NS + 1], longest: Vec::new() }
    }

    #[inline]
    fn add(&mut self, ns: u64) {
        if let Some(count) = self.counts.get_mut((ns as usize).min(LONGEST_NS)) {
            *count += 1;
        }
    }

    /// The smallest number of nanoseconds that so many of a thousand do not exceed, in microseconds.
    fn per_mille_us(&self, of_thousand: u64) -> f64 {
        let all: u64 = self.counts.iter().map(|&count| u64::from(count)).sum();
        let rank = (all * of_thousand).div_ceil(1_000);
        let mut seen = 0;
        let ns = self.counts.iter().position(|&count| {
            seen += u64::from(count);
            seen >= rank
        });
        ns.map_or(0.0, |ns| ns as f64 / 1e3)
    }
}

/// Scrapes one after the other.
pub(super) fn collect(plan: &Plan) -> anyhow::Result<Reading> {
    let engine = Engine::with_steps()?;
    Placement::of_this_process().enter_background();
    Ok(scrapes(&engine, plan))
}

/// The same, and the page written as text.
pub(super) fn collect_and_write(plan: &Plan) -> anyhow::Result<Reading> {
    let engine = Engine::with_steps()?;
    Placement::of_this_process().enter_background();
    Ok(repeated(&engine, plan, || {
        Page::new(engine.telemetry.collect_metrics(), Format::Text).for_each(|piece| drop(black_box(piece)));
    }))
}

/// The same while another thread records without a pause.
pub(super) fn collect_under_load(plan: &Plan) -> anyhow::Result<Reading> {
    let engine = Engine::with_steps()?;
    let load = |placement: &Placement, again: &dyn Fn() -> bool| {
        placement.enter_caller(0);
        while again() {
            record(&engine, 1_000, |_| ());
        }
    };
    beside(load, |placement| {
        placement.enter_background();
        scrapes(&engine, plan)
    })
}

/// Recordings one after the other, each timed.
pub(super) fn record_quiet(plan: &Plan) -> anyhow::Result<Reading> {
    let engine = Engine::with_steps()?;
    Placement::of_this_process().enter_caller(0);
    Ok(recordings(&engine, plan))
}

/// The same while another thread scrapes without a pause.
pub(super) fn record_during_scrapes(plan: &Plan) -> anyhow::Result<Reading> {
    let engine = Engine::with_steps()?;
    let load = |placement: &Placement, again: &dyn Fn() -> bool| {
        placement.enter_background();
        while again() {
            drop(black_box(engine.telemetry.collect_metrics()));
        }
    };
    beside(load, |placement| {
        placement.enter_caller(0);
        recordings(&engine, plan)
    })
}

/// Measures in one thread while another is busy until that has ended.
fn beside(
    load: impl FnOnce(&Placement, &dyn Fn() -> bool) + Send,
    measured: impl FnOnce(&Placement) -> Reading + Send,
) -> anyhow::Result<Reading> {
    let placement = Placement::of_this_process();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (placement, stop) = (&placement, &stop);
        scope.spawn(move || load(placement, &|| !stop.load(Ordering::Relaxed)));
        let measured = scope.spawn(move || measured(placement)).join();
        stop.store(true, Ordering::Relaxed);
        measured.map_err(|_| anyhow::anyhow!("the measuring thread panicked"))
    })
}

fn scrapes(engine: &Engine, plan: &Plan) -> Reading {
    repeated(engine, plan, || drop(black_box(engine.telemetry.collect_metrics())))
}

fn repeated(engine: &Engine, plan: &Plan, scrape: impl Fn()) -> Reading {
    for _ in 0..plan.warm_up_bursts() {
        scrape();
    }
    let mut taken = Vec::new();
    for _ in 0..SCRAPES * plan.bursts {
        let watch = Stopwatch::start();
        scrape();
        taken.push(watch.elapsed_ns());
    }
    taken.sort_unstable();
    let at = |of_thousand: usize| {
        let rank = (taken.len() * of_thousand).div_ceil(1_000);
        taken.get(rank.saturating_sub(1)).map_or(0.0, |&ns| ns as f64 / 1e3)
    };
    let series = series(&engine.telemetry.collect_metrics()) as f64;
    Reading { p50_us: at(500), p99_us: at(990), p999_us: at(999), longest_us: at(1_000), series }
}

fn recordings(engine: &Engine, plan: &Plan) -> Reading {
    record(engine, RECORDINGS * plan.warm_up_bursts() as usize, |_| ());
    let mut times = Times::new();
    for _ in 0..plan.bursts {
        let mut longest = 0;
        record(engine, RECORDINGS, |ns| {
            times.add(ns);
            longest = longest.max(ns);
        });
        times.longest.push(longest as f64 / 1e3);
    }
    Reading {
        p50_us: times.per_mille_us(500),
        p99_us: times.per_mille_us(990),
        p999_us: times.per_mille_us(999),
        longest_us: median(times.longest.iter().copied()),
        series: series(&engine.telemetry.collect_metrics()) as f64,
    }
}

/// Records so many executions of all steps in turn, and says how long each took.
fn record(engine: &Engine, count: usize, mut took: impl FnMut(u64)) {
    for (turn, (step, instruments)) in engine.steps.iter().enumerate().cycle().take(count).enumerate() {
        let duration_ns = black_box(engine.duration_ns(turn / STEPS, step));
        let watch = Stopwatch::start();
        instruments.record(duration_ns, SpanStatus::Ok, engine.telemetry.clock().ticks());
        took(watch.elapsed_ns());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_to_the_nanosecond_and_the_longest_together() {
        let mut times = Times::new();
        (1..=1_000).for_each(|ns| times.add(ns * 1_000));
        assert_eq!([50, 99].map(|of| times.per_mille_us(of)), [50.0, 99.0]);
        assert_eq!([500, 999].map(|of| times.per_mille_us(of)), [100.0; 2]);
        assert_eq!(Times::new().per_mille_us(500), 0.0);
    }
}
