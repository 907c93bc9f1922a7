//! Objectives of an engine: configured, replaced, saved, restored, and told of.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tta_telemetry::{HealthStatus, Slo, SloState, SloStateStore, SloStoreError, SpanStatus};

use super::support::{Engine, engine, engine_with, points};

fn available(target: f64) -> Slo {
    Slo::named("available").target(target).build().unwrap()
}

#[test]
fn an_objective_judges_steps_that_exist_and_those_to_come() {
    let engine = engine();
    let before = engine.step("crawl", "fetch");
    let tracker = engine.telemetry.configure_slo("fetch", available(0.9)).unwrap();
    let after = engine.step("import", "fetch");
    let other = engine.step("crawl", "parse");
    for step in [&before, &after, &other] {
        engine.count(step, 1, SpanStatus::Ok);
        engine.count(step, 1, SpanStatus::Error);
        engine.count(step, 1, SpanStatus::Cancelled);
    }
    let now = || engine.telemetry.clock().unix_ns(engine.telemetry.clock().ticks());
    let totals = tracker.status(now()).totals;
    assert_eq!((totals.total, totals.failed), (4, 2));
    let [status] = &engine.telemetry.slo_statuses()[..] else { panic!("there is one objective") };
    assert_eq!((status.subject.as_str(), status.compliance), ("fetch", 0.5));
    assert_eq!(engine.telemetry.metrics("fetch").unwrap().slo, std::slice::from_ref(status));
    assert!(engine.telemetry.metrics("parse").unwrap().slo.is_empty());
    let compliance = points(&engine.family("primitive_slo_compliance"));
    let want = ["crawl/fetch/lambda/available", "import/fetch/lambda/available"].map(|labels| (labels.to_owned(), 0.5));
    assert_eq!(compliance, want);
    assert_eq!(engine.value("primitive_slo_target", &[("slo_name", "available")]), 0.9);
    assert_eq!(engine.value("primitive_error_budget_remaining", &[("workflow", "crawl")]), -4.0);
    assert_eq!(engine.value("primitive_slo_burn_rate", &[("workflow", "crawl"), ("window", "6h")]), 5.0);
}

#[test]
fn several_objectives_of_one_name_and_a_replaced_one_keep_what_was_counted() {
    let engine = engine();
    let telemetry = &engine.telemetry;
    let step = engine.step("crawl", "fetch");
    let quick = Slo::named("quick").target(0.5).latency_threshold(Duration::from_millis(100)).build().unwrap();
    telemetry.configure_slo("fetch", available(0.99)).unwrap();
    telemetry.configure_slo("fetch", quick).unwrap();
    (0..4).for_each(|round| engine.count(&step, 60 * round, SpanStatus::Ok));
    let compliance: Vec<f64> = telemetry.slo_statuses().iter().map(|status| status.compliance).collect();
    assert_eq!(compliance, [1.0, 0.5]);
    telemetry.configure_slo("fetch", available(0.5)).unwrap();
    engine.count(&step, 1, SpanStatus::Error);
    let status = &telemetry.slo_statuses()[0];
    assert_eq!((status.slo.target(), status.totals.total, status.totals.failed), (0.5, 5, 1));
    assert!(telemetry.slo("fetch", "quick").is_some() && telemetry.slo("fetch", "other").is_none());
}

#[test]
fn there_is_an_end_to_objectives_and_names() {
    let engine = engine();
    for place in 0..8 {
        engine.telemetry.configure_slo("fetch", Slo::named(format!("slo {place}")).build().unwrap()).unwrap();
    }
    let refused = engine.telemetry.configure_slo("fetch", available(0.9)).unwrap_err();
    assert_eq!(refused.to_string(), "SLO `available`: `objectives` is 9, accepted is at most 8");
    for place in 1..256 {
        engine.telemetry.configure_slo(format!("step {place}"), available(0.9)).unwrap();
    }
    let refused = engine.telemetry.configure_slo("one more", available(0.9)).unwrap_err();
    assert_eq!(refused.to_string(), "SLO `available`: `primitives with objectives` is 257, accepted is at most 256");
}

/// A store in memory that can be made to fail.
#[derive(Clone, Default)]
struct Kept {
    states: Arc<Mutex<Vec<SloState>>>,
    saves: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
}

impl SloStateStore for Kept {
    fn load(&self) -> Result<Vec<SloState>, SloStoreError> {
        Ok(self.states.lock().unwrap().clone())
    }

