//! An adaptive rate under a real load, with CPU time as the operating system counts it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tta_host::CpuClock;
use tta_telemetry::sampling::{AdaptiveConfig, Rate, SamplingPolicy};
use tta_telemetry::{Limits, Sink, SinkError, Telemetry, Trace};

/// A sink that can be made dear.
struct Burning(Arc<AtomicBool>);

impl Sink for Burning {
    fn name(&self) -> &str {
        "burning"
    }

    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError> {
        let rounds = if self.0.load(Ordering::Relaxed) { 200_000 } else { 0 };
        for _ in traces {
            burn(rounds);
        }
        Ok(())
    }
}

fn burn(rounds: u64) -> u64 {
    (0..rounds).fold(0, |sum, round| std::hint::black_box(sum ^ round))
}

#[test]
fn the_rate_falls_while_exports_are_dear_and_recovers_when_they_are_not() {
    let dear = Arc::new(AtomicBool::new(true));
    let adaptive = AdaptiveConfig {
        adaptive_min_rate: 0.05,
        adaptive_max_rate: 0.9,
        adaptive_target_overhead: 0.1,
        adjustment_interval: Duration::from_secs(1),
        ..AdaptiveConfig::default()
    };
    let policy =
        SamplingPolicy { rate: Rate::new(0.5).unwrap(), adaptive: Some(adaptive), ..SamplingPolicy::default() };
    let builder = Telemetry::builder().sampling_policy(policy).cpu_time(CpuClock);
    // A batch is measured when it ends, which must be well within the interval, also on a busy machine.
    let builder = builder.limits(Limits { batch_spans: 8, ..Limits::default() });
    let telemetry = builder.sink(Burning(Arc::clone(&dear))).build().unwrap();
    let start = telemetry.clock().ticks();
    // Runs of some hundred microseconds each, until the rate is there; far too long is a failure.
    let run_until = |there: &dyn Fn(f64) -> bool| {
        while !there(telemetry.adaptive_stats().unwrap().current_rate) {
            let run = telemetry.start_trace("crawl");
            burn(50_000);
            run.end();
            assert!(telemetry.clock().elapsed(start) < Duration::from_secs(600), "{:?}", telemetry.adaptive_stats());
        }
    };
    run_until(&|rate| rate < 0.35);
    dear.store(false, Ordering::Relaxed);
    run_until(&|rate| rate > 0.5);
    let families = telemetry.collect_metrics();
    let overhead = families.iter().find(|family| family.name == "telemetry_overhead_ratio").unwrap();
    assert!((0.0..=1.0).contains(&overhead.points[0].value.as_f64()));
    assert!(telemetry.shutdown_blocking(Duration::from_secs(60)).complete);
}
