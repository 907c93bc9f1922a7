//! Timeouts: the bound, the grace, whose failure it is, and what runs instead.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, Hedge, IntoError, Result, Retry, Timeout, Workflow, saga, step, with_context, workflow,
};
use tta_telemetry::Value;

use super::support::{MS, SECOND, context, double, give_way, hang, on_runtime, poll_once, refuse};

fn after(timeout: Duration, grace: Duration) -> Timeout {
    Timeout::after(timeout).grace_period(grace).build().unwrap()
}

/// Takes 10 s; when told to stop it needs `winding_up` more, and then does `last`.
fn stoppable(winding_up: Duration, last: fn(&Context) -> Result<u32>) -> Workflow<u32, u32> {
    step(with_context(move |x: u32, cx: Context| async move {
        tokio::select! {
            () = cx.sleep(10 * SECOND) => return Ok(x),
            () = cx.cancelled() => cx.sleep(winding_up).await,
        }
        last(&cx)
    }))
}

fn attribute(engine: &TestEngine, key: &str) -> Option<Value> {
    engine.traces()[0].spans.iter().find_map(|span| span.attribute(key)).cloned()
}

#[test]
fn a_step_that_ignores_its_timeout_is_dropped_at_timeout_plus_grace() {
    for (grace, text) in [
        (Duration::ZERO, "no result within its timeout of 2s"),
        (500 * MS, "no result within its timeout of 2s and 500ms of grace"),
    ] {
        let engine = TestEngine::new();
        let flow = workflow("bounded", hang).timeout(after(2 * SECOND, grace)) >> double;
        let cx = engine.context();
        let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
        assert_eq!(format!("{error:?}"), format!("timeout error in `hang`: {text}"));
        assert_eq!(cx.elapsed(), 2 * SECOND + grace);
        assert_eq!(attribute(&engine, "timeout.outcome"), Some(Value::Str("expired".into())));
        assert_eq!(attribute(&engine, "timeout.limit_ns"), Some(Value::I64(2_000_000_000)));
    }
}

/// The bound once began only after the step's first poll.
#[test]
fn time_spent_in_the_first_poll_counts_towards_the_timeout() {
    async fn busy_then_hang(_: u32, cx: Context) -> Result<u32> {
        cx.clock().as_manual().unwrap().advance(1_500 * MS);
        std::future::pending().await
    }
    let engine = TestEngine::new();
    let flow = step(with_context(busy_then_hang)).timeout(after(2 * SECOND, Duration::ZERO));
    let cx = engine.context();
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(cx.elapsed(), 2 * SECOND);
}

#[test]
fn a_result_within_the_grace_is_a_success_and_says_so() {
    let engine = TestEngine::new();
    let flow = stoppable(400 * MS, |_| Ok(42)).timeout(after(SECOND, 500 * MS));
    let cx = engine.context();
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap(), 42);
    assert_eq!(cx.elapsed(), 1_400 * MS);
    assert_eq!(attribute(&engine, "timeout.in_grace"), Some(Value::Bool(true)));
    assert_eq!(attribute(&engine, "timeout.outcome"), Some(Value::Str("in_grace".into())));
}

#[test]
fn one_that_winds_up_too_slowly_is_dropped_when_the_grace_is_over() {
    let engine = TestEngine::new();
    let flow = stoppable(600 * MS, |_| Ok(42)).timeout(after(SECOND, 500 * MS));
    let cx = engine.context();
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(cx.elapsed(), 1_500 * MS);
}

#[test]
fn an_error_of_the_steps_own_is_its_failure_and_not_a_timeout() {
    let engine = TestEngine::new();
    let cx = engine.context();
    let in_time = step(refuse).timeout(after(SECOND, Duration::ZERO));
    assert_eq!(engine.block_on(in_time.run(1, &cx)).unwrap_err().kind(), ErrorKind::App);
    let in_grace = stoppable(100 * MS, |_| Err("disk full".with_kind(ErrorKind::Upstream)));
    let flow = in_grace.timeout(after(SECOND, 500 * MS));
    let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Upstream, "disk full".to_owned()));
}

