//! Bulkheads: who gets in, who waits, who is turned away, and that no permit is ever lost.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Bulkhead, BulkheadBuilder, BulkheadFullError, BulkheadFullReason, BulkheadStats, Context, ErrorKind, Timeout,
    Workflow, step, with_context, workflow,
};
use tta_telemetry::{Decision, Severity, Telemetry};

use super::support::{MS, OnDrop, SECOND, context, double, give_way, hang, poll_once, start_and_drop, wait_a_second};

fn two() -> BulkheadBuilder {
    Bulkhead::named("db").max_concurrent(2)
}

fn one() -> BulkheadBuilder {
    Bulkhead::named("db").max_concurrent(1)
}

/// A step of one second in a bulkhead.
fn slow(bulkhead: &Bulkhead) -> Workflow<u32, u32> {
    workflow("slow", with_context(wait_a_second)).bulkhead(bulkhead.clone())
}

fn stats(change: impl FnOnce(&mut BulkheadStats)) -> BulkheadStats {
    let mut stats = BulkheadStats::default();
    change(&mut stats);
    stats
}

fn counts(telemetry: &Telemetry) -> Vec<(String, &'static str, u64)> {
    let counts = telemetry.decision_counts().into_iter().filter(|count| count.key.family == "bulkhead");
    let counts = counts.filter(|count| count.count > 0);
    counts.map(|count| (format!("{} {}", count.key.primitive, count.key.subject), count.outcome, count.count)).collect()
}

#[test]
fn a_call_that_finds_no_permit_and_no_queue_is_turned_away_at_once() {
    let engine = TestEngine::new();
    let bulkhead = two().build().unwrap();
    let flow = slow(&bulkhead);
    let cx = engine.context();
    let results = engine.block_on(join_all((0..3).map(|x| flow.run(x, &cx))));
    assert_eq!((results[0].as_ref().unwrap(), results[1].as_ref().unwrap()), (&0, &1));
    let error = results[2].as_ref().unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "bulkhead_full error in `wait_a_second`: bulkhead `db` is full: 2 at once, 0 queued"
    );
    let full = error.downcast_ref::<BulkheadFullError>().unwrap();
    assert_eq!((full.max_concurrent, full.queued, full.reason), (2, 0, BulkheadFullReason::QueueFull));
    let want = stats(|stats| (stats.admitted, stats.peak_active, stats.shed_queue_full) = (2, 2, 1));
    assert_eq!((bulkhead.stats(), cx.elapsed()), (want, SECOND));
}

#[test]
fn calls_are_admitted_in_the_order_in_which_they_came() {
    let engine = TestEngine::new();
    let bulkhead = one().max_queued(9).build().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&order);
    let flow = step(with_context(move |x: u32, cx: Context| {
        log.lock().unwrap().push(x);
        wait_a_second(x, cx)
    }))
    .bulkhead(bulkhead.clone());
    let cx = engine.context();
    let results = engine.block_on(join_all((0..10).map(|x| flow.run(x, &cx))));
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((order.lock().unwrap().clone(), cx.elapsed()), ((0..10).collect(), 10 * SECOND));
    let want = stats(|stats| (stats.admitted, stats.waited, stats.peak_active) = (10, 9, 1));
    assert_eq!(bulkhead.stats(), want);
}

#[test]
fn a_newcomer_does_not_pass_those_who_wait() {
    let engine = TestEngine::new();
    let bulkhead = one().max_queued(1).build().unwrap();
    let (flow, cx) = (slow(&bulkhead), engine.context());
    let mut waits = pin!(flow.run(1, &cx));
    {
        let mut runs = pin!(flow.run(0, &cx));
        assert!(poll_once(runs.as_mut()).is_pending() && poll_once(waits.as_mut()).is_pending());
    }
    // The permit is free, and it is promised.
    let late = engine.block_on(flow.run(2, &cx)).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::BulkheadFull);
    assert_eq!(engine.block_on(waits).unwrap(), 1);
}

