//! The same policies by tower-resilience, as its documentation composes them: layers around a
//! service, called when it says that it is ready.

use super::CALLS;
use crate::measurement::{Measurement, Plan};
use crate::row::measure;
use std::fmt::Debug;
use std::time::Duration;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_resilience::bulkhead::BulkheadLayer;
use tower_resilience::circuitbreaker::CircuitBreakerLayer;
use tower_resilience::ratelimiter::RateLimiterLayer;
use tower_resilience::retry::RetryLayer;
use tower_resilience::timelimiter::TimeLimiterLayer;

const SECOND: Duration = Duration::from_secs(1);

/// The work, whose error a retry can repeat.
async fn add(value: u64) -> Result<u64, Failed> {
    Ok(std::hint::black_box(value).wrapping_add(1))
}

#[derive(Clone, Debug)]
struct Failed;

fn measured<S>(plan: &Plan, mut service: S) -> anyhow::Result<Measurement>
where
    S: Service<u64, Response = u64>,
    S::Error: Debug,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut refused = None;
    let measurement = measure(plan, CALLS, || {
        runtime.block_on(async {
            for input in 0..u64::from(CALLS) {
                let answer = match service.ready().await {
                    Ok(ready) => ready.call(std::hint::black_box(input)).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = answer {
                    refused = Some(format!("{error:?}"));
                }
            }
        });
    });
    match refused {
        Some(error) => Err(anyhow::anyhow!("a call was refused: {error}")),
        None => Ok(measurement),
    }
}

pub(super) fn bare(plan: &Plan) -> anyhow::Result<Measurement> {
    measured(plan, service_fn(add))
}

pub(super) fn retry(plan: &Plan) -> anyhow::Result<Measurement> {
    let retry = RetryLayer::<u64, u64, Failed>::builder().max_attempts(4).exponential_backoff(SECOND).build();
    measured(plan, ServiceBuilder::new().layer(retry).service(service_fn(add)))
}

pub(super) fn timeout(plan: &Plan) -> anyhow::Result<Measurement> {
    let limit = TimeLimiterLayer::builder().timeout_duration(SECOND).build();
    measured(plan, ServiceBuilder::new().layer(limit).service(service_fn(add)))
}

pub(super) fn breaker(plan: &Plan) -> anyhow::Result<Measurement> {
    let breaker = CircuitBreakerLayer::builder().consecutive_failures(5).build()?;
    measured(plan, ServiceBuilder::new().layer(breaker).service(service_fn(add)))
}

pub(super) fn bulkhead(plan: &Plan) -> anyhow::Result<Measurement> {
    let bulkhead = BulkheadLayer::builder().max_concurrent_calls(10).build()?;
    measured(plan, ServiceBuilder::new().layer(bulkhead).service(service_fn(add)))
}

pub(super) fn rate_limit(plan: &Plan) -> anyhow::Result<Measurement> {
    let limit = RateLimiterLayer::builder().limit_for_period(1_000_000_000).refresh_period(SECOND).build()?;
    measured(plan, ServiceBuilder::new().layer(limit).service(service_fn(add)))
}

pub(super) fn five(plan: &Plan) -> anyhow::Result<Measurement> {
    let service = ServiceBuilder::new()
        .layer(RateLimiterLayer::builder().limit_for_period(1_000_000_000).refresh_period(SECOND).build()?)
        .layer(BulkheadLayer::builder().max_concurrent_calls(10).build()?)
        .layer(CircuitBreakerLayer::builder().consecutive_failures(5).build()?)
        .layer(RetryLayer::<u64, u64, _>::builder().max_attempts(4).exponential_backoff(SECOND).build())
        .layer(TimeLimiterLayer::builder().timeout_duration(SECOND).build())
        .service(service_fn(add));
    measured(plan, service)
}
