//! `collect_metrics()`: what a scrape is made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tta_telemetry::{
    CardinalityLimits, DecisionKey, MetricCollector, MetricKind, MetricSource, Name, SpanStatus, catalog,
};

use super::support::{MS, engine, engine_with, histogram, points};

const FETCH: [(&str, &str); 3] = [("workflow", "crawl"), ("primitive_name", "fetch"), ("primitive_type", "lambda")];

#[test]
fn a_step_appears_with_its_labels_in_every_family() {
    let engine = engine();
    let step = engine.step("crawl", "fetch");
    engine.count(&step, 3, SpanStatus::Ok);
    engine.count(&step, 700, SpanStatus::Error);
    step.count_error("timeout");
    step.begin();
    let with = |key, value| [FETCH.as_slice(), &[(key, value)]].concat();
    assert_eq!(engine.value("primitive_requests_total", &with("status", "success")), 1.0);
    assert_eq!(engine.value("primitive_requests_total", &with("status", "failure")), 1.0);
    assert_eq!(engine.value("primitive_requests_total", &with("status", "cancelled")), 0.0);
    assert_eq!(engine.value("primitive_errors_total", &with("error_type", "timeout")), 1.0);
    assert_eq!(engine.value("primitive_active_requests", &FETCH), 1.0);
    assert_eq!(engine.value("primitive_requests_per_second", &FETCH), 2.0);
    assert!(!engine.has("workflow_active_runs"), "a step is no workflow");
    let family = engine.family("primitive_duration_seconds");
    let durations = histogram(family.value(&FETCH).unwrap());
    assert_eq!((durations.count, durations.sum, durations.limits.len()), (2, 0.703, 14));
    assert_eq!(durations.cumulative, [0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
}

#[test]
fn buckets_are_exact_at_their_limits_and_may_be_others() {
    let engine = engine_with(|builder| builder.duration_buckets("fetch", &[0.0005, 0.001, 2.0]));
    let step = engine.step("crawl", "fetch");
    for ns in [500_000, 500_001, MS, MS + 1, 2_000 * MS, 2_000 * MS + 1] {
        step.record(ns, SpanStatus::Ok, engine.telemetry.clock().ticks());
    }
    let family = engine.family("primitive_duration_seconds");
    let durations = histogram(family.value(&FETCH).unwrap());
    assert_eq!((&*durations.limits, &*durations.cumulative), (&[0.0005, 0.001, 2.0][..], &[1, 3, 5][..]));
    let refused = tta_telemetry::Telemetry::builder().duration_buckets("fetch", &[1.0, 0.5]).build().unwrap_err();
    assert_eq!(refused.to_string(), "duration buckets of `fetch`");
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert_eq!(cause, "metric `primitive_duration_seconds`: `buckets` is 0.5 after 1, accepted is rising limits");
}

#[test]
fn runs_of_a_workflow_are_counted_as_active() {
    let engine = engine();
    let run = engine.telemetry.instruments(&"crawl".into(), &"crawl".into(), &"workflow".into()).unwrap();
    run.begin();
    run.begin();
    run.finish(MS, SpanStatus::Ok, engine.telemetry.clock().ticks());
    assert_eq!(points(&engine.family("workflow_active_runs")), [("crawl".to_owned(), 1.0)]);
}

#[test]
fn traces_are_counted_by_decision_and_reason() {
    let engine = engine_with(|builder| builder.sampling(tta_telemetry::Sampling::KeepFailed));
    for status in [SpanStatus::Ok, SpanStatus::Ok, SpanStatus::Error] {
        let mut run = engine.telemetry.start_trace("crawl");
        run.set_status(status);
        run.end();
    }
    let want = [("drop/tail_normal".to_owned(), 2.0), ("sample/tail_error".to_owned(), 1.0)];
    let mut seen = points(&engine.family("sampling_decisions_total"));
    seen.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(seen, want);
    let counters = engine.telemetry.counters();
    assert_eq!((counters.traces_kept, counters.traces_dropped), (1, 2));
}

#[test]
fn decisions_of_one_primitive_in_two_workflows_are_one_series_and_rates_follow() {
    const WORDS: &[&str] = &["hit", "miss", "shared"];
    let engine = engine();
    for workflow in ["a", "b"] {
        let key = DecisionKey {
            workflow: workflow.into(),
            primitive: "answers".into(),
            family: "cache",
            subject: Name::from_static(""),
        };
        let cells = engine.telemetry.decision_cells(&key, WORDS).unwrap();
        [0, 0, 0, 1, 2].into_iter().for_each(|word| cells.count(word));
    }
    let operation = [("operation", "answers")];
    assert_eq!(engine.value("cache_hits_total", &operation), 6.0);
    assert_eq!(engine.value("cache_misses_total", &operation), 4.0);
    assert_eq!(engine.value("cache_hit_rate", &operation), 0.6);
}

struct Rooms(AtomicU64);

impl MetricSource for Rooms {
    fn collect(&self, out: &mut MetricCollector) {
        let taken = self.0.load(Ordering::Relaxed);
        assert!(taken < 100, "a source that panics");
        out.number(&catalog::BULKHEAD_ACTIVE, &[&"rooms".into()], taken as f64);
    }
}

#[test]
fn sources_are_asked_as_long_as_they_live_and_may_panic() {
    let engine = engine();
    let rooms = Arc::new(Rooms(AtomicU64::new(3)));
    let source: Arc<dyn MetricSource> = Arc::clone(&rooms) as _;
    engine.telemetry.watch_metrics(&source);
    engine.telemetry.watch_metrics(&source);
    assert_eq!(engine.value("bulkhead_active", &[("primitive_name", "rooms")]), 3.0);
    rooms.0.store(100, Ordering::Relaxed);
    assert!(!engine.has("bulkhead_active"));
    assert_eq!(engine.telemetry.counters().metric_source_panics, 1);
    rooms.0.store(4, Ordering::Relaxed);
    assert_eq!(engine.value("bulkhead_active", &[("primitive_name", "rooms")]), 4.0);
    drop((rooms, source));
    assert!(!engine.has("bulkhead_active"));
}

#[test]
fn the_engine_tells_of_itself() {
    let engine = engine_with(|builder| builder.service("shop", "2.1.0").sink(tta_telemetry::MemorySink::new()));
    engine.telemetry.start_trace("crawl").end();
    engine.housekeep();
    assert_eq!((engine.value("telemetry_up", &[]), engine.value("sampling_rate", &[])), (1.0, 1.0));
    assert!(engine.value("telemetry_live_bytes", &[]) > 0.0);
    assert_eq!(engine.value("telemetry_exports_total", &[("sink", "memory"), ("outcome", "success")]), 1.0);
    assert_eq!(engine.value("telemetry_queue_length", &[("sink", "memory")]), 0.0);
    assert_eq!(engine.value("telemetry_export_seconds", &[("sink", "memory")]), 1.0);
    assert_eq!(engine.value("telemetry_dropped_total", &[("what", "spans"), ("cause", "span_limit")]), 0.0);
    assert_eq!(engine.value("health_status", &[("component", "cardinality")]), 0.0);
    let target = engine.family("target_info");
    assert_eq!(target.kind, MetricKind::Info);
    assert!(target.value(&[("service_name", "shop"), ("service_version", "2.1.0")]).is_some());
    assert!(engine.telemetry.shutdown_blocking(super::support::LONG).complete);
    assert_eq!(engine.value("telemetry_up", &[]), 0.0);
}

#[test]
fn names_beyond_the_limit_are_classed_health_says_so_and_recovers() {
    let limits = CardinalityLimits { max_label_values: 10, ..CardinalityLimits::default() };
    let engine = engine_with(|builder| builder.cardinality(limits));
    let count = |round: u64| {
        let name = Name::from(format!("step {round}"));
        let step = engine.telemetry.instruments(&"crawl".into(), &name, &"lambda".into()).unwrap();
        engine.count(&step, 1, SpanStatus::Ok);
    };
    (0..1_000).for_each(count);
    let family = engine.family("primitive_duration_seconds");
    assert_eq!(family.points.len(), 10 + 16);
    assert_eq!(points(&family).iter().map(|(_, count)| count).sum::<f64>(), 1_000.0);
    assert_eq!(engine.value("telemetry_label_values", &[("key", "primitive_name")]), 10.0);
    assert_eq!(engine.value("telemetry_label_overflow_total", &[("key", "primitive_name")]), 990.0);
    assert_eq!(engine.value("health_status", &[("component", "cardinality")]), 1.0);
    assert_eq!(engine.telemetry.cardinality().unique_primitives, 10);
    assert!(!engine.telemetry.cardinality_warnings().is_empty());
    engine.telemetry.set_cardinality_limits(CardinalityLimits::default()).unwrap();
    assert_eq!(engine.value("health_status", &[("component", "cardinality")]), 0.0);
    count(1_000);
    assert_eq!(engine.value("primitive_duration_seconds", &[("primitive_name", "step 1000")]), 1.0);
    let refused = engine.telemetry.set_cardinality_limits(CardinalityLimits { max_label_values: 0, ..limits });
    assert_eq!(refused.unwrap_err().to_string(), "limit `max_label_values` is 0, accepted is at least 1");
}
