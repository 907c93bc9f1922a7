//! Loops: until when, how long between, what ends them, and what is recorded.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, Jitter, Repeat, RepeatBuilder, Result, Retry, Timeout, Workflow, step, with_context,
    workflow,
};
use tta_telemetry::{Limits, Value};

use super::support::{MS, SECOND, context, double, give_way, hang, increment, poll_once, refuse, start_and_drop};

fn up_to(policy: RepeatBuilder, most: u32) -> Workflow<u32, u32> {
    step(increment).repeat_until(policy.build().unwrap(), move |x| *x >= most)
}

/// How a loop ended, as its span says: iterations and outcome.
fn outcome(engine: &TestEngine) -> (i64, String) {
    let traces = engine.traces();
    let step = traces.last().unwrap().spans.iter().find(|span| span.attribute("repeat.outcome").is_some()).unwrap();
    let iterations = step.attribute("repeat.iterations").and_then(Value::as_i64).unwrap();
    (iterations, step.attribute("repeat.outcome").unwrap().to_string())
}

fn with_deadline(engine: &TestEngine, within: Duration) -> Context {
    Context::builder().telemetry(engine.telemetry().clone()).deadline(within).build().unwrap()
}

#[test]
fn steps_run_on_their_own_output_until_it_is_as_wanted() {
    let engine = TestEngine::new();
    let both = (step(increment) >> double).repeat_until(Repeat::at_most(3).build().unwrap(), |x| *x >= 10);
    let flow = workflow("grows", up_to(Repeat::at_most(5), 3)) >> both;
    assert_eq!(engine.block_on(flow.run(1, &context(&engine))).unwrap(), 18);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    grows
    │  correlation.id = c-1
    ├─ increment
    │  │  step.index = 0
    │  │  step.total = 2
    │  │  repeat.iterations = 2
    │  │  repeat.outcome = done
    │  ├─ iteration
    │  │     iteration.number = 1
    │  ╰─ iteration
    │        iteration.number = 2
    ╰─ sequential
       │  step.index = 1
       │  step.total = 2
       │  repeat.iterations = 2
       │  repeat.outcome = done
       ├─ iteration
       │  │  iteration.number = 1
       │  ├─ increment
       │  │     step.index = 0
       │  │     step.total = 2
       │  ╰─ double
       │        step.index = 1
       │        step.total = 2
       ╰─ iteration
          │  iteration.number = 2
          ├─ increment
          │     step.index = 0
          │     step.total = 2
          ╰─ double
                step.index = 1
                step.total = 2
    ");
}

#[test]
fn the_steps_run_once_even_when_their_input_is_as_wanted_already() {
    let engine = TestEngine::new();
    assert_eq!(engine.block_on(up_to(Repeat::at_most(1), 3).run(7, &engine.context())).unwrap(), 8);
    assert_eq!(outcome(&engine), (1, "done".to_owned()));
}

#[test]
fn reaching_the_bound_is_an_error_of_its_own_kind_that_names_it() {
    let engine = TestEngine::new();
    let flow = workflow("grows", up_to(Repeat::at_most(2), 9)) >> double;
    let error = engine.block_on(flow.run(0, &context(&engine))).unwrap_err();
    assert_eq!(format!("{error:?}"), "limit_reached error in `increment`: not done within its `max_iterations` of 2");
    assert_eq!((error.kind(), error.kind().as_str()), (ErrorKind::LimitReached, "limit_reached"));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    grows ✗
    │  limit_reached: not done within its `max_iterations` of 2
    │  correlation.id = c-1
    │  error.path = increment
    ╰─ increment ✗
       │  limit_reached: not done within its `max_iterations` of 2
       │  step.index = 0
       │  step.total = 2
       │  repeat.iterations = 2
       │  repeat.outcome = limit_reached
       ├─ iteration
       │     iteration.number = 1
       ╰─ iteration
             iteration.number = 2
    ");
}

#[test]
fn the_last_iteration_that_is_allowed_may_still_bring_it() {
    let engine = TestEngine::new();
    assert_eq!(engine.block_on(up_to(Repeat::at_most(3), 3).run(0, &engine.context())).unwrap(), 3);
    assert_eq!(outcome(&engine), (3, "done".to_owned()));
}

#[test]
fn the_last_output_is_kept_when_told_to_and_the_span_says_so() {
    let engine = TestEngine::new();
    let flow = workflow("grows", up_to(Repeat::at_most(2).or_keep_last(), 9)) >> double;
    assert_eq!(engine.block_on(flow.run(0, &engine.context())).unwrap(), 4);
    assert_eq!(outcome(&engine), (2, "limit_reached".to_owned()));
}

