//! Joins that do with fewer successes than there are branches: what they return, what they fail
//! with, what is recorded of them.

use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    CancelHandle, Context, Error, ErrorKind, IntoError, JoinError, Joined, Parallel, PolicyError, Primitive, Result,
    Retry, RetryHint, Timeout, Workflow, named, parallel, step, with_context, workflow,
};
use tta_telemetry::TraceClass;

use super::support::{Counted, SECOND, context, double, give_way, hang, increment, on_runtime, refuse, wait_a_second};

fn number(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// Returns its number of seconds, after as many.
fn takes(seconds: u32) -> Workflow<u32, u32> {
    step(Mock::new(format!("takes {seconds}")).delays(SECOND * seconds).returns(seconds))
}

/// Fails after so many seconds.
fn fails(seconds: u32) -> Workflow<u32, u32> {
    let mock = Mock::new(format!("fails {seconds}")).delays(SECOND * seconds);
    step(mock.fails(99, format!("after {seconds} s")))
}

async fn first_letter(_: u32) -> Result<char, String> {
    Ok('a')
}

fn causes(error: &Error) -> Vec<String> {
    let error: &JoinError = error.downcast_ref().unwrap();
    error.causes().iter().map(|cause| format!("{cause:?}")).collect()
}

#[test]
fn any_returns_the_first_success_in_time_whatever_its_place() {
    for spawned in [false, true] {
        let engine = TestEngine::new();
        let fan = parallel(vec![fails(1), takes(3), takes(2), takes(4)]).any();
        let flow = workflow("race", if spawned { fan.spawned() } else { fan });
        let cx = context(&engine);
        assert_eq!(on_runtime(&engine, flow.run(7, &cx)).unwrap(), 2);
        assert_eq!(cx.elapsed(), 2 * SECOND, "nobody waits for those that lost");
        assert_eq!(engine.telemetry().counters().active_branches, 0);
        insta::allow_duplicates! {
            insta::assert_snapshot!(engine.tree_with_attributes(), @r"
            race
            │  correlation.id = c-1
            ╰─ parallel
               │  parallel.join = any
               │  parallel.winner = 2
               │  parallel.winner_name = takes 2
               ├─ fails 1 (mock) ✗ handled
               │     app: after 1 s
               │     branch.index = 0
               │     branch.total = 4
               ├─ takes 2 (mock)
               │     branch.index = 2
               │     branch.total = 4
               ├─ takes 4 (mock) ⊘ cancelled
               │     branch.index = 3
               │     branch.total = 4
               ╰─ takes 3 (mock) ⊘ cancelled
                     branch.index = 1
                     branch.total = 4
            ");
        }
    }
}

#[test]
fn of_branches_that_are_ready_at_once_the_first_wins_and_those_after_it_never_start() {
    let engine = TestEngine::new();
    let late = Mock::new("late").returns(1_u32);
    let flow = step((step(refuse) | double | late.clone()).any());
    assert_eq!(engine.block_on(flow.run(7, &engine.context())).unwrap(), 14);
    assert_eq!(late.call_count(), 0);
    insta::assert_snapshot!(engine.tree(), @r"
    sequential
    ╰─ parallel
       ├─ refuse ✗ handled
       │     app: 7 is refused
       ╰─ double
    ");
}

#[test]
fn a_run_that_any_saved_has_not_failed() {
    let engine = TestEngine::new();
    let flow = workflow("saved", (step(refuse) | double).any());
    engine.block_on(flow.run(7, &engine.context())).unwrap();
    assert_eq!(engine.traces()[0].class, TraceClass::Normal);
}

#[test]
fn when_all_branches_of_any_fail_the_error_has_every_cause_in_order_and_nothing_is_handled() {
    async fn limited(_: u32) -> Result<u32> {
        give_way().await;
        Err("slow down".with_kind(ErrorKind::RateLimited).with_retry_hint(RetryHint::After(SECOND)))
    }
    async fn explode(_: u32) -> Result<u32, String> {
        panic!("out of paper")
    }
    let engine = TestEngine::new();
    // The first branch is the last to fail.
    let flow = workflow("in vain", (step(limited) | refuse | explode).any());
    let error = engine.block_on(flow.run(7, &context(&engine))).unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::RateLimited, RetryHint::After(SECOND)));
    assert_eq!(
        causes(&error),
        [
            "rate_limited error in `limited`: slow down",
            "app error in `refuse`: 7 is refused",
            "panic error in `explode`: out of paper",
        ]
    );
    assert_eq!(error.chain(), ["slow down"]);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    in vain ✗
    │  rate_limited: all 3 branches failed: limited: slow down; refuse: 7 is
    │    refused; explode: out of paper
    │  correlation.id = c-1
    │  error.path = parallel
    ╰─ parallel ✗
       │  rate_limited: all 3 branches failed: limited: slow down; refuse: 7 is
       │    refused; explode: out of paper
       │  caused by: slow down
       │  parallel.join = any
       ├─ refuse ✗
       │     app: 7 is refused
       │     branch.index = 1
       │     branch.total = 3
       ├─ explode ✗
       │     panic: out of paper
       │     branch.index = 2
       │     branch.total = 3
       ╰─ limited ✗
             rate_limited: slow down
             branch.index = 0
             branch.total = 3
    ");
    assert_eq!(engine.traces()[0].class, TraceClass::Failed);
}

#[test]
fn the_text_of_a_join_error_is_bounded_in_how_many_causes_it_shows_and_how_much_of_each() {
    let engine = TestEngine::new();
    let long = |_: usize| step(Mock::<u32, u32>::new("long").fails(1, "x".repeat(10_000)));
    let inner = |_: usize| step(parallel((0..20).map(long).collect()).any());
    let flow = step(parallel((0..20).map(inner).collect()).any());
    let error = engine.block_on(flow.run(7, &engine.context())).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("all 20 branches failed: parallel: all 20 branches failed: long: xxx"), "{text}");
    assert!(text.ends_with("…; and 12 more"), "{text}");
    assert!(text.len() < 8 * 300, "{} bytes", text.len());
    assert_eq!(causes(&error).len(), 20);
}

