//! A panic is the error of one step: the run ends with it, everything else goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, Primitive, Result, Retry, blocking, either, step, sync, when, with_context, workflow,
};

use super::support::{context, double, give_way, on_runtime};

async fn explode(x: u32) -> Result<u32, String> {
    assert!(x > 1_000, "{x} is too small");
    Ok(x)
}

async fn explode_later(x: u32) -> Result<u32, String> {
    give_way().await;
    explode(x).await
}

async fn sum((a, b): (u32, u32)) -> Result<u32, String> {
    Ok(a + b)
}

/// Panics before it has a future to return.
struct ExplodesAtOnce;

impl Primitive<u32> for ExplodesAtOnce {
    type Out = u32;

    #[allow(clippy::manual_async_fn)] // The panic must come before the future.
    fn run(&self, input: u32, _cx: &Context) -> impl Future<Output = Result<u32>> + Send {
        assert!(input > 1_000, "{input} is refused at once");
        async move { Ok(input) }
    }
}

#[test]
fn a_panic_in_a_step_is_its_error_and_stands_on_its_span() {
    let engine = TestEngine::new();
    let flow = workflow("risky", double) >> explode_later >> double;
    let error = engine.block_on(flow.run(3, &context(&engine))).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `explode_later`: 6 is too small");
    assert_eq!(error.kind(), ErrorKind::Panic);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    risky ✗
    │  panic: 6 is too small
    │  correlation.id = c-1
    │  error.path = explode_later
    ├─ double
    │     step.index = 0
    │     step.total = 3
    ╰─ explode_later ✗
          panic: 6 is too small
          step.index = 1
          step.total = 3
    ");
    // The same workflow is as good as new.
    assert_eq!(engine.block_on(flow.run(600, &engine.context())).unwrap(), 2_400);
}

