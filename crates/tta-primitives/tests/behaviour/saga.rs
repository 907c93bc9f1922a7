//! Sagas: what is undone, in which order, with what, and what is said of it.

use std::error::Error as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, IntoError, Jitter, Result, Retry, RetryHint, Saga, SagaError, Timeout, named, saga,
    step, with_context, workflow,
};
use tta_telemetry::{Decision, Telemetry};

use super::support::{MS, SECOND, context, double, increment, refuse};

/// What happened, in order.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(super) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

pub(super) fn exact(retries: u32) -> Retry {
    Retry::new().max_retries(retries).initial_delay(100 * MS).jitter(Jitter::None).budget(None).build().unwrap()
}

/// A compensation that notes what it was given.
pub(super) fn undo(log: &Log, name: &'static str) -> impl tta_primitives::Primitive<u32, Out = ()> + use<> {
    let log = log.clone();
    named(name, move |x: u32| {
        let log = log.clone();
        async move {
            log.note(format!("{name} {x}"));
            Ok::<_, String>(())
        }
    })
}

/// Three steps that return 2, 3 and 6 of 1, the last replaced when it is to fail.
fn booking(log: &Log, fails_at: usize) -> Saga<u32, u32> {
    let failing = |at: usize, name: &'static str, returns: u32| {
        let mock = Mock::new(name);
        if at == fails_at { mock.fails(9, "refused".with_kind(ErrorKind::Upstream)) } else { mock.returns(returns) }
    };
    let builder = saga("book trip").step(failing(0, "flight", 2)).compensate(undo(log, "cancel_flight"));
    let builder = builder.step(failing(1, "hotel", 3)).compensate(undo(log, "cancel_hotel"));
    let builder = builder.step(failing(2, "car", 4)).compensate(undo(log, "cancel_car"));
    builder.step(failing(3, "charge", 5)).compensate(undo(log, "refund")).build().unwrap()
}

#[test]
fn a_saga_that_succeeds_undoes_nothing_and_passes_each_output_on() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let built = saga("counts").step(double).compensate(undo(&log, "halve")).step(increment).uncompensated();
    let flow = workflow("runs", double) >> built.build().unwrap() >> double;
    assert_eq!(engine.block_on(flow.run(1, &context(&engine))).unwrap(), 10);
    assert!(log.take().is_empty());
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    runs
    │  correlation.id = c-1
    ├─ double
    │     step.index = 0
    │     step.total = 3
    ├─ counts (saga)
    │  │  step.index = 1
    │  │  step.total = 3
    │  ├─ double
    │  │     step.index = 0
    │  │     step.total = 2
    │  ╰─ increment
    │        step.index = 1
    │        step.total = 2
    ╰─ double
          step.index = 2
          step.total = 3
    ");
}

#[test]
fn compensations_run_last_in_first_out_each_with_its_own_steps_output() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let flow = workflow("trips", booking(&log, 3));
    let error = engine.block_on(flow.run(1, &context(&engine))).unwrap_err();
    assert_eq!(log.take(), ["cancel_car 4", "cancel_hotel 3", "cancel_flight 2"]);
    assert_eq!(format!("{error:?}"), "upstream error in `book trip > charge`: refused");
    assert!(error.downcast_ref::<SagaError>().is_none());
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    trips ✗
    │  upstream: refused
    │  correlation.id = c-1
    │  error.path = book trip > charge
    ╰─ book trip (saga) ✗
       │  upstream: refused
       │  saga.outcome = compensated
       │  saga.compensated = 3
       │  saga.failed_step = charge
       ├─ flight (mock)
       │     step.index = 0
       │     step.total = 4
       ├─ hotel (mock)
       │     step.index = 1
       │     step.total = 4
       ├─ car (mock)
       │     step.index = 2
       │     step.total = 4
       ├─ charge (mock) ✗
       │     upstream: refused
       │     step.index = 3
       │     step.total = 4
       ├─ cancel_car (compensation)
       │  │  compensation.outcome = succeeded
       │  ╰─ attempt
       │        attempt.number = 1
       ├─ cancel_hotel (compensation)
       │  │  compensation.outcome = succeeded
       │  ╰─ attempt
       │        attempt.number = 1
       ╰─ cancel_flight (compensation)
          │  compensation.outcome = succeeded
          ╰─ attempt
                attempt.number = 1
    ");
}