#[test]
fn the_first_error_ends_the_loop_and_is_the_steps() {
    let engine = TestEngine::new();
    let below =
        |most: u32| move |x: u32| async move { if x < most { Ok(x + 1) } else { Err(format!("{x} is too much")) } };
    let flow = workflow("grows", step(double).then_named("below", below(5)))
        .repeat_until(Repeat::at_most(9).build().unwrap(), |_| false);
    let error = engine.block_on(flow.run(1, &context(&engine))).unwrap_err();
    assert_eq!(format!("{error:?}"), "app error in `sequential > below`: 6 is too much");
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    grows ✗
    │  app: 6 is too much
    │  correlation.id = c-1
    │  error.path = sequential > below
    ╰─ sequential ✗
       │  app: 6 is too much
       │  repeat.iterations = 2
       │  repeat.outcome = failed
       ├─ iteration
       │  │  iteration.number = 1
       │  ├─ double
       │  │     step.index = 0
       │  │     step.total = 2
       │  ╰─ below
       │        step.index = 1
       │        step.total = 2
       ╰─ iteration ✗
          │  app: 6 is too much
          │  iteration.number = 2
          ├─ double
          │     step.index = 0
          │     step.total = 2
          ╰─ below ✗
                app: 6 is too much
                step.index = 1
                step.total = 2
    ");
}

