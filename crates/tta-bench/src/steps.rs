//! The second family: what it costs to run a step. Does not record spans by itself.

use crate::clock::{Stopwatch, process_cpu_ns};
use crate::measurement::{Measurement, Plan, median};
use std::hint::black_box;

/// One way of running steps.
#[derive(Clone, Copy, Debug)]
pub struct StepCase {
    /// Name in the table.
    pub name: &'static str,
    /// What is measured, as a sentence of the report.
    pub about: &'static str,
    /// Measures it in this process.
    pub run: fn(&Plan) -> anyhow::Result<Measurement>,
}

/// The rows, in the order in which they take turns.
pub const STEPS: &[StepCase] = &[StepCase {
    name: "hand-written",
    about: "ten trivial async functions awaited in turn, in one task of a current-thread runtime; \
        the floor for anything that composes steps.",
    run: hand_written,
}];

/// Steps that a call of a measured closure should run, so that reading the clock does not show.
pub const BURST_STEPS: u32 = 10_000;

/// Measures `call`, which runs `operations` steps each time it is called.
pub fn measure(plan: &Plan, operations: u32, mut call: impl FnMut()) -> Measurement {
    for _ in 0..plan.warm_up_bursts() {
        call();
    }
    let mut burst_ns = Vec::with_capacity(plan.bursts as usize);
    let count_before = plan.count();
    let cpu_before_ns = process_cpu_ns();
    for _ in 0..plan.bursts {
        let watch = Stopwatch::start();
        call();
        burst_ns.push(watch.elapsed_ns());
    }
    let cpu_ns = process_cpu_ns() - cpu_before_ns;
    let count = plan.count();
    let total = u64::from(operations) * u64::from(plan.bursts);
    let per_operation = |sum: u64| sum as f64 / total as f64;
    let counted = |sum: u64| plan.count.map(|_| per_operation(sum));
    Measurement {
        caller_ns: median(burst_ns.into_iter().map(|ns| ns as f64 / f64::from(operations))),
        cpu_ns: per_operation(cpu_ns),
        caller_allocations: counted(count.calls - count_before.calls),
        allocations: counted(count.calls - count_before.calls),
        allocated_bytes: counted(count.bytes - count_before.bytes),
        round_trip_ns: 0.0,
        operations: total,
        misplaced: 0,
    }
}

fn hand_written(plan: &Plan) -> anyhow::Result<Measurement> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(measure(plan, BURST_STEPS, || {
        runtime.block_on(async {
            for input in 0..u64::from(BURST_STEPS) / 10 {
                black_box(ten_steps(input).await);
            }
        });
    }))
}

async fn ten_steps(input: u64) -> u64 {
    let value = step(input).await;
    let value = step(value).await;
    let value = step(value).await;
    let value = step(value).await;
    let value = step(value).await;
    let value = step(value).await;
    let value = step(value).await;
    let value = step(value).await;
    let value = step(value).await;
    step(value).await
}

/// Opaque to the optimiser, which would otherwise add the ten up when it compiles.
async fn step(value: u64) -> u64 {
    black_box(value).wrapping_add(1)
}
