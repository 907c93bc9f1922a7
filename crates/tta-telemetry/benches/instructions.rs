//! The recorder's hot paths as a program whose instructions are counted.
//!
//! `cargo xtask instructions` runs each scenario under valgrind with two iteration counts; the
//! difference is the cost of one iteration, the same on every run of the same binary. With
//! `--time` as third argument the program prints nanoseconds instead, for a quick look.
#![allow(clippy::print_stdout, clippy::expect_used, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::Duration;

use tta_telemetry::{ActiveTrace, MemorySink, Sampling, SpanStatus, Telemetry, ValueRef};

const SCENARIOS: [(&str, Sampling, u32); 5] = [
    ("record_1_span_drop", Sampling::KeepNone, 1),
    ("record_10_spans_drop", Sampling::KeepNone, 10),
    ("record_100_spans_drop", Sampling::KeepNone, 100),
    ("record_10_spans_failed_only", Sampling::KeepFailed, 10),
    ("record_10_spans_keep", Sampling::KeepAll, 10),
];

const WORDS: [&str; 4] =
    ["first-of-four-values", "second-of-four-value", "third-of-four-values", "fourth-of-four-value"];

fn attributes(i: u32) -> (i64, &'static str) {
    (i64::from(i), WORDS.get(i as usize & 3).copied().unwrap_or_default())
}

fn one_trace(telemetry: &Telemetry, spans: u32) {
    let mut root: ActiveTrace = telemetry.start_trace("bench");
    let (number, text) = attributes(spans);
    root.set("number", black_box(number));
    root.set("literal", ValueRef::literal("a literal"));
    root.set("text", black_box(text));
    for i in 1..spans {
        let (number, text) = attributes(i);
        let mut span = root.span("step", "lambda");
        span.set("number", black_box(number));
        span.set("literal", ValueRef::literal("a literal"));
        span.set("text", black_box(text));
        span.set_status(SpanStatus::Ok);
        span.end();
    }
    root.end();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let first = arguments.first().map(String::as_str).unwrap_or_default();
    if first == "--list" {
        SCENARIOS.iter().for_each(|(name, ..)| println!("{name}"));
        return;
    }
    // `cargo bench` and `cargo test --benches` pass flags of their own; there is nothing to do.
    let Some((_, sampling, spans)) = SCENARIOS.iter().find(|(name, ..)| *name == first) else { return };
    let iterations: u32 = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    // By hand: the background half runs here, so that it is counted too and nothing races.
    let telemetry = Telemetry::builder()
        .sampling(*sampling)
        .sink(MemorySink::with_capacity(1))
        .by_hand()
        .build()
        .expect("default limits are valid");
    let start = std::time::Instant::now();
    measured_loop(&telemetry, *sampling, *spans, iterations);
    if arguments.get(2).is_some_and(|argument| argument == "--time") {
        let per_span = start.elapsed().as_nanos() as f64 / f64::from(iterations) / f64::from(*spans);
        println!("{first}: {per_span:.1} ns per span");
    }
}

/// What is counted: valgrind collects inside this function only, so that setting up the engine,
/// which calibrates the clock for as long as it takes, does not show.
#[inline(never)]
fn measured_loop(telemetry: &Telemetry, sampling: Sampling, spans: u32, iterations: u32) {
    for i in 0..iterations {
        one_trace(telemetry, spans);
        if sampling == Sampling::KeepAll && i % 64 == 63 {
            let _ = telemetry.flush_blocking(Duration::from_secs(1));
        }
    }
}
