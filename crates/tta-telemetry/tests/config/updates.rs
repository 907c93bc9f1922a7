//! Updates of a running engine: whole or not at all, one after the other.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tta_telemetry::config::{Config, Preset};
use tta_telemetry::{Clock, Slo, SpanStatus, Telemetry};

fn engine(config: &Config) -> Telemetry {
    let builder = Telemetry::builder().config(config).unwrap();
    builder.clock(Clock::manual().0).by_hand().build().unwrap()
}

fn config(patch: &Value) -> Config {
    Preset::Development.config().patched("patch", patch).unwrap()
}

fn sampling_rate(telemetry: &Telemetry) -> f64 {
    let families = telemetry.collect_metrics();
    families.iter().find(|family| family.name == "sampling_rate").unwrap().points[0].value.as_f64()
}

#[test]
fn an_update_with_a_ninth_objective_for_a_primitive_changes_nothing() {
    let before = config(&json!({ "slo": { "gone": { "primitive": "fetch" } } }));
    let telemetry = engine(&before);
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        telemetry.configure_slo("fetch", Slo::named(name).build().unwrap()).unwrap();
    }
    let slos = json!({
        "one": { "primitive": "fetch" }, "more": { "primitive": "fetch" }, "other": { "primitive": "search" }
    });
    let patch = json!({ "slo": slos, "metrics": { "max_label_values": 3 }, "tracing": { "sampling": { "default_rate": 0.5 } } });
    let error = telemetry.update(&before, &before.patched("patch", &patch).unwrap()).unwrap_err().to_string();
    assert!(error.contains("`slo` is") && error.contains("at most 8"), "{error}");
    assert_eq!((sampling_rate(&telemetry), telemetry.cardinality().max_label_values), (1.0, 1_000));
    let objectives = telemetry.slo_statuses().len();
    assert_eq!((objectives, telemetry.slo("search", "other").is_none()), (8, true));
    assert_eq!(*telemetry.config().unwrap(), before);
    // With one less there is room, as the one that is no longer named goes.
    let patch = json!({ "slo": { "gone": null, "one": { "primitive": "fetch" }, "other": { "primitive": "search" } } });
    telemetry.update(&before, &before.patched("patch", &patch).unwrap()).unwrap();
    assert!(telemetry.slo("fetch", "gone").is_none() && telemetry.slo("fetch", "one").is_some());
    assert_eq!(telemetry.slo_statuses().len(), 9);
}

#[test]
fn an_objective_that_is_taken_away_judges_nothing_more_and_leaves_no_series() {
    let before = config(&json!({ "slo": { "quick": { "primitive": "fetch" } } }));
    let telemetry = engine(&before);
    let run = || telemetry.record_execution("fetch", "batch", Duration::ZERO, SpanStatus::Error, None);
    run();
    let tracker = telemetry.slo("fetch", "quick").unwrap();
    telemetry.update(&before, &config(&json!({}))).unwrap();
    run();
    let of_slo =
        |family: &tta_telemetry::MetricFamily| family.name == "primitive_slo_target" && !family.points.is_empty();
    assert!(!telemetry.collect_metrics().iter().any(of_slo));
    assert_eq!(tracker.status(1).totals.failed, 1);
    let update = telemetry.update(&before, &before).unwrap();
    let changed: Vec<_> = update.changed.iter().map(ToString::to_string).collect();
    assert_eq!(changed[0], "slo.quick.primitive: nothing -> \"fetch\"");
    run();
    assert_eq!(telemetry.slo("fetch", "quick").unwrap().status(1).totals.failed, 1);
}

#[test]
fn what_does_not_differ_is_left_alone_and_an_adaptive_rate_stays_where_it_is() {
    let sampling = json!({ "adaptive_enabled": true, "default_rate": 0.5, "adjustment_interval_seconds": 1 });
    let before = config(&json!({ "tracing": { "sampling": sampling } }));
    let (clock, hand) = Clock::manual();
    let builder = Telemetry::builder().config(&before).unwrap().cpu_time(Idle(Default::default()));
    let telemetry = builder.clock(clock).by_hand().build().unwrap();
    for _ in 0..3 {
        hand.advance(Duration::from_secs(1));
        assert!(telemetry.flush_blocking(Duration::from_secs(60)).complete);
    }
    let risen = sampling_rate(&telemetry);
    assert!(risen > 0.5, "{risen}");
    let patch = json!({ "metrics": { "max_label_values": 3 } });
    telemetry.update(&before, &before.patched("patch", &patch).unwrap()).unwrap();
    assert_eq!(sampling_rate(&telemetry), risen);
    let patch = json!({ "tracing": { "sampling": { "default_rate": 0.25 } } });
    telemetry.update(&before, &before.patched("patch", &patch).unwrap()).unwrap();
    assert_eq!(sampling_rate(&telemetry), 0.25);
}

/// A process that works while its telemetry does nothing.
struct Idle(std::sync::atomic::AtomicU64);