#[test]
fn whichever_step_fails_only_those_before_it_are_undone() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let undone = |fails_at: usize| {
        let error = engine.block_on(step(booking(&log, fails_at)).run(1, &engine.context())).err();
        (error.map(|error| format!("{error:#}")), log.take().len())
    };
    let failed = |step: &str| Some(format!("book trip: {step}: refused"));
    assert_eq!(undone(0), (failed("flight"), 0));
    assert_eq!(undone(1), (failed("hotel"), 1));
    assert_eq!(undone(2), (failed("car"), 2));
    assert_eq!(undone(3), (failed("charge"), 3));
    assert_eq!(undone(4), (None, 0));
    let mut counts: Vec<_> = engine.telemetry().decision_counts();
    counts.retain(|count| count.key.family == "saga");
    let total = |outcome: &str| -> u64 {
        let counts = counts.iter().filter(|count| count.key.primitive == *"book trip");
        counts.filter(|count| count.outcome == outcome).map(|count| count.count).sum()
    };
    assert_eq!([total("failed"), total("compensated"), total("completed")], [1, 3, 1]);
}

#[test]
fn a_panic_is_a_failure_like_any_other_and_the_panicking_step_is_not_undone() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let explodes = Mock::<u32, u32>::new("explodes").panics("boom");
    let built = saga("panics").step(double).compensate(undo(&log, "halve"));
    let built = built.step(explodes).compensate(undo(&log, "never")).step(double).uncompensated().build().unwrap();
    let error = engine.block_on(step(built).run(4, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `panics > explodes`: boom");
    assert_eq!(log.take(), ["halve 8"]);
}

/// A value whose clone panics.
struct Fragile(u32);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        panic!("{} cannot be cloned", self.0)
    }
}

#[test]
fn an_output_whose_clone_panics_fails_its_step_and_what_cannot_be_undone_is_reported() {
    async fn make(x: u32) -> Result<Fragile, String> {
        Ok(Fragile(x))
    }
    async fn read(x: Fragile) -> Result<u32, String> {
        Ok(x.0)
    }
    let (engine, log) = (TestEngine::new(), Log::default());
    let seen = log.clone();
    let unmake = named("unmake", move |x: Fragile| {
        let seen = seen.clone();
        async move {
            seen.note(format!("unmake {}", x.0));
            Ok::<_, String>(())
        }
    });
    let built = saga("fragile").step(double).compensate(undo(&log, "halve")).step(make).compensate(unmake);
    let flow = workflow("runs", built.step(read).uncompensated().build().unwrap());
    let error = engine.block_on(flow.run(2, &context(&engine))).unwrap_err();
    // A clone is needed for every attempt, so this one cannot be undone and says so.
    assert_eq!(
        format!("{error:?}"),
        "compensation error in `fragile`: make: 4 cannot be cloned; failed to compensate: unmake: 4 cannot be \
         cloned; compensated: halve\n  caused by: 4 cannot be cloned"
    );
    assert_eq!(log.take(), ["halve 4"]);
}