#[test]
fn a_panic_before_there_is_a_future_is_caught_as_well() {
    let engine = TestEngine::new();
    let flow = workflow("risky", double) >> ExplodesAtOnce;
    let branch = workflow("fan", step(double) | ExplodesAtOnce);
    let decorated = step(ExplodesAtOnce).retry(Retry::new().max_retries(0).build().unwrap()).named("retried");
    let cx = engine.context();
    assert_eq!(engine.block_on(flow.run(3, &cx)).unwrap_err().to_string(), "6 is refused at once");
    assert_eq!(engine.block_on(branch.run(3, &cx)).unwrap_err().to_string(), "3 is refused at once");
    assert_eq!(engine.block_on(decorated.run(3, &cx)).unwrap_err().to_string(), "3 is refused at once");
    insta::assert_snapshot!(engine.tree(), @r"
    risky ✗
    │  panic: 6 is refused at once
    ├─ double
    ╰─ ExplodesAtOnce (custom) ✗
          panic: 6 is refused at once
    fan ✗
    │  panic: 3 is refused at once
    ╰─ parallel ✗
       │  panic: 3 is refused at once
       ├─ double
       ╰─ ExplodesAtOnce (custom) ✗
             panic: 3 is refused at once
    retried ✗
    │  panic: 3 is refused at once
    ╰─ ExplodesAtOnce (custom) ✗
       │  panic: 3 is refused at once
       ╰─ attempt ✗
             panic: 3 is refused at once
    ");
}

#[test]
fn a_panic_in_a_plain_function_or_in_a_map_is_its_steps_error() {
    let engine = TestEngine::new();
    let cx = engine.context();
    let panicking = step(sync(|x: u32| Ok::<_, String>([1, 2][x as usize])));
    let error = engine.block_on(panicking.run(2, &cx)).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `closure`: index out of bounds: the len is 2 but the index is 2");
    let mapped = step(double).map(|x| 1_u32.checked_sub(x).expect("small enough"));
    let error = engine.block_on(mapped.run(2, &cx)).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `closure`: small enough");
}

#[test]
fn a_panic_in_a_branch_cancels_the_others_like_any_error() {
    let engine = TestEngine::new();
    let slow = Mock::new("slow").delays(super::support::SECOND).returns(1_u32);
    let flow = workflow("fan", step(slow) | explode_later | double);
    let error = engine.block_on(flow.run(3, &context(&engine))).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `parallel > explode_later`: 3 is too small");
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    fan ✗
    │  panic: 3 is too small
    │  correlation.id = c-1
    │  error.path = parallel > explode_later
    ╰─ parallel ✗
       │  panic: 3 is too small
       ├─ double
       │     branch.index = 2
       │     branch.total = 3
       ├─ explode_later ✗
       │     panic: 3 is too small
       │     branch.index = 1
       │     branch.total = 3
       ╰─ slow (mock) ⊘ cancelled
             branch.index = 0
             branch.total = 3
    ");
}

#[test]
fn a_panic_in_a_spawned_branch_is_its_error_and_the_runtime_lives_on() {
    let engine = TestEngine::new();
    let flow = workflow("fan", (step(double) | explode_later).spawned()) >> sum;
    let (error, then) = on_runtime(&engine, async {
        let cx = engine.context();
        (flow.run(3, &cx).await.unwrap_err(), flow.run(2_000, &cx).await)
    });
    assert_eq!(format!("{error:?}"), "panic error in `parallel > explode_later`: 3 is too small");
    assert_eq!(then.unwrap(), 6_000);
    insta::assert_snapshot!(engine.tree(), @r"
    fan ✗
    │  panic: 3 is too small
    ╰─ parallel ✗
       │  panic: 3 is too small
       ├─ double
       ╰─ explode_later ✗
             panic: 3 is too small
    fan
    ├─ parallel
    │  ├─ double
    │  ╰─ explode_later
    ╰─ sum
    ");
}

#[test]
fn a_panic_on_a_blocking_thread_is_its_steps_error() {
    let engine = TestEngine::new();
    let flow = step(blocking(|x: u32| x.checked_mul(2).ok_or("too large").map(|y| [0_u8; 3][y as usize])));
    let error = on_runtime(&engine, flow.run(3, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `closure`: index out of bounds: the len is 3 but the index is 6");
}

#[test]
fn a_panic_in_a_predicate_is_the_conditionals_error_and_neither_way_is_taken() {
    let engine = TestEngine::new();
    let taken = Mock::new("taken").returns(1_u32);
    let fussy = |x: &u32| *x > 1 || panic!("cannot decide about {x}");
    let (one, two) = (when(fussy, taken.clone()), either(fussy, taken.clone(), taken.clone()));
    let cx = engine.context();
    for flow in [step(one), step(two)] {
        let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
        assert_eq!(format!("{error:?}"), "panic error in `conditional`: cannot decide about 1");
    }
    assert_eq!(taken.call_count(), 0);
}

#[test]
fn a_panic_in_a_classifier_is_the_steps_error() {
    let engine = TestEngine::new();
    let flow = step(super::support::refuse).classify(|error| panic!("cannot classify: {error}"));
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `refuse`: cannot classify: 1 is refused");
}

#[test]
fn an_attempt_that_panics_is_not_retried_unless_the_policy_says_so() {
    let engine = TestEngine::new();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let shaky = step(sync(move |x: u32| {
        assert!(counted.fetch_add(1, Ordering::SeqCst) > 1, "not yet");
        Ok::<_, String>(x)
    }))
    .named("shaky");
    let careful = shaky.clone().retry(Retry::new().build().unwrap());
    let stubborn = shaky.retry(Retry::new().retry_on(|error| error.kind() == ErrorKind::Panic).build().unwrap());
    let cx = engine.context();
    assert_eq!(engine.block_on(careful.run(1, &cx)).unwrap_err().kind(), ErrorKind::Panic);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(engine.block_on(stubborn.run(1, &cx)).unwrap(), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    insta::assert_snapshot!(engine.tree(), @r"
    shaky ✗
    │  panic: not yet
    ╰─ closure ✗
       │  panic: not yet
       ╰─ attempt ✗
             panic: not yet
    shaky
    ╰─ closure
       ├─ attempt ✗ handled
       │     panic: not yet
       ╰─ attempt
    ");
}

#[test]
fn a_panic_with_a_payload_that_is_no_text_says_so() {
    let engine = TestEngine::new();
    let flow = step(double).try_map(|x| if x > 2 { Ok(x) } else { std::panic::panic_any(x) }.map_err(|()| "never"));
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `closure`: panicked with a value that is not a message");
}

#[test]
fn other_runs_on_the_same_thread_and_task_are_not_touched_by_a_panic() {
    let engine = TestEngine::new();
    let flow = workflow("one of many", double) >> explode_later;
    let cx = engine.context();
    let runs = futures_util::future::join_all((498..503).map(|x| flow.run(x, &cx)));
    let kinds: Vec<_> = engine.block_on(runs).into_iter().map(|result| result.map_err(|error| error.kind())).collect();
    let panic = Err(ErrorKind::Panic);
    assert_eq!(kinds, [panic, panic, panic, Ok(1_002), Ok(1_004)]);
    assert!(Context::current().is_none(), "the thread is left as it was");
}

#[test]
fn a_panic_while_the_state_is_updated_leaves_the_state_usable() {
    async fn spoil_and_look(_: u32, cx: Context) -> Result<Option<u32>> {
        let spoil = || cx.state().update("seen", |seen: &mut u32| std::mem::replace(seen, 5).checked_sub(1).unwrap());
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(spoil)).is_err());
        cx.state().get("seen").map_err(Error::from_any)
    }
    let engine = TestEngine::new();
    let flow = step(with_context(spoil_and_look));
    assert_eq!(engine.block_on(flow.run(5, &engine.context())).unwrap(), Some(5));
}
