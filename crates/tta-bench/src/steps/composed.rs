//! Steps as users compose them.

use super::{BURST_STEPS, measure};
use crate::measurement::{Measurement, Plan};
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;
use tta_primitives::{Context, Primitive, Result, Retry, Timeout, Workflow, step, workflow};
use tta_telemetry::{Sampling, Telemetry};

/// Extra polls of one step.
const POLLS: u32 = 10_000;

async fn add(value: u64) -> Result<u64, std::convert::Infallible> {
    Ok(black_box(value).wrapping_add(1))
}

fn chain(length: usize) -> Workflow<u64, u64> {
    (1..length).fold(workflow("chain", add), |chain, _| chain >> add)
}

fn recorded() -> anyhow::Result<Telemetry> {
    Ok(Telemetry::builder().sampling(Sampling::KeepNone).build()?)
}

fn off() -> anyhow::Result<Telemetry> {
    Ok(Telemetry::builder().enabled(false).build()?)
}

/// Runs a workflow many times inside one run, so that only its steps are measured.
struct Inside {
    inner: Workflow<u64, u64>,
    times: u32,
}

impl Primitive<u64> for Inside {
    type Out = u64;

    async fn run(&self, input: u64, cx: &Context) -> Result<u64> {
        let mut value = input;
        for _ in 0..self.times {
            value = black_box(self.inner.run(value, cx).await?);
        }
        Ok(value)
    }
}

/// Ten steps at a time inside a run, which is kept short enough to stay within its span limit.
fn nested(plan: &Plan, telemetry: &Telemetry) -> anyhow::Result<Measurement> {
    const TIMES: u32 = 10;
    // Without a name, so that nothing but the steps themselves is run again.
    let ten = (1..10).fold(step(add), |chain, _| chain >> add);
    let flow = workflow("nested", Inside { inner: ten, times: TIMES });
    measured(plan, telemetry, &flow, BURST_STEPS / (TIMES * 10), BURST_STEPS)
}

fn measured(
    plan: &Plan,
    telemetry: &Telemetry,
    flow: &Workflow<u64, u64>,
    runs: u32,
    operations: u32,
) -> anyhow::Result<Measurement> {
    let cx = Context::on(telemetry.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut failed = None;
    let measurement = measure(plan, operations, || {
        runtime.block_on(async {
            for input in 0..u64::from(runs) {
                if let Err(error) = flow.run(input, &cx).await {
                    failed = Some(error);
                }
            }
        });
    });
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(measurement),
    }
}

pub(super) fn chain_off(plan: &Plan) -> anyhow::Result<Measurement> {
    nested(plan, &off()?)
}

pub(super) fn chain_recorded(plan: &Plan) -> anyhow::Result<Measurement> {
    nested(plan, &recorded()?)
}

pub(super) fn run_off(plan: &Plan) -> anyhow::Result<Measurement> {
    measured(plan, &off()?, &chain(10), BURST_STEPS / 10, BURST_STEPS)
}

pub(super) fn run_recorded(plan: &Plan) -> anyhow::Result<Measurement> {
    measured(plan, &recorded()?, &chain(10), BURST_STEPS / 10, BURST_STEPS)
}

fn policies(plan: &Plan, telemetry: &Telemetry) -> anyhow::Result<Measurement> {
    const TIMES: u32 = 100;
    let inner = step(add).retry(Retry::new().build()?).timeout(Timeout::after(Duration::from_secs(1)).build()?);
    let flow = workflow("policies", Inside { inner, times: TIMES });
    measured(plan, telemetry, &flow, BURST_STEPS / TIMES, BURST_STEPS)
}

pub(super) fn policies_off(plan: &Plan) -> anyhow::Result<Measurement> {
    policies(plan, &off()?)
}

pub(super) fn policies_recorded(plan: &Plan) -> anyhow::Result<Measurement> {
    policies(plan, &recorded()?)
}

/// Not ready so many times.
struct NotYet(u32);

impl Future for NotYet {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<()> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = black_box(left);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

async fn wait(value: u64) -> Result<u64, std::convert::Infallible> {
    NotYet(POLLS).await;
    Ok(value)
}

/// Polls without a runtime: nothing but the future is measured.
fn poll_to_end<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut task = task::Context::from_waker(task::Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
            return output;
        }
    }
}

pub(super) fn poll_boxed(plan: &Plan) -> anyhow::Result<Measurement> {
    Ok(measure(plan, POLLS, || {
        let future: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(wait(1));
        let _ = black_box(poll_to_end(black_box(future)));
    }))
}

fn poll_in_chain(plan: &Plan, length: usize) -> anyhow::Result<Measurement> {
    let middle = length / 2;
    let start = if middle == 0 { workflow("polls", wait) } else { workflow("polls", add) };
    let flow = (1..length).fold(start, |chain, at| if at == middle { chain >> wait } else { chain >> add });
    let cx = Context::on(recorded()?);
    let flow = Arc::new(flow);
    Ok(measure(plan, POLLS, || {
        let _ = black_box(poll_to_end(flow.run(1, &cx)));
    }))
}

pub(super) fn poll_in_chain_of_1(plan: &Plan) -> anyhow::Result<Measurement> {
    poll_in_chain(plan, 1)
}

pub(super) fn poll_in_chain_of_10(plan: &Plan) -> anyhow::Result<Measurement> {
    poll_in_chain(plan, 10)
}

pub(super) fn poll_in_chain_of_200(plan: &Plan) -> anyhow::Result<Measurement> {
    poll_in_chain(plan, 200)
}
