//! Branches that lose: told to stop, given their grace, ended, wherever they run and whatever they
//! do. No task of a fan outlives it.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;
use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, IntoError, Joined, Result, Workflow, named, parallel, step, sync, with_context, workflow,
};
use tta_telemetry::{MemorySink, Telemetry};

use super::support::{
    MS, OnDrop, SECOND, double, give_way, hang, on_runtime, poll_once, refuse, start_and_drop, wait_a_second,
};

type Log = Arc<Mutex<Vec<String>>>;

fn entries(log: &Log) -> Vec<String> {
    let mut entries = log.lock().unwrap().clone();
    entries.sort();
    entries
}

/// What a branch does once it is told to stop.
#[derive(Clone, Copy)]
enum Told {
    Returns,
    Fails,
    Panics,
    Stops,
    /// Goes on as if it had not been told.
    Ignores,
}

/// Waits to be told to stop, and a second more; notes what it saw.
fn loser(log: &Log, name: &'static str, then: Told) -> Workflow<u32, u32> {
    let log = Arc::clone(log);
    let run = with_context(move |x: u32, cx: Context| {
        let log = Arc::clone(&log);
        async move {
            let note = |what: &str| log.lock().unwrap().push(format!("{name} {what} at {:?}", cx.elapsed()));
            let _guard = OnDrop(|| note("ended"));
            if matches!(then, Told::Ignores) {
                return std::future::pending().await;
            }
            cx.cancelled().await;
            note("was told");
            cx.sleep(SECOND).await;
            match then {
                Told::Fails => Err("too late".with_kind(ErrorKind::Upstream)),
                Told::Panics => panic!("{name} fell over"),
                Told::Stops => Err("wound up".with_kind(ErrorKind::Cancelled)),
                Told::Returns | Told::Ignores => Ok::<_, Error>(x),
            }
        }
    });
    step(named(name, run))
}

fn losers(log: &Log) -> Vec<Workflow<u32, u32>> {
    let winner = step(Mock::new("winner").delays(SECOND).returns(1_u32));
    vec![
        loser(log, "returns", Told::Returns),
        loser(log, "fails", Told::Fails),
        winner,
        loser(log, "panics", Told::Panics),
        loser(log, "stops", Told::Stops),
        loser(log, "ignores", Told::Ignores),
    ]
}

fn alive_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn threads(number: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(number).build().unwrap()
}

/// Lets other threads and tasks run until there is nothing left of them.
async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        std::thread::yield_now();
        give_way().await;
    }
}

