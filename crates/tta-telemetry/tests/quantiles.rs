//! Percentiles beside exact ones: on real durations, and on tails so heavy that most estimates
//! break. Windows, merges and bytes must not add to the error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::path::Path;
use std::time::Duration;

use tta_telemetry::{Clock, Histogram, Percentiles, RollingHistogram, RollingWindow};

const QUANTILES: [f64; 12] = [0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0];

/// By nearest rank.
fn exact(sorted: &[u64], q: f64) -> u64 {
    sorted[((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1]
}

fn assert_within_one_percent(what: &str, histogram: &Histogram, sorted: &[u64]) {
    assert_eq!((histogram.count(), histogram.sum()), (sorted.len() as u64, sorted.iter().sum()), "{what}");
    for q in QUANTILES {
        let (got, want) = (histogram.quantile(q).unwrap(), exact(sorted, q));
        assert!(got.abs_diff(want) as f64 <= want as f64 * 0.01, "{what}: q {q} is {got}, exact {want}");
    }
}

/// Every way that values can take.
fn check(what: &str, mut values: Vec<u64>) {
    let (clock, hand) = Clock::manual();
    let rolling = RollingHistogram::new(clock);
    let (mut odd, mut even) = (Histogram::default(), Histogram::default());
    // Over 50 s, so that the minute is made of several slots.
    let part = values.len().div_ceil(50);
    for values in values.chunks(part) {
        values.iter().for_each(|value| rolling.record(*value));
        hand.advance(Duration::from_secs(1));
    }
    for pair in values.chunks(2) {
        odd.record(pair[0]);
        pair.iter().skip(1).for_each(|value| even.record(*value));
    }
    values.sort_unstable();
    odd.merge(&even);
    assert_within_one_percent(what, &odd, &values);
    let stored = Histogram::from_bytes(&odd.to_bytes()).unwrap();
    assert_within_one_percent(what, &stored, &values);
    for window in [RollingWindow::Minute, RollingWindow::FiveMinutes, RollingWindow::Hour, RollingWindow::SinceStart] {
        assert_within_one_percent(&format!("{what}, {window:?}"), &rolling.histogram(window), &values);
    }
    let shown = rolling.snapshot(RollingWindow::SinceStart);
    assert_eq!((shown.min, shown.max), (values.first().copied(), values.last().copied()));
    assert_eq!(shown, Percentiles::from(&stored));
}

/// The durations of a file in OTLP JSON, in nanoseconds, without a JSON parser: a span's end
/// follows its start.
fn durations(text: &str) -> Vec<u64> {
    let number = |text: &str| text.split('"').next().unwrap().parse::<u64>().unwrap();
    let spans = text.split("\"startTimeUnixNano\":\"").skip(1);
    let end = |span: &str| number(span.split_once("\"endTimeUnixNano\":\"").unwrap().1);
    spans.map(|span| end(span) - number(span)).collect()
}

#[test]
fn real_durations_are_within_one_percent() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/otel-demo-traces.jsonl");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no real durations beside the repository (shared/data/otel-demo-traces.jsonl)");
        return;
    };
    let durations = durations(&text);
    assert!(durations.len() > 500, "{}", durations.len());
    check("spans of the OpenTelemetry demo", durations);
}

#[test]
fn pareto_tails_are_within_one_percent() {
    for (seed, shape) in [(1, 0.5), (2, 1.0), (3, 1.5), (4, 3.0)] {
        let mut random = fastrand::Rng::with_seed(seed);
        // From 1 us on; with shape 0.5 the largest of 50,000 is about 2 * 10^9 times that.
        let value = || (1_000.0 / (1.0 - random.f64()).powf(1.0 / shape)).min(3.6e12) as u64;
        check(&format!("Pareto {shape}"), std::iter::repeat_with(value).take(50_000).collect());
    }
}

#[test]
fn lognormal_tails_are_within_one_percent() {
    for (seed, sigma) in [(5, 0.5), (6, 1.0), (7, 2.5)] {
        let mut random = fastrand::Rng::with_seed(seed);
        // Box and Muller's transform; the median is 20 ms.
        let normal = move || (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos();
        let values = std::iter::repeat_with(normal).map(|z| (2e7 * (sigma * z).exp()).clamp(1e3, 3.6e12) as u64);
        check(&format!("lognormal {sigma}"), values.take(50_000).collect());
    }
}

#[test]
fn two_far_modes_and_equal_values_are_within_one_percent() {
    let modes = (0..20_000).map(|i| if i % 100 == 99 { 30_000_000_000 + i } else { 2_000_000 + i * 7 });
    check("a hundredth that times out", modes.collect());
    check("all the same", vec![1_234_567; 1_000]);
}
