//! Steps as users compose them.

use crate::measurement::{Measurement, Plan};
use crate::row::{BURST_OPERATIONS, measure};
use std::hint::black_box;
use std::time::Duration;
use tta_primitives::{Context, Primitive, Result, Retry, Timeout, Workflow, step, traced, workflow};
use tta_telemetry::{Sampling, Slo, Telemetry};

pub(crate) async fn add(value: u64) -> Result<u64, std::convert::Infallible> {
    Ok(black_box(value).wrapping_add(1))
}

fn chain(length: usize) -> Workflow<u64, u64> {
    (1..length).fold(workflow("chain", add), |chain, _| chain >> add)
}

pub(crate) fn recorded() -> anyhow::Result<Telemetry> {
    Ok(Telemetry::builder().sampling(Sampling::KeepNone).build()?)
}

pub(crate) fn off() -> anyhow::Result<Telemetry> {
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
    measured(plan, telemetry, &flow, BURST_OPERATIONS / (TIMES * 10), BURST_OPERATIONS)
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

/// Steps of one run, so many that what a run costs by itself hardly shows.
const OBSERVED_STEPS: u32 = 100;

/// Runs of a long chain whose steps are judged by an objective; every one of them must have been,
/// when recorded.
fn observed(plan: &Plan, telemetry: &Telemetry) -> anyhow::Result<Measurement> {
    let quick = Slo::named("quick").target(0.99).latency_threshold(Duration::from_millis(100)).build()?;
    telemetry.configure_slo("add", quick)?;
    let runs = BURST_OPERATIONS / OBSERVED_STEPS;
    let measurement = measured(plan, telemetry, &chain(OBSERVED_STEPS as usize), runs, BURST_OPERATIONS)?;
    if telemetry.is_enabled() {
        let ran = u64::from(BURST_OPERATIONS) * u64::from(plan.bursts + plan.warm_up_bursts());
        let judged: u64 = telemetry.slo_statuses().iter().map(|status| status.totals.total).sum();
        anyhow::ensure!(judged == ran, "{ran} steps ran and {judged} were judged");
    }
    Ok(measurement)
}

pub(super) fn observed_off(plan: &Plan) -> anyhow::Result<Measurement> {
    observed(plan, &off()?)
}

pub(super) fn observed_recorded(plan: &Plan) -> anyhow::Result<Measurement> {
    observed(plan, &recorded()?)
}

pub(super) fn run_off(plan: &Plan) -> anyhow::Result<Measurement> {
    measured(plan, &off()?, &chain(10), BURST_OPERATIONS / 10, BURST_OPERATIONS)
}

pub(super) fn run_recorded(plan: &Plan) -> anyhow::Result<Measurement> {
    measured(plan, &recorded()?, &chain(10), BURST_OPERATIONS / 10, BURST_OPERATIONS)
}

fn policies(plan: &Plan, telemetry: &Telemetry) -> anyhow::Result<Measurement> {
    const TIMES: u32 = 100;
    let inner = step(add).retry(Retry::new().build()?).timeout(Timeout::after(Duration::from_secs(1)).build()?);
    let flow = workflow("policies", Inside { inner, times: TIMES });
    measured(plan, telemetry, &flow, BURST_OPERATIONS / TIMES, BURST_OPERATIONS)
}

pub(super) fn policies_off(plan: &Plan) -> anyhow::Result<Measurement> {
    policies(plan, &off()?)
}

pub(super) fn policies_recorded(plan: &Plan) -> anyhow::Result<Measurement> {
    policies(plan, &recorded()?)
}

fn any(plan: &Plan, telemetry: &Telemetry) -> anyhow::Result<Measurement> {
    const TIMES: u32 = 100;
    let inner = step((step(add) | add).any());
    let flow = workflow("any", Inside { inner, times: TIMES });
    // A fan takes as long as many steps.
    measured(plan, telemetry, &flow, 10, 10 * TIMES)
}

pub(super) fn any_off(plan: &Plan) -> anyhow::Result<Measurement> {
    any(plan, &off()?)
}

pub(super) fn any_recorded(plan: &Plan) -> anyhow::Result<Measurement> {
    any(plan, &recorded()?)
}

/// Futures a hundred at a time inside one step of a run.
fn traced_futures(plan: &Plan, telemetry: &Telemetry) -> anyhow::Result<Measurement> {
    const TIMES: u32 = 100;
    async fn hundred(mut value: u64) -> Result<u64, std::convert::Infallible> {
        for _ in 0..TIMES {
            value = traced("lookup", add(value)).await?;
        }
        Ok(value)
    }
    let flow = workflow("traced", hundred);
    measured(plan, telemetry, &flow, BURST_OPERATIONS / TIMES, BURST_OPERATIONS)
}

pub(super) fn traced_off(plan: &Plan) -> anyhow::Result<Measurement> {
    traced_futures(plan, &off()?)
}

pub(super) fn traced_recorded(plan: &Plan) -> anyhow::Result<Measurement> {
    traced_futures(plan, &recorded()?)
}
