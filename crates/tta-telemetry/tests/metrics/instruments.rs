//! Counters, gauges and histograms of a program's own.

use std::time::Duration;

use tta_telemetry::{Metric, MetricError, MetricKind, Unit};

use super::support::{engine, histogram, points};

#[test]
fn a_counter_adds_up_across_threads_and_clones() {
    let engine = engine();
    let orders = engine.telemetry.counter(Metric::named("orders_total").help("Orders.").labels(&["country"])).unwrap();
    let peru = orders.with(&["pe"]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let peru = peru.clone();
            scope.spawn(move || (0..10_000).for_each(|_| peru.add(2)));
        }
    });
    orders.with(&["cl"]).unwrap().add(5);
    let family = engine.family("orders_total");
    assert_eq!(points(&family), [("pe".to_owned(), 80_000.0), ("cl".to_owned(), 5.0)]);
    assert_eq!((family.kind, family.help.as_str()), (MetricKind::Counter, "Orders."));
    assert_eq!(
        orders.with(&[]).unwrap_err().to_string(),
        "metric `orders_total` is given 0 label values, accepted is 1"
    );
}

#[test]
fn amounts_are_kept_to_the_billionth_and_what_is_no_amount_is_refused() {
    let engine = engine();
    let spent = engine.telemetry.counter(Metric::named("spent_usd_total").unit(Unit::Dollars)).unwrap();
    let spent = spent.with(&[]).unwrap();
    (0..10).for_each(|_| spent.add_value(0.1));
    spent.add(1);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300] {
        spent.add_value(value);
    }
    assert_eq!(engine.value("spent_usd_total", &[]), 1.000_000_001);
    assert_eq!(engine.telemetry.counters().measurements_refused, 5);
    let labels = [("what", "measurements"), ("cause", "refused")];
    assert_eq!(engine.value("telemetry_dropped_total", &labels), 5.0);
}

#[test]
fn a_gauge_holds_what_was_set_last() {
    let engine = engine();
    let depth = engine.telemetry.gauge(Metric::named("queue_depth")).unwrap().with(&[]).unwrap();
    depth.set(7.5);
    depth.add(-10.0);
    for value in [f64::NAN, f64::INFINITY] {
        depth.set(value);
        depth.add(value);
    }
    depth.add(f64::MAX);
    depth.add(f64::MAX);
    depth.set(-2.5);
    assert_eq!(engine.value("queue_depth", &[]), -2.5);
    assert_eq!(engine.telemetry.counters().measurements_refused, 5);
}

#[test]
fn a_histogram_counts_by_size_and_a_nan_poisons_no_sum() {
    let engine = engine();
    let metric = Metric::named("upload_bytes").unit(Unit::Bytes).buckets(&[1e3, 1e6, 1e12]);
    let sizes = engine.telemetry.histogram(metric).unwrap().with(&[]).unwrap();
    for value in [0.0, 1_000.0, 1_001.0, 5e11, 2e12, f64::NAN, f64::INFINITY, -1.0, 1e19] {
        sizes.record(value);
    }
    let family = engine.family("upload_bytes");
    let read = histogram(family.value(&[]).unwrap());
    assert_eq!((&*read.cumulative, read.count), (&[2, 3, 4][..], 5));
    assert_eq!(read.sum, 2_500_000_002_001.0);
    assert_eq!(engine.telemetry.counters().measurements_refused, 4);
}

#[test]
fn durations_and_multiples_of_the_resolution_are_the_same_values() {
    let engine = engine();
    let waits = engine.telemetry.histogram(Metric::named("wait_seconds").unit(Unit::Seconds)).unwrap();
    let waits = waits.with(&[]).unwrap();
    waits.record_duration(Duration::from_millis(1));
    waits.record_raw(1_000_000);
    waits.record(0.001);
    let family = engine.family("wait_seconds");
    let read = histogram(family.value(&[]).unwrap());
    assert_eq!((read.cumulative[0], read.count, read.sum), (3, 3, 0.003));
    assert_eq!(waits.percentiles().p99, Some(1_000_000));
}

#[test]
fn values_without_a_unit_are_kept_to_the_resolution_that_was_asked_for() {
    let engine = engine();
    let coarse = Metric::named("tokens").buckets(&[100.0, 1e6]).resolution(10.0);
    let tokens = engine.telemetry.histogram(coarse).unwrap().with(&[]).unwrap();
    [4.0, 94.0, 96.0, 123_456.0].into_iter().for_each(|value| tokens.record(value));
    let family = engine.family("tokens");
    let read = histogram(family.value(&[]).unwrap());
    assert_eq!((&*read.cumulative, read.sum), (&[3, 4][..], 0.0 + 90.0 + 100.0 + 123_460.0));
}

#[test]
fn the_same_definition_is_the_same_metric_and_another_one_is_refused() {
    let engine = engine();
    let telemetry = &engine.telemetry;
    let definition = || Metric::named("orders_total").labels(&["country"]);
    telemetry.counter(definition()).unwrap().with(&["pe"]).unwrap().add(1);
    telemetry.counter(definition()).unwrap().with(&["pe"]).unwrap().add(1);
    assert_eq!(engine.value("orders_total", &[("country", "pe")]), 2.0);
    let refused = telemetry.counter(definition().labels(&["region"])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "metric `orders_total` is registered as a counter with labels [country], given was a counter with labels \
         [region]; accepted is the same definition or another name"
    );
    let as_gauge = telemetry.gauge(Metric::named("orders")).unwrap_err();
    assert!(matches!(as_gauge, MetricError::Conflict { .. }), "{as_gauge}");
    telemetry.histogram(Metric::named("wait_seconds")).unwrap();
    for taken in ["wait_seconds_sum", "wait_seconds_bucket", "wait_seconds_count"] {
        let refused = telemetry.gauge(Metric::named(taken)).unwrap_err().to_string();
        assert!(refused.contains("part of `wait_seconds`"), "{refused}");
    }
}

#[test]
fn names_of_ttas_own_metrics_are_taken() {
    let engine = engine();
    for name in ["circuit_state", "primitive_duration_seconds", "primitive_duration_seconds_bucket", "cache_hits"] {
        let refused = engine.telemetry.gauge(Metric::named(name)).unwrap_err().to_string();
        assert!(refused.contains("a metric of tta itself"), "{refused}");
    }
}

#[test]
fn there_is_an_end_to_how_many_metrics_a_program_may_register() {
    let engine = engine();
    for place in 0..1_000 {
        engine.telemetry.gauge(Metric::named(format!("gauge_{place}"))).unwrap();
    }
    let refused = engine.telemetry.gauge(Metric::named("one_more")).unwrap_err();
    assert_eq!(refused.to_string(), "metric `one_more` is one too many, accepted are 1000");
    assert!(engine.telemetry.gauge(Metric::named("gauge_7")).is_ok());
}
