//! Rates, against a load that is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tta::prelude::*;

use crate::support::{Prometheus, Scraped, Settings, double, eventually, prometheus_or_skip};

const EXECUTIONS: &str = "primitive_requests_total{primitive_name=\"paced\", status=\"success\"}";
const PER_SECOND: f64 = 200.0;

/// What a function gives over the time between two samples: with nothing to extrapolate.
async fn between(prometheus: &Prometheus, function: &str, first_ms: u64, last_ms: u64) -> f64 {
    let expression = format!("{function}({EXECUTIONS}[{}ms])", last_ms - first_ms);
    prometheus.query_at(&expression, last_ms).await[0].values[0].1
}

/// A run every 5 ms of real time, what was late being made up for; how many there were.
fn paced_load(scraped: &Scraped, stop: Arc<AtomicBool>) -> JoinSet<u64> {
    let (cx, mut load) = (scraped.context(), JoinSet::new());
    load.spawn(async move {
        let paced = workflow("paced", double);
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(PER_SECOND.recip()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut ran = 0;
        while !stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            paced.run(1, &cx).await.unwrap();
            ran += 1;
        }
        ran
    });
    load
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_of_a_steady_load_is_right_within_two_in_a_hundred_and_its_increase_exactly() {
    let scraped = Scraped::start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = paced_load(&scraped, Arc::clone(&stop));
    let prometheus = prometheus_or_skip!(Settings::of(scraped.server.local_addr()));
    // A machine that is busy makes the load late by some milliseconds, which matters the less the longer it lasts.
    let first_ms = eventually("the rate of the load", async || {
        let values = prometheus.query(&format!("{EXECUTIONS}[1h]")).await.pop()?.values;
        let (first_ms, last_ms) = (values.first()?.0, values.last()?.0);
        if last_ms - first_ms < 3_000 {
            return None;
        }
        let rate = between(&prometheus, "rate", first_ms, last_ms).await;
        ((rate - PER_SECOND).abs() <= 0.02 * PER_SECOND).then_some(first_ms)
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let ran = load.join_all().await[0];
    prometheus.scraped_anew().await;
    let values = prometheus.query(&format!("{EXECUTIONS}[1h]")).await.remove(0).values;
    let (first, (last_ms, last)) = (values[0].1, values[values.len() - 1]);
    assert_eq!(last, ran as f64);
    let increase = between(&prometheus, "increase", first_ms, last_ms).await;
    assert!((increase - (last - first)).abs() < 1e-6, "{increase} of {first} to {last}");
}
