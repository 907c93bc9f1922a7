//! Sagas whose run is gone: dropped, timed out, lost to a sibling, or left without a runtime. What
//! was done is undone all the same, and a shutdown waits for it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Context, Result, Saga, Timeout, Workflow, named, saga, step, with_context, workflow};
use tta_telemetry::{Limits, Sampling, SpanStatus, Telemetry};

use super::saga::{Log, exact, undo};
use super::support::{MS, SECOND, context, double, give_way, hang, increment, on_runtime, poll_once, start_and_drop};

const LONG: Duration = Duration::from_secs(60);

/// Two steps that are undone, then one that never returns.
fn hanging(log: &Log) -> Saga<u32, u32> {
    let built = saga("book trip").step(double).compensate(undo(log, "cancel_flight"));
    let built = built.step(increment).compensate(undo(log, "cancel_hotel"));
    built.step(hang).uncompensated().build().unwrap()
}

/// A runtime of one thread, driven by whoever asks.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_dropped_run_is_undone_on_its_runtime_as_a_part_of_its_trace() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let runtime = runtime();
    runtime.block_on(async {
        start_and_drop(workflow("trips", hanging(&log)).run(1, &context(&engine)));
        assert!(log.take().is_empty(), "dropping does not wait");
        give_way().await;
        give_way().await;
    });
    assert_eq!(log.take(), ["cancel_hotel 3", "cancel_flight 2"]);
    assert!(engine.telemetry().shutdown_blocking(Duration::ZERO).complete);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    trips ⊘ cancelled
    │  correlation.id = c-1
    ╰─ book trip (saga) ⊘ cancelled
       ├─ double
       │     step.index = 0
       │     step.total = 3
       ├─ increment
       │     step.index = 1
       │     step.total = 3
       ├─ hang ⊘ cancelled
       │     step.index = 2
       │     step.total = 3
       ╰─ compensations (task)
          │  saga.outcome = compensated
          │  saga.compensated = 2
          │  saga.failed_step = hang
          │  saga.detached = true
          ├─ cancel_hotel (compensation)
          │  │  compensation.outcome = succeeded
          │  ╰─ attempt
          │        attempt.number = 1
          ╰─ cancel_flight (compensation)
             │  compensation.outcome = succeeded
             ╰─ attempt
                   attempt.number = 1
    ");
    let counts = engine.telemetry().decision_counts();
    let undone = counts.iter().find(|count| count.key.family == "saga" && count.outcome == "compensated").unwrap();
    assert_eq!((undone.count, undone.key.workflow.as_str()), (1, "trips"));
}

#[test]
fn a_run_dropped_before_anything_was_done_has_nothing_to_undo() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let built = saga("starts").step(hang).compensate(undo(&log, "never")).step(double).uncompensated();
    start_and_drop(workflow("trips", built.build().unwrap()).run(1, &engine.context()));
    assert!(engine.telemetry().shutdown_blocking(LONG).complete && log.take().is_empty());
    assert!(engine.telemetry().decision_counts().iter().all(|count| count.key.family != "saga" || count.count == 0));
}

/// Waits for others so many times in every step and compensation.
fn giving_way(log: &Log) -> Workflow<u32, u32> {
    let waits = |name: &'static str| {
        named(name, |x: u32| async move {
            give_way().await;
            give_way().await;
            Ok::<_, String>(x + 1)
        })
    };
    let undoes = |name: &'static str| {
        let log = log.clone();
        named(name, move |x: u32| {
            let log = log.clone();
            async move {
                give_way().await;
                log.note(format!("{name} {x}"));
                Ok::<_, String>(())
            }
        })
    };
    let built =
        saga("trip").step(waits("a")).compensate(undoes("undo a")).step(waits("b")).compensate(undoes("undo b"));
    let fails = named("fails", |_: u32| async {
        give_way().await;
        Err::<u32, _>("no")
    });
    workflow("trips", built.step(fails).uncompensated().build().unwrap())
}

/// Wherever a run is dropped, each step that had completed is undone exactly once, in order.
#[test]
fn dropped_at_every_await_whatever_had_completed_is_undone_once_in_order() {
    let runtime = runtime();
    let mut seen = Vec::new();
    for polls in 0..20 {
        let (engine, log) = (TestEngine::new(), Log::default());
        let flow = giving_way(&log);
        runtime.block_on(async {
            let mut ended = false;
            {
                let cx = engine.context();
                let mut run = pin!(flow.run(1, &cx));
                for _ in 0..polls {
                    if run.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready() {
                        ended = true;
                        break;
                    }
                }
            }
            let report = engine.drive(engine.telemetry().shutdown(LONG)).await;
            assert!(report.complete && report.open_runs == 0, "after {polls} polls");
            seen.push((ended, log.take()));
        });
    }
    let undone = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (none, one, both) = (undone(&[]), undone(&["undo a 2"]), undone(&["undo b 3", "undo a 2"]));
    assert_eq!(seen[0], (false, none.clone()));
    assert_eq!(seen[1], (false, none));
    assert!(seen.iter().any(|seen| *seen == (false, one.clone())));
    assert_eq!(seen[19], (true, both.clone()));
    let after = seen.iter().skip_while(|(_, log)| log.len() < 2);
    assert!(after.clone().count() > 5 && after.clone().all(|(_, log)| *log == both), "{seen:?}");
}