#[test]
fn a_compensation_that_fails_is_tried_again_until_it_succeeds() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let flaky = Mock::new("release").fails(2, "not yet").returns(());
    let built = saga("retries").step(double).compensate(undo(&log, "first")).step(increment).compensate(flaky.clone());
    let built = built.step(refuse).uncompensated().compensation_retry(exact(3)).build().unwrap();
    let cx = context(&engine);
    let error = engine.block_on(workflow("runs", built).run(1, &cx)).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::App, "3 is refused".to_owned()));
    assert_eq!((flaky.calls(), log.take()), (vec![3, 3, 3], vec!["first 2".to_owned()]));
    assert_eq!(cx.elapsed(), 300 * MS);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    runs ✗
    │  app: 3 is refused
    │  correlation.id = c-1
    │  error.path = retries > refuse
    ╰─ retries (saga) ✗
       │  app: 3 is refused
       │  saga.outcome = compensated
       │  saga.compensated = 2
       │  saga.failed_step = refuse
       ├─ double
       │     step.index = 0
       │     step.total = 3
       ├─ increment
       │     step.index = 1
       │     step.total = 3
       ├─ refuse ✗
       │     app: 3 is refused
       │     step.index = 2
       │     step.total = 3
       ├─ release (compensation)
       │  │  retry.outcome = recovered
       │  │  retry.attempts = 3
       │  │  compensation.outcome = recovered
       │  ├─ attempt ✗ handled
       │  │     app: not yet
       │  │     attempt.number = 1
       │  │     retry.delay_ns = 100000000
       │  ├─ attempt ✗ handled
       │  │     app: not yet
       │  │     attempt.number = 2
       │  │     retry.delay_ns = 200000000
       │  ╰─ attempt
       │        attempt.number = 3
       ╰─ first (compensation)
          │  compensation.outcome = succeeded
          ╰─ attempt
                attempt.number = 1
    ");
}

#[test]
fn one_that_always_fails_is_reported_with_the_cause_and_the_others_run_all_the_same() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let stuck = Mock::<u32, ()>::new("cancel_hotel").fails(9, std::io::Error::other("no route"));
    let charge =
        Mock::<u32, u32>::new("charge").fails(9, "card refused".with_kind(ErrorKind::Upstream).retry_after(SECOND));
    let built =
        saga("book trip").step(double).compensate(undo(&log, "cancel_flight")).step(increment).compensate(stuck);
    let built = built.step(double).compensate(undo(&log, "cancel_car")).step(charge).uncompensated();
    let built = built.compensation_retry(exact(1)).build().unwrap();
    // A retry around the saga must not do again what has not been undone, whatever the cause asks.
    let flow = workflow("trips", built).retry(Retry::new().build().unwrap());
    let error = engine.block_on(flow.run(1, &context(&engine))).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "compensation error in `book trip`: charge: card refused; failed to compensate: cancel_hotel: no route; \
         compensated: cancel_car, cancel_flight\n  caused by: card refused"
    );
    assert_eq!(error.retry_hint(), RetryHint::Never);
    let told = error.downcast_ref::<SagaError>().unwrap();
    assert_eq!(format!("{:?}", told.cause), "upstream error in `charge`: card refused");
    assert_eq!(told.compensated, ["cancel_car", "cancel_flight"]);
    assert!(told.failed[0].error.downcast_ref::<std::io::Error>().is_some() && told.not_run.is_empty());
    assert_eq!(error.source().unwrap().downcast_ref::<Error>().unwrap().kind(), ErrorKind::Upstream);
    assert_eq!(log.take(), ["cancel_car 6", "cancel_flight 2"]);
    insta::assert_snapshot!(engine.tree(), @r"
    trips ✗
    │  compensation: charge: card refused; failed to compensate: cancel_hotel: no
    │    route; compensated: cancel_car, cancel_flight
    ╰─ book trip (saga) ✗
       │  compensation: charge: card refused; failed to compensate: cancel_hotel: no
       │    route; compensated: cancel_car, cancel_flight
       │  caused by: card refused
       ╰─ attempt ✗
          │  compensation: charge: card refused; failed to compensate: cancel_hotel:
          │    no route; compensated: cancel_car, cancel_flight
          │  caused by: card refused
          ├─ double
          ├─ increment
          ├─ double
          ├─ charge (mock) ✗
          │     upstream: card refused
          ├─ cancel_car (compensation)
          │  ╰─ attempt
          ├─ cancel_hotel (compensation) ✗
          │  │  app: no route
          │  ├─ attempt ✗ handled
          │  │     app: no route
          │  ╰─ attempt ✗
          │        app: no route
          ╰─ cancel_flight (compensation)
             ╰─ attempt
    ");
}