#[test]
fn a_panic_in_the_predicate_is_the_steps_error_and_the_outcome_is_recorded() {
    let engine = TestEngine::new();
    let flow = step(increment).repeat_until(Repeat::at_most(9).build().unwrap(), |x| {
        assert!(*x < 2, "cannot judge {x}");
        false
    });
    let error = engine.block_on(flow.run(0, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `increment`: cannot judge 2");
    assert_eq!(outcome(&engine), (2, "failed".to_owned()));
}

#[test]
fn a_panic_in_an_iteration_is_the_steps_error() {
    let engine = TestEngine::new();
    let mock = Mock::<u32, u32>::new("calls").panics("exploded");
    let flow = step(mock.clone()).repeat_until(Repeat::at_most(9).build().unwrap(), |_| false);
    let error = engine.block_on(flow.run(0, &engine.context())).unwrap_err();
    assert_eq!((format!("{error:?}").as_str(), mock.call_count()), ("panic error in `calls`: exploded", 1));
    assert_eq!(outcome(&engine), (1, "failed".to_owned()));
}

#[test]
fn the_delay_is_between_iterations_and_not_around_them() {
    for (delay, want) in [(Duration::ZERO, Duration::ZERO), (SECOND, 3 * SECOND)] {
        let engine = TestEngine::new();
        let cx = engine.context();
        let flow = up_to(Repeat::at_most(4).delay(delay), 4);
        assert_eq!(engine.block_on(flow.run(0, &cx)).unwrap(), 4);
        assert_eq!(cx.elapsed(), want);
    }
}

#[test]
fn no_iteration_starts_after_the_deadline_and_none_is_waited_for() {
    let engine = TestEngine::new();
    // Iterations at 0 s, 1 s and 2 s: the next would start at the deadline.
    let cx = with_deadline(&engine, 3 * SECOND);
    let error = engine.block_on(up_to(Repeat::at_most(9).delay(SECOND), 9).run(0, &cx)).unwrap_err();
    assert_eq!(format!("{error:?}"), "timeout error in `increment`: the deadline passed before the next iteration");
    assert_eq!((cx.elapsed(), outcome(&engine)), (3 * SECOND, (3, "failed".to_owned())));
    // A moment more, and it does.
    let cx = with_deadline(&engine, 3 * SECOND + MS);
    engine.block_on(up_to(Repeat::at_most(9).delay(SECOND), 9).run(0, &cx)).unwrap_err();
    assert_eq!((cx.elapsed(), outcome(&engine).0), (3 * SECOND + MS, 4));
    // A delay longer than what is left is not waited out.
    let cx = with_deadline(&engine, 3 * SECOND);
    engine.block_on(up_to(Repeat::at_most(9).delay(3_600 * SECOND), 9).run(0, &cx)).unwrap_err();
    assert_eq!((cx.elapsed(), outcome(&engine).0), (3 * SECOND, 1));
}

/// A step that is always ready and takes a second each time.
async fn busy_second(x: u32, cx: Context) -> Result<u32> {
    cx.clock().as_manual().unwrap().advance(SECOND);
    Ok(x + 1)
}

#[test]
fn steps_that_never_wait_stop_at_the_deadline_too() {
    let engine = TestEngine::new();
    let cx = with_deadline(&engine, 100 * SECOND);
    let flow = step(with_context(busy_second)).repeat_until(Repeat::at_most(1_000).build().unwrap(), |_| false);
    assert_eq!(engine.block_on(flow.run(0, &cx)).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((cx.elapsed(), outcome(&engine)), (100 * SECOND, (100, "failed".to_owned())));
}

#[test]
fn a_timeout_around_a_loop_is_the_one_to_say_that_its_time_is_up() {
    for grace in [Duration::ZERO, SECOND] {
        let engine = TestEngine::new();
        let cx = engine.context();
        let instead = Mock::new("instead").returns(7_u32);
        let policy = Timeout::after(100 * SECOND).grace_period(grace).build().unwrap();
        let flow = up_to(Repeat::at_most(1_000).delay(10 * SECOND), 1_000).timeout_or(policy, instead.clone());
        assert_eq!(engine.block_on(flow.run(0, &cx)).unwrap(), 7);
        assert_eq!((instead.calls(), cx.elapsed()), (vec![0], 100 * SECOND));
        let traces = engine.traces();
        assert_eq!(traces[0].spans.iter().filter(|span| span.name == "iteration").count(), 10);
    }
}

#[test]
fn a_run_that_was_told_to_stop_starts_no_further_iteration() {
    async fn stop_at_two(x: u32, cx: Context) -> Result<u32> {
        if x == 2 {
            cx.cancel_handle().cancel();
        }
        Ok(x + 1)
    }
    let engine = TestEngine::new();
    let policy = || Repeat::at_most(9).build().unwrap();
    let flow = workflow("stops", with_context(stop_at_two)).repeat_until(policy(), |_| false);
    let error = engine.block_on(flow.run(0, &context(&engine))).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "cancelled error in `stop_at_two`: the run was told to stop before the next iteration"
    );
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    stops ⊘ cancelled
    │  correlation.id = c-1
    │  error.type = cancelled
    │  error.message = the run was told to stop before the next iteration
    │  error.path = stop_at_two
    ╰─ stop_at_two ⊘ cancelled
       │  error.type = cancelled
       │  error.message = the run was told to stop before the next iteration
       │  repeat.iterations = 3
       │  repeat.outcome = cancelled
       ├─ iteration
       │     iteration.number = 1
       ├─ iteration
       │     iteration.number = 2
       ╰─ iteration
             iteration.number = 3
    ");
    // What is as wanted already is the result all the same.
    let flow = step(with_context(stop_at_two)).repeat_until(policy(), |x| *x == 3);
    assert_eq!(engine.block_on(flow.run(0, &engine.context())).unwrap(), 3);
}

#[test]
fn being_told_to_stop_ends_the_wait_for_the_next_iteration() {
    let engine = TestEngine::new();
    let flow = up_to(Repeat::at_most(9).delay(10 * SECOND), 9);
    let cx = engine.context();
    let error = engine.block_on(async {
        let stopper = async {
            cx.sleep(SECOND).await;
            cx.cancel_handle().cancel();
        };
        futures_util::join!(flow.run(0, &cx), stopper).0.unwrap_err()
    });
    assert_eq!((error.kind(), cx.elapsed()), (ErrorKind::Cancelled, SECOND));
    assert_eq!(outcome(&engine), (1, "cancelled".to_owned()));
}

#[test]
fn steps_that_stop_because_they_were_told_to_were_cancelled() {
    let engine = TestEngine::new();
    let mock = Mock::<u32, u32>::new("calls").fails(1, Error::new(ErrorKind::Cancelled, "told to stop"));
    let flow = step(mock).repeat_until(Repeat::at_most(9).build().unwrap(), |_| false);
    assert_eq!(engine.block_on(flow.run(0, &engine.context())).unwrap_err().to_string(), "told to stop");
    assert_eq!(outcome(&engine), (1, "cancelled".to_owned()));
}

#[test]
fn a_loop_of_steps_that_never_wait_lets_others_run_every_64_iterations() {
    let engine = TestEngine::new();
    let iterations = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&iterations);
    let flow = step(move |x: u32| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, String>(x + 1) }
    })
    .repeat_until(Repeat::at_most(200).build().unwrap(), |x| *x == 200);
    let others = async {
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(iterations.load(Ordering::SeqCst));
            give_way().await;
        }
        seen
    };
    let cx = engine.context();
    let (result, seen) = engine.block_on(async { futures_util::join!(flow.run(0, &cx), others) });
    assert_eq!((result.unwrap(), seen), (200, vec![64, 128, 192, 200, 200]));
    // It asks to be polled again by itself: no runtime is needed.
    let mut run = pin!(flow.run(0, &cx));
    assert!(poll_once(run.as_mut()).is_pending());
    assert_eq!(iterations.load(Ordering::SeqCst), 264);
}