#[test]
fn a_timeout_around_a_saga_drops_it_and_it_is_undone() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let flow = workflow("trips", hanging(&log)).timeout(Timeout::after(SECOND).build().unwrap());
    let error = on_runtime(&engine, async {
        let error = flow.run(1, &engine.context()).await.unwrap_err();
        assert!(engine.telemetry().shutdown(LONG).await.complete);
        error
    });
    assert_eq!((error.to_string(), log.take().len()), ("no result within its timeout of 1s".to_owned(), 2));
}

#[test]
fn a_saga_in_a_branch_is_undone_when_a_sibling_fails() {
    async fn fails(_: u32, cx: Context) -> Result<u32> {
        cx.sleep(MS).await;
        Err(tta_primitives::Error::from_any("the sibling failed"))
    }
    for spawned in [false, true] {
        let (engine, log) = (TestEngine::new(), Log::default());
        let fan = || step(hanging(&log)) | with_context(fails);
        let fan = if spawned { workflow("trips", fan().spawned()) } else { workflow("trips", fan()) };
        let error = on_runtime(&engine, async {
            let error = fan.run(1, &engine.context()).await.unwrap_err();
            assert!(engine.telemetry().shutdown(LONG).await.complete);
            error
        });
        assert_eq!(error.to_string(), "the sibling failed");
        assert_eq!(log.take(), ["cancel_hotel 3", "cancel_flight 2"]);
    }
}

#[test]
fn without_a_runtime_a_dropped_run_is_undone_on_a_thread_of_its_own() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let seen = log.clone();
    let names_thread = named("names thread", move |_: u32| {
        let seen = seen.clone();
        async move {
            seen.note(std::thread::current().name().unwrap_or_default());
            tokio::task::yield_now().await;
            Ok::<_, String>(())
        }
    });
    let built = saga("trip").step(double).compensate(names_thread).step(hang).uncompensated().build().unwrap();
    start_and_drop(workflow("trips", built).run(1, &engine.context()));
    assert!(engine.telemetry().shutdown_blocking(LONG).complete);
    assert_eq!(log.take(), ["tta-compensation"]);
    assert_eq!(engine.traces()[0].find("compensations").unwrap().status, SpanStatus::Ok);
}

/// Compensations are bounded in time, so a runtime that cannot measure it will not do.
#[test]
fn a_run_dropped_on_a_runtime_without_a_timer_is_undone_on_a_thread_that_has_one() {
    let (log, telemetry) = (Log::default(), Telemetry::builder().build().unwrap());
    let seen = log.clone();
    let waits = named(
        "waits",
        with_context(move |_: u32, cx: Context| {
            let seen = seen.clone();
            async move {
                cx.sleep(MS).await;
                seen.note(std::thread::current().name().unwrap_or_default());
                Ok::<_, tta_primitives::Error>(())
            }
        }),
    );
    let built = saga("trip").step(double).compensate(waits).step(hang).uncompensated().build().unwrap();
    let cx = Context::on(telemetry.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { start_and_drop(workflow("trips", built).run(1, &cx)) });
    assert!(telemetry.shutdown_blocking(LONG).complete);
    assert_eq!(log.take(), ["tta-compensation"]);
}

/// Each once had a thread and a runtime of its own, which a busy server has not enough of.
#[test]
fn a_thousand_runs_that_are_dropped_at_once_are_undone_by_one_thread() {
    let engine = TestEngine::new();
    let (undone, threads) = (Arc::new(AtomicU32::new(0)), Arc::new(std::sync::Mutex::new(Vec::new())));
    let (count, seen) = (Arc::clone(&undone), Arc::clone(&threads));
    let (open, gate) = tokio::sync::watch::channel(false);
    let counts = named("counts", move |_: u32| {
        let (count, seen, mut gate) = (Arc::clone(&count), Arc::clone(&seen), gate.clone());
        async move {
            // None ends before all have begun to come, so that the thread is needed all the time.
            gate.wait_for(|open| *open).await.map_err(|_| "closed")?;
            seen.lock().unwrap().push(std::thread::current().id());
            count.fetch_add(1, Ordering::SeqCst);
            Ok::<_, &str>(())
        }
    });
    let built = saga("trip").step(double).compensate(counts).step(hang).uncompensated().build().unwrap();
    let flow = workflow("trips", built);
    (0..1_000).for_each(|_| start_and_drop(flow.run(1, &engine.context())));
    open.send(true).unwrap();
    assert!(engine.telemetry().shutdown_blocking(LONG).complete);
    assert_eq!(undone.load(Ordering::SeqCst), 1_000);
    let mut seen = std::mem::take(&mut *threads.lock().unwrap());
    seen.dedup();
    assert_eq!(seen.len(), 1);
    // When it is gone another one takes its place.
    start_and_drop(flow.run(1, &engine.context()));
    assert!(engine.telemetry().shutdown_blocking(LONG).complete);
    assert_eq!(undone.load(Ordering::SeqCst), 1_001);
}