#[test]
fn one_that_hangs_is_cut_off_after_its_share_and_leaves_the_others_theirs() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let stopped = Arc::new(AtomicU32::new(0));
    let told = Arc::clone(&stopped);
    let hangs = named(
        "hangs",
        with_context(move |_: u32, cx: Context| {
            let told = Arc::clone(&told);
            async move {
                let (token, told) = (cx.clone(), told);
                // Whoever it left behind learns that it was cut off.
                let _told = super::support::OnDrop(move || {
                    told.store(1 + u32::from(token.is_cancelled()), Ordering::SeqCst);
                });
                std::future::pending::<Result<()>>().await
            }
        }),
    );
    let slow = Mock::new("slow").delays(20 * SECOND).returns(());
    let built = saga("waits").step(double).compensate(undo(&log, "first")).step(increment).compensate(slow);
    let built = built.step(double).compensate(hangs).step(refuse).uncompensated().build().unwrap();
    let cx = context(&engine);
    let error = engine.block_on(workflow("runs", built).run(1, &cx)).unwrap_err();
    // A third of 30 s for the one that hangs, half of the rest for the next, which needs longer.
    assert_eq!(
        error.to_string(),
        "refuse: 6 is refused; failed to compensate: hangs: cut off after 10s, its share of the compensation timeout \
         of 30s, slow: cut off after 10s, its share of the compensation timeout of 30s; compensated: first"
    );
    assert_eq!(cx.elapsed(), 20 * SECOND);
    assert_eq!((log.take(), stopped.load(Ordering::SeqCst)), (vec!["first 2".to_owned()], 2));
    let told = error.downcast_ref::<SagaError>().unwrap();
    assert!(told.failed.iter().all(|failed| failed.error.kind() == ErrorKind::Timeout));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    runs ✗
    │  compensation: refuse: 6 is refused; failed to compensate: hangs: cut off
    │    after 10s, its share of the compensation timeout of 30s, slow: cut off
    │    after 10s, its share of the compensation timeout of 30s; compensated: first
    │  correlation.id = c-1
    │  error.path = waits
    ╰─ waits (saga) ✗
       │  compensation: refuse: 6 is refused; failed to compensate: hangs: cut off
       │    after 10s, its share of the compensation timeout of 30s, slow: cut off
       │    after 10s, its share of the compensation timeout of 30s; compensated:
       │    first
       │  caused by: 6 is refused
       │  saga.outcome = compensation_cut_off
       │  saga.compensated = 1
       │  saga.failed_step = refuse
       │  saga.not_compensated = 2
       ├─ double
       │     step.index = 0
       │     step.total = 4
       ├─ increment
       │     step.index = 1
       │     step.total = 4
       ├─ double
       │     step.index = 2
       │     step.total = 4
       ├─ refuse ✗
       │     app: 6 is refused
       │     step.index = 3
       │     step.total = 4
       ├─ hangs (compensation) ✗
       │  │  timeout: cut off after 10s, its share of the compensation timeout of
       │  │    30s
       │  │  compensation.outcome = cut_off
       │  ╰─ attempt ⊘ cancelled
       │        attempt.number = 1
       ├─ slow (compensation) ✗
       │  │  timeout: cut off after 10s, its share of the compensation timeout of
       │  │    30s
       │  │  compensation.outcome = cut_off
       │  ╰─ attempt ⊘ cancelled
       │        attempt.number = 1
       ╰─ first (compensation)
          │  compensation.outcome = succeeded
          ╰─ attempt
                attempt.number = 1
    ");
}

#[test]
fn what_one_compensation_does_not_use_is_for_those_after_it() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let slow = Mock::new("slow").delays(29 * SECOND).returns(());
    let built = saga("waits").step(double).compensate(slow.clone()).step(increment).compensate(undo(&log, "quick"));
    let built = built.step(refuse).uncompensated().build().unwrap();
    let error = engine.block_on(step(built).run(1, &engine.context())).unwrap_err();
    assert_eq!((error.kind(), log.take(), slow.call_count()), (ErrorKind::App, vec!["quick 3".to_owned()], 1));
}

