//! `metrics(name)`: everything that is known of one name.

use std::time::Duration;

use tta_telemetry::{SpanStatus, Usd};

use super::support::{MS, SECOND, engine};

#[test]
fn a_name_that_was_never_met_has_no_metrics() {
    let engine = engine();
    assert_eq!(engine.telemetry.metrics("fetch"), None);
    assert_eq!(engine.telemetry.all_metrics(), []);
}

#[test]
fn basic_numbers_are_exact_and_add_up() {
    let engine = engine();
    let step = engine.step("crawl", "fetch");
    for ms in 1..=97 {
        engine.count(&step, ms, SpanStatus::Ok);
    }
    for kind in ["timeout", "validation", "timeout"] {
        engine.count(&step, 500, SpanStatus::Error);
        step.count_error(kind);
    }
    engine.count(&step, 1_000, SpanStatus::Cancelled);
    let fetch = engine.telemetry.metrics("fetch").unwrap();
    let basic = &fetch.basic;
    let counts = (basic.total_executions, basic.successful_executions, basic.failed_executions);
    assert_eq!((counts, basic.cancelled_executions), ((101, 97, 3), 1));
    assert_eq!(basic.success_rate, Some(0.97));
    let total = (97 * 98 / 2 + 1_500 + 1_000) * MS;
    assert_eq!((basic.total_duration_ns, basic.average_duration_ns), (total, Some(total as f64 / 101.0)));
    assert_eq!((basic.min_duration_ns, basic.max_duration_ns), (Some(MS), Some(1_000 * MS)));
    assert_eq!(basic.error_counts, [("timeout".into(), 2), ("validation".into(), 1)]);
    assert_eq!(fetch.name, "fetch");
    assert_eq!(fetch.percentiles.since_start.count, 101);
    assert!(fetch.percentiles.minute.p50.unwrap().abs_diff(51 * MS) < MS / 2);
    assert_eq!(engine.telemetry.all_metrics(), [fetch]);
}

#[test]
fn cancelled_executions_are_in_no_success_rate() {
    let engine = engine();
    let step = engine.step("crawl", "fetch");
    engine.count(&step, 1, SpanStatus::Cancelled);
    assert_eq!(engine.telemetry.metrics("fetch").unwrap().basic.success_rate, None);
}

#[test]
fn steps_of_one_name_are_one_and_names_are_in_order() {
    let engine = engine();
    for (workflow, name, ms) in [("a", "fetch", 10), ("b", "fetch", 30), ("a", "parse", 5)] {
        engine.count(&engine.step(workflow, name), ms, SpanStatus::Ok);
    }
    let all = engine.telemetry.all_metrics();
    let seen: Vec<_> = all.iter().map(|one| (one.name.as_str(), one.basic.total_duration_ns / MS)).collect();
    assert_eq!(seen, [("fetch", 40), ("parse", 5)]);
    assert_eq!(all[0].percentiles.hour.max.unwrap() / MS, 30);
    assert_eq!(all[0].throughput.last_minute, 2.0);
}

#[test]
fn windows_forget_and_what_is_since_the_start_does_not() {
    let engine = engine();
    let step = engine.step("crawl", "fetch");
    for second in 0..600 {
        engine.count(&step, if second < 300 { 100 } else { 10 }, SpanStatus::Ok);
        engine.hand.advance(SECOND);
        engine.housekeep();
    }
    let fetch = engine.telemetry.metrics("fetch").unwrap();
    let windows = fetch.percentiles;
    assert_eq!((windows.minute.count, windows.since_start.count), (60, 600));
    let near = |value: Option<u64>, ms: u64| value.unwrap().abs_diff(ms * MS) <= ms * MS / 100;
    assert!(near(windows.minute.max, 10) && near(windows.five_minutes.p99, 10) && near(windows.hour.p99, 100));
    assert_eq!(fetch.throughput.requests_per_second, 1.0);
    engine.hand.advance(Duration::from_secs(90));
    let later = engine.telemetry.metrics("fetch").unwrap();
    assert_eq!((later.throughput.requests_per_second, later.percentiles.minute.p99), (0.0, None));
    assert_eq!(later.basic.total_executions, 600);
}

#[test]
fn what_is_under_way_is_counted_and_so_is_the_most_at_once() {
    let engine = engine();
    let step = engine.step("crawl", "fetch");
    (0..3).for_each(|_| step.begin());
    let under_way = engine.telemetry.metrics("fetch").unwrap();
    assert_eq!((under_way.throughput.active, under_way.basic.total_executions), (3, 0));
    for _ in 0..3 {
        step.finish(MS, SpanStatus::Ok, engine.telemetry.clock().ticks());
    }
    let ended = engine.telemetry.metrics("fetch").unwrap().throughput;
    assert_eq!((ended.active, ended.peak, ended.total), (0, 3, 3));
}

#[test]
fn executions_recorded_by_hand_count_like_any_other() {
    let engine = engine();
    let by_hand = |ms, outcome, cost| {
        engine.telemetry.record_execution("nightly", "batch", Duration::from_millis(ms), outcome, cost);
    };
    by_hand(100, SpanStatus::Ok, Some(Usd::from_micros(70)));
    by_hand(300, SpanStatus::Error, None);
    let nightly = engine.telemetry.metrics("nightly").unwrap();
    assert_eq!((nightly.basic.successful_executions, nightly.basic.failed_executions), (1, 1));
    assert_eq!(nightly.basic.error_counts, [("error".into(), 1)]);
    assert_eq!((nightly.cost.cost, nightly.cost.entries), (Usd::from_micros(70), 1));
    assert_eq!(nightly.throughput.active, 0);
    let labels = [("workflow", ""), ("primitive_name", "nightly"), ("primitive_type", "batch"), ("status", "failure")];
    assert_eq!(engine.value("primitive_requests_total", &labels), 1.0);
}

#[test]
fn an_engine_that_is_off_knows_nothing_and_accepts_everything() {
    let off = tta_telemetry::Telemetry::builder().enabled(false).build().unwrap();
    off.record_execution("nightly", "batch", SECOND, SpanStatus::Ok, Some(Usd::from_micros(1)));
    let orders = off.counter(tta_telemetry::Metric::named("orders_total").labels(&["country"])).unwrap();
    orders.with(&["pe"]).unwrap().add(1);
    assert_eq!((off.metrics("nightly"), off.collect_metrics()), (None, vec![]));
    assert_eq!(off.cost_report(), tta_telemetry::CostReport::default());
    assert!(off.counter(tta_telemetry::Metric::named("orders")).is_err());
}
