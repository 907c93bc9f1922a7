//! Fallbacks: which runs, on what, whose error comes out, and what is recorded.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, FallbackError, IntoError, Result, Retry, RetryHint, fallback, step, with_context,
    workflow,
};
use tta_telemetry::SpanStatus;

use super::support::{Counted, SECOND, context, double, hang, increment, refuse, start_and_drop};

fn failing(name: &'static str, error: impl Into<tta_primitives::BoxError>) -> Mock<u32, u32> {
    Mock::new(name).fails(99, error)
}

#[test]
fn a_primary_that_succeeds_is_all_that_runs() {
    let engine = TestEngine::new();
    let backup = Mock::new("backup").returns(7_u32);
    let flow = workflow("loads", double).or_else(backup.clone()) >> increment;
    assert_eq!(engine.block_on(flow.run(3, &context(&engine))).unwrap(), 7);
    assert_eq!(backup.call_count(), 0);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    loads
    │  correlation.id = c-1
    ├─ double
    │  │  step.index = 0
    │  │  step.total = 2
    │  ╰─ primary
    ╰─ increment
          step.index = 1
          step.total = 2
    ");
}

#[test]
fn the_fallback_runs_on_the_same_input_and_the_error_it_stopped_is_handled() {
    let engine = TestEngine::new();
    let (primary, backup) = (failing("primary call", "boom"), Mock::new("backup").returns(7_u32));
    let flow = workflow("loads", primary.clone()).or_else(backup.clone()) >> double;
    assert_eq!(engine.block_on(flow.run(3, &context(&engine))).unwrap(), 14);
    assert_eq!((primary.calls(), backup.calls()), (vec![3], vec![3]));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    loads
    │  correlation.id = c-1
    ├─ primary call (mock)
    │  │  step.index = 0
    │  │  step.total = 2
    │  │  fallback.outcome = used
    │  │  fallback.used = backup
    │  │  fallback.position = 1
    │  ├─ primary ✗ handled
    │  │     app: boom
    │  ╰─ backup (mock)
    ╰─ double
          step.index = 1
          step.total = 2
    ");
}

#[test]
fn fallbacks_run_in_order_until_one_answers_and_it_says_which() {
    let engine = TestEngine::new();
    let (smaller, never) = (failing("smaller", "bang"), Mock::new("never").returns(9_u32));
    let others = fallback(smaller.clone()).or(step(increment) >> double).or(never.clone());
    let flow = workflow("loads", refuse).fallback(others);
    assert_eq!(engine.block_on(flow.run(3, &context(&engine))).unwrap(), 8);
    assert_eq!((smaller.calls(), never.call_count()), (vec![3], 0));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    loads
    │  correlation.id = c-1
    ╰─ refuse
       │  fallback.outcome = used
       │  fallback.used = sequential
       │  fallback.position = 2
       ├─ primary ✗ handled
       │     app: 3 is refused
       ├─ smaller (mock) ✗ handled
       │     app: bang
       ╰─ sequential
          ├─ increment
          │     step.index = 0
          │     step.total = 2
          ╰─ double
                step.index = 1
                step.total = 2
    ");
}