#[test]
fn retry_and_classification_see_the_kind_that_a_join_inherited() {
    let engine = TestEngine::new();
    let flaky = Mock::new("flaky").fails(1, "busy".with_kind(ErrorKind::Upstream)).returns(1_u32);
    let again = Retry::new().retry_on(|error| error.kind() == ErrorKind::Upstream).build().unwrap();
    let flow = step((step(flaky.clone()) | refuse).any()).retry(again);
    assert_eq!(engine.block_on(flow.run(7, &engine.context())).unwrap(), 1);
    assert_eq!(flaky.call_count(), 2);
}

#[test]
fn any_of_nothing_is_refused_input_a_quorum_of_nothing_is_refused_when_built_and_nothing_settles() {
    let engine = TestEngine::new();
    let cx = engine.context();
    let none = || parallel(Vec::<Workflow<u32, u32>>::new());
    let error = engine.block_on(step(none().any()).run(7, &cx)).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "invalid_input error in `parallel`: any of no branches: there is nothing to succeed"
    );
    let error = none().quorum(number(1)).err().unwrap();
    assert_eq!(error.to_string(), "quorum: `n` is 1, accepted is none, as there are no branches");
    assert!(engine.block_on(step(none().settle()).run(7, &cx)).unwrap().is_empty());
    assert!(engine.block_on(step(none().spawned().settle()).run(7, &cx)).unwrap().is_empty());
}

#[test]
fn a_quorum_of_more_branches_than_there_are_is_refused_when_built() {
    let three = || step(double) | double | double;
    let error: PolicyError = three().quorum(number(4)).err().unwrap();
    assert_eq!(error.to_string(), "quorum: `n` is 4, accepted is 1 to 3, the number of branches");
    assert_eq!((error.policy, error.parameter, &*error.given), ("quorum", "n", "4"));
    assert!(three().quorum(number(3)).is_ok());
}