#[test]
fn a_step_that_stops_because_it_was_told_to_has_timed_out() {
    let engine = TestEngine::new();
    let told = stoppable(100 * MS, |_| Err(Error::new(ErrorKind::Cancelled, "told to stop")));
    let cx = engine.context();
    let error = engine.block_on(told.timeout(after(SECOND, 500 * MS)).run(1, &cx)).unwrap_err();
    assert_eq!((error.kind(), cx.elapsed()), (ErrorKind::Timeout, 1_100 * MS));
    // So has a chain that would have started its next step.
    let chain = (stoppable(100 * MS, |_| Ok(1)) >> double).timeout(after(SECOND, 500 * MS));
    let error = engine.block_on(chain.run(1, &engine.context())).unwrap_err();
    assert_eq!((error.kind(), error.path().len()), (ErrorKind::Timeout, 1));
}

#[test]
fn the_timeout_stops_its_own_part_of_the_run_and_nothing_else() {
    let engine = TestEngine::new();
    let bounded = stoppable(100 * MS, |cx| {
        assert!(cx.is_cancelled());
        Ok(42)
    });
    let flow = workflow("goes on", bounded).timeout(after(SECOND, 500 * MS)) >> double;
    let cx = engine.context();
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap(), 84);
    assert!(!cx.is_cancelled());
}

#[test]
fn cancelling_the_run_reaches_into_a_timeout_and_is_not_called_one() {
    let engine = TestEngine::new();
    let told = stoppable(100 * MS, |_| Err(Error::new(ErrorKind::Cancelled, "told to stop")));
    let flow = workflow("stops", told).timeout(after(5 * SECOND, SECOND));
    let cx = engine.context();
    let error = engine.block_on(async {
        let stopper = async {
            cx.sleep(SECOND).await;
            cx.cancel_handle().cancel();
        };
        futures_util::join!(flow.run(1, &cx), stopper).0.unwrap_err()
    });
    assert_eq!((error.kind(), cx.elapsed()), (ErrorKind::Cancelled, 1_100 * MS));
    assert_eq!(attribute(&engine, "timeout.outcome"), None);
}

#[test]
fn a_deadline_shortens_a_timeout_and_the_message_says_which_it_was() {
    let engine = TestEngine::new();
    let cx = Context::builder().telemetry(engine.telemetry().clone()).deadline(700 * MS).build().unwrap();
    let error = engine.block_on(step(hang).timeout(after(SECOND, Duration::ZERO)).run(1, &cx)).unwrap_err();
    assert_eq!(error.to_string(), "no result within the 700ms left until the deadline");
    assert_eq!(cx.elapsed(), 700 * MS);
}

#[test]
fn an_inner_timeout_ends_first_and_an_outer_one_bounds_the_whole() {
    let engine = TestEngine::new();
    let inner = step(hang).timeout(after(SECOND, Duration::ZERO));
    let flow = inner.timeout(after(5 * SECOND, Duration::ZERO));
    let cx = engine.context();
    let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
    assert_eq!((error.to_string(), cx.elapsed()), ("no result within its timeout of 1s".to_owned(), SECOND));
    let inner = step(hang).timeout(after(5 * SECOND, Duration::ZERO));
    let flow = inner.timeout(after(SECOND, Duration::ZERO));
    let cx = engine.context();
    let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
    assert_eq!((error.to_string(), cx.elapsed()), ("no result within its timeout of 1s".to_owned(), SECOND));
}

#[test]
fn work_that_is_ready_starts_no_timer_and_work_that_waits_starts_one() {
    let engine = TestEngine::new();
    let ready = step(double).timeout(after(SECOND, Duration::ZERO));
    let cx = engine.context();
    assert!(poll_once(pin!(ready.run(1, &cx))).is_ready());
    assert_eq!(engine.clock().sleepers(), 0);
    let waits = step(hang).timeout(after(SECOND, Duration::ZERO));
    let mut run = pin!(waits.run(1, &cx));
    assert!(poll_once(run.as_mut()).is_pending());
    assert_eq!(engine.clock().sleepers(), 1);
}