#[test]
fn losers_are_told_and_wind_up_in_their_grace_and_what_they_do_in_it_changes_nothing() {
    for spawned in [false, true] {
        let engine = TestEngine::new();
        let log = Log::default();
        let fan = parallel(losers(&log)).any().cancel_grace(3 * SECOND);
        let flow = workflow("race", if spawned { fan.spawned() } else { fan });
        let cx = engine.context();
        assert_eq!(on_runtime(&engine, flow.run(7, &cx)).unwrap(), 1);
        assert_eq!(cx.elapsed(), 4 * SECOND, "one second, and the grace of the one that ignores it");
        assert_eq!(
            entries(&log),
            [
                "fails ended at 2s",
                "fails was told at 1s",
                "ignores ended at 4s",
                "panics ended at 2s",
                "panics was told at 1s",
                "returns ended at 2s",
                "returns was told at 1s",
                "stops ended at 2s",
                "stops was told at 1s",
            ]
        );
        insta::allow_duplicates! {
            insta::assert_snapshot!(engine.tree(), @r"
            race
            ╰─ parallel
               ├─ winner (mock)
               ├─ stops ⊘ cancelled
               ├─ panics ✗ handled
               │     panic: panics fell over
               ├─ fails ✗ handled
               │     upstream: too late
               ├─ returns
               ╰─ ignores ⊘ cancelled
            ");
        }
    }
}

#[test]
fn without_grace_losers_are_told_and_dropped_at_once() {
    for spawned in [false, true] {
        let engine = TestEngine::new();
        let log = Log::default();
        let fan = parallel(losers(&log)).any();
        let flow = workflow("race", if spawned { fan.spawned() } else { fan });
        let cx = engine.context();
        assert_eq!(on_runtime(&engine, flow.run(7, &cx)).unwrap(), 1);
        assert_eq!(cx.elapsed(), SECOND);
        let ended: Vec<_> = entries(&log).into_iter().filter(|entry| entry.contains("ended")).collect();
        let names = ["fails", "ignores", "panics", "returns", "stops"];
        assert_eq!(ended, names.map(|name| format!("{name} ended at 1s")));
        // In which order tasks end is up to the runtime.
        let tree = engine.tree();
        let mut branches: Vec<_> = tree.lines().skip(2).map(|line| line.trim_matches([' ', '├', '╰', '─'])).collect();
        branches.sort_unstable();
        assert_eq!(
            branches,
            [
                "fails ⊘ cancelled",
                "ignores ⊘ cancelled",
                "panics ⊘ cancelled",
                "returns ⊘ cancelled",
                "stops ⊘ cancelled",
                "winner (mock)"
            ]
        );
    }
}

#[test]
fn a_quorum_counts_and_returns_only_what_came_before_the_outcome_was_certain() {
    let engine = TestEngine::new();
    let log = Log::default();
    let mut branches = losers(&log);
    branches.insert(0, step(double));
    let fan = parallel(branches).quorum(NonZeroUsize::new(2).unwrap()).unwrap().cancel_grace(3 * SECOND);
    let flow = workflow("votes", fan);
    assert_eq!(engine.block_on(flow.run(7, &engine.context())).unwrap(), [14, 1]);
    let tree = engine.tree_with_attributes();
    assert!(tree.contains("parallel.succeeded = 2\n"), "{tree}");
    assert!(tree.contains("parallel.failed = 0\n"), "{tree}");
    // Those that failed in their grace failed nobody either.
    assert_eq!(tree.matches("✗ handled").count(), 2, "{tree}");
    assert_eq!(tree.matches('✗').count(), 2, "{tree}");
}

#[test]
fn losers_of_a_quorum_that_is_out_of_reach_are_ended_as_well_and_nothing_is_handled() {
    let engine = TestEngine::new();
    let log = Log::default();
    let fan = parallel(vec![loser(&log, "fails", Told::Fails), step(refuse), loser(&log, "stops", Told::Stops)]);
    let flow = workflow("votes", fan.quorum(NonZeroUsize::new(3).unwrap()).unwrap().cancel_grace(3 * SECOND));
    let cx = engine.context();
    let error = engine.block_on(flow.run(7, &cx)).unwrap_err();
    assert_eq!(error.to_string(), "no quorum of 3, 1 of 3 branches failed: refuse: 7 is refused");
    assert_eq!(cx.elapsed(), SECOND, "all have wound up before the grace is over");
    insta::assert_snapshot!(engine.tree(), @r"
    votes ✗
    │  app: no quorum of 3, 1 of 3 branches failed: refuse: 7 is refused
    ╰─ parallel ✗
       │  app: no quorum of 3, 1 of 3 branches failed: refuse: 7 is refused
       │  caused by: 7 is refused
       ├─ refuse ✗
       │     app: 7 is refused
       ╰─ fails ✗
             upstream: too late
    ");
}

#[test]
fn the_winner_is_not_told_to_stop_so_that_what_it_handed_out_goes_on() {
    async fn hand_out(_: u32) -> Result<Context, &'static str> {
        give_way().await;
        Context::current().ok_or("no context")
    }
    for spawned in [false, true] {
        let engine = TestEngine::new();
        let lost: Arc<Mutex<Option<Context>>> = Arc::default();
        let keep = Arc::clone(&lost);
        let loses = move |_: u32| {
            *keep.lock().unwrap() = Context::current();
            std::future::pending::<Result<Context>>()
        };
        let fan = step(loses) | hand_out;
        let fan = if spawned { fan.spawned() } else { fan };
        let two = NonZeroUsize::new(2).unwrap();
        let votes = step((step(hand_out) | fan.clone().any() | hand_out).quorum(two).unwrap());
        let flow = workflow("hands out", fan.any());
        let cx = engine.context();
        let winner = on_runtime(&engine, flow.run(7, &cx)).unwrap();
        let loser = lost.lock().unwrap().take().unwrap();
        assert_eq!((winner.is_cancelled(), loser.is_cancelled()), (false, true));
        let winners = on_runtime(&engine, votes.run(7, &cx)).unwrap();
        assert!(winners.len() == 2 && winners.iter().all(|winner| !winner.is_cancelled()));
        // It is still a part of its run.
        cx.cancel_handle().cancel();
        assert!(winner.is_cancelled() && winners.iter().all(Context::is_cancelled));
    }
}

#[test]
fn what_a_loser_held_is_free_when_the_run_returns() {
    for spawned in [false, true] {
        let engine = TestEngine::new();
        let permits = Arc::new(Semaphore::new(1));
        let taken = Arc::clone(&permits);
        let holds = step(move |x: u32| {
            let permits = Arc::clone(&taken);
            async move {
                let _permit = permits.acquire_owned().await.map_err(|error| error.to_string())?;
                hang(x).await
            }
        });
        let held = Arc::clone(&permits);
        let wins = sync(move |x: u32| if held.available_permits() == 0 { Ok(x) } else { Err("too early") });
        let later = step(with_context(wait_a_second)) >> wins;
        let fan = (holds | later).any();
        let flow = step(if spawned { fan.spawned() } else { fan });
        let permits_after = on_runtime(&engine, async {
            assert_eq!(flow.run(7, &engine.context()).await.unwrap(), 7);
            permits.available_permits()
        });
        assert_eq!(permits_after, 1, "spawned: {spawned}");
    }
}

/// Never returns, and panics when it is dropped.
fn panics_when_dropped(log: &Log) -> Workflow<u32, u32> {
    let log = Arc::clone(log);
    let run = move |x: u32| {
        let log = Arc::clone(&log);
        async move {
            let _guard = OnDrop(|| {
                log.lock().unwrap().push("dropped".to_owned());
                panic!("dropped the wrong way");
            });
            hang(x).await
        }
    };
    step(named("fragile", run))
}

#[test]
fn losers_that_panic_while_they_are_dropped_take_no_one_along() {
    for spawned in [false, true] {
        let engine = TestEngine::new();
        let log = Log::default();
        let fragile = || panics_when_dropped(&log);
        let fan = parallel(vec![fragile(), step(with_context(wait_a_second)), fragile(), fragile()]).any();
        let flow = workflow("race", if spawned { fan.spawned() } else { fan });
        assert_eq!(on_runtime(&engine, flow.run(7, &engine.context())).unwrap(), 7);
        assert_eq!(entries(&log), ["dropped"; 3]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(engine.tree(), @r"
            race
            ╰─ parallel
               ├─ wait_a_second
               ├─ fragile ⊘ cancelled
               ├─ fragile ⊘ cancelled
               ╰─ fragile ⊘ cancelled
            ");
        }
    }
}

#[test]
fn inputs_of_branches_that_never_started_may_panic_when_dropped() {
    /// Panics when dropped.
    #[derive(Clone)]
    struct Brittle;

    impl Drop for Brittle {
        fn drop(&mut self) {
            panic!("an input fell to pieces");
        }
    }

    async fn keep(input: Brittle) -> Result<u32, String> {
        std::mem::forget(input);
        Ok(1)
    }

    let engine = TestEngine::new();
    let flow = workflow("race", (step(keep) | keep | keep).any());
    assert_eq!(engine.block_on(flow.run(Brittle, &engine.context())).unwrap(), 1);
    assert_eq!(engine.tree(), "race\n╰─ parallel\n   ╰─ keep\n");
}

/// The set of running branches leaked those behind the first that panicked, so that the run's trace
/// never ended.
#[test]
fn branches_that_panic_while_a_run_is_dropped_do_not_keep_it_open() {
    let engine = TestEngine::new();
    let log = Log::default();
    let flow = workflow("dropped", parallel(vec![panics_when_dropped(&log), panics_when_dropped(&log), step(hang)]));
    start_and_drop(flow.run(7, &engine.context()));
    assert_eq!(entries(&log), ["dropped"; 2]);
    insta::assert_snapshot!(engine.tree(), @r"
    dropped ⊘ cancelled
    ╰─ parallel ⊘ cancelled
       ├─ hang ⊘ cancelled
       ├─ fragile ⊘ cancelled
       ╰─ fragile ⊘ cancelled
    ");
}

#[test]
fn a_branch_that_panics_while_its_work_is_cleared_away_has_failed() {
    /// Ready at once, and panics when dropped.
    struct Fragile;

    impl Future for Fragile {
        type Output = Result<u32>;

        fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<u32>> {
            std::task::Poll::Ready(Ok(1))
        }
    }

    impl Drop for Fragile {
        fn drop(&mut self) {
            panic!("dropped the wrong way");
        }
    }

    for spawned in [false, true] {
        let engine = TestEngine::new();
        let fan = |fan: tta_primitives::Parallel<u32, (u32, u32)>| if spawned { fan.spawned() } else { fan };
        let saved = workflow("saved", fan(step(named("fragile", |_: u32| Fragile)) | double).any());
        assert_eq!(on_runtime(&engine, saved.run(7, &engine.context())).unwrap(), 14);
        let lost = workflow("lost", fan(step(named("fragile", |_: u32| Fragile)) | double));
        let error = on_runtime(&engine, lost.run(7, &engine.context())).unwrap_err();
        assert_eq!(format!("{error:?}"), "panic error in `parallel > fragile`: dropped the wrong way");
    }
}

#[test]
fn no_task_is_left_when_a_join_of_spawned_branches_returns() {
    let engine = TestEngine::new();
    let flow = workflow("tasks", parallel(losers(&Log::default())).spawned().any());
    on_runtime(&engine, async {
        assert_eq!(flow.run(7, &engine.context()).await.unwrap(), 1);
        assert_eq!(alive_tasks(), 0);
        // Every branch has closed its span, so the trace is whole.
        assert_eq!(engine.traces()[0].spans.len(), 8);
    });

    // On other threads a task is gone a moment after its end was seen.
    threads(2).block_on(engine.drive(async {
        for _ in 0..20 {
            assert_eq!(flow.run(7, &engine.context()).await.unwrap(), 1);
            until(|| alive_tasks() == 0).await;
        }
    }));
    assert_eq!(engine.traces().len(), 21);
}

#[test]
fn no_task_is_left_when_the_first_error_ends_a_fan_of_spawned_branches() {
    let engine = TestEngine::new();
    let flow = step(parallel(vec![step(hang), step(refuse), step(hang)]).spawned());
    on_runtime(&engine, async {
        assert!(flow.run(7, &engine.context()).await.is_err());
        assert_eq!(alive_tasks(), 0);
    });
    insta::assert_snapshot!(engine.tree(), @r"
    sequential ✗
    │  app: 7 is refused
    ╰─ parallel ✗
       │  app: 7 is refused
       ├─ refuse ✗
       │     app: 7 is refused
       ├─ hang ⊘ cancelled
       ╰─ hang ⊘ cancelled
    ");
}

#[test]
fn no_task_is_left_when_a_run_is_dropped_before_or_after_its_outcome_is_certain() {
    for runtime in [one_thread(), threads(2)] {
        let engine = TestEngine::new();
        let log = Log::default();
        let flow = workflow("tasks", parallel(losers(&log)).spawned().any().cancel_grace(3 * SECOND));
        for has_winner in [false, true] {
            runtime.block_on(async {
                let cx = engine.context();
                {
                    let mut run = pin!(flow.run(7, &cx));
                    let mut goes_on = || assert!(poll_once(run.as_mut()).is_pending(), "the run goes on");
                    until(|| {
                        goes_on();
                        // All have started, and the winner waits.
                        engine.telemetry().counters().active_branches == 6 && engine.clock().sleepers() == 1
                    })
                    .await;
                    if has_winner {
                        engine.clock().advance(SECOND);
                        until(|| {
                            goes_on();
                            // Four wind up, and the fan waits for them.
                            engine.clock().sleepers() == 5
                        })
                        .await;
                    }
                    assert!(alive_tasks() >= 5);
                }
                until(|| alive_tasks() == 0).await;
            });
        }
        let traces = engine.traces();
        assert_eq!(traces.iter().map(|trace| trace.spans.len()).collect::<Vec<_>>(), [8, 8], "every span has closed");
        assert_eq!(engine.clock().sleepers(), 0, "no timer is left behind");
    }
}

/// Computes, without a pause, until it is released; fails then if it is told to.
fn computes(release: &Arc<AtomicBool>, begun: Sender<()>) -> Workflow<u32, u32> {
    let (release, begun) = (Arc::clone(release), Mutex::new(begun));
    let run = sync(move |x: u32| {
        begun.lock().unwrap().send(()).map_err(|error| error.to_string())?;
        while !release.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        if x == 0 { Err("it came to nothing".to_owned()) } else { Ok(x) }
    });
    step(named("computes", run))
}

/// Succeeds once the other branch computes.
fn wins_once(begun: std::sync::mpsc::Receiver<()>) -> Workflow<u32, u32> {
    let begun = Mutex::new(begun);
    step(named("wins", sync(move |x: u32| begun.lock().unwrap().recv().map(|()| x))))
}

fn race_with_a_computation(release: &Arc<AtomicBool>) -> Joined<u32, u32> {
    let (send, receive) = channel();
    (computes(release, send) | wins_once(receive)).spawned().any()
}

#[test]
fn a_loser_in_the_middle_of_a_computation_cannot_be_stopped_and_holds_the_winner_up_for_10_ms_only() {
    let engine = TestEngine::new();
    let release = Arc::new(AtomicBool::new(false));
    let flow = workflow("race", race_with_a_computation(&release));
    let cx = engine.context();
    threads(2).block_on(async {
        assert_eq!(engine.drive(flow.run(7, &cx)).await.unwrap(), 7);
        assert_eq!(cx.elapsed(), 10 * MS);
        until(|| alive_tasks() <= 1).await;
        assert_eq!(alive_tasks(), 1, "the computation goes on");
        release.store(true, Ordering::Release);
        until(|| alive_tasks() == 0).await;
    });
    insta::assert_snapshot!(engine.tree(), @r"
    race
    ╰─ parallel
       ├─ wins
       ╰─ computes
    ");
}

#[test]
fn the_error_of_a_computation_that_went_on_is_handled_as_well() {
    let engine = TestEngine::new();
    let release = Arc::new(AtomicBool::new(false));
    let flow = workflow("race", race_with_a_computation(&release));
    threads(2).block_on(async {
        assert_eq!(engine.drive(flow.run(0, &engine.context())).await.unwrap(), 0);
        assert_eq!(engine.traces().len(), 0, "it is still a part of the trace");
        release.store(true, Ordering::Release);
        until(|| alive_tasks() == 0).await;
    });
    insta::assert_snapshot!(engine.tree(), @r"
    race
    ╰─ parallel
       ├─ wins
       ╰─ computes ✗ handled
             app: it came to nothing
    ");
}

#[test]
fn ending_tasks_needs_no_timers_of_the_runtime() {
    let memory = MemorySink::new();
    let telemetry = Telemetry::builder().sink(memory.clone()).by_hand().build().unwrap();
    let cx = Context::on(telemetry.clone());
    let release = Arc::new(AtomicBool::new(false));
    let stuck = workflow("stuck", race_with_a_computation(&release));
    let waits = workflow("waits", (step(hang) | double | hang).spawned().any());
    // No `enable_time`: a timer would panic.
    threads(2).block_on(async {
        assert_eq!(waits.run(7, &cx).await.unwrap(), 14);
        until(|| alive_tasks() == 0).await;
        let before = cx.elapsed();
        assert_eq!(stuck.run(7, &cx).await.unwrap(), 7);
        assert!(cx.elapsed() - before >= Duration::from_millis(10));
        release.store(true, Ordering::Release);
        until(|| alive_tasks() == 0).await;
    });
    assert!(telemetry.flush_blocking(Duration::ZERO).complete);
    assert_eq!(memory.traces().len(), 2);
}
