//! Fans: order, concurrency, tasks of their own, the first error.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context as Task, Waker};

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Error, Workflow, parallel, step, sync, workflow};

use super::support::{SECOND, context, double, give_way, increment, on_runtime, refuse};

/// Counts how many of the branches run at once, and the most that ever did.
#[derive(Clone, Default)]
struct Gauge(Arc<(AtomicUsize, AtomicUsize)>);

impl Gauge {
    fn branch(&self, turns: usize) -> Workflow<u32, u32> {
        let Self(gauge) = self.clone();
        step(move |x: u32| {
            let gauge = Arc::clone(&gauge);
            async move {
                let now = gauge.0.fetch_add(1, Ordering::SeqCst) + 1;
                gauge.1.fetch_max(now, Ordering::SeqCst);
                for _ in 0..turns {
                    give_way().await;
                }
                gauge.0.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, String>(x)
            }
        })
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

#[test]
fn results_come_in_the_order_of_the_branches_whichever_ends_first() {
    let engine = TestEngine::new();
    let takes = |seconds: u32| step(Mock::new(format!("takes {seconds}")).delays(SECOND * seconds).returns(seconds));
    for spawned in [false, true] {
        let fan = parallel(vec![takes(3), takes(1), takes(2)]);
        let flow = step(if spawned { fan.spawned() } else { fan });
        let cx = engine.context();
        assert_eq!(on_runtime(&engine, flow.run((), &cx)).unwrap(), [3, 1, 2]);
        assert_eq!(cx.elapsed(), 3 * SECOND, "side by side they take as long as the slowest");
    }
}

#[test]
fn no_more_branches_run_at_once_than_were_allowed() {
    for (branches, allowed, most) in [(6, 1, 1), (6, 2, 2), (6, 4, 4), (3, 10, 3)] {
        for spawned in [false, true] {
            let engine = TestEngine::new();
            let gauge = Gauge::default();
            // Branches of different lengths, so that the turns are not taken in step.
            let fan = parallel((0..branches).map(|i| gauge.branch(3 + i % 3)).collect());
            let fan = fan.max_concurrency(NonZeroUsize::new(allowed).unwrap());
            let flow = step(if spawned { fan.spawned() } else { fan });
            let results = on_runtime(&engine, flow.run(7, &engine.context())).unwrap();
            assert_eq!((results, gauge.most()), (vec![7; branches], most), "spawned: {spawned}");
        }
    }
}

#[test]
fn without_a_bound_all_branches_run_at_once() {
    let engine = TestEngine::new();
    let gauge = Gauge::default();
    let flow = step(parallel((0..50).map(|_| gauge.branch(1)).collect()));
    engine.block_on(flow.run(7, &engine.context())).unwrap();
    assert_eq!(gauge.most(), 50);
}

#[test]
fn branches_on_one_task_share_its_thread_and_spawned_ones_can_run_on_several_at_once() {
    // Both branches block until both are there: only possible on two threads.
    let meeting = Arc::new(Barrier::new(2));
    let meet = sync(move |x: u32| {
        meeting.wait();
        Ok::<_, String>(x)
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let engine = TestEngine::new();
    let flow = workflow("meets", (step(meet.clone()) | meet).spawned());
    let cx = engine.context();
    // The future itself is polled on this thread, so both workers are free for the branches.
    assert_eq!(runtime.block_on(flow.run(3, &cx)).unwrap(), (3, 3));

    let threads = sync(|_: u32| Ok::<_, String>(std::thread::current().id()));
    let flow = step(step(threads.clone()) | threads);
    let (a, b) = runtime.block_on(flow.run(3, &cx)).unwrap();
    assert_eq!((a, b), (std::thread::current().id(), std::thread::current().id()));
}

#[test]
fn spawned_branches_without_a_runtime_fail_and_say_what_they_need() {
    let engine = TestEngine::new();
    let flow = step((step(double) | increment).spawned());
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "internal error in `parallel`: spawned branches need a tokio runtime, none is running here"
    );
}

#[test]
fn the_first_error_in_time_wins_whatever_its_place() {
    let engine = TestEngine::new();
    let fails =
        |seconds: u32| Mock::<u32, u32>::new("fails").delays(SECOND * seconds).fails(1, format!("after {seconds} s"));
    for spawned in [false, true] {
        let fan = step(fails(3)) | fails(1) | fails(2);
        let flow = workflow("race", if spawned { fan.spawned() } else { fan });
        let cx = engine.context();
        let error = on_runtime(&engine, flow.run(1, &cx)).unwrap_err();
        assert_eq!(format!("{error:?}"), "app error in `parallel > fails`: after 1 s");
        assert_eq!(cx.elapsed(), SECOND);
    }
}

#[test]
fn branches_that_wait_their_turn_never_start_once_one_has_failed() {
    let engine = TestEngine::new();
    let late = Mock::new("late").returns(1_u32);
    let fan = parallel(vec![step(double), step(refuse), step(late.clone())]);
    let flow = workflow("stops", fan.max_concurrency(NonZeroUsize::MIN));
    let error: Error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!(error.to_string(), "1 is refused");
    assert_eq!(late.call_count(), 0);
    insta::assert_snapshot!(engine.tree(), @r"
    stops ✗
    │  app: 1 is refused
    ╰─ parallel ✗
       │  app: 1 is refused
       ├─ double
       ╰─ refuse ✗
             app: 1 is refused
    ");
}

#[test]
fn every_branch_has_its_place_and_fans_can_be_named_and_nested() {
    let engine = TestEngine::new();
    let inner = (step(double) | increment).named("inner fan");
    let flow = workflow("nested fans", (step(inner) | double | increment).named("outer fan"));
    assert_eq!(engine.block_on(flow.run(1, &context(&engine))).unwrap(), ((2, 2), 2, 2));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    nested fans
    │  correlation.id = c-1
    ╰─ outer fan (parallel)
       ├─ inner fan (parallel)
       │  │  branch.index = 0
       │  │  branch.total = 3
       │  ├─ double
       │  │     branch.index = 0
       │  │     branch.total = 2
       │  ╰─ increment
       │        branch.index = 1
       │        branch.total = 2
       ├─ double
       │     branch.index = 1
       │     branch.total = 3
       ╰─ increment
             branch.index = 2
             branch.total = 3
    ");
}

#[test]
fn a_fan_widened_later_keeps_its_name_and_settings() {
    let engine = TestEngine::new();
    let gauge = Gauge::default();
    let two = (step(gauge.branch(3)) | gauge.branch(3)).named("few at a time").max_concurrency(NonZeroUsize::MIN);
    let four = two | gauge.branch(3) | gauge.branch(3);
    assert_eq!(four.len(), 4);
    assert_eq!(engine.block_on(step(four).run(1, &engine.context())).unwrap(), (1, 1, 1, 1));
    assert_eq!(gauge.most(), 1);
    assert!(engine.tree().starts_with("sequential\n╰─ few at a time (parallel)\n"), "{}", engine.tree());
}

#[test]
fn a_run_can_be_repeated_and_overlap_itself() {
    let engine = TestEngine::new();
    let flow = workflow("overlaps", step(double) | increment)
        >> |(a, b): (u32, u32)| async move {
            give_way().await;
            Ok::<_, String>(a * 100 + b)
        };
    let cx = engine.context();
    let results = engine.block_on(futures_util::future::join_all((1..4).map(|x| flow.run(x, &cx))));
    let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(results, [202, 403, 604]);
}

#[test]
fn branches_count_as_active_while_they_run_also_when_one_fails_or_the_run_is_dropped() {
    let engine = TestEngine::new();
    let active = || engine.telemetry().counters().active_branches;
    let seen = {
        let telemetry = engine.telemetry().clone();
        sync(move |_: u32| Ok::<_, String>(telemetry.counters().active_branches))
    };
    let waits = || Mock::new("waits").delays(SECOND).returns(0_u64);
    let cx = engine.context();
    // The first two wait, so that both are active when the third looks.
    let counts = (step(waits()) | waits() | seen).named("fan");
    let (_, _, third) = engine.block_on(step(counts).run(1, &cx)).unwrap();
    assert_eq!((third, active()), (3, 0));

    let fails = step(waits()) | refuse;
    assert!(engine.block_on(step(fails).run(1, &cx)).is_err());
    assert_eq!(active(), 0);

    let flow = step(step(waits()) | waits());
    let mut run = Box::pin(flow.run(1, &cx));
    assert!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
    assert_eq!(active(), 2);
    drop(run);
    assert_eq!(active(), 0);
}