#[test]
fn the_step_says_that_it_waited_and_how_long_and_nothing_when_it_did_not() {
    let engine = TestEngine::new();
    let bulkhead = one().max_queued(1).build().unwrap();
    let flow = slow(&bulkhead);
    let (first, second, third) = (context(&engine), context(&engine), context(&engine));
    let runs = async { futures_util::join!(flow.run(0, &first), flow.run(1, &second), flow.run(2, &third)) };
    let (a, b, c) = engine.block_on(runs);
    assert!(a.is_ok() && b.is_ok() && c.is_err());
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    slow ✗
    │  bulkhead_full: bulkhead `db` is full: 1 at once, 1 queued
    │  correlation.id = c-1
    │  error.path = wait_a_second
    ╰─ wait_a_second ✗
          bulkhead_full: bulkhead `db` is full: 1 at once, 1 queued
          bulkhead.outcome = queue_full
          bulkhead.name = db
    slow
    │  correlation.id = c-1
    ╰─ wait_a_second
    slow
    │  correlation.id = c-1
    ╰─ wait_a_second
          bulkhead.outcome = waited
          bulkhead.name = db
          bulkhead.waited_ns = 1000000000
    ");
    let at = || "wait_a_second db".to_owned();
    assert_eq!(counts(engine.telemetry()), [(at(), "admitted", 1), (at(), "waited", 1), (at(), "queue_full", 1)]);
}

#[test]
fn a_call_that_waits_too_long_is_turned_away_and_takes_no_permit_with_it() {
    let engine = TestEngine::new();
    let bulkhead = one().max_queued(2).max_wait(300 * MS).build().unwrap();
    let (flow, cx) = (slow(&bulkhead), engine.context());
    let (a, b) = engine.block_on(async { futures_util::join!(flow.run(0, &cx), flow.run(1, &cx)) });
    assert!(a.is_ok());
    let error = b.unwrap_err();
    assert_eq!(error.to_string(), "bulkhead `db` had no room within 300ms: 1 at once, 0 queued");
    let full = error.downcast_ref::<BulkheadFullError>().unwrap();
    assert_eq!((full.reason.as_str(), error.kind()), ("waited_too_long", ErrorKind::BulkheadFull));
    assert!(engine.block_on(flow.run(2, &cx)).is_ok());
    let want = stats(|stats| (stats.admitted, stats.peak_active, stats.shed_waited_too_long) = (2, 1, 1));
    assert_eq!(bulkhead.stats(), want);
    assert_eq!(
        counts(engine.telemetry()).iter().map(|count| count.1).collect::<Vec<_>>(),
        ["admitted", "waited_too_long"]
    );
}

#[test]
fn the_deadline_of_the_run_ends_the_wait_as_a_timeout() {
    let engine = TestEngine::new();
    let bulkhead = one().max_queued(2).max_wait(5 * SECOND).build().unwrap();
    let hold = step(hang).bulkhead(bulkhead.clone());
    let cx = engine.context();
    let mut held = pin!(hold.run(0, &cx));
    assert!(poll_once(held.as_mut()).is_pending());
    let hurried = Context::builder().telemetry(engine.telemetry().clone()).deadline(SECOND).build().unwrap();
    let error = engine.block_on(slow(&bulkhead).run(1, &hurried)).unwrap_err();
    assert_eq!((error.kind(), hurried.elapsed()), (ErrorKind::Timeout, SECOND));
    assert_eq!(error.to_string(), "bulkhead `db` had no room within the 1s left until the deadline");
    assert_eq!((bulkhead.stats().gave_up, bulkhead.stats().queued), (1, 0));
    assert_eq!(counts(engine.telemetry())[1].1, "deadline_passed");
}

