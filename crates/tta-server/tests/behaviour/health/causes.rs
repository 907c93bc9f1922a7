//! Each cause of the table of rules, brought about and removed again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tta_telemetry::config::Preset;
use tta_telemetry::sampling::{IsolatedProcessor, TraceEdit, TraceProcessor};
use tta_telemetry::{CardinalityLimits, CpuTime, Health, HealthComponent, Limits, Name, SpanStatus};

use super::support::Lab;

#[tokio::test]
async fn a_sink_that_fails_is_degraded_after_a_minute_unhealthy_and_healthy_after_a_success() {
    let lab = Lab::new(|builder| builder).await;
    lab.run("page");
    lab.after(1);
    lab.assert_healthy("sink:switch").await;
    lab.sink.fail(true);
    lab.run("page");
    lab.after(1);
    let reason = lab.assert_degraded("sink:switch").await;
    assert!(reason.starts_with("it failed: sink failed: no route to the collector"), "{reason}");
    lab.run("page");
    lab.after(60);
    let (code, whole, status, reason) = lab.told("sink:switch").await;
    assert_eq!((code, &*whole, &*status), (503, "unhealthy", "unhealthy"));
    assert!(reason.unwrap().starts_with("it has failed for a minute: "));
    let (_, body) = lab.get("/health").await;
    assert_eq!(body["message"], "unhealthy: sink:switch");
    assert!(!body.to_string().contains("hunter2"), "{body}");
    let component = &body["details"]["components"]["sink:switch"];
    let (since, success) = (component["since"].as_str().unwrap(), component["last_success"].as_str().unwrap());
    assert!(since.ends_with('Z') && success < since, "{component}");
    assert_eq!(lab.get("/health/full").await.0, 503);
    lab.sink.fail(false);
    lab.run("page");
    lab.after(1);
    lab.assert_degraded("sink:switch").await;
    lab.after(60);
    lab.assert_healthy("sink:switch").await;
}

#[tokio::test]
async fn a_full_queue_is_told_of_for_a_minute() {
    let limits = Limits { queue_spans: 10, ..Limits::default() };
    let lab = Lab::new(|builder| builder.limits(limits)).await;
    (0..30).for_each(|_| lab.run("page"));
    lab.after(1);
    let lost = lab.telemetry.sinks()[0].lost_queue_full;
    assert!(lost >= 20, "{lost}");
    assert_eq!(lab.assert_degraded("sink:switch").await, format!("{lost} traces lost in the last minute"));
    lab.after(60);
    lab.assert_healthy("sink:switch").await;
}

#[tokio::test]
async fn a_trace_over_its_limit_is_told_of_for_a_minute() {
    let lab = Lab::new(|builder| builder.limits(Limits { spans_per_trace: 2, ..Limits::default() })).await;
    let run = lab.telemetry.start_trace("page");
    (0..4).for_each(|_| run.span("step", "step").end());
    run.end();
    lab.after(1);
    assert_eq!(lab.assert_degraded("recorder").await, "3 losses in the last minute");
    lab.after(60);
    lab.assert_healthy("recorder").await;
}

#[tokio::test]
async fn labels_at_their_limit_are_told_of_until_it_is_raised() {
    let limits =
        CardinalityLimits { max_label_values: 3, hash_high_cardinality: false, ..CardinalityLimits::default() };
    let lab = Lab::new(|builder| builder.cardinality(limits)).await;
    let execute = |name| lab.telemetry.record_execution(name, "task", Duration::from_millis(1), SpanStatus::Ok, None);
    ["a", "b"].into_iter().for_each(execute);
    lab.assert_healthy("cardinality").await;
    ["c", "d"].into_iter().for_each(execute);
    let reason = lab.assert_degraded("cardinality").await;
    assert!(reason.contains("label `primitive_name` has all of at most 3 values"), "{reason}");
    let (_, metrics) = lab.get("/health/metrics").await;
    assert_eq!((&metrics["total_executions"], &metrics["total_errors"]), (&4.into(), &0.into()));
    let cardinality = &metrics["cardinality"];
    assert_eq!((&cardinality["max_label_values"], &cardinality["hash_enabled"]), (&3.into(), &false.into()));
    assert!(cardinality["dropped_labels"].as_u64().unwrap() >= 1, "{cardinality}");
    assert_eq!(cardinality["warnings"][0], "label `primitive_name` has all of at most 3 values");
    lab.telemetry.set_cardinality_limits(CardinalityLimits { max_label_values: 100, ..limits }).unwrap();
    lab.assert_healthy("cardinality").await;
}

/// Panics while it is told to.
struct Shaky(Arc<AtomicBool>);

impl TraceProcessor for Shaky {
    fn name(&self) -> &str {
        "shaky"
    }

    fn process(&self, _: &mut TraceEdit<'_>) {
        assert!(!self.0.load(Ordering::Relaxed), "password=hunter2hunter2");
    }
}