#[test]
fn compensations_that_no_time_is_left_for_are_not_run_and_named() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let clock = engine.clock().clone();
    // Blocks its thread for longer than there is.
    let blocks = named("blocks", move |_: u32| {
        clock.advance(2 * SECOND);
        async { Ok::<_, String>(()) }
    });
    let built =
        saga("late").step(double).compensate(undo(&log, "second")).step(increment).compensate(undo(&log, "first"));
    let built = built.step(increment).compensate(blocks).step(refuse).uncompensated();
    let built = built.compensation_timeout(SECOND).build().unwrap();
    let error = engine.block_on(workflow("runs", built).run(1, &context(&engine))).unwrap_err();
    assert_eq!(error.to_string(), "refuse: 4 is refused; not run: first, second; compensated: blocks");
    assert_eq!(error.kind(), ErrorKind::Compensation);
    assert!(log.take().is_empty());
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    runs ✗
    │  compensation: refuse: 4 is refused; not run: first, second; compensated:
    │    blocks
    │  correlation.id = c-1
    │  error.path = late
    ╰─ late (saga) ✗
       │  compensation: refuse: 4 is refused; not run: first, second; compensated:
       │    blocks
       │  caused by: 4 is refused
       │  saga.outcome = compensation_cut_off
       │  saga.compensated = 1
       │  saga.failed_step = refuse
       │  saga.not_compensated = 2
       ├─ double
       │     step.index = 0
       │     step.total = 4
       ├─ increment
       │     step.index = 1
       │     step.total = 4
       ├─ increment
       │     step.index = 2
       │     step.total = 4
       ├─ refuse ✗
       │     app: 4 is refused
       │     step.index = 3
       │     step.total = 4
       ├─ blocks (compensation)
       │  │  compensation.outcome = succeeded
       │  ╰─ attempt
       │        attempt.number = 1
       ├─ first (compensation) ⊘ cancelled
       │     compensation.outcome = not_run
       ╰─ second (compensation) ⊘ cancelled
             compensation.outcome = not_run
    ");
}

#[test]
fn a_compensation_that_panics_is_reported_and_not_tried_again() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let explodes = Mock::<u32, ()>::new("explodes").panics("boom");
    let built =
        saga("panics").step(double).compensate(undo(&log, "halve")).step(increment).compensate(explodes.clone());
    let error = engine.block_on(step(built.step(refuse).uncompensated().build().unwrap()).run(1, &engine.context()));
    let error = error.unwrap_err();
    let told = error.downcast_ref::<SagaError>().unwrap();
    assert_eq!(format!("{:?}", told.failed[0].error), "panic error in `explodes`: boom");
    assert_eq!((explodes.call_count(), log.take()), (1, vec!["halve 2".to_owned()]));
}

#[test]
fn compensations_are_reached_by_neither_the_runs_cancellation_nor_its_deadline() {
    async fn looks(x: u32, cx: Context) -> Result<()> {
        assert!(!cx.is_cancelled() && Context::current().is_some_and(|cx| !cx.is_cancelled()));
        // Half of the default, as another one follows.
        assert_eq!(cx.remaining(), Some(15 * SECOND));
        cx.sleep(10 * SECOND).await;
        cx.state().set("looked", x).map_err(Error::from_any)
    }
    async fn cancels(x: u32, cx: Context) -> Result<u32> {
        cx.cancel_handle().cancel();
        Ok(x)
    }
    let (engine, log) = (TestEngine::new(), Log::default());
    let built = saga("stops").step(double).compensate(undo(&log, "halve"));
    let built = built.step(with_context(cancels)).compensate(with_context(looks)).step(double).uncompensated();
    let cx = Context::builder().telemetry(engine.telemetry().clone()).deadline(SECOND).build().unwrap();
    let error = engine.block_on(workflow("runs", built.build().unwrap()).run(1, &cx)).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "cancelled error in `stops > double`: the run was told to stop before this step began"
    );
    assert_eq!((cx.state().get::<u32>("looked"), log.take()), (Ok(Some(2)), vec!["halve 2".to_owned()]));
    insta::assert_snapshot!(engine.tree(), @r"
    runs ⊘ cancelled
    ╰─ stops (saga) ⊘ cancelled
       ├─ double
       ├─ cancels
       ├─ looks (compensation)
       │  ╰─ attempt
       ╰─ halve (compensation)
          ╰─ attempt
    ");
}

