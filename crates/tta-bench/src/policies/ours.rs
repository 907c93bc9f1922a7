//! The policies of tta.

use super::CALLS;
use crate::measurement::{Measurement, Plan};
use crate::row::measure;
use crate::steps::{add, off, recorded};
use std::hint::black_box;
use std::time::Duration;
use tta_primitives::{
    Bulkhead, CircuitBreaker, Context, Primitive, RateLimit, Result, Retry, Route, Timeout, Workflow, router, step,
    workflow,
};
use tta_telemetry::Usd;

const SECOND: Duration = Duration::from_secs(1);
/// Calls in one run, which is kept short enough to stay within its span limit.
const CALLS_PER_RUN: u32 = 100;

/// Calls a workflow many times inside one run; whether the calls succeed is known before.
struct Inside {
    inner: Workflow<u64, u64>,
    succeeds: bool,
}

impl Primitive<u64> for Inside {
    type Out = u64;

    async fn run(&self, input: u64, cx: &Context) -> Result<u64> {
        for _ in 0..CALLS_PER_RUN {
            let answer = black_box(self.inner.run(black_box(input), cx).await);
            if answer.is_ok() != self.succeeds {
                return answer;
            }
        }
        Ok(input)
    }
}

pub(super) fn measured<const RECORDED: bool>(plan: &Plan, inner: Workflow<u64, u64>) -> anyhow::Result<Measurement> {
    calls::<RECORDED>(plan, Inside { inner, succeeds: true })
}

fn calls<const RECORDED: bool>(plan: &Plan, calls: Inside) -> anyhow::Result<Measurement> {
    let telemetry = if RECORDED { recorded()? } else { off()? };
    let cx = Context::on(telemetry);
    let flow = workflow("policies", calls);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut failed = None;
    let measurement = measure(plan, CALLS, || {
        runtime.block_on(async {
            for input in 0..u64::from(CALLS / CALLS_PER_RUN) {
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

pub(super) fn bare<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    measured::<RECORDED>(plan, step(add))
}

pub(super) fn failing<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    async fn refuse(_: u64) -> Result<u64, &'static str> {
        Err("refused")
    }
    calls::<RECORDED>(plan, Inside { inner: step(refuse), succeeds: false })
}

pub(super) fn breaker<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    measured::<RECORDED>(plan, step(add).circuit_breaker(CircuitBreaker::named("peer").build()?))
}

pub(super) fn breaker_open<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    let breaker = CircuitBreaker::named("peer").build()?;
    breaker.force_open();
    let inner = step(add).circuit_breaker(breaker);
    calls::<RECORDED>(plan, Inside { inner, succeeds: false })
}

pub(super) fn bulkhead<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    measured::<RECORDED>(plan, step(add).bulkhead(Bulkhead::named("peer").max_concurrent(10).build()?))
}

fn far_away() -> anyhow::Result<RateLimit> {
    Ok(RateLimit::named("peer").per_second(1e6).burst(1_000_000_000).build()?)
}

pub(super) fn rate_limit<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    measured::<RECORDED>(plan, step(add).rate_limit(far_away()?))
}

pub(super) fn retry<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    measured::<RECORDED>(plan, step(add).retry(Retry::new().build()?))
}

pub(super) fn timeout<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    measured::<RECORDED>(plan, step(add).timeout(Timeout::after(SECOND).build()?))
}

/// By how much a step that hangs outlives its timeout. One operation, so a figure of its own kind.
pub(super) fn timeout_late_by(plan: &Plan) -> anyhow::Result<Measurement> {
    const TIMEOUT: Duration = Duration::from_millis(20);
    const MOST_TIMES: u32 = 25;
    async fn hang(_: u64) -> Result<u64, std::convert::Infallible> {
        std::future::pending().await
    }
    let flow = workflow("late", step(hang).timeout(Timeout::after(TIMEOUT).build()?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let cx = Context::on(recorded()?);
    let shorter = Plan { bursts: plan.bursts.min(MOST_TIMES), count: plan.count };
    let mut ended_well = false;
    let mut measurement = measure(&shorter, 1, || {
        ended_well |= runtime.block_on(flow.run(1, &cx)).is_ok();
    });
    anyhow::ensure!(!ended_well, "a step that hangs returned");
    measurement.caller_ns -= TIMEOUT.as_nanos() as f64;
    measurement.operations = 1;
    Ok(measurement)
}

pub(super) fn router_by_cost<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    let cheap = Route::to("cheap", add).cost(Usd::from_micros(1));
    let dear = Route::to("dear", add).cost(Usd::from_micros(9));
    measured::<RECORDED>(plan, step(router().route(cheap).route(dear).by_cost().build()?))
}

pub(super) fn five<const RECORDED: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    let stack = step(add)
        .timeout(Timeout::after(SECOND).build()?)
        .retry(Retry::new().build()?)
        .circuit_breaker(CircuitBreaker::named("peer").build()?)
        .bulkhead(Bulkhead::named("peer").max_concurrent(10).build()?)
        .rate_limit(far_away()?);
    measured::<RECORDED>(plan, stack)
}
