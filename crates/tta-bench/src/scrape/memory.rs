//! What a series costs in memory, by what the allocator has given out. Takes no times.

use super::engine::{Engine, STEPS, series};
use crate::measurement::Plan;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tta_telemetry::{Clock, Telemetry};

/// Moments at which memory is looked at, in simulated hours.
const HOURS: [u32; 3] = [0, 2, 24];

/// Every step is executed so often in between, and then time goes on by so much.
const PAUSE: Duration = Duration::from_secs(10);
const EXECUTIONS: usize = 2;

/// What an engine holds for its steps at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Since the steps were first executed.
    pub(crate) hours: u32,
    /// Lines of the page, comments apart.
    pub(crate) series: u64,
    /// Given out by the allocator since before the first step was made.
    pub(crate) allocated_bytes: u64,
    /// What the steps say that they hold.
    pub(crate) heap_bytes: u64,
}

/// Looks at an engine whose clock is wound on, in the process that counts.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Memory>> {
    at(plan, &HOURS)
}

/// Looks after so many hours, which rise; without a scrape before the last.
pub(super) fn at(plan: &Plan, moments: &[u32]) -> anyhow::Result<Vec<Memory>> {
    anyhow::ensure!(plan.count.is_some(), "memory is counted by `tta-bench-counting`");
    let (clock, manual) = Clock::manual();
    let mut engine = Engine::start(Telemetry::builder().clock(clock))?;
    let before = plan.count().live_bytes;
    engine.make_steps()?;
    engine.execute(200);
    let mut held = Vec::new();
    let mut hours = 0;
    for &until in moments {
        let seconds = u64::from(until.saturating_sub(hours)) * 3_600;
        for _ in 0..seconds / PAUSE.as_secs() {
            manual.advance(PAUSE);
            engine.execute(EXECUTIONS);
        }
        hours = until;
        let allocated_bytes = plan.count().live_bytes.saturating_sub(before);
        let heap_bytes = engine.steps.iter().map(|step| step.heap_bytes() as u64).sum();
        held.push(Memory { hours, series: 0, allocated_bytes, heap_bytes });
    }
    let series = series(&engine.telemetry.collect_metrics());
    Ok(held.into_iter().map(|moment| Memory { series, ..moment }).collect())
}

impl Memory {
    /// Allocated bytes for each step, and for each series.
    pub(super) fn shares(&self) -> [f64; 2] {
        let all = self.allocated_bytes as f64;
        [all / STEPS as f64, all / self.series.max(1) as f64]
    }
}
