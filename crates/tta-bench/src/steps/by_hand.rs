//! What steps are compared with: the same by hand, and the floors of the machine.

use crate::measurement::{Measurement, Plan};
use crate::row::{BURST_OPERATIONS, measure};
use std::hint::black_box;
use std::pin::Pin;

pub(super) fn hand_written(plan: &Plan) -> anyhow::Result<Measurement> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(measure(plan, BURST_OPERATIONS, || {
        runtime.block_on(async {
            for input in 0..u64::from(BURST_OPERATIONS) / 10 {
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

pub(super) fn two_clock_reads(plan: &Plan) -> anyhow::Result<Measurement> {
    let clock = tta_telemetry::Clock::system();
    Ok(measure(plan, BURST_OPERATIONS, || {
        for _ in 0..BURST_OPERATIONS {
            black_box(clock.ticks());
            black_box(clock.ticks());
        }
    }))
}

pub(super) fn boxed_by_hand(plan: &Plan) -> anyhow::Result<Measurement> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(measure(plan, BURST_OPERATIONS, || {
        runtime.block_on(async {
            for input in 0..u64::from(BURST_OPERATIONS) / 10 {
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