    fn save(&self, states: &[SloState]) -> Result<(), SloStoreError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(SloStoreError::new("the disk is full"));
        }
        self.saves.fetch_add(1, Ordering::Relaxed);
        *self.states.lock().unwrap() = states.to_vec();
        Ok(())
    }
}

fn failed(engine: &Engine) -> u64 {
    engine.telemetry.slo_statuses().iter().map(|status| status.totals.failed).sum()
}

#[test]
fn forty_days_pass_in_a_moment_and_only_thirty_are_remembered() {
    let engine = engine();
    engine.telemetry.configure_slo("fetch", available(0.9)).unwrap();
    let step = engine.step("crawl", "fetch");
    for hour in 0..40 * 24 {
        engine.count(&step, 1, if hour < 24 { SpanStatus::Error } else { SpanStatus::Ok });
        engine.hand.advance(Duration::from_secs(3_600));
        engine.housekeep();
    }
    let [status] = &engine.telemetry.slo_statuses()[..] else { panic!("there is one objective") };
    assert_eq!((status.totals.failed, status.error_budget_remaining, status.is_incomplete), (0, 1.0, false));
    assert!((720..=724).contains(&status.totals.total), "{}", status.totals.total);
    assert_eq!(engine.telemetry.metrics("fetch").unwrap().basic.failed_executions, 24);
}

#[test]
fn budgets_survive_a_restart_and_states_are_saved_once_a_minute() {
    let kept = Kept::default();
    let first = engine_with(|builder| builder.slo_state(kept.clone()));
    first.telemetry.configure_slo("fetch", available(0.9)).unwrap();
    first.count(&first.step("crawl", "fetch"), 1, SpanStatus::Error);
    for _ in 0..300 {
        first.housekeep();
        first.hand.advance(Duration::from_secs(1));
    }
    assert_eq!(kept.saves.load(Ordering::Relaxed), 4);
    first.count(&first.step("crawl", "fetch"), 1, SpanStatus::Error);
    assert!(first.telemetry.shutdown_blocking(super::support::LONG).complete);
    assert_eq!(kept.saves.load(Ordering::Relaxed), 5);

    let second = engine_with(|builder| builder.slo_state(kept.clone()));
    second.telemetry.configure_slo("fetch", available(0.5)).unwrap();
    assert_eq!(failed(&second), 2);
    // A life in which nobody configured the objective does not lose it.
    let third = engine_with(|builder| builder.slo_state(kept.clone()));
    third.telemetry.configure_slo("parse", available(0.5)).unwrap();
    assert!(third.telemetry.shutdown_blocking(super::support::LONG).complete);
    let fourth = engine_with(|builder| builder.slo_state(kept.clone()));
    fourth.telemetry.configure_slo("fetch", available(0.9)).unwrap();
    assert_eq!(failed(&fourth), 2);
}

#[test]
fn a_store_that_fails_degrades_health_until_it_works_again() {
    let kept = Kept::default();
    let engine = engine_with(|builder| builder.slo_state(kept.clone()));
    engine.telemetry.configure_slo("fetch", available(0.9)).unwrap();
    let health = || engine.telemetry.health().component("slo_state").cloned().unwrap();
    let minute = || {
        engine.housekeep();
        engine.hand.advance(Duration::from_secs(61));
        engine.housekeep();
    };
    assert_eq!(health().status, HealthStatus::Healthy);
    kept.fails.store(true, Ordering::Relaxed);
    minute();
    assert_eq!(health().reason.unwrap(), "SLO state store failed: the disk is full");
    assert_eq!(health().status, HealthStatus::Degraded);
    kept.fails.store(false, Ordering::Relaxed);
    minute();
    assert_eq!((health().status, health().last_success_unix_ns.is_some()), (HealthStatus::Healthy, true));
}

#[test]
fn whoever_asked_is_told_when_the_budget_runs_low_and_can_look_at_any_time() {
    let engine = engine();
    let slo = Slo::named("available").target(0.9).minimum_events(10).build().unwrap();
    let tracker = engine.telemetry.configure_slo("fetch", slo).unwrap();
    let told = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&told);
    tracker
        .on_budget_below(0.25, move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    let step = engine.step("crawl", "fetch");
    for round in 0..20 {
        engine.count(&step, 1, if round % 10 == 0 { SpanStatus::Error } else { SpanStatus::Ok });
        engine.hand.advance(Duration::from_secs(1));
        engine.housekeep();
    }
    assert_eq!(told.load(Ordering::Relaxed), 1);
    assert_eq!(tracker.last_budget_remaining(), 0.0);
}
