//! Quantiles that Prometheus computes, against our own.

use std::time::Duration;

use tta::Telemetry;
use tta::telemetry::{HistogramValue, MetricValue, Percentiles, SpanStatus};

use crate::support::{Prometheus, Scraped, Settings, prometheus_or_skip};

/// Limits of native buckets are 2^(1/8) apart, and a value may be counted 0.8 % from where it is.
const NATIVE_BUCKET: f64 = 1.0905 * 1.008;
const COUNT: u32 = 2_000;

/// From 2 ms to 1.4 s, most of them short: a heavy tail.
fn record(telemetry: &Telemetry) {
    for place in 0..COUNT {
        let share = (f64::from(place) + 0.5) / f64::from(COUNT);
        let took = Duration::from_secs_f64(0.002 / (1.0 - share).powf(0.8));
        telemetry.record_execution("tail", "batch", took, SpanStatus::Ok, None);
    }
}

/// Shares, and what we say of them in seconds.
fn own(telemetry: &Telemetry) -> [(f64, f64); 5] {
    let Percentiles { p50, p90, p95, p99, p999, .. } = telemetry.metrics("tail").unwrap().percentiles.since_start;
    let seconds = |ns: Option<u64>| ns.unwrap() as f64 / 1e9;
    [(0.5, seconds(p50)), (0.9, seconds(p90)), (0.95, seconds(p95)), (0.99, seconds(p99)), (0.999, seconds(p999))]
}

fn histogram(telemetry: &Telemetry) -> HistogramValue {
    let families = telemetry.collect_metrics();
    let durations = families.iter().find(|family| family.name == "primitive_duration_seconds").unwrap();
    match durations.value(&[("primitive_name", "tail")]).unwrap() {
        MetricValue::Histogram(histogram) => (**histogram).clone(),
        other => panic!("{other:?} is no histogram"),
    }
}

async fn quantile(prometheus: &Prometheus, share: f64, metric: &str) -> f64 {
    let expression = format!("histogram_quantile({share}, {metric}{{primitive_name=\"tail\"}})");
    prometheus.value(&expression).await.expect(&expression)
}

#[tokio::test]
async fn quantiles_of_classic_buckets_are_in_the_same_bucket_as_our_own() {
    let scraped = Scraped::start().await;
    record(&scraped.telemetry);
    let prometheus = prometheus_or_skip!(Settings { target: scraped.server.local_addr(), features: "" });
    prometheus.scraped_anew().await;
    let limits = histogram(&scraped.telemetry).limits;
    let bucket = |seconds: f64| limits.partition_point(|limit| *limit < seconds);
    for (share, ours) in own(&scraped.telemetry) {
        let theirs = quantile(&prometheus, share, "primitive_duration_seconds_bucket").await;
        assert_eq!(bucket(ours), bucket(theirs), "{share}: {ours} and {theirs}");
    }
}

#[tokio::test]
async fn quantiles_of_native_buckets_are_within_a_tenth_of_our_own() {
    let scraped = Scraped::start().await;
    record(&scraped.telemetry);
    let settings = Settings { target: scraped.server.local_addr(), features: "native-histograms" };
    let prometheus = prometheus_or_skip!(settings);
    prometheus.scraped_anew().await;
    for (share, ours) in own(&scraped.telemetry) {
        let theirs = quantile(&prometheus, share, "primitive_duration_seconds").await;
        assert!((NATIVE_BUCKET.recip()..=NATIVE_BUCKET).contains(&(theirs / ours)), "{share}: {ours} and {theirs}");
    }
    let known = histogram(&scraped.telemetry);
    let value = async |function: &str| {
        prometheus.value(&format!("{function}(primitive_duration_seconds{{primitive_name=\"tail\"}})")).await
    };
    assert_eq!((value("histogram_count").await, known.count), (Some(f64::from(COUNT)), u64::from(COUNT)));
    assert_eq!(value("histogram_sum").await, Some(known.sum));
}