/// What is under way when the runtime ends may wait for something of that runtime: it is begun
/// anew elsewhere.
#[test]
fn a_runtime_that_shuts_down_in_the_middle_hands_the_rest_to_a_thread() {
    for threads in [1, 2] {
        let (log, calls) = (Log::default(), Arc::new(AtomicU32::new(0)));
        let telemetry = Telemetry::builder().build().unwrap();
        let (called, started) = std::sync::mpsc::channel();
        let counted = Arc::clone(&calls);
        let waits = named(
            "waits",
            with_context(move |_: u32, cx: Context| {
                let (first, called) = (counted.fetch_add(1, Ordering::SeqCst) == 0, called.clone());
                async move {
                    if first {
                        called.send(()).unwrap();
                        cx.sleep(LONG).await;
                    }
                    cx.sleep(MS).await;
                    Ok::<_, tta_primitives::Error>(())
                }
            }),
        );
        let built = saga("trip").step(double).compensate(undo(&log, "first")).step(increment).compensate(waits);
        let flow = workflow("trips", built.step(hang).uncompensated().build().unwrap());
        let cx = Context::on(telemetry.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
        let _guard = runtime.enter();
        start_and_drop(flow.run(1, &cx));
        started.recv().unwrap();
        drop(_guard);
        runtime.shutdown_background();
        assert!(telemetry.shutdown_blocking(LONG).complete);
        assert_eq!((calls.load(Ordering::SeqCst), log.take()), (2, vec!["first 2".to_owned()]));
    }
}

/// The saga itself is dropped by the runtime that would have had to undo it.
#[test]
fn a_runtime_that_takes_the_saga_with_it_leaves_it_undone_by_a_thread() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let (flow, cx) = (workflow("trips", hanging(&log)), engine.context());
    let runtime = runtime();
    runtime.block_on(async {
        #[allow(clippy::disallowed_methods)]
        let _task = tokio::spawn(async move { flow.run(1, &cx).await });
        tokio::task::yield_now().await;
    });
    drop(runtime);
    assert!(engine.telemetry().shutdown_blocking(LONG).complete);
    assert_eq!(log.take(), ["cancel_hotel 3", "cancel_flight 2"]);
}

#[test]
fn a_compensation_under_way_when_the_run_is_dropped_goes_on_where_it_was() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let slow = Mock::new("slow").delays(SECOND).returns(());
    let built = saga("trip").step(double).compensate(undo(&log, "first")).step(increment).compensate(slow.clone());
    let fails = Mock::<u32, u32>::new("fails").fails(1, "no");
    let flow = workflow("trips", built.step(fails).uncompensated().build().unwrap());
    let cx = context(&engine);
    on_runtime(&engine, async {
        start_and_drop(flow.run(1, &cx));
        assert!(engine.telemetry().shutdown(LONG).await.complete);
    });
    assert_eq!((slow.call_count(), log.take(), cx.elapsed()), (1, vec!["first 2".to_owned()], SECOND));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    trips ⊘ cancelled
    │  correlation.id = c-1
    ╰─ trip (saga) ⊘ cancelled
       ├─ double
       │     step.index = 0
       │     step.total = 3
       ├─ increment
       │     step.index = 1
       │     step.total = 3
       ├─ fails (mock) ✗
       │     app: no
       │     step.index = 2
       │     step.total = 3
       ├─ slow (compensation)
       │  │  compensation.outcome = succeeded
       │  ╰─ attempt
       │        attempt.number = 1
       ╰─ compensations (task)
          │  saga.outcome = compensated
          │  saga.compensated = 2
          │  saga.failed_step = fails
          │  saga.detached = true
          ╰─ first (compensation)
             │  compensation.outcome = succeeded
             ╰─ attempt
                   attempt.number = 1
    ");
}