#[test]
fn when_all_fail_the_error_carries_every_cause_and_nothing_is_handled() {
    let engine = TestEngine::new();
    let busy = std::io::Error::other("boom").with_kind(ErrorKind::RateLimited).retry_after(SECOND);
    let others = fallback(failing("backup", "bang")).or(step(double) >> refuse);
    let flow = workflow("loads", failing("call", busy)).fallback(others) >> double;
    let error = engine.block_on(flow.run(3, &context(&engine))).unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "call: all 3 ways failed: primary: boom; backup: bang; sequential: 6 is refused: boom"
    );
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::RateLimited, RetryHint::After(SECOND)));
    let all = error.downcast_ref::<FallbackError>().unwrap();
    let causes: Vec<_> = all.causes().iter().map(|cause| format!("{cause:?}")).collect();
    assert_eq!(
        causes,
        ["rate_limited error: boom", "app error in `backup`: bang", "app error in `sequential > refuse`: 6 is refused"]
    );
    assert!(all.causes()[0].downcast_ref::<std::io::Error>().is_some());
    let source = error.source().and_then(|source| source.downcast_ref::<Error>()).unwrap();
    assert_eq!((source.kind(), source.to_string()), (ErrorKind::RateLimited, "boom".to_owned()));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    loads ✗
    │  rate_limited: all 3 ways failed: primary: boom; backup: bang; sequential: 6
    │    is refused
    │  correlation.id = c-1
    │  error.path = call
    ╰─ call (mock) ✗
       │  rate_limited: all 3 ways failed: primary: boom; backup: bang; sequential:
       │    6 is refused
       │  caused by: boom
       │  step.index = 0
       │  step.total = 2
       │  fallback.outcome = exhausted
       ├─ primary ✗
       │     rate_limited: boom
       ├─ backup (mock) ✗
       │     app: bang
       ╰─ sequential ✗
          │  app: 6 is refused
          ├─ double
          │     step.index = 0
          │     step.total = 2
          ╰─ refuse ✗
                app: 6 is refused
                step.index = 1
                step.total = 2
    ");
}

#[test]
fn the_predicate_says_after_which_errors_the_next_way_may_run() {
    let engine = TestEngine::new();
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let run = |primary: &'static str, second: &'static str, third: &'static str| {
        let log = Arc::clone(&asked);
        let others = fallback(failing("second", second)).or(failing("third", third)).when(move |error| {
            log.lock().unwrap().push(error.to_string());
            error.to_string() != "fatal"
        });
        let flow = workflow("loads", failing("first", primary)).fallback(others);
        let error = engine.block_on(flow.run(3, &context(&engine))).unwrap_err();
        (format!("{error:?}"), std::mem::take(&mut *asked.lock().unwrap()))
    };
    let told = |text: &str, asked: &[&str]| (text.to_owned(), asked.iter().map(ToString::to_string).collect());
    assert_eq!(run("fatal", "no", "no"), told("app error in `first`: fatal", &["fatal"]));
    assert_eq!(run("no", "fatal", "no"), told("app error in `first > second`: fatal", &["no", "fatal"]));
    assert_eq!(run("no", "no", "fatal"), told("app error in `first > third`: fatal", &["no", "no", "fatal"]));
    // No error was stopped: none is handled.
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    loads ✗
    │  app: fatal
    │  correlation.id = c-1
    │  error.path = first
    ╰─ first (mock) ✗
       │  app: fatal
       ╰─ primary ✗
             app: fatal
    loads ✗
    │  app: fatal
    │  correlation.id = c-1
    │  error.path = first > second
    ╰─ first (mock) ✗
       │  app: fatal
       ├─ primary ✗
       │     app: no
       ╰─ second (mock) ✗
             app: fatal
    loads ✗
    │  app: fatal
    │  correlation.id = c-1
    │  error.path = first > third
    ╰─ first (mock) ✗
       │  app: fatal
       ├─ primary ✗
       │     app: no
       ├─ second (mock) ✗
       │     app: no
       ╰─ third (mock) ✗
             app: fatal
    ");
}

#[test]
fn every_kind_but_cancelled_may_fall_back_by_default() {
    let engine = TestEngine::new();
    let answer = |kind: ErrorKind| {
        let flow = step(failing("call", "boom".with_kind(kind))).or_else(increment);
        engine.block_on(flow.run(3, &engine.context())).map_err(|error| error.kind())
    };
    for kind in
        [ErrorKind::App, ErrorKind::InvalidInput, ErrorKind::Timeout, ErrorKind::CircuitOpen, ErrorKind::Internal]
    {
        assert_eq!(answer(kind), Ok(4), "{kind}");
    }
    assert_eq!(answer(ErrorKind::Cancelled), Err(ErrorKind::Cancelled));
    let told_to =
        step(failing("call", "boom".with_kind(ErrorKind::Cancelled))).fallback(fallback(double).when(|_| true));
    assert_eq!(engine.block_on(told_to.run(3, &engine.context())).unwrap(), 6);
}

