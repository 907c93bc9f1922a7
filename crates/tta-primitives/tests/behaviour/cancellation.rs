//! Cancelling: a run that is dropped, a run that is told to stop, a branch that loses its siblings.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, IntoError, Result, Retry, Timeout, blocking, parallel, step, when, with_context,
    workflow,
};
use tta_telemetry::{Sampling, TraceClass};

use super::support::{
    MS, OnDrop, SECOND, context, double, give_way, hang, increment, on_runtime, poll_once, refuse, start_and_drop,
    wait_a_second,
};

type Log = Arc<Mutex<Vec<String>>>;

fn entries(log: &Log) -> Vec<String> {
    log.lock().unwrap().clone()
}

#[test]
fn a_dropped_run_closes_every_open_span_as_cancelled() {
    let engine = TestEngine::new();
    let again = Retry::new().initial_delay(MS).build().unwrap();
    let shaky = Mock::new("shaky").fails(1, "not yet").delays(5 * MS).returns(1_u32);
    let nested = workflow("nested", increment) >> when(|_: &u32| true, hang);
    let bounded = step(hang).timeout(Timeout::after(SECOND).build().unwrap());
    let flow = workflow("everything", double) >> (step(nested) | step(shaky).retry(again) | bounded | double);
    let cx = context(&engine);
    {
        let mut run = pin!(flow.run(1, &cx));
        assert!(poll_once(run.as_mut()).is_pending());
        // The first attempt fails, the backoff passes, the second attempt is under way.
        for _ in 0..2 {
            engine.clock().advance_to_next();
            assert!(poll_once(run.as_mut()).is_pending());
        }
        assert_eq!(engine.traces().len(), 0, "the run is not over");
    }
    insta::assert_snapshot!(engine.tree(), @r"
    everything ⊘ cancelled
    ├─ double
    ╰─ parallel ⊘ cancelled
       ├─ double
       ├─ shaky (mock) ⊘ cancelled
       │  ├─ attempt ✗ handled
       │  │     app: not yet
       │  ╰─ attempt ⊘ cancelled
       ├─ hang ⊘ cancelled
       ╰─ nested ⊘ cancelled
          ├─ increment
          ╰─ conditional ⊘ cancelled
             ╰─ hang ⊘ cancelled
    ");
    assert_eq!(engine.clock().sleepers(), 0, "no timer is left behind");
    assert_eq!(engine.traces()[0].class, TraceClass::Cancelled);
}

#[test]
fn a_run_dropped_in_its_backoff_leaves_the_failed_attempt_and_a_cancelled_step() {
    let engine = TestEngine::new();
    let flow = workflow("calls", refuse).retry(Retry::new().build().unwrap());
    start_and_drop(flow.run(1, &engine.context()));
    insta::assert_snapshot!(engine.tree(), @r"
    calls ⊘ cancelled
    ╰─ refuse ⊘ cancelled
       ╰─ attempt ✗ handled
             app: 1 is refused
    ");
}

#[test]
fn a_dropped_run_is_kept_and_counted_as_cancelled() {
    let engine = TestEngine::with(|builder| builder.sampling(Sampling::KeepFailed));
    let flow = workflow("waits", double) >> hang;
    start_and_drop(flow.run(1, &engine.context()));
    assert_eq!(engine.traces()[0].decision.reason.as_str(), "cancelled");
    let counted: Vec<_> = engine.telemetry().step_statistics();
    let counted: Vec<_> =
        counted.iter().map(|step| (step.name.as_str(), step.success, step.failure, step.cancelled)).collect();
    assert_eq!(counted, [("waits", 0, 0, 1), ("double", 1, 0, 0), ("hang", 0, 0, 1)]);
}

#[test]
fn a_dropped_run_that_was_never_polled_leaves_nothing() {
    let engine = TestEngine::new();
    drop(workflow("never", double).run(1, &engine.context()));
    assert_eq!(engine.tree(), "");
    assert_eq!(engine.telemetry().step_statistics(), []);
}

#[test]
fn the_steps_own_cleanup_runs_before_its_span_closes() {
    async fn tidy(_: u32, cx: Context) -> Result<u32> {
        let _cleanup = OnDrop(|| {
            cx.span("flush").end();
            cx.set("cleaned", true);
            cx.clock().as_manual().unwrap().advance(3 * MS);
        });
        std::future::pending().await
    }
    let engine = TestEngine::new();
    start_and_drop(workflow("cleans up", with_context(tidy)).run(1, &context(&engine)));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    cleans up ⊘ cancelled
    │  correlation.id = c-1
    ╰─ tidy ⊘ cancelled
       │  cleaned = true
       ╰─ flush (span)
    ");
    let traces = engine.traces();
    let durations: Vec<_> = traces[0].spans.iter().map(|span| (span.name.as_str(), span.duration_ns)).collect();
    assert_eq!(durations, [("cleans up", 3_000_000), ("flush", 0), ("tidy", 3_000_000)]);
}

#[test]
fn dropping_a_run_drops_its_spawned_branches() {
    let engine = TestEngine::new();
    let log = Log::default();
    let guarded = |name: &'static str| {
        let log = Arc::clone(&log);
        step(move |_: u32| {
            let log = Arc::clone(&log);
            async move {
                let _guard = OnDrop(|| log.lock().unwrap().push(format!("{name} dropped")));
                std::future::pending::<Result<u32, String>>().await
            }
        })
    };
    let flow = workflow("tasks", parallel(vec![guarded("first"), guarded("second")]).spawned());
    on_runtime(&engine, async {
        let cx = engine.context();
        {
            let mut run = pin!(flow.run(1, &cx));
            for _ in 0..3 {
                assert!(futures_util::poll!(run.as_mut()).is_pending());
                give_way().await;
            }
            assert_eq!(entries(&log), Vec::<String>::new());
        }
        for _ in 0..3 {
            give_way().await;
        }
    });
    let mut dropped = entries(&log);
    dropped.sort();
    assert_eq!(dropped, ["first dropped", "second dropped"]);
    insta::assert_snapshot!(engine.tree(), @r"
    tasks ⊘ cancelled
    ╰─ parallel ⊘ cancelled
       ├─ closure ⊘ cancelled
       ╰─ closure ⊘ cancelled
    ");
}

#[test]
fn a_blocking_function_of_a_dropped_run_runs_to_its_end_and_its_result_is_thrown_away() {
    let engine = TestEngine::new();
    let log = Log::default();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (wait, notes) = (Mutex::new(wait), Arc::clone(&log));
    let flow = workflow(
        "blocks",
        blocking(move |x: u32| {
            wait.lock().unwrap().recv().map_err(|error| error.to_string())?;
            notes.lock().unwrap().push("it went on".to_owned());
            Ok::<_, String>(x)
        }),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cx = engine.context();
    runtime.block_on(async { start_and_drop(flow.run(1, &cx)) });
    assert_eq!(entries(&log), Vec::<String>::new());
    go.send(()).unwrap();
    // Waits for the blocking threads.
    drop(runtime);
    assert_eq!(entries(&log), ["it went on"]);
    insta::assert_snapshot!(engine.tree(), @r"
    blocks ⊘ cancelled
    ╰─ closure ⊘ cancelled
    ");
}

#[test]
fn a_cancelled_run_ends_before_its_next_step() {
    async fn stop(x: u32, cx: Context) -> Result<u32> {
        cx.cancel_handle().cancel();
        Ok(x)
    }
    let engine = TestEngine::new();
    let after = Mock::new("after").returns(1_u32);
    let flow = workflow("stops", double) >> with_context(stop) >> after.clone();
    let cx = context(&engine);
    let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
    assert_eq!(format!("{error:?}"), "cancelled error in `after`: the run was told to stop before this step began");
    assert_eq!(after.call_count(), 0);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    stops ⊘ cancelled
    │  correlation.id = c-1
    │  error.type = cancelled
    │  error.message = the run was told to stop before this step began
    │  error.path = after
    ├─ double
    │     step.index = 0
    │     step.total = 3
    ╰─ stop
          step.index = 1
          step.total = 3
    ");
    assert_eq!(engine.traces()[0].class, TraceClass::Cancelled);
}

#[test]
fn the_owner_of_a_context_can_stop_its_run_from_outside_and_a_watchful_step_returns_early() {
    async fn watchful(x: u32, cx: Context) -> Result<u32> {
        tokio::select! {
            () = cx.cancelled() => Err("stopped early".with_kind(ErrorKind::Cancelled)),
            () = cx.sleep(SECOND) => Ok(x),
        }
    }
    let engine = TestEngine::new();
    let flow = workflow("watches", with_context(watchful)) >> double;
    let cx = engine.context();
    let stop = cx.cancel_handle();
    let result = engine.block_on(async {
        let run = flow.run(1, &cx);
        let stopper = async {
            cx.sleep(300 * MS).await;
            stop.cancel();
        };
        futures_util::join!(run, stopper).0
    });
    assert!(stop.is_cancelled() && cx.is_cancelled());
    assert_eq!(result.unwrap_err().to_string(), "stopped early");
    assert_eq!(cx.elapsed(), 300 * MS);
    insta::assert_snapshot!(engine.tree(), @r"
    watches ⊘ cancelled
    ╰─ watchful ⊘ cancelled
    ");
}

#[test]
fn a_cancelled_nested_workflow_and_fan_count_as_cancelled_not_as_failed() {
    async fn stop(x: u32, cx: Context) -> Result<u32> {
        cx.cancel_handle().cancel();
        Ok(x)
    }
    let engine = TestEngine::new();
    let branch = step(with_context(stop)) >> double;
    let flow = workflow("outer", increment) >> workflow("inner", step(branch) | increment);
    // The first branch stops its own fan only, so the run goes on to fail with the branch's error.
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    insta::assert_snapshot!(engine.tree(), @r"
    outer ⊘ cancelled
    ├─ increment
    ╰─ inner ⊘ cancelled
       ╰─ parallel ⊘ cancelled
          ╰─ sequential ⊘ cancelled
             ╰─ stop
    ");
    let counted = engine.telemetry().step_statistics();
    let counted: Vec<_> =
        counted.iter().map(|step| (&*step.name, step.success, step.failure, step.cancelled)).collect();
    let (ok, cancelled) = ((1, 0, 0), (0, 0, 1));
    let want = [("outer", cancelled), ("increment", ok), ("inner", cancelled), ("parallel", cancelled)];
    assert_eq!(counted[..4], want.map(|(name, (success, failure, stopped))| (name, success, failure, stopped)));
}

#[test]
fn a_cancelled_run_starts_no_waiting_branch() {
    async fn stop(x: u32, cx: Context) -> Result<u32> {
        let run = cx.state().get::<tta_primitives::CancelHandle>("run").map_err(Error::from_any)?;
        run.unwrap().cancel();
        Ok(x)
    }
    async fn remember(x: u32, cx: Context) -> Result<u32> {
        cx.state().set("run", cx.cancel_handle()).map_err(Error::from_any)?;
        Ok(x)
    }
    let engine = TestEngine::new();
    let second = Mock::new("second").returns(1_u32);
    let fan = parallel(vec![step(with_context(stop)), step(second.clone())]);
    let flow = workflow("stops", with_context(remember)) >> fan.max_concurrency(std::num::NonZeroUsize::MIN);
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "cancelled error in `parallel > second`: the run was told to stop before this step began"
    );
    assert_eq!(second.call_count(), 0);
}

#[test]
fn a_run_that_is_told_to_stop_does_not_wait_out_a_backoff() {
    let engine = TestEngine::new();
    let again = Retry::new().initial_delay(60 * SECOND).jitter(tta_primitives::Jitter::None).build().unwrap();
    let calls = Mock::<u32, u32>::new("calls").fails(9, "not yet");
    let flow = workflow("stops", calls.clone()).retry(again) >> double;
    let cx = context(&engine);
    let error = engine.block_on(async {
        let stopper = async {
            cx.sleep(SECOND).await;
            cx.cancel_handle().cancel();
        };
        futures_util::join!(flow.run(1, &cx), stopper).0.unwrap_err()
    });
    assert_eq!((cx.elapsed(), calls.call_count()), (SECOND, 1));
    assert_eq!(format!("{error:?}"), "cancelled error in `calls`: the run was told to stop before the next attempt");
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    stops ⊘ cancelled
    │  correlation.id = c-1
    │  error.type = cancelled
    │  error.message = the run was told to stop before the next attempt
    │  error.path = calls
    ╰─ calls (mock) ⊘ cancelled
       │  step.index = 0
       │  step.total = 2
       │  error.type = cancelled
       │  error.message = the run was told to stop before the next attempt
       │  retry.outcome = cancelled
       │  retry.attempts = 1
       ╰─ attempt ✗ handled
             app: not yet
             attempt.number = 1
             retry.delay_ns = 60000000000
    ");
}

/// Takes `duration`, or returns a second after it is told to stop; notes what it saw.
fn sibling(log: &Log, name: &'static str, duration: Duration, wind_up: Duration) -> tta_primitives::Workflow<u32, u32> {
    let log = Arc::clone(log);
    let run = with_context(move |x: u32, cx: Context| {
        let log = Arc::clone(&log);
        async move {
            let note = |what: &str| log.lock().unwrap().push(format!("{name} {what} at {:?}", cx.elapsed()));
            let _guard = OnDrop(|| note("ended"));
            cx.state().set(name, x).map_err(Error::from_any)?;
            tokio::select! {
                () = cx.sleep(duration) => return Ok::<_, Error>(x),
                () = cx.cancelled() => note("was told to stop"),
            }
            cx.sleep(wind_up).await;
            note("wound up");
            Err("wound up".with_kind(ErrorKind::Cancelled))
        }
    });
    workflow(name, run)
}

#[test]
fn the_first_error_drops_the_other_branches_at_once_when_there_is_no_grace() {
    let engine = TestEngine::new();
    let log = Log::default();
    let fails = Mock::new("fails").delays(SECOND).fails(1, "no use").returns(1_u32);
    let flow = workflow("fan", step(sibling(&log, "slow", 10 * SECOND, SECOND)) | fails);
    let cx = engine.context();
    let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
    assert_eq!((error.to_string(), cx.elapsed()), ("no use".to_owned(), SECOND));
    assert_eq!(entries(&log), ["slow ended at 1s"]);
    insta::assert_snapshot!(engine.tree(), @r"
    fan ✗
    │  app: no use
    ╰─ parallel ✗
       │  app: no use
       ├─ fails (mock) ✗
       │     app: no use
       ╰─ slow ⊘ cancelled
          ╰─ closure ⊘ cancelled
    ");
}

#[test]
fn within_its_grace_a_branch_that_was_told_to_stop_winds_up_and_one_that_is_too_slow_is_dropped() {
    let engine = TestEngine::new();
    let log = Log::default();
    let fails = Mock::new("fails").delays(SECOND).fails(1, "no use").returns(1_u32);
    let fan =
        step(sibling(&log, "quick", 10 * SECOND, SECOND)) | sibling(&log, "slow", 10 * SECOND, 5 * SECOND) | fails;
    let flow = workflow("fan", fan.cancel_grace(2 * SECOND));
    let cx = engine.context();
    let error = engine.block_on(flow.run(7, &cx)).unwrap_err();
    assert_eq!((error.to_string(), cx.elapsed()), ("no use".to_owned(), 3 * SECOND));
    assert_eq!(
        entries(&log),
        [
            "quick was told to stop at 1s",
            "slow was told to stop at 1s",
            "quick wound up at 2s",
            "quick ended at 2s",
            "slow ended at 3s",
        ]
    );
    insta::assert_snapshot!(engine.tree(), @r"
    fan ✗
    │  app: no use
    ╰─ parallel ✗
       │  app: no use
       ├─ fails (mock) ✗
       │     app: no use
       ├─ quick ⊘ cancelled
       │  ╰─ closure ⊘ cancelled
       ╰─ slow ⊘ cancelled
          ╰─ closure ⊘ cancelled
    ");
    // What the cancelled branches wrote stays.
    assert_eq!((cx.state().get("quick"), cx.state().get("slow")), (Ok(Some(7_u32)), Ok(Some(7_u32))));
}

#[test]
fn a_fan_whose_branches_have_all_wound_up_does_not_wait_out_its_grace() {
    let engine = TestEngine::new();
    let log = Log::default();
    let fan = step(sibling(&log, "quick", 10 * SECOND, SECOND)) | refuse;
    let flow = workflow("fan", fan.cancel_grace(60 * SECOND));
    let cx = engine.context();
    assert!(engine.block_on(flow.run(7, &cx)).is_err());
    assert_eq!(cx.elapsed(), SECOND);
}

#[test]
fn spawned_branches_are_told_given_their_grace_and_dropped_like_others() {
    let engine = TestEngine::new();
    let log = Log::default();
    let fails = Mock::new("fails").delays(SECOND).fails(1, "no use").returns(1_u32);
    let fan =
        step(sibling(&log, "quick", 10 * SECOND, SECOND)) | sibling(&log, "slow", 10 * SECOND, 5 * SECOND) | fails;
    let flow = workflow("fan", fan.cancel_grace(2 * SECOND).spawned());
    let cx = engine.context();
    on_runtime(&engine, async {
        assert_eq!(flow.run(7, &cx).await.unwrap_err().to_string(), "no use");
        // The runtime drops the task of the slow branch when its turn comes.
        for _ in 0..3 {
            give_way().await;
        }
    });
    let mut seen = entries(&log);
    seen.sort();
    assert_eq!(
        seen,
        [
            "quick ended at 2s",
            "quick was told to stop at 1s",
            "quick wound up at 2s",
            "slow ended at 3s",
            "slow was told to stop at 1s",
        ]
    );
    insta::assert_snapshot!(engine.tree(), @r"
    fan ✗
    │  app: no use
    ╰─ parallel ✗
       │  app: no use
       ├─ fails (mock) ✗
       │     app: no use
       ├─ quick ⊘ cancelled
       │  ╰─ closure ⊘ cancelled
       ╰─ slow ⊘ cancelled
          ╰─ closure ⊘ cancelled
    ");
}

#[test]
fn stopping_the_siblings_of_a_failed_branch_does_not_stop_the_run() {
    let engine = TestEngine::new();
    let fan = (step(refuse) | with_context(wait_a_second)).cancel_grace(SECOND);
    let rescued = step(fan).map(|(a, b)| a + b).retry(Retry::new().max_retries(1).build().unwrap());
    let flow = workflow("goes on", double) >> workflow("inner", rescued);
    let cx = engine.context();
    let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
    assert_eq!(error.to_string(), "2 is refused");
    assert!(!cx.is_cancelled());
}

#[test]
fn a_poll_after_the_end_of_the_siblings_is_not_needed_for_the_error_to_come_out() {
    let engine = TestEngine::new();
    let flow = step(step(hang) | refuse);
    let cx = engine.context();
    let mut run = pin!(flow.run(1, &cx));
    match poll_once(run.as_mut()) {
        Poll::Ready(result) => assert_eq!(result.unwrap_err().to_string(), "1 is refused"),
        Poll::Pending => panic!("the error waits for a branch that never ends"),
    }
}

#[test]
fn a_dropped_run_tells_those_who_hold_its_context_and_no_other_run() {
    let engine = TestEngine::new();
    let held: Arc<Mutex<Vec<Context>>> = Arc::default();
    let hold = {
        let held = Arc::clone(&held);
        with_context(move |x: u32, cx: Context| {
            held.lock().unwrap().push(cx);
            async move { Ok::<_, String>(x) }
        })
    };
    let flow = workflow("held", hold) >> hang;
    let cx = engine.context();
    let mut kept = pin!(flow.run(1, &cx));
    assert!(poll_once(kept.as_mut()).is_pending());
    start_and_drop(flow.run(2, &cx));
    let cancelled: Vec<bool> = held.lock().unwrap().iter().map(Context::is_cancelled).collect();
    assert_eq!((cancelled, cx.is_cancelled()), (vec![false, true], false));
    cx.cancel_handle().cancel();
    assert!(held.lock().unwrap().iter().all(Context::is_cancelled));
}

/// Waiters were once woken before the run said of itself that it is cancelled, so a retry that
/// asked in between tried once more.
#[test]
fn whoever_is_woken_by_a_cancellation_finds_the_run_cancelled() {
    struct Asks(Context, AtomicUsize);

    impl std::task::Wake for Asks {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(if self.0.is_cancelled() { 1 } else { 100 }, Ordering::SeqCst);
        }
    }

    let cx = Context::new();
    let asks = Arc::new(Asks(cx.clone(), AtomicUsize::new(0)));
    let waker = std::task::Waker::from(Arc::clone(&asks));
    let mut waits = pin!(cx.cancelled());
    assert!(waits.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    cx.cancel_handle().cancel();
    assert_eq!(asks.1.load(Ordering::SeqCst), 1);
}