#[test]
fn what_hangs_or_fails_after_the_run_is_gone_is_cut_off_and_the_trace_is_a_failed_one() {
    let engine = TestEngine::with(|builder| {
        // What is undone long after the end of the run is a late part of its trace.
        let limits = Limits { decision_wait: LONG, ..Limits::default() };
        builder.sampling(Sampling::KeepFailed).limits(limits)
    });
    let log = Log::default();
    let stuck = named("stuck", |_: u32| std::future::pending::<Result<()>>());
    let refused = Mock::<u32, ()>::new("refused").fails(9, "no route");
    let built = saga("trip").step(double).compensate(undo(&log, "first")).step(increment).compensate(refused);
    let built = built.step(double).compensate(stuck).step(hang).uncompensated().compensation_retry(exact(0));
    let flow = workflow("trips", built.build().unwrap());
    let cx = context(&engine);
    on_runtime(&engine, async {
        start_and_drop(flow.run(1, &cx));
        assert!(engine.telemetry().shutdown(LONG).await.complete);
    });
    assert_eq!((cx.elapsed(), log.take()), (10 * SECOND, vec!["first 2".to_owned()]));
    let traces = engine.traces();
    assert_eq!(traces[0].class, tta_telemetry::TraceClass::Failed);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    trips ⊘ cancelled
    │  correlation.id = c-1
    ╰─ trip (saga) ⊘ cancelled
       ├─ double
       │     step.index = 0
       │     step.total = 4
       ├─ increment
       │     step.index = 1
       │     step.total = 4
       ├─ double
       │     step.index = 2
       │     step.total = 4
       ├─ hang ⊘ cancelled
       │     step.index = 3
       │     step.total = 4
       ╰─ compensations (task) ✗
          │  compensation: 2 of 3 compensations did not succeed
          │  saga.outcome = compensation_failed
          │  saga.compensated = 1
          │  saga.failed_step = hang
          │  saga.not_compensated = 2
          │  saga.detached = true
          ├─ stuck (compensation) ✗
          │  │  timeout: cut off after 10s, its share of the compensation timeout of
          │  │    30s
          │  │  compensation.outcome = cut_off
          │  ╰─ attempt ⊘ cancelled
          │        attempt.number = 1
          ├─ refused (compensation) ✗
          │  │  app: no route
          │  │  retry.outcome = exhausted
          │  │  retry.attempts = 1
          │  │  retry.last_error = app
          │  │  compensation.outcome = failed
          │  ╰─ attempt ✗
          │        app: no route
          │        attempt.number = 1
          ╰─ first (compensation)
             │  compensation.outcome = succeeded
             ╰─ attempt
                   attempt.number = 1
    ");
}

#[test]
fn what_a_shutdown_cannot_wait_for_is_named_compensation_by_compensation() {
    let log = Log::default();
    let telemetry = Telemetry::builder().build().unwrap();
    let cx = Context::on(telemetry.clone());
    let runtime = runtime();
    {
        let _inside = runtime.enter();
        start_and_drop(workflow("trips", hanging(&log)).run(1, &cx));
    }
    // Nobody drives the runtime.
    let report = telemetry.shutdown_blocking(Duration::ZERO);
    assert_eq!((report.complete, log.take().len()), (false, 0));
    assert_eq!(report.unfinished, ["book trip: cancel_flight", "book trip: cancel_hotel"]);
    // The runtime's end hands them to a thread, and a second shutdown finds them done.
    drop(runtime);
    assert!(telemetry.shutdown_blocking(LONG).complete);
    assert_eq!(log.take(), ["cancel_hotel 3", "cancel_flight 2"]);
}

#[test]
fn a_saga_that_has_completed_is_not_undone_when_its_run_is_dropped() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let done = saga("done").step(double).compensate(undo(&log, "a")).step(increment).compensate(undo(&log, "b"));
    let flow = workflow("trips", done.build().unwrap()) >> hang;
    let cx = engine.context();
    {
        let mut run = pin!(flow.run(1, &cx));
        assert!(poll_once(run.as_mut()).is_pending());
    }
    assert!(engine.telemetry().shutdown_blocking(LONG).complete && log.take().is_empty());
}

/// An outer saga that is dropped while an inner one undoes itself.
#[test]
fn nested_sagas_that_are_dropped_are_both_undone() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let outer = saga("outer").step(double).compensate(undo(&log, "outer")).step(hanging(&log)).uncompensated();
    let flow = workflow("trips", outer.build().unwrap());
    start_and_drop(flow.run(1, &engine.context()));
    assert!(engine.telemetry().shutdown_blocking(LONG).complete);
    let mut undone = log.take();
    undone.sort();
    assert_eq!(undone, ["cancel_flight 4", "cancel_hotel 5", "outer 2"]);
}

#[test]
fn an_engine_that_is_off_undoes_as_well() {
    let log = Log::default();
    let off = Telemetry::builder().enabled(false).build().unwrap();
    start_and_drop(step(hanging(&log)).run(1, &Context::on(off.clone())));
    assert!(off.shutdown_blocking(LONG).complete);
    assert_eq!(log.take(), ["cancel_hotel 3", "cancel_flight 2"]);
}
