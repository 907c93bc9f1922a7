//! The second family: what it costs to run a step. Does not record spans by itself.

mod composed;

use crate::clock::{Stopwatch, process_cpu_ns};
use crate::measurement::{Measurement, Plan, median};
use std::hint::black_box;
use std::pin::Pin;

/// One way of running steps.
#[derive(Clone, Copy, Debug)]
pub struct StepCase {
    /// Name in the table.
    pub name: &'static str,
    /// What is measured, as a sentence of the report.
    pub about: &'static str,
    /// Measures it in this process.
    pub run: fn(&Plan) -> anyhow::Result<Measurement>,
    /// Whether it runs in the build without the recorder.
    pub compiled_out: bool,
}

/// The rows, in the order in which they take turns.
pub const STEPS: &[StepCase] = &[
    StepCase::new(
        "hand-written",
        "ten trivial async functions awaited in turn, in one task of a current-thread runtime; the \
            floor for anything that composes steps.",
        hand_written,
    ),
    StepCase::new(
        "two clock reads",
        "reading the time-stamp counter twice, which every independent span must; the floor for \
            spans on this machine.",
        two_clock_reads,
    ),
    StepCase::new(
        "boxed by hand",
        "the same ten, each behind a boxed future: what erasing the type of a step costs anybody.",
        boxed_by_hand,
    ),
    StepCase::new(
        "chain, compiled out",
        "the same ten composed with `>>`, nested in a run; built without the feature `record`.",
        composed::chain_off,
    )
    .compiled_out(),
    StepCase::new("chain, off", "the same with `enabled(false)`.", composed::chain_off),
    StepCase::new(
        "chain, recorded",
        "the same on an engine that records everything and drops every trace: a span with index \
            and total, and exact statistics, per step.",
        composed::chain_recorded,
    ),
    StepCase::new(
        "run of 10, compiled out",
        "whole runs of ten steps, with their context and ids, divided by ten.",
        composed::run_off,
    )
    .compiled_out(),
    StepCase::new("run of 10, off", "the same with `enabled(false)`.", composed::run_off),
    StepCase::new(
        "run of 10, recorded",
        "the same recorded, the root span and the decision included.",
        composed::run_recorded,
    ),
    StepCase::new("2 policies, off", "a step inside a retry inside a timeout, ready at once.", composed::policies_off),
    StepCase::new("2 policies, recorded", "the same recorded; the attempt is a span.", composed::policies_recorded),
    StepCase::new("poll, boxed", "an extra poll of a boxed future that is not ready.", composed::poll_boxed),
    StepCase::new("poll, step", "the same inside a recorded run of one step.", composed::poll_in_chain_of_1),
    StepCase::new("poll, chain of 10", "the same in the middle of 10.", composed::poll_in_chain_of_10),
    StepCase::new("poll, chain of 200", "the same in the middle of 200.", composed::poll_in_chain_of_200),
];

impl StepCase {
    const fn new(name: &'static str, about: &'static str, run: fn(&Plan) -> anyhow::Result<Measurement>) -> Self {
        Self { name, about, run, compiled_out: false }
    }

    const fn compiled_out(self) -> Self {
        Self { compiled_out: true, ..self }
    }
}

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

fn two_clock_reads(plan: &Plan) -> anyhow::Result<Measurement> {
    let clock = tta_telemetry::Clock::system();
    Ok(measure(plan, BURST_STEPS, || {
        for _ in 0..BURST_STEPS {
            black_box(clock.ticks());
            black_box(clock.ticks());
        }
    }))
}

fn boxed_by_hand(plan: &Plan) -> anyhow::Result<Measurement> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(measure(plan, BURST_STEPS, || {
        runtime.block_on(async {
            for input in 0..u64::from(BURST_STEPS) / 10 {
                let mut value = input;
                for _ in 0..10 {
                    let future: Pin<Box<dyn Future<Output = u64> + Send>> = Box::pin(step(value));
                    value = black_box(future).await;
                }
                black_box(value);
            }
        });
    }))
}

/// Opaque to the optimiser, which would otherwise add the ten up when it compiles.
async fn step(value: u64) -> u64 {
    black_box(value).wrapping_add(1)
}