#[test]
fn a_timeout_around_a_bulkhead_bounds_the_wait_and_speaks_for_itself() {
    let engine = TestEngine::new();
    let bulkhead = one().max_queued(1).build().unwrap();
    let hold = step(hang).bulkhead(bulkhead.clone());
    let cx = engine.context();
    let mut held = pin!(hold.run(0, &cx));
    assert!(poll_once(held.as_mut()).is_pending());
    let flow = slow(&bulkhead).timeout(Timeout::after(300 * MS).build().unwrap());
    let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
    assert_eq!(error.to_string(), "no result within its timeout of 300ms");
    assert_eq!((cx.elapsed(), bulkhead.stats().queued, bulkhead.stats().gave_up), (300 * MS, 0, 1));
}

#[test]
fn a_run_that_is_told_to_stop_leaves_the_queue() {
    let engine = TestEngine::new();
    let bulkhead = one().max_queued(1).build().unwrap();
    let (flow, cx, other) = (slow(&bulkhead), engine.context(), engine.context());
    let mut held = pin!(flow.run(0, &other));
    assert!(poll_once(held.as_mut()).is_pending());
    let stop = async {
        give_way().await;
        assert_eq!(bulkhead.stats().queued, 1);
        cx.cancel_handle().cancel();
    };
    let (result, ()) = engine.block_on(async { futures_util::join!(flow.run(1, &cx), stop) });
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "the run was told to stop while it waited for a bulkhead");
    assert_eq!((error.kind(), bulkhead.stats().gave_up, bulkhead.stats().queued), (ErrorKind::Cancelled, 1, 0));
    assert_eq!(counts(engine.telemetry())[1].1, "cancelled");
}

#[test]
fn permits_and_places_come_back_from_runs_that_are_dropped() {
    let engine = TestEngine::new();
    let bulkhead = one().max_queued(1).build().unwrap();
    let (flow, cx) = (slow(&bulkhead), engine.context());
    {
        let mut held = pin!(flow.run(0, &cx));
        assert!(poll_once(held.as_mut()).is_pending());
        start_and_drop(flow.run(1, &cx));
        let want = stats(|stats| {
            (stats.active, stats.admitted, stats.peak_active, stats.gave_up) = (1, 1, 1, 1);
        });
        assert_eq!(bulkhead.stats(), want);
    }
    assert_eq!(bulkhead.stats().active, 0);
    assert!(engine.block_on(flow.run(2, &cx)).is_ok());
    assert_eq!(counts(engine.telemetry()).iter().map(|count| count.1).collect::<Vec<_>>(), ["admitted", "abandoned"]);
}

/// A permit may have been handed to a call that is dropped before it is polled again.
#[test]
fn a_permit_that_was_promised_to_a_dropped_call_goes_to_the_next() {
    let engine = TestEngine::new();
    let bulkhead = one().max_queued(2).build().unwrap();
    let (flow, cx) = (slow(&bulkhead), engine.context());
    let mut last = pin!(flow.run(2, &cx));
    {
        let mut second = pin!(flow.run(1, &cx));
        {
            let mut first = pin!(flow.run(0, &cx));
            assert!(poll_once(first.as_mut()).is_pending() && poll_once(second.as_mut()).is_pending());
            assert!(poll_once(last.as_mut()).is_pending());
        }
    }
    assert_eq!(engine.block_on(last).unwrap(), 2);
    assert_eq!((bulkhead.stats().active, bulkhead.stats().queued, bulkhead.stats().gave_up), (0, 0, 1));
}

#[test]
fn permits_come_back_from_steps_that_panic() {
    let engine = TestEngine::new();
    let bulkhead = one().build().unwrap();
    let bad = Mock::<u32, u32>::new("bad").delays(SECOND).panics("boom");
    let flow = step(bad).bulkhead(bulkhead.clone());
    for _ in 0..3 {
        assert_eq!(engine.block_on(flow.run(0, &engine.context())).unwrap_err().kind(), ErrorKind::Panic);
    }
    assert_eq!((bulkhead.stats().active, bulkhead.stats().admitted), (0, 3));
}

