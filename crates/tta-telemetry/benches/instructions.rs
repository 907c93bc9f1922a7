//! The hot paths of recording and counting as a program whose instructions are counted.
//!
//! `cargo xtask instructions` runs each scenario under valgrind with two iteration counts; the
//! difference is the cost of one iteration, the same on every run of the same binary. With
//! `--time` as third argument the program prints nanoseconds instead, for a quick look.
#![allow(clippy::print_stdout, clippy::expect_used, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::Duration;

use tta_telemetry::{ActiveTrace, MemorySink, Metric, Sampling, Slo, SpanStatus, Telemetry, ValueRef};

/// What is done in one iteration.
#[derive(Clone, Copy)]
enum Work {
    /// A trace of so many spans.
    Trace(Sampling, u32),
    /// One step of a counter, kept.
    Counter,
    /// One value of a histogram, kept.
    Histogram,
    /// A step's execution counted, without its span.
    Step,
    /// The same with an objective.
    StepWithSlo,
}

const SCENARIOS: [(&str, Work); 9] = [
    ("record_1_span_drop", Work::Trace(Sampling::KeepNone, 1)),
    ("record_10_spans_drop", Work::Trace(Sampling::KeepNone, 10)),
    ("record_100_spans_drop", Work::Trace(Sampling::KeepNone, 100)),
    ("record_10_spans_failed_only", Work::Trace(Sampling::KeepFailed, 10)),
    ("record_10_spans_keep", Work::Trace(Sampling::KeepAll, 10)),
    ("count_counter", Work::Counter),
    ("count_histogram", Work::Histogram),
    ("count_step", Work::Step),
    ("count_step_with_slo", Work::StepWithSlo),
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
    let Some((_, work)) = SCENARIOS.iter().find(|(name, ..)| *name == first) else { return };
    let iterations: u32 = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let sampling = if let Work::Trace(sampling, _) = work { *sampling } else { Sampling::KeepNone };
    // By hand: the background half runs here, so that it is counted too and nothing races.
    let telemetry = Telemetry::builder()
        .sampling(sampling)
        .sink(MemorySink::with_capacity(1))
        .by_hand()
        .build()
        .expect("default limits are valid");
    let start = std::time::Instant::now();
    match work {
        Work::Trace(sampling, spans) => measured_traces(&telemetry, *sampling, *spans, iterations),
        Work::Counter => measured_counter(&telemetry, iterations),
        Work::Histogram => measured_histogram(&telemetry, iterations),
        Work::Step | Work::StepWithSlo => {
            if matches!(work, Work::StepWithSlo) {
                let slo = Slo::named("quick").latency_threshold(Duration::from_millis(1)).build();
                telemetry.configure_slo("step", slo.expect("the defaults are valid")).expect("there is room");
            }
            measured_steps(&telemetry, iterations);
        }
    }
    if arguments.get(2).is_some_and(|argument| argument == "--time") {
        let spans = if let Work::Trace(_, spans) = work { *spans } else { 1 };
        let each = start.elapsed().as_nanos() as f64 / f64::from(iterations) / f64::from(spans);
        println!("{first}: {each:.1} ns");
    }
}

// What is counted: valgrind collects inside of functions called `measured_*` only, so that setting
// up the engine, which calibrates the clock for as long as it takes, does not show.

#[inline(never)]
fn measured_traces(telemetry: &Telemetry, sampling: Sampling, spans: u32, iterations: u32) {
    for i in 0..iterations {
        one_trace(telemetry, spans);
        if sampling == Sampling::KeepAll && i % 64 == 63 {
            let _ = telemetry.flush_blocking(Duration::from_secs(1));
        }
    }
}

#[inline(never)]
fn measured_counter(telemetry: &Telemetry, iterations: u32) {
    let counter = telemetry
        .counter(Metric::named("calls_total"))
        .expect("the definition is valid")
        .with(&[])
        .expect("there are no labels");
    (0..iterations).for_each(|_| black_box(&counter).add(1));
}

#[inline(never)]
fn measured_histogram(telemetry: &Telemetry, iterations: u32) {
    let times = telemetry
        .histogram(Metric::named("time_seconds"))
        .expect("the definition is valid")
        .with(&[])
        .expect("there are no labels");
    (0..iterations).for_each(|i| black_box(&times).record(0.002 + 1e-6 * f64::from(i % 1_000)));
}

#[inline(never)]
fn measured_steps(telemetry: &Telemetry, iterations: u32) {
    let step = telemetry.instruments(&"run".into(), &"step".into(), &"lambda".into()).expect("the engine records");
    let now = telemetry.clock().ticks();
    for i in 0..iterations {
        step.begin();
        step.finish(black_box(2_000_000 + u64::from(i % 1_000) * 1_000), SpanStatus::Ok, now);
    }
}