#[tokio::test]
async fn a_hook_that_panics_again_and_again_is_told_of_until_it_works() {
    let panics = Arc::new(AtomicBool::new(true));
    let hook = IsolatedProcessor::new(Shaky(Arc::clone(&panics)));
    let lab = Lab::new(|builder| builder.processor(hook)).await;
    lab.assert_healthy("hooks").await;
    (0..3).for_each(|_| lab.run("page"));
    lab.after(1);
    let reason = lab.assert_degraded("hooks").await;
    assert_eq!(reason, "processor `shaky` panics again and again, 3 times so far");
    panics.store(false, Ordering::Relaxed);
    (0..30).for_each(|_| lab.run("page"));
    lab.after(1);
    lab.assert_healthy("hooks").await;
}

/// Whenever it is asked, 100 ms of the thread, of which telemetry's own are measured, and a second of the
/// process have passed: what is handed to a sink costs a tenth.
#[derive(Default)]
struct Dear(AtomicU64, AtomicU64);

impl CpuTime for Dear {
    fn process(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed)))
    }

    fn thread(&self) -> Option<Duration> {
        Some(Duration::from_millis(100 * self.1.fetch_add(1, Ordering::Relaxed)))
    }
}

#[tokio::test]
async fn a_rate_at_its_least_while_telemetry_is_dear_is_told_of_until_it_is_cheap() {
    let mut config = Preset::Production.config();
    let sampling = &mut config.tracing.sampling;
    (sampling.default_rate, sampling.adaptive_min_rate, sampling.adjustment_interval_seconds) = (0.05, 0.05, 1.0);
    let lab = Lab::new(|builder| builder.config(&config).unwrap().cpu_time(Dear::default())).await;
    lab.assert_healthy("sampler").await;
    let export = || {
        let mut run = lab.telemetry.start_trace("page");
        run.set_status(SpanStatus::Error);
        run.end();
        lab.time.advance(Duration::from_secs(1));
        assert!(lab.telemetry.flush_blocking(Duration::from_secs(60)).complete);
    };
    // The first reading is what the second is compared with.
    (0..2).for_each(|_| export());
    let reason = lab.assert_degraded("sampler").await;
    assert_eq!(reason, "telemetry takes 10.0 % of the CPU at the least rate of 0.05, wanted are 2.0 %");
    let (_, said) = lab.get("/health/sampling").await;
    assert_eq!((&said["measured_overhead"], &said["adaptive_target_overhead"]), (&json!(0.1), &json!(0.02)));
    let stats = json!({
        "current_rate": 0.05, "total_decisions": 2, "sampled": 2, "actual_sample_rate": 1.0, "refused_samples": 0
    });
    assert_eq!(said["adaptive_stats"], stats);
    // Nothing is handed over any more.
    lab.after(1);
    lab.assert_healthy("sampler").await;
    assert_eq!(lab.get("/health/sampling").await.1["measured_overhead"], 0.0);
}

/// A component of the program, which is as it is told to be.
struct Store(Arc<AtomicBool>);

impl HealthComponent for Store {
    fn name(&self) -> Name {
        "store:orders".into()
    }

    fn health(&self) -> Health {
        match self.0.load(Ordering::Relaxed) {
            true => Health::healthy(),
            false => Health::unhealthy("no connection for user with token=ghp_0123456789abcdefghijklmnopqrstuvwxyz"),
        }
    }
}

#[tokio::test]
async fn a_component_of_the_program_counts_as_long_as_it_lives_and_its_reason_holds_no_secret() {
    let lab = Lab::new(|builder| builder).await;
    let works = Arc::new(AtomicBool::new(true));
    let store: Arc<dyn HealthComponent> = Arc::new(Store(Arc::clone(&works)));
    lab.telemetry.watch_health(&store);
    lab.assert_healthy("store:orders").await;
    works.store(false, Ordering::Relaxed);
    let (code, whole, status, reason) = lab.told("store:orders").await;
    assert_eq!((code, &*whole, &*status), (503, "unhealthy", "unhealthy"));
    let reason = reason.unwrap();
    assert!(reason.starts_with("no connection for user") && !reason.contains("0123456789abcdef"), "{reason}");
    works.store(true, Ordering::Relaxed);
    lab.assert_healthy("store:orders").await;
    works.store(false, Ordering::Relaxed);
    drop(store);
    assert_eq!(lab.get("/health").await.0, 200);
}

#[tokio::test]
async fn an_engine_that_has_ended_is_unhealthy_for_ever_but_the_process_lives() {
    let lab = Lab::new(|builder| builder).await;
    assert_eq!(lab.get("/health").await.1["details"]["metrics_collector"], "available");
    assert!(lab.telemetry.shutdown_blocking(Duration::from_secs(5)).complete);
    let (code, body) = lab.get("/health").await;
    assert_eq!((code, &body["status"]), (503, &"unhealthy".into()));
    assert_eq!(body["details"]["components"]["recorder"]["reason"], "the engine has ended");
    let details = &body["details"];
    let seen = (&details["metrics_collector"], &details["tracing_available"]);
    assert_eq!(seen, (&"unavailable".into(), &false.into()));
    assert_eq!(lab.get("/livez").await.0, 200);
}