impl tta_telemetry::CpuTime for Idle {
    fn process(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
    }

    fn thread(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

#[test]
fn what_code_puts_out_of_range_is_refused_with_everything_that_is_wrong() {
    let before = config(&json!({}));
    let telemetry = engine(&before);
    let mut wrong = before.clone();
    wrong.tracing.sampling.default_rate = 7.0;
    wrong.tracing.sampling.slow_threshold_ms = f64::NAN;
    wrong.metrics.max_label_values = 0;
    let error = telemetry.update(&before, &wrong).unwrap_err();
    let paths: Vec<_> = error.problems.iter().map(|problem| problem.path.as_str()).collect();
    let want = ["metrics.max_label_values", "tracing.sampling.default_rate", "tracing.sampling.slow_threshold_ms"];
    assert_eq!(paths, want, "{error}");
    assert!(Telemetry::builder().config(&wrong).is_err());
    assert_eq!((sampling_rate(&telemetry), *telemetry.config().unwrap() == before), (1.0, true));
}

#[test]
fn what_waits_for_a_restart_is_told_until_it_is_taken_back_and_does_not_show_as_in_effect() {
    let before = config(&json!({}));
    let telemetry = engine(&before);
    let patch = json!({ "service_name": "shop", "metrics": { "buckets": { "fetch": [1.0] }, "max_label_values": 9 } });
    let wanted = before.patched("patch", &patch).unwrap();
    for _ in 0..2 {
        let update = telemetry.update(&wanted, &wanted).unwrap();
        assert_eq!(update.needs_restart, ["service_name", "metrics.buckets"]);
        let config = telemetry.config().unwrap();
        assert_eq!((config.service_name.as_str(), config.metrics.buckets.len()), ("tta", 0));
        assert_eq!(config.metrics.max_label_values, 9);
    }
    assert_eq!(telemetry.update(&before, &before).unwrap().needs_restart, [""; 0]);
}

#[test]
fn an_engine_that_records_nothing_has_a_configuration_too() {
    let before = config(&json!({ "enabled": false }));
    let telemetry = engine(&before);
    let update = telemetry.update(&before, &config(&json!({ "metrics": { "max_label_values": 9 } }))).unwrap();
    assert_eq!((update.changed.len(), &update.needs_restart[..]), (2, &["enabled"][..]));
    assert!(Telemetry::builder().build().unwrap().config().is_none());
}

/// Any configuration, told apart by everything that an engine says of itself.
fn any_config() -> impl Strategy<Value = Config> {
    let slos = prop::collection::btree_map("[ab]", (0.1_f64..0.9, prop::bool::ANY), 0..3);
    (0.0_f64..=1.0, 1_u64..500, prop::bool::ANY, prop::bool::ANY, slos).prop_map(
        |(rate, labels, hash, traces, slos)| {
            let slo = |(name, (target, fetch))| {
                (name, json!({ "primitive": if fetch { "fetch" } else { "search" }, "target": target }))
            };
            config(&json!({
                "tracing": { "enabled": traces, "sampling": { "default_rate": rate } },
                "metrics": { "max_label_values": labels, "hash_high_cardinality": hash },
                "slo": slos.into_iter().map(slo).collect::<serde_json::Map<_, _>>(),
            }))
        },
    )
}

/// Whether the engine does exactly what the configuration says.
fn check(telemetry: &Telemetry, config: &Config) {
    let rate = if config.tracing.enabled { config.tracing.sampling.default_rate } else { 0.0 };
    assert_eq!(sampling_rate(telemetry), rate);
    let labels = telemetry.cardinality();
    assert_eq!(labels.max_label_values, config.metrics.max_label_values);
    assert_eq!(labels.hash_high_cardinality, config.metrics.hash_high_cardinality);
    let mut slos: Vec<_> = telemetry.slo_statuses();
    slos.sort_by(|a, b| a.slo.name().as_str().cmp(b.slo.name().as_str()));
    let said = slos.iter().map(|status| (status.slo.name().as_str(), status.subject.as_str(), status.slo.target()));
    let want = config.slo.iter().map(|(name, slo)| (name.as_str(), slo.primitive.as_str(), slo.target));
    assert_eq!(said.collect::<Vec<_>>(), want.collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever each thread believed was in effect before.
    #[test]
    fn updates_at_once_leave_one_of_them_whole(configs in prop::collection::vec(any_config(), 2..6)) {
        let telemetry = engine(&configs[0]);
        std::thread::scope(|scope| {
            for config in &configs {
                let (telemetry, first) = (&telemetry, &configs[0]);
                scope.spawn(move || (0..4).for_each(|_| drop(telemetry.update(first, config).unwrap())));
            }
        });
        let in_effect: Arc<Config> = telemetry.config().unwrap();
        prop_assert!(configs.contains(&in_effect));
        check(&telemetry, &in_effect);
    }
}