#[test]
fn the_fallback_runs_on_the_same_input_when_the_time_is_up_and_only_then() {
    let engine = TestEngine::new();
    let instead = Mock::new("instead").returns(7_u32);
    let slow = Mock::new("slow").delays(5 * SECOND).returns(1_u32);
    let policy = after(SECOND, Duration::ZERO);
    let flow = workflow("bounded", slow.clone()).timeout_or(policy, instead.clone()) >> double;
    let cx = context(&engine);
    assert_eq!(engine.block_on(flow.run(3, &cx)).unwrap(), 14);
    assert_eq!((slow.calls(), instead.calls(), cx.elapsed()), (vec![3], vec![3], SECOND));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    bounded
    │  correlation.id = c-1
    ├─ slow (mock)
    │  │  step.index = 0
    │  │  step.total = 2
    │  │  timeout.outcome = expired
    │  │  timeout.limit_ns = 1000000000
    │  │  timeout.fallback = true
    │  ╰─ instead (mock)
    ╰─ double
          step.index = 1
          step.total = 2
    ");

    let other = Mock::new("other").returns(7_u32);
    let cx = engine.context();
    let quick = step(double).timeout_or(policy, other.clone());
    assert_eq!(engine.block_on(quick.run(3, &cx)).unwrap(), 6);
    let failing = step(refuse).timeout_or(policy, other.clone());
    assert_eq!(engine.block_on(failing.run(3, &cx)).unwrap_err().to_string(), "3 is refused");
    assert_eq!(other.call_count(), 0);
}