#[test]
fn a_loop_on_a_runtime_wakes_itself_and_lets_other_tasks_in() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let turns = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&turns);
    // Always ready, and over only if the loop never comes to its end.
    let other = runtime.spawn(async move {
        while counter.fetch_add(1, Ordering::SeqCst) < 10_000_000 {
            give_way().await;
        }
    });
    let (cx, flow) = (TestEngine::new().context(), up_to(Repeat::at_most(1_000_000), 100_000));
    let run = pin!(flow.run(0, &cx));
    let Either::Left((result, _)) = runtime.block_on(select(run, other)) else { panic!("the loop never wakes") };
    assert_eq!(result.unwrap(), 100_000);
    assert!(turns.load(Ordering::SeqCst) >= 100_000 / 64);
}

#[test]
fn a_loop_of_a_million_iterations_ends_at_the_same_time_and_what_is_kept_of_it_is_bounded() {
    let limits = Limits { spans_per_trace: 100, ..Limits::default() };
    let engine = TestEngine::with(|builder| builder.limits(limits));
    let bounded = up_to(Repeat::at_most(1_000_000), 1_000_000).timeout(Timeout::after(SECOND).build().unwrap());
    let flow = workflow("long", bounded) >> double;
    let cx = engine.context();
    assert_eq!(engine.block_on(flow.run(0, &cx)).unwrap(), 2_000_000);
    assert_eq!(cx.elapsed(), Duration::ZERO);
    let traces = engine.traces();
    // The run, its two steps and the iterations.
    let (kept, dropped) = (traces[0].spans.len(), traces[0].dropped.over_span_limit);
    assert_eq!((kept, dropped, traces[0].root().unwrap().name.as_str()), (100, 1_000_003 - 100, "long"));
}

#[test]
fn dropping_the_run_closes_the_iteration_in_progress_as_cancelled() {
    let engine = TestEngine::new();
    let flow = workflow("hangs", hang).repeat_until(Repeat::at_most(9).build().unwrap(), |_| false);
    start_and_drop(flow.run(0, &context(&engine)));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    hangs ⊘ cancelled
    │  correlation.id = c-1
    ╰─ hang ⊘ cancelled
       ╰─ iteration ⊘ cancelled
             iteration.number = 1
    ");
}

#[test]
fn loops_nest_and_join_other_decorators() {
    let engine = TestEngine::new();
    let retry = Retry::new().max_retries(1).jitter(Jitter::None).build().unwrap();
    let inner = up_to(Repeat::at_most(2), 4);
    let flow = (inner >> double).repeat_until(Repeat::at_most(9).build().unwrap(), |x| *x >= 20).retry(retry);
    // From 3: 4, 8, then 9, 18, then 19, 38. From 0 the inner loop reaches its bound, twice.
    assert_eq!(engine.block_on(flow.run(3, &engine.context())).unwrap(), 38);
    let cx = engine.context();
    let error = engine.block_on(flow.run(0, &cx)).unwrap_err();
    assert_eq!((error.kind(), cx.elapsed()), (ErrorKind::LimitReached, SECOND));
    insta::assert_snapshot!(engine.tree(), @r"
    sequential
    ╰─ sequential
       ╰─ attempt
          ├─ iteration
          │  ├─ increment
          │  │  ╰─ iteration
          │  ╰─ double
          ├─ iteration
          │  ├─ increment
          │  │  ╰─ iteration
          │  ╰─ double
          ╰─ iteration
             ├─ increment
             │  ╰─ iteration
             ╰─ double
    sequential ✗
    │  limit_reached: not done within its `max_iterations` of 2
    ╰─ sequential ✗
       │  limit_reached: not done within its `max_iterations` of 2
       ├─ attempt ✗ handled
       │  │  limit_reached: not done within its `max_iterations` of 2
       │  ╰─ iteration ✗
       │     │  limit_reached: not done within its `max_iterations` of 2
       │     ╰─ increment ✗
       │        │  limit_reached: not done within its `max_iterations` of 2
       │        ├─ iteration
       │        ╰─ iteration
       ╰─ attempt ✗
          │  limit_reached: not done within its `max_iterations` of 2
          ╰─ iteration ✗
             │  limit_reached: not done within its `max_iterations` of 2
             ╰─ increment ✗
                │  limit_reached: not done within its `max_iterations` of 2
                ├─ iteration
                ╰─ iteration
    ");
}

#[test]
fn a_loop_is_drawn_as_its_steps_with_a_note() {
    let policy = || Repeat::at_most(10).delay(SECOND).build().unwrap();
    let flow = workflow("drawn", increment).repeat_until(policy(), |_| true)
        >> (step(refuse) >> double).repeat_until(policy(), |_| true);
    insta::assert_snapshot!(flow.graph().to_text(), @r"
    drawn (workflow)
    ├─ increment [repeat at most 10]
    ╰─ sequential [repeat at most 10]
       ├─ refuse
       ╰─ double
    ");
}