#[test]
fn a_panic_is_a_failure_of_the_primary_and_of_a_fallback() {
    let engine = TestEngine::new();
    let panics = |name: &'static str| Mock::<u32, u32>::new(name).panics(format!("{name} exploded"));
    let flow = workflow("explodes", panics("first")).fallback(fallback(panics("second")).or(double));
    assert_eq!(engine.block_on(flow.run(3, &context(&engine))).unwrap(), 6);
    let all = workflow("explodes", panics("first")).or_else(panics("second"));
    let error = engine.block_on(all.run(3, &context(&engine))).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "panic error in `first`: all 2 ways failed: primary: first exploded; second: second exploded\n  \
         caused by: first exploded"
    );
    insta::assert_snapshot!(engine.tree(), @r"
    explodes
    ╰─ first (mock)
       ├─ primary ✗ handled
       │     panic: first exploded
       ├─ second (mock) ✗ handled
       │     panic: second exploded
       ╰─ double
    explodes ✗
    │  panic: all 2 ways failed: primary: first exploded; second: second exploded
    ╰─ first (mock) ✗
       │  panic: all 2 ways failed: primary: first exploded; second: second exploded
       │  caused by: first exploded
       ├─ primary ✗
       │     panic: first exploded
       ╰─ second (mock) ✗
             panic: second exploded
    ");
}

#[test]
fn a_panic_in_the_predicate_is_the_steps_error() {
    let engine = TestEngine::new();
    let flow = workflow("asks", refuse).fallback(fallback(double).when(|error| panic!("cannot judge {error}")));
    let error = engine.block_on(flow.run(3, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `refuse`: cannot judge 3 is refused");
}

/// Fails, and stops the run before.
async fn stop_and_fail(x: u32, cx: Context) -> Result<u32> {
    cx.cancel_handle().cancel();
    refuse(x).await.map_err(Error::from_any)
}

#[test]
fn no_fallback_starts_once_the_run_was_told_to_stop() {
    let engine = TestEngine::new();
    let never = Mock::new("never").returns(1_u32);
    let flow = workflow("stops", with_context(stop_and_fail)).fallback(fallback(never.clone()).when(|_| true));
    let error = engine.block_on(flow.run(3, &context(&engine))).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "cancelled error in `stop_and_fail > never`: the run was told to stop before this step began"
    );
    // The same between two fallbacks.
    let others = fallback(with_context(stop_and_fail)).or(never.clone());
    let error = engine.block_on(workflow("stops", refuse).fallback(others).run(3, &context(&engine))).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "cancelled error in `refuse > never`: the run was told to stop before this step began"
    );
    assert_eq!(never.call_count(), 0);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    stops ⊘ cancelled
    │  correlation.id = c-1
    │  error.type = cancelled
    │  error.message = the run was told to stop before this step began
    │  error.path = stop_and_fail > never
    ╰─ stop_and_fail ⊘ cancelled
       │  error.type = cancelled
       │  error.message = the run was told to stop before this step began
       ╰─ primary ✗
             app: 3 is refused
    stops ⊘ cancelled
    │  correlation.id = c-1
    │  error.type = cancelled
    │  error.message = the run was told to stop before this step began
    │  error.path = refuse > never
    ╰─ refuse ⊘ cancelled
       │  error.type = cancelled
       │  error.message = the run was told to stop before this step began
       ├─ primary ✗
       │     app: 3 is refused
       ╰─ stop_and_fail ✗
             app: 3 is refused
    ");
}