#[test]
fn a_fallback_that_fails_is_the_steps_error() {
    let engine = TestEngine::new();
    let flow = workflow("bounded", hang).timeout_or(after(SECOND, Duration::ZERO), step(double) >> refuse);
    let error = engine.block_on(flow.run(3, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "app error in `hang > sequential > refuse`: 6 is refused");
}

/// The inner timeout once saw the outer one's bound first, as its deadline, and its error passed
/// for the step's own: the fallback did not run.
#[test]
fn a_fallback_runs_also_when_a_timeout_inside_meets_the_bound_first() {
    let engine = TestEngine::new();
    let policy = |seconds: u32| Timeout::after(seconds * SECOND).build().unwrap();
    let flow = workflow("nested", step(hang).timeout(policy(5)).timeout_or(policy(1), double));
    let cx = engine.context();
    assert_eq!(engine.block_on(flow.run(3, &cx)).unwrap(), 6);
    assert_eq!(cx.elapsed(), SECOND);
    let sooner = workflow("nested", step(hang).timeout(policy(1)).timeout_or(policy(5), double));
    let error = engine.block_on(sooner.run(3, &engine.context())).unwrap_err();
    assert_eq!(error.to_string(), "no result within its timeout of 1s", "an earlier one is the step's own failure");
}

/// A hedge or a join that gathered such errors once hid that the bound had been reached.
#[test]
fn a_fallback_runs_also_when_all_attempts_or_branches_inside_met_the_bound_first() {
    let engine = TestEngine::new();
    let policy = |seconds: u32| Timeout::after(seconds * SECOND).build().unwrap();
    let hang_for = |seconds| step(hang).timeout(policy(seconds));
    let hedged = hang_for(5).hedge(Hedge::after(100 * MS).build().unwrap());
    for inside in [hedged, step((hang_for(5) | hang_for(6)).any()), hang_for(5).or_else(hang_for(6))] {
        let cx = engine.context();
        let flow = workflow("nested", inside.timeout_or(policy(1), double));
        assert_eq!((engine.block_on(flow.run(3, &cx)).unwrap(), cx.elapsed()), (6, SECOND));
    }
}

/// A timeout around a step that ran another workflow once took that run's deadline for its own
/// bound.
#[test]
fn the_deadline_of_another_run_that_a_step_started_is_not_the_bound_around_the_step() {
    let engine = TestEngine::new();
    let policy = |seconds: u32| Timeout::after(seconds * SECOND).build().unwrap();
    let hurried = Context::builder().telemetry(engine.telemetry().clone()).deadline(100 * MS).build().unwrap();
    let other = workflow("other", step(hang).timeout(policy(5)));
    let call = move |x: u32| {
        let (other, hurried) = (other.clone(), hurried.clone());
        async move { if x == 3 { other.run(x, &hurried).await } else { other.run_report(x, &hurried).await.result } }
    };
    let flow = workflow("calls", step(call).timeout_or(policy(60), double));
    for x in [3, 4] {
        let cx = engine.context();
        let error = engine.block_on(flow.run(x, &cx)).unwrap_err();
        assert!(error.to_string().ends_with("left until the deadline"), "{error}");
        assert!(cx.elapsed() <= 100 * MS);
    }
}

#[test]
fn what_a_saga_could_not_undo_is_not_hidden_by_the_timeout_that_ended_it() {
    let engine = TestEngine::new();
    let policy = |seconds: u32| Timeout::after(seconds * SECOND).build().unwrap();
    let once = Retry::new().max_retries(0).build().unwrap();
    let saga = saga("trip").step(double).compensate(refuse).step(step(hang).timeout(policy(5))).uncompensated();
    let saga = saga.compensation_retry(once).build().unwrap();
    let error = engine.block_on(workflow("trips", saga).timeout(policy(1)).run(3, &engine.context())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Compensation, "{error}");
}

#[test]
fn a_timeout_inside_that_spends_its_own_grace_does_not_hide_the_bound_around_it() {
    let engine = TestEngine::new();
    let inner = Timeout::after(5 * SECOND).grace_period(100 * MS).build().unwrap();
    let outer = Timeout::after(2 * SECOND).grace_period(SECOND).build().unwrap();
    let cx = engine.context();
    let flow = workflow("nested", step(hang).timeout(inner).timeout_or(outer, double));
    assert_eq!(engine.block_on(flow.run(3, &cx)).unwrap(), 6);
    assert_eq!(cx.elapsed(), 2_100 * MS);
}

#[test]
fn an_error_of_kind_timeout_that_a_step_returns_late_stays_the_steps_own() {
    async fn late(_: u32, cx: Context) -> Result<u32> {
        cx.sleep(SECOND).await;
        Err(Error::new(ErrorKind::Timeout, "the upstream timed out"))
    }
    let engine = TestEngine::new();
    let policy = Timeout::after(SECOND).grace_period(SECOND).build().unwrap();
    let flow = workflow("late", step(with_context(late)).timeout_or(policy, double));
    let error = engine.block_on(flow.run(3, &engine.context())).unwrap_err();
    assert_eq!(error.to_string(), "the upstream timed out");
}

#[test]
fn what_a_timed_out_part_spawned_is_told_also_when_a_timeout_inside_was_first() {
    let engine = TestEngine::new();
    let told = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&told);
    let spawns = with_context(move |_: u32, cx: Context| {
        let (watched, flag) = (cx.clone(), Arc::clone(&flag));
        let watch = async move {
            watched.cancelled().await;
            flag.store(true, Ordering::SeqCst);
            Ok::<_, String>(())
        };
        cx.spawn("watch", watch).detach();
        hang(0)
    });
    let policy = |seconds: u32| Timeout::after(seconds * SECOND).build().unwrap();
    let flow = workflow("nested", step(spawns).timeout(policy(5)).timeout_or(policy(1), double));
    on_runtime(&engine, async {
        flow.run(3, &engine.context()).await.unwrap();
        give_way().await;
        give_way().await;
    });
    assert!(told.load(Ordering::SeqCst));
}