#[test]
fn a_saga_inside_another_is_undone_by_the_outer_ones_compensation_for_it() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let inner = saga("inner").step(double).compensate(undo(&log, "inner 1")).step(increment);
    let inner = inner.compensate(undo(&log, "inner 2")).build().unwrap();
    let outer =
        saga("outer").step(double).compensate(undo(&log, "outer 1")).step(inner).compensate(undo(&log, "outer 2"));
    let error = engine.block_on(step(outer.step(refuse).uncompensated().build().unwrap()).run(1, &engine.context()));
    assert_eq!(format!("{:?}", error.unwrap_err()), "app error in `outer > refuse`: 5 is refused");
    assert_eq!(log.take(), ["outer 2 5", "outer 1 2"]);
    // One that fails inside undoes its own first.
    let inner = saga("inner").step(double).compensate(undo(&log, "inner 1")).step(refuse).uncompensated().build();
    let outer = saga("outer").step(double).compensate(undo(&log, "outer 1")).step(inner.unwrap()).uncompensated();
    let error = engine.block_on(step(outer.build().unwrap()).run(1, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "app error in `outer > inner > refuse`: 4 is refused");
    assert_eq!(log.take(), ["inner 1 4", "outer 1 2"]);
}

#[test]
fn every_outcome_is_counted_and_told_to_observers_once() {
    let told = Log::default();
    let observed = told.clone();
    let engine = TestEngine::with(|builder| {
        builder.observer(move |decision: &Decision<'_>| {
            let key = decision.key;
            observed.note(format!("{} {} {} {:?}", key.family, key.subject, decision.outcome, decision.severity));
        })
    });
    let log = Log::default();
    let flaky = Mock::new("flaky").fails(1, "not yet").returns(());
    let built = saga("trip").step(double).compensate(undo(&log, "plain")).step(increment).compensate(flaky);
    let built = built.step(double).compensate(Mock::<u32, ()>::new("stuck").fails(9, "no"));
    let hang = named("hangs", |_: u32| std::future::pending::<Result<()>>());
    let built = built.step(double).compensate(hang).step(refuse).uncompensated();
    let flow = workflow("trips", built.compensation_retry(exact(1)).build().unwrap());
    engine.block_on(flow.run(1, &context(&engine))).unwrap_err();
    let sagas = |lines: Vec<String>| lines.into_iter().filter(|line| !line.starts_with("retry")).collect::<Vec<_>>();
    assert_eq!(
        sagas(told.take()),
        [
            "compensation hangs cut_off Warning",
            "compensation stuck failed Warning",
            "compensation flaky recovered Info",
            "compensation plain succeeded Info",
            "saga  compensation_failed Warning",
        ]
    );
    let counts = engine.telemetry().decision_counts();
    let counted = counts
        .iter()
        .filter(|count| count.count > 0 && !matches!(count.key.family, "retry" | "attempt"))
        .map(|count| {
            let key = &count.key;
            format!(
                "{} {} {} {} {} {}",
                key.workflow, key.primitive, key.family, key.subject, count.outcome, count.count
            )
        });
    let mut counted: Vec<_> = counted.collect();
    counted.sort();
    assert_eq!(
        counted,
        [
            "trips trip compensation flaky recovered 1",
            "trips trip compensation hangs cut_off 1",
            "trips trip compensation plain succeeded 1",
            "trips trip compensation stuck failed 1",
            "trips trip saga  compensation_failed 1",
        ]
    );
}