/// Whatever the predicate says, a way that stopped because it was told to has not failed.
#[test]
fn a_fallback_that_was_told_to_stop_is_not_one_of_the_causes() {
    async fn stop(_: u32, cx: Context) -> Result<u32> {
        cx.cancel_handle().cancel();
        Err(Error::new(ErrorKind::Cancelled, "told to stop"))
    }
    let engine = TestEngine::new();
    let flow = workflow("stops", refuse).fallback(fallback(with_context(stop)).when(|_| true));
    let error = engine.block_on(flow.run(3, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "cancelled error in `refuse > stop`: told to stop");
}

#[test]
fn the_input_is_cloned_only_for_ways_that_others_may_follow() {
    async fn fail(_: Counted) -> Result<u32, String> {
        Err("no".to_owned())
    }
    async fn answer(_: Counted) -> Result<u32, String> {
        Ok(1)
    }
    let engine = TestEngine::new();
    let clones = |flow: tta_primitives::Workflow<Counted, u32>| {
        let (value, clones) = Counted::new();
        let _ = engine.block_on(flow.run(value, &engine.context()));
        clones.load(Ordering::SeqCst)
    };
    assert_eq!(clones(step(answer).fallback(fallback(fail).or(fail))), 1);
    assert_eq!(clones(step(fail).or_else(answer)), 1);
    assert_eq!(clones(step(fail).fallback(fallback(answer).or(fail))), 2);
    assert_eq!(clones(step(fail).fallback(fallback(fail).or(fail))), 2);
}

#[test]
fn dropping_the_run_closes_the_way_in_progress_as_cancelled() {
    let engine = TestEngine::new();
    start_and_drop(workflow("first", hang).or_else(double).run(1, &context(&engine)));
    start_and_drop(workflow("second", refuse).or_else(hang).run(1, &context(&engine)));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    first ⊘ cancelled
    │  correlation.id = c-1
    ╰─ hang ⊘ cancelled
       ╰─ primary ⊘ cancelled
    second ⊘ cancelled
    │  correlation.id = c-1
    ╰─ refuse ⊘ cancelled
       ├─ primary ✗
       │     app: 1 is refused
       ╰─ hang ⊘ cancelled
    ");
}

#[test]
fn what_a_fallback_records_hangs_below_it_and_its_executions_are_counted() {
    async fn flaky(x: u32, cx: Context) -> Result<u32> {
        cx.set("seen", x);
        cx.sleep(SECOND).await;
        cx.span("query").end();
        let tries = cx.state().update("tries", |tries: &mut u32| std::mem::replace(tries, 1)).unwrap();
        if tries == 0 { Err(Error::from_any("not yet")) } else { Ok(x) }
    }
    let engine = TestEngine::new();
    let retry = Retry::new().jitter(tta_primitives::Jitter::None).build().unwrap();
    let flow = workflow("loads", refuse).or_else(step(with_context(flaky)).retry(retry));
    let cx = context(&engine);
    assert_eq!(engine.block_on(flow.run(3, &cx)).unwrap(), 3);
    assert_eq!(cx.elapsed(), 3 * SECOND);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    loads
    │  correlation.id = c-1
    ╰─ refuse
       │  fallback.outcome = used
       │  fallback.used = flaky
       │  fallback.position = 1
       ├─ primary ✗ handled
       │     app: 3 is refused
       ╰─ flaky
          │  retry.outcome = recovered
          │  retry.attempts = 2
          ├─ attempt ✗ handled
          │  │  app: not yet
          │  │  attempt.number = 1
          │  │  retry.delay_ns = 1000000000
          │  │  seen = 3
          │  ╰─ query (span)
          ╰─ attempt
             │  attempt.number = 2
             │  seen = 3
             ╰─ query (span)
    ");
    let statistics = engine.telemetry().step_statistics();
    let mut counted: Vec<_> = statistics
        .iter()
        .map(|step| (step.name.as_str(), step.success, step.failure, Duration::from_nanos(step.durations.sum())))
        .collect();
    counted.sort();
    let took = 3 * SECOND;
    assert_eq!(counted, [("flaky", 1, 0, took), ("loads", 1, 0, took), ("refuse", 1, 0, took)]);
    let trace = &engine.traces()[0];
    let durations: Vec<_> = ["primary", "flaky"].map(|name| trace.find(name).unwrap().duration_ns).into();
    assert_eq!(durations, [0, 3_000_000_000]);
}

/// A run that a fallback saved has not failed, for sampling and for those who count.
#[test]
fn a_run_that_a_fallback_saved_counts_as_one_that_succeeded() {
    let engine = TestEngine::with(|builder| builder.sampling(tta_telemetry::Sampling::KeepFailed));
    assert_eq!(engine.block_on(step(refuse).or_else(double).run(3, &engine.context())).unwrap(), 6);
    assert_eq!(engine.traces().len(), 0);
    engine.block_on(step(refuse).or_else(refuse).run(3, &engine.context())).unwrap_err();
    assert_eq!(engine.traces()[0].find("refuse").unwrap().status, SpanStatus::Error);
}

#[test]
fn fallbacks_nest_and_join_other_decorators() {
    let engine = TestEngine::new();
    let retry = Retry::new().max_retries(1).jitter(tta_primitives::Jitter::None).build().unwrap();
    let flow = (step(increment) >> refuse).retry(retry).or_else(failing("second", "bang")).or_else(double);
    assert_eq!(engine.block_on(workflow("nests", flow.clone()).run(3, &engine.context())).unwrap(), 6);
    insta::assert_snapshot!(engine.tree(), @r"
    nests
    ╰─ sequential
       ├─ primary ✗ handled
       │  │  app: all 2 ways failed: primary: 4 is refused; second: bang
       │  │  caused by: 4 is refused
       │  ├─ primary ✗
       │  │  │  app: 4 is refused
       │  │  ├─ attempt ✗ handled
       │  │  │  │  app: 4 is refused
       │  │  │  ├─ increment
       │  │  │  ╰─ refuse ✗
       │  │  │        app: 4 is refused
       │  │  ╰─ attempt ✗
       │  │     │  app: 4 is refused
       │  │     ├─ increment
       │  │     ╰─ refuse ✗
       │  │           app: 4 is refused
       │  ╰─ second (mock) ✗
       │        app: bang
       ╰─ double
    ");
    insta::assert_snapshot!(flow.graph().to_text(), @r"
    sequential
    ╰─ sequential (fallback)
       ├─ primary: sequential (fallback)
       │  ├─ primary: sequential [retry 1]
       │  │  ├─ increment
       │  │  ╰─ refuse
       │  ╰─ or else: second (mock)
       ╰─ or else: double
    ");
}

#[test]
fn a_fallback_is_drawn_as_a_choice_of_the_primary_or_else_the_others() {
    let flow = workflow("drawn", step(double) >> refuse).fallback(fallback(increment).or(double)) >> increment;
    insta::assert_snapshot!(flow.graph().to_text(), @r"
    drawn (workflow)
    ├─ sequential (fallback)
    │  ├─ primary: sequential
    │  │  ├─ double
    │  │  ╰─ refuse
    │  ├─ or else: increment
    │  ╰─ or else: double
    ╰─ increment
    ");
    insta::assert_snapshot!(flow.graph().to_mermaid(), @r#"
    flowchart TD
        n0{"sequential (fallback)"}
        n1["double"]
        n2["refuse"]
        n3["increment"]
        n4["double"]
        n5["increment"]
        n0 -->|"primary"| n1
        n1 --> n2
        n0 -->|"or else"| n3
        n0 -->|"or else"| n4
        n2 --> n5
        n3 --> n5
        n4 --> n5
    "#);
}