#[test]
fn workflows_and_engines_share_the_permits_and_count_for_themselves() {
    let (engine, other) = (TestEngine::new(), TestEngine::new());
    let bulkhead = one().build().unwrap();
    let (here, there) = (slow(&bulkhead), step(double).bulkhead(bulkhead.clone()));
    let (cx, cx_there) = (engine.context(), other.context());
    let mut held = pin!(here.run(0, &cx));
    assert!(poll_once(held.as_mut()).is_pending());
    assert_eq!(other.block_on(there.run(1, &cx_there)).unwrap_err().kind(), ErrorKind::BulkheadFull);
    assert!(engine.block_on(held).is_ok());
    assert_eq!(other.block_on(there.run(1, &cx_there)).unwrap(), 2);
    assert_eq!(counts(engine.telemetry()), [("wait_a_second db".to_owned(), "admitted", 1)]);
    let at = || "double db".to_owned();
    assert_eq!(counts(other.telemetry()), [(at(), "admitted", 1), (at(), "queue_full", 1)]);
}

#[test]
fn an_engine_that_records_nothing_is_bounded_all_the_same() {
    let engine = TestEngine::new();
    let bulkhead = one().build().unwrap();
    let (flow, cx) = (slow(&bulkhead), Context::on(Telemetry::disabled()));
    let cx_held = engine.context();
    let mut held = pin!(flow.run(0, &cx_held));
    assert!(poll_once(held.as_mut()).is_pending());
    let quick = step(double).bulkhead(bulkhead.clone());
    let error = engine.block_on(quick.run(1, &cx)).unwrap_err();
    assert!(error.downcast_ref::<BulkheadFullError>().is_some());
}

#[test]
fn observers_hear_of_calls_that_are_turned_away_and_of_no_others() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let observer = move |decision: &Decision<'_>| log.lock().unwrap().push((decision.outcome, decision.severity));
    let engine = TestEngine::with(|builder| builder.observer(observer));
    let bulkhead = one().max_queued(1).build().unwrap();
    let (flow, cx) = (slow(&bulkhead), engine.context());
    engine.block_on(join_all((0..3).map(|x| flow.run(x, &cx))));
    assert_eq!(*heard.lock().unwrap(), [("queue_full", Severity::Warning)]);
}

#[test]
fn the_graph_names_the_bulkhead() {
    let queued = one().max_queued(5).build().unwrap();
    let text = step(double).bulkhead(two().build().unwrap()).graph().to_text();
    assert!(text.contains("double [bulkhead db 2]"), "{text}");
    let text = step(double).bulkhead(queued).graph().to_text();
    assert!(text.contains("double [bulkhead db 1 + 5 queued]"), "{text}");
}

#[test]
fn tasks_on_many_threads_are_never_inside_together_beyond_the_bound_and_all_get_in() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let bulkhead = Bulkhead::named("db").max_concurrent(3).max_queued(64).build().unwrap();
    let inside = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (counted, seen) = (Arc::clone(&inside), Arc::clone(&most));
    let flow = step(move |x: u32| {
        let (inside, most) = (Arc::clone(&counted), Arc::clone(&seen));
        async move {
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let _leaves = OnDrop(|| {
                inside.fetch_sub(1, Ordering::SeqCst);
            });
            give_way().await;
            Ok::<_, String>(x)
        }
    })
    .bulkhead(bulkhead.clone());
    let engine = TestEngine::new();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..16_u32)
            .map(|task| {
                let (flow, cx) = (flow.clone(), engine.context());
                runtime.spawn(async move {
                    for round in 0..200 {
                        if round % 7 == 3 {
                            // Here and there one gives up, wherever it stands.
                            drop(poll_once(pin!(flow.run(task, &cx))));
                        }
                        flow.run(task, &cx).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let stats = bulkhead.stats();
    assert!(most.load(Ordering::SeqCst) <= 3 && stats.peak_active <= 3, "{stats:?}");
    assert!(stats.admitted >= 3_200 && stats.waited > 0, "{stats:?}");
    assert_eq!((stats.active, stats.queued, stats.shed_queue_full), (0, 0, 0));
}