#[test]
fn a_saga_is_drawn_with_what_undoes_each_step() {
    let log = Log::default();
    let built = saga("drawn").step(double).compensate(undo(&log, "halve")).step(increment).uncompensated();
    let flow = workflow("draws", built.build().unwrap()) >> double;
    insta::assert_snapshot!(flow.graph().to_text(), @r"
    draws (workflow)
    ├─ drawn (saga)
    │  ├─ double [undone by halve]
    │  ╰─ increment [uncompensated]
    ╰─ double
    ");
}

#[test]
fn one_saga_serves_several_workflows_and_engines_also_one_that_is_off() {
    let log = Log::default();
    let shared = saga("shared").step(double).compensate(undo(&log, "halve")).step(refuse).uncompensated();
    let shared = shared.build().unwrap();
    let (first, second) = (TestEngine::new(), TestEngine::new());
    for engine in [&first, &second] {
        for name in ["a", "b"] {
            engine.block_on(workflow(name, shared.clone()).run(1, &engine.context())).unwrap_err();
        }
        let counts = engine.telemetry().decision_counts();
        let mut undone: Vec<_> = counts.iter().filter(|count| count.outcome == "compensated").collect();
        undone.sort_by_key(|count| count.key.workflow.to_string());
        let undone: Vec<_> = undone.iter().map(|count| (count.key.workflow.as_str(), count.count)).collect();
        assert_eq!(undone, [("a", 1), ("b", 1)]);
    }
    let off = Context::on(Telemetry::disabled());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(step(shared).run(1, &off)).unwrap_err();
    assert_eq!((error.to_string(), log.take()), ("2 is refused".to_owned(), vec!["halve 2".to_owned(); 5]));
}

/// Compensations of a saga that runs where nothing can measure time run where something can.
#[test]
fn without_a_timer_compensations_run_on_a_thread_of_their_own_and_the_saga_waits_for_them() {
    let log = Log::default();
    let (gate, is_open) = tokio::sync::watch::channel(false);
    let seen = log.clone();
    let waits = named(
        "waits",
        with_context(move |_: u32, _: Context| {
            let (seen, mut is_open) = (seen.clone(), is_open.clone());
            async move {
                // Panics where nothing measures time.
                tokio::time::timeout(600 * SECOND, is_open.wait_for(|open| *open)).await.unwrap().unwrap();
                seen.note(std::thread::current().name().unwrap_or_default());
                Ok::<_, Error>(())
            }
        }),
    );
    let built = saga("waits").step(double).compensate(waits).step(refuse).uncompensated().build().unwrap();
    let cx = Context::on(Telemetry::disabled());
    let error = futures_util::FutureExt::now_or_never(step(built.clone()).run(1, &cx));
    assert!(error.is_none(), "it waits for the thread");
    gate.send_replace(true);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(step(built).run(1, &cx)).unwrap_err();
    assert_eq!(error.to_string(), "2 is refused");
    assert_eq!(log.take().last().map(String::as_str), Some("tta-compensation"));
}

#[test]
fn a_saga_fits_under_retry_and_fallback_when_all_of_it_was_undone() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let flaky = Mock::new("flaky").fails(1, "busy").returns(9_u32);
    let built = saga("tries").step(double).compensate(undo(&log, "halve")).step(flaky).uncompensated().build().unwrap();
    let flow = workflow("runs", built).retry(exact(2));
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 9);
    assert_eq!(log.take(), ["halve 2"]);
    let fails =
        saga("fails").step(double).compensate(undo(&log, "halve")).step(refuse).uncompensated().build().unwrap();
    assert_eq!(engine.block_on(step(fails).or_else(increment).run(1, &engine.context())).unwrap(), 2);
    assert_eq!(log.take(), ["halve 2"]);
}

#[test]
fn a_timeout_whose_grace_allows_it_sees_the_saga_undo_itself() {
    let (engine, log) = (TestEngine::new(), Log::default());
    async fn until_told(_: u32, cx: Context) -> Result<u32> {
        cx.cancelled().await;
        Err(Error::new(ErrorKind::Cancelled, "told to stop"))
    }
    let built = saga("graceful").step(double).compensate(undo(&log, "halve")).step(with_context(until_told));
    let bound = Timeout::after(SECOND).grace_period(SECOND).build().unwrap();
    let flow = workflow("runs", built.uncompensated().build().unwrap()).timeout(bound);
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!((error.kind(), log.take()), (ErrorKind::Timeout, vec!["halve 2".to_owned()]));
    assert_eq!(engine.traces()[0].find("halve").unwrap().kind, "compensation");
}