#[test]
fn a_quorum_returns_exactly_the_first_successes_in_the_order_of_their_branches() {
    for spawned in [false, true] {
        let engine = TestEngine::new();
        let fan = parallel(vec![takes(3), fails(1), takes(2), takes(4), takes(1)]).quorum(number(3)).unwrap();
        let flow = workflow("votes", if spawned { fan.spawned() } else { fan });
        let cx = context(&engine);
        assert_eq!(on_runtime(&engine, flow.run(7, &cx)).unwrap(), [3, 2, 1]);
        assert_eq!(cx.elapsed(), 3 * SECOND);
        insta::allow_duplicates! {
            insta::assert_snapshot!(engine.tree_with_attributes(), @r"
            votes
            │  correlation.id = c-1
            ╰─ parallel
               │  parallel.join = quorum
               │  parallel.quorum = 3
               │  parallel.succeeded = 3
               │  parallel.failed = 1
               ├─ fails 1 (mock) ✗ handled
               │     app: after 1 s
               │     branch.index = 1
               │     branch.total = 5
               ├─ takes 1 (mock)
               │     branch.index = 4
               │     branch.total = 5
               ├─ takes 2 (mock)
               │     branch.index = 2
               │     branch.total = 5
               ├─ takes 3 (mock)
               │     branch.index = 0
               │     branch.total = 5
               ╰─ takes 4 (mock) ⊘ cancelled
                     branch.index = 3
                     branch.total = 5
            ");
        }
    }
}

#[test]
fn a_quorum_fails_as_soon_as_it_is_out_of_reach_with_the_errors_so_far() {
    let engine = TestEngine::new();
    let fan = step(takes(9)) | fails(3) | takes(1) | fails(2);
    let flow = workflow("votes", fan.quorum(number(3)).unwrap());
    let cx = context(&engine);
    let error = engine.block_on(flow.run(7, &cx)).unwrap_err();
    assert_eq!(cx.elapsed(), 3 * SECOND);
    assert_eq!(causes(&error), ["app error in `fails 3`: after 3 s", "app error in `fails 2`: after 2 s"]);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    votes ✗
    │  app: no quorum of 3, 2 of 4 branches failed: fails 3: after 3 s; fails 2:
    │    after 2 s
    │  correlation.id = c-1
    │  error.path = parallel
    ╰─ parallel ✗
       │  app: no quorum of 3, 2 of 4 branches failed: fails 3: after 3 s; fails 2:
       │    after 2 s
       │  caused by: after 3 s
       │  parallel.join = quorum
       │  parallel.quorum = 3
       │  parallel.succeeded = 1
       │  parallel.failed = 2
       ├─ takes 1 (mock)
       │     branch.index = 2
       │     branch.total = 4
       ├─ fails 2 (mock) ✗
       │     app: after 2 s
       │     branch.index = 3
       │     branch.total = 4
       ├─ fails 3 (mock) ✗
       │     app: after 3 s
       │     branch.index = 1
       │     branch.total = 4
       ╰─ takes 9 (mock) ⊘ cancelled
             branch.index = 0
             branch.total = 4
    ");
}

#[test]
fn a_quorum_of_all_branches_fails_with_the_first_error() {
    let engine = TestEngine::new();
    let flow = step((step(double) | refuse | double).quorum(number(3)).unwrap());
    let error = engine.block_on(flow.run(7, &engine.context())).unwrap_err();
    assert_eq!(error.to_string(), "no quorum of 3, 1 of 3 branches failed: refuse: 7 is refused");
    let all = step((step(double) | increment | double).quorum(number(3)).unwrap());
    assert_eq!(engine.block_on(all.run(7, &engine.context())).unwrap(), [14, 8, 14]);
}

#[test]
fn settle_returns_what_came_of_every_branch_and_stops_none() {
    async fn fail_and_look(_: u32, cx: Context) -> Result<char> {
        cx.state().set("failed first", cx.cancel_handle()).map_err(Error::from_any)?;
        Err(Error::from_any("no use"))
    }
    for spawned in [false, true] {
        let engine = TestEngine::new();
        let fan = (step(with_context(fail_and_look)) | takes(2) | fails(1) | first_letter).settle();
        let flow = workflow("settles", if spawned { fan.spawned() } else { fan });
        let cx = context(&engine);
        let (first, second, third, fourth) = on_runtime(&engine, flow.run(7, &cx)).unwrap();
        assert_eq!(format!("{:?}", first.unwrap_err()), "app error in `fail_and_look`: no use");
        assert_eq!((second.unwrap(), fourth.unwrap()), (2, 'a'));
        assert_eq!(third.unwrap_err().to_string(), "after 1 s");
        assert_eq!(cx.elapsed(), 2 * SECOND);
        let branch: CancelHandle = cx.state().get("failed first").unwrap().unwrap();
        assert!(!branch.is_cancelled());
        assert_eq!(engine.traces()[0].class, TraceClass::Normal);
        insta::allow_duplicates! {
            insta::assert_snapshot!(engine.tree_with_attributes(), @r"
            settles
            │  correlation.id = c-1
            ╰─ parallel
               │  parallel.join = settle
               ├─ fail_and_look ✗ handled
               │     app: no use
               │     branch.index = 0
               │     branch.total = 4
               ├─ first_letter
               │     branch.index = 3
               │     branch.total = 4
               ├─ fails 1 (mock) ✗ handled
               │     app: after 1 s
               │     branch.index = 2
               │     branch.total = 4
               ╰─ takes 2 (mock)
                     branch.index = 1
                     branch.total = 4
            ");
        }
    }
}

#[test]
fn settle_over_a_list_gives_a_list() {
    let engine = TestEngine::new();
    let flow = step(parallel(vec![step(double), step(refuse), step(increment)]).settle());
    let results = engine.block_on(flow.run(7, &engine.context())).unwrap();
    let results: Vec<_> = results.into_iter().map(|result| result.map_err(|error| error.to_string())).collect();
    assert_eq!(results, [Ok(14), Err("7 is refused".to_owned()), Ok(8)]);
}

/// A branch that watches its context, and stops.
async fn watchful(_: u32, cx: Context) -> Result<u32> {
    cx.cancelled().await;
    Err("stopped early".with_kind(ErrorKind::Cancelled))
}

/// Runs it with a context that is told to stop after a second.
fn stopped_after_a_second<Out: Send + 'static>(engine: &TestEngine, flow: &Workflow<u32, Out>) -> Error {
    let cx = engine.context();
    let stop = async {
        cx.sleep(SECOND).await;
        cx.cancel_handle().cancel();
    };
    let error = engine.block_on(async { futures_util::join!(flow.run(7, &cx), stop).0.err().unwrap() });
    assert_eq!(cx.elapsed(), SECOND, "it does not wait for a branch that goes on");
    error
}

#[test]
fn a_run_that_is_told_to_stop_ends_every_join_as_cancelled_and_nothing_is_handled() {
    let engine = TestEngine::new();
    let two = number(2);
    let fan = || step(refuse) | with_context(watchful) | hang;
    let expected = "cancelled error in `parallel > watchful`: stopped early";
    assert_eq!(format!("{:?}", stopped_after_a_second(&engine, &step(fan().any()))), expected);
    assert_eq!(format!("{:?}", stopped_after_a_second(&engine, &step(fan().quorum(two).unwrap()))), expected);
    assert_eq!(format!("{:?}", stopped_after_a_second(&engine, &step(fan().settle()))), expected);
    let one_by_one = fan().max_concurrency(two).settle();
    assert_eq!(format!("{:?}", stopped_after_a_second(&engine, &step(one_by_one))), expected);
    let settled = engine.tree().split_off(engine.tree().match_indices("sequential").nth(2).unwrap().0);
    insta::assert_snapshot!(settled, @r"
    sequential ⊘ cancelled
    ╰─ parallel ⊘ cancelled
       ├─ refuse ✗
       │     app: 7 is refused
       ├─ watchful ⊘ cancelled
       ╰─ hang ⊘ cancelled
    sequential ⊘ cancelled
    ╰─ parallel ⊘ cancelled
       ├─ refuse ✗
       │     app: 7 is refused
       ├─ watchful ⊘ cancelled
       ╰─ hang ⊘ cancelled
    ");
}

#[test]
fn a_branch_that_cancels_itself_is_a_failed_branch_and_stops_no_other() {
    async fn stops_itself(_: u32, cx: Context) -> Result<u32> {
        cx.cancel_handle().cancel();
        Err("gave up".with_kind(ErrorKind::Cancelled))
    }
    let engine = TestEngine::new();
    let fan = || step(with_context(stops_itself)) | takes(1);
    let cx = engine.context();
    assert_eq!(engine.block_on(step(fan().any()).run(7, &cx)).unwrap(), 1);
    let (first, second) = engine.block_on(step(fan().settle()).run(7, &cx)).unwrap();
    assert_eq!((first.unwrap_err().kind(), second.unwrap()), (ErrorKind::Cancelled, 1));
}

#[test]
fn a_timeout_around_a_join_is_the_timeouts_error_whatever_its_branches_say() {
    let engine = TestEngine::new();
    let timeout = Timeout::after(SECOND).grace_period(SECOND).build().unwrap();
    let flow = step((step(refuse) | with_context(watchful)).any()).timeout(timeout);
    let error = engine.block_on(flow.run(7, &engine.context())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn branches_that_wait_their_turn_never_start_once_the_outcome_is_certain() {
    let engine = TestEngine::new();
    let cx = engine.context();
    for spawned in [false, true] {
        let late = Mock::new("late").returns(1_u32);
        let fan = |first: Workflow<u32, u32>| {
            let fan = parallel(vec![first, takes(1), step(late.clone())]).max_concurrency(number(1));
            if spawned { fan.spawned() } else { fan }
        };
        let won = step(fan(step(refuse)).any());
        assert_eq!(on_runtime(&engine, won.run(7, &cx)).unwrap(), 1);
        let reached = step(fan(step(double)).quorum(number(2)).unwrap());
        assert_eq!(on_runtime(&engine, reached.run(7, &cx)).unwrap(), [14, 1]);
        let lost = step(fan(step(refuse)).quorum(number(3)).unwrap());
        assert!(on_runtime(&engine, lost.run(7, &cx)).is_err());
        assert_eq!(late.call_count(), 0, "spawned: {spawned}");
        // When it takes all of them, it does start.
        assert_eq!(on_runtime(&engine, step(fan(step(double)).settle()).run(7, &cx)).unwrap().len(), 3);
        assert_eq!(late.call_count(), 1);
    }
}

#[test]
fn settings_count_whether_they_are_made_before_the_join_or_after_it() {
    let engine = TestEngine::new();
    let before: Joined<u32, u32> =
        (step(takes(2)) | takes(3)).named("race").max_concurrency(number(1)).cancel_grace(SECOND).any();
    let after = (step(takes(2)) | takes(3)).any().named("race").max_concurrency(number(1)).cancel_grace(SECOND);
    for join in [before, after] {
        assert_eq!((join.len(), join.is_empty()), (2, false));
        let cx = engine.context();
        // One at a time: the first wins, the second never starts and needs no grace.
        assert_eq!(engine.block_on(step(join.clone()).run(7, &cx)).unwrap(), 2);
        assert_eq!(cx.elapsed(), 2 * SECOND);
        // Both at once, the second goes on through the grace.
        let cx = engine.context();
        assert_eq!(engine.block_on(step(join.max_concurrency(number(2))).run(7, &cx)).unwrap(), 2);
        assert_eq!(cx.elapsed(), 3 * SECOND);
    }
    assert!(engine.tree().starts_with("sequential\n╰─ race (parallel)\n   ╰─ takes 2"), "{}", engine.tree());
}

#[test]
fn a_joined_fan_is_one_branch_of_the_next_and_one_step_of_a_chain() {
    type Settled = (Result<u32>, Result<u32>);
    async fn add((a, (b, c)): (u32, Settled)) -> Result<u32> {
        Ok(a + b? + c?)
    }
    async fn sum((settled, single): (Settled, u32)) -> Result<u32> {
        Ok(settled.0? + settled.1? + single)
    }
    let engine = TestEngine::new();
    let nested: Parallel<u32, (Settled, u32)> = (step(double) | increment).settle() | double;
    assert_eq!(nested.len(), 2);
    let flow = workflow("nests", nested) >> sum >> (step(double) | (step(double) | increment).settle()) >> add;
    let chained = (step(refuse) | double).any().named("either") >> increment;
    let flow = flow >> chained;
    let cx = engine.context();
    // 7: 14 + 8 + 14 = 36; 72 + 72 + 37 = 181; 362 + 1.
    assert_eq!(engine.block_on(flow.run(7, &cx)).unwrap(), 363);
    insta::assert_snapshot!(flow.graph().to_text(), @r"
    nests (workflow)
    ├─ parallel
    │  ├─ parallel [settle]
    │  │  ├─ double
    │  │  ╰─ increment
    │  ╰─ double
    ├─ sum
    ├─ parallel
    │  ├─ double
    │  ╰─ parallel [settle]
    │     ├─ double
    │     ╰─ increment
    ├─ add
    ├─ either (parallel) [any]
    │  ├─ refuse
    │  ╰─ double
    ╰─ increment
    ");
}

#[test]
fn a_graph_says_how_a_fan_is_joined() {
    let fan = || step(double) | increment;
    let flow = step(fan()) >> with_context(|_: (u32, u32), _| async { Ok::<_, String>(1) });
    let flow = flow >> fan().any().named("race") >> fan().settle() >> with_context(|_, _| async { Ok::<_, String>(1) });
    let flow = flow >> fan().quorum(number(2)).unwrap();
    insta::assert_snapshot!(flow.graph().to_text(), @r"
    sequential
    ├─ parallel
    │  ├─ double
    │  ╰─ increment
    ├─ closure
    ├─ race (parallel) [any]
    │  ├─ double
    │  ╰─ increment
    ├─ parallel [settle]
    │  ├─ double
    │  ╰─ increment
    ├─ closure
    ╰─ parallel [quorum 2]
       ├─ double
       ╰─ increment
    ");
    insta::assert_snapshot!(fan().settle().graph().to_mermaid(), @r#"
    flowchart TD
        n0[/"parallel [settle]"\]
        n1["double"]
        n2["increment"]
        n0 --> n1
        n0 --> n2
    "#);
}

#[test]
fn up_to_twelve_branches_of_one_type_can_be_joined() {
    let engine = TestEngine::new();
    let cx = engine.context();
    let twelve = || {
        let four = step(refuse) | refuse | refuse | refuse;
        four | double | refuse | refuse | refuse | refuse | refuse | refuse | increment
    };
    assert_eq!(engine.block_on(step(twelve().any()).run(7, &cx)).unwrap(), 14);
    assert_eq!(engine.block_on(step(twelve().quorum(number(2)).unwrap()).run(7, &cx)).unwrap(), [14, 8]);
    let settled = engine.block_on(step(twelve().settle()).run(7, &cx)).unwrap();
    assert_eq!((settled.4.unwrap(), settled.11.unwrap()), (14, 8));
    assert!(settled.10.is_err());
}

#[test]
fn a_join_can_be_repeated_and_overlap_itself() {
    let engine = TestEngine::new();
    let flow = step((step(with_context(wait_a_second)) | refuse).any());
    let cx = engine.context();
    let results = engine.block_on(futures_util::future::join_all((1..4).map(|x| flow.run(x, &cx))));
    let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!((results, cx.elapsed()), (vec![1, 2, 3], SECOND));
}

#[test]
fn a_missing_runtime_is_the_fans_error_and_no_branchs() {
    let engine = TestEngine::new();
    let flow = step((step(double) | increment).spawned().settle());
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "internal error in `parallel`: spawned branches need a tokio runtime, none is running here"
    );
}

#[test]
fn branches_find_their_own_context_and_span_before_their_first_await_and_after() {
    let look = |x: u32| {
        let cx = Context::current().unwrap();
        cx.set("seen first", x);
        async move {
            give_way().await;
            let cx = Context::current().ok_or("no context")?;
            cx.set("seen later", x);
            Ok::<_, &str>((x, cx.correlation_id().map(ToString::to_string)))
        }
    };
    let engine = TestEngine::new();
    let flow = workflow("looks", (step(named("first", look)) | named("second", look)).quorum(number(2)).unwrap());
    let found = engine.block_on(flow.run(7, &context(&engine))).unwrap();
    let each = (7, Some("c-1".to_owned()));
    assert_eq!(found, [each.clone(), each]);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    looks
    │  correlation.id = c-1
    ╰─ parallel
       │  parallel.join = quorum
       │  parallel.quorum = 2
       │  parallel.succeeded = 2
       │  parallel.failed = 0
       ├─ first
       │     branch.index = 0
       │     branch.total = 2
       │     seen first = 7
       │     seen later = 7
       ╰─ second
             branch.index = 1
             branch.total = 2
             seen first = 7
             seen later = 7
    ");
}

#[test]
fn every_branch_that_starts_gets_a_clone_and_the_last_the_input_itself() {
    let engine = TestEngine::new();
    let (input, clones) = Counted::new();
    let drop_it = |input: Counted| async move {
        drop(input);
        Ok::<_, String>(())
    };
    let flow = step((step(drop_it) | drop_it | drop_it).settle());
    let (first, second, third) = engine.block_on(flow.run(input, &engine.context())).unwrap();
    assert!(first.and(second).and(third).is_ok());
    assert_eq!(clones.load(Ordering::SeqCst), 2);
    let (input, clones) = Counted::new();
    let flow = step((step(drop_it) | drop_it | drop_it).max_concurrency(number(1)).any());
    engine.block_on(flow.run(input, &engine.context())).unwrap();
    assert_eq!(clones.load(Ordering::SeqCst), 1);
}
