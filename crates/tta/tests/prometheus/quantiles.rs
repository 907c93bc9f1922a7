//! Quantiles that Prometheus computes, against our own.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tta::Telemetry;
use tta::server::{Format, Page};
use tta::telemetry::{HistogramValue, MetricValue, Percentiles, SpanStatus};

use crate::document::queries_are_answered;
use crate::support::{Scraped, Settings, prometheus_or_skip};

/// Limits of native buckets are 2^(1/8) apart, and a value may be counted 0.8 % from where it is.
const NATIVE_BUCKET: f64 = 1.0905 * 1.008;
const NATIVE: &str = "primitive_duration_seconds{job=\"tta\", primitive_name=\"tail\"}";
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

/// Serves the same in the text format alone, of which Prometheus has classic buckets.
async fn serve_text(telemetry: Telemetry) -> (SocketAddr, JoinSet<std::io::Result<()>>) {
    let page = async move || {
        let bytes: Vec<u8> = Page::new(telemetry.collect_metrics(), Format::Text).flatten().collect();
        ([(CONTENT_TYPE, Format::Text.content_type())], bytes)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(axum::serve(listener, axum::Router::new().route("/metrics", get(page))).into_future());
    (target, server)
}

#[tokio::test]
async fn quantiles_are_in_the_classic_bucket_of_our_own_and_within_a_tenth_in_native_buckets() {
    let scraped = Scraped::start().await;
    record(&scraped.telemetry);
    let (text, _server) = serve_text(scraped.telemetry.clone()).await;
    let settings = Settings::of(scraped.server.local_addr()).job("text", text).features("native-histograms");
    let prometheus = prometheus_or_skip!(settings);
    prometheus.scraped_anew().await;
    let known = histogram(&scraped.telemetry);
    let bucket = |seconds: f64| known.limits.partition_point(|limit| *limit < seconds);
    let value = async |expression: String| prometheus.value(&expression).await.expect(&expression);
    for (share, ours) in own(&scraped.telemetry) {
        let classic = "primitive_duration_seconds_bucket{job=\"text\", primitive_name=\"tail\"}";
        let theirs = value(format!("histogram_quantile({share}, {classic})")).await;
        assert_eq!(bucket(ours), bucket(theirs), "{share}: {ours} and {theirs}");
        let theirs = value(format!("histogram_quantile({share}, {NATIVE})")).await;
        assert!((NATIVE_BUCKET.recip()..=NATIVE_BUCKET).contains(&(theirs / ours)), "{share}: {ours} and {theirs}");
    }
    assert_eq!((value(format!("histogram_count({NATIVE})")).await, known.count), (f64::from(COUNT), u64::from(COUNT)));
    assert_eq!(value(format!("histogram_sum({NATIVE})")).await, known.sum);
    queries_are_answered(&prometheus, "promql native").await;
    assert_eq!(prometheus.complaints(), [""; 0]);
}
