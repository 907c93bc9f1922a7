//! Retry: when, how often, how long between, and what is recorded.

use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, ErrorKind, IntoError, Jitter, Retry, RetryBudget, RetryBuilder, Timeout, Workflow, step, workflow,
};
use tta_telemetry::Value;

use super::support::{MS, SECOND, context, double, increment};

/// A step that fails `times`, under a policy.
fn fails(times: usize, policy: RetryBuilder) -> (Mock<u32, u32>, Workflow<u32, u32>) {
    let mock = Mock::new("calls").fails(times, "not yet").returns(1);
    (mock.clone(), step(mock).retry(policy.build().unwrap()))
}

fn exact() -> RetryBuilder {
    Retry::new().jitter(Jitter::None)
}

/// How a retried step ended, as its span says: attempts and outcome. It says nothing of a first
/// attempt that succeeded, which is only counted.
fn outcome(engine: &TestEngine) -> (i64, String) {
    let traces = engine.traces();
    let step = traces.last().unwrap().spans.iter().find(|span| span.attribute("retry.outcome").is_some());
    let Some(step) = step else { return (1, counted(engine)) };
    let attempts = step.attribute("retry.attempts").and_then(Value::as_i64).unwrap();
    (attempts, step.attribute("retry.outcome").unwrap().to_string())
}

/// The outcomes that were counted, each once.
fn counted(engine: &TestEngine) -> String {
    let counts = engine.telemetry().decision_counts();
    let happened = counts.iter().filter(|count| count.key.family == "retry" && count.count > 0);
    happened.map(|count| count.outcome).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_waits_grow_by_the_base_up_to_the_maximum() {
    let doubling = || exact().budget(None).max_retries(8);
    let cases = [
        (1, doubling(), SECOND),
        (3, doubling(), (1 + 2 + 4) * SECOND),
        (8, doubling(), (1 + 2 + 4 + 8 + 16 + 32 + 60 + 60) * SECOND),
        (4, doubling().backoff_base(1.0).initial_delay(250 * MS), 4 * 250 * MS),
        (4, doubling().backoff_base(10.0).initial_delay(MS).max_backoff(SECOND), (1 + 10 + 100 + 1_000) * MS),
        (3, doubling().backoff_base(1.5).initial_delay(100 * MS), (100 + 150 + 225) * MS),
    ];
    for (failures, policy, want) in cases {
        let engine = TestEngine::new();
        let (calls, flow) = fails(failures, policy);
        let cx = engine.context();
        assert_eq!(engine.block_on(flow.run(7, &cx)).unwrap(), 1);
        assert_eq!((cx.elapsed(), calls.calls()), (want, vec![7; failures + 1]));
    }
}

#[test]
fn jitter_waits_no_longer_than_the_delay_and_not_always_the_same() {
    for (jitter, least) in [(Jitter::Full, Duration::ZERO), (Jitter::Equal, SECOND / 2)] {
        let engine = TestEngine::new();
        let waits: Vec<_> = (0..20)
            .map(|_| {
                let (_, flow) = fails(1, Retry::new().jitter(jitter));
                let cx = engine.context();
                engine.block_on(flow.run(7, &cx)).unwrap();
                cx.elapsed()
            })
            .collect();
        assert!(waits.iter().all(|wait| (least..=SECOND).contains(wait)), "{jitter:?}: {waits:?}");
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "{jitter:?}: {waits:?}");
    }
}

#[test]
fn every_attempt_is_a_span_and_the_step_says_how_it_ended() {
    let engine = TestEngine::new();
    let (_, flow) = fails(2, exact());
    let flow = workflow("load", double) >> flow >> increment;
    engine.block_on(flow.run(7, &context(&engine))).unwrap();
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    load
    │  correlation.id = c-1
    ├─ double
    │     step.index = 0
    │     step.total = 3
    ├─ calls (mock)
    │  │  step.index = 1
    │  │  step.total = 3
    │  │  retry.outcome = recovered
    │  │  retry.attempts = 3
    │  ├─ attempt ✗ handled
    │  │     app: not yet
    │  │     attempt.number = 1
    │  │     retry.delay_ns = 1000000000
    │  ├─ attempt ✗ handled
    │  │     app: not yet
    │  │     attempt.number = 2
    │  │     retry.delay_ns = 2000000000
    │  ╰─ attempt
    │        attempt.number = 3
    ╰─ increment
          step.index = 2
          step.total = 3
    ");
    let traces = engine.traces();
    let durations: Vec<_> =
        traces[0].spans.iter().map(|span| (span.name.as_str(), span.duration_ns / 1_000_000)).collect();
    let attempt = ("attempt", 0);
    assert_eq!(
        durations,
        [("load", 3_000), ("double", 0), attempt, ("calls", 3_000), attempt, attempt, ("increment", 0)]
    );
}

#[test]
fn a_first_attempt_that_succeeds_is_not_a_recovery() {
    let engine = TestEngine::new();
    let (calls, flow) = fails(0, exact());
    engine.block_on(flow.run(7, &engine.context())).unwrap();
    assert_eq!((outcome(&engine), calls.call_count()), ((1, "succeeded".to_owned()), 1));
}

#[test]
fn when_retries_are_used_up_the_last_error_comes_out_and_is_not_handled() {
    let engine = TestEngine::new();
    let mock = Mock::<u32, u32>::new("calls").fails(1, "first").fails(1, "second").fails(1, "third").fails(9, "never");
    let flow = step(mock.clone()).retry(exact().max_retries(2).build().unwrap());
    let error = engine.block_on(flow.run(7, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "app error in `calls`: third");
    assert_eq!((outcome(&engine), mock.call_count()), ((3, "exhausted".to_owned()), 3));
    insta::assert_snapshot!(engine.tree(), @r"
    sequential ✗
    │  app: third
    ╰─ calls (mock) ✗
       │  app: third
       ├─ attempt ✗ handled
       │     app: first
       ├─ attempt ✗ handled
       │     app: second
       ╰─ attempt ✗
             app: third
    ");
}

#[test]
fn no_retries_means_one_attempt() {
    let engine = TestEngine::new();
    let (calls, flow) = fails(1, exact().max_retries(0));
    let cx = engine.context();
    assert!(engine.block_on(flow.run(7, &cx)).is_err());
    assert_eq!((calls.call_count(), cx.elapsed()), (1, Duration::ZERO));
    assert_eq!(outcome(&engine), (1, "exhausted".to_owned()));
}

#[test]
fn what_cannot_get_better_is_not_tried_again() {
    let kinds = [ErrorKind::CircuitOpen, ErrorKind::InvalidInput, ErrorKind::Cancelled, ErrorKind::BudgetExceeded];
    let hopeless = kinds.map(|kind| "no use".with_kind(kind)).into_iter().chain(["no use".never_retry()]);
    for error in hopeless {
        let engine = TestEngine::new();
        let mock = Mock::<u32, u32>::new("calls").fails(1, error.clone()).returns(1);
        let flow = step(mock.clone()).retry(exact().build().unwrap());
        assert_eq!(engine.block_on(flow.run(7, &engine.context())).unwrap_err().kind(), error.kind());
        assert_eq!((mock.call_count(), outcome(&engine)), (1, (1, "not_retryable".to_owned())), "{error:?}");
    }
}

#[test]
fn the_policys_own_choice_replaces_the_default() {
    let engine = TestEngine::new();
    let only_io = exact().retry_on(|error| error.downcast_ref::<std::io::Error>().is_some());
    let mock = Mock::<u32, u32>::new("calls").fails(1, std::io::Error::other("reset")).fails(1, "other");
    let flow = step(mock.clone()).retry(only_io.build().unwrap());
    assert_eq!(engine.block_on(flow.run(7, &engine.context())).unwrap_err().to_string(), "other");
    assert_eq!((mock.call_count(), outcome(&engine)), (2, (2, "not_retryable".to_owned())));
}

#[test]
fn a_retry_after_is_waited_for_when_it_is_longer_than_the_delay() {
    for (asked, want) in [(7 * SECOND, 7 * SECOND), (300 * SECOND, 300 * SECOND), (10 * MS, SECOND)] {
        let engine = TestEngine::new();
        let mock = Mock::new("calls").fails(1, "busy".with_kind(ErrorKind::RateLimited).retry_after(asked));
        let flow = step(mock.returns(1_u32)).retry(exact().build().unwrap());
        let cx = engine.context();
        engine.block_on(flow.run(7, &cx)).unwrap();
        assert_eq!(cx.elapsed(), want);
    }
}

#[test]
fn an_attempt_that_could_only_start_after_the_deadline_is_not_waited_for() {
    let engine = TestEngine::new();
    let deadline = |within| Context::builder().telemetry(engine.telemetry().clone()).deadline(within).build().unwrap();
    // Waits of 1 s and 2 s: the second would end exactly at the deadline.
    let (calls, flow) = fails(9, exact());
    let cx = deadline(3 * SECOND);
    assert_eq!(engine.block_on(flow.run(7, &cx)).unwrap_err().to_string(), "not yet");
    assert_eq!((calls.call_count(), cx.elapsed()), (2, SECOND));
    assert_eq!(outcome(&engine), (2, "deadline_too_close".to_owned()));
    // A moment more, and it is made.
    let (calls, flow) = fails(9, exact());
    let cx = deadline(3 * SECOND + MS);
    assert!(engine.block_on(flow.run(7, &cx)).is_err());
    assert_eq!((calls.call_count(), cx.elapsed()), (3, 3 * SECOND));
}

#[test]
fn the_deadline_of_a_timeout_around_it_counts_as_well() {
    let engine = TestEngine::new();
    let (calls, flow) = fails(9, exact());
    let flow = flow.timeout(Timeout::after(2 * SECOND).build().unwrap());
    let cx = engine.context();
    let error = engine.block_on(flow.run(7, &cx)).unwrap_err();
    assert_eq!((error.kind(), calls.call_count(), cx.elapsed()), (ErrorKind::App, 2, SECOND));
}

#[test]
fn a_timeout_inside_bounds_each_attempt_and_is_retried() {
    let engine = TestEngine::new();
    let slow = Mock::<u32, u32>::new("slow").delays(10 * SECOND).returns(1);
    let flow = step(slow.clone())
        .timeout(Timeout::after(2 * SECOND).build().unwrap())
        .retry(exact().max_retries(1).build().unwrap());
    let cx = engine.context();
    let error = engine.block_on(flow.run(7, &cx)).unwrap_err();
    assert_eq!((error.kind(), slow.call_count()), (ErrorKind::Timeout, 2));
    assert_eq!(cx.elapsed(), (2 + 1 + 2) * SECOND);
    insta::assert_snapshot!(engine.tree_with_attributes().replace(&correlation(&engine), "id"), @r"
    sequential ✗
    │  timeout: no result within its timeout of 2s
    │  correlation.id = id
    │  error.path = slow
    ╰─ slow (mock) ✗
       │  timeout: no result within its timeout of 2s
       │  retry.outcome = exhausted
       │  retry.attempts = 2
       │  retry.last_error = timeout
       ├─ attempt ✗ handled
       │     timeout: no result within its timeout of 2s
       │     attempt.number = 1
       │     retry.delay_ns = 1000000000
       │     timeout.outcome = expired
       │     timeout.limit_ns = 2000000000
       ╰─ attempt ✗
             timeout: no result within its timeout of 2s
             attempt.number = 2
             timeout.outcome = expired
             timeout.limit_ns = 2000000000
    ");
}

fn correlation(engine: &TestEngine) -> String {
    engine.traces()[0].root().unwrap().attribute("correlation.id").unwrap().to_string()
}

#[test]
fn the_budget_bounds_retries_over_all_calls_and_is_shared_by_clones() {
    let engine = TestEngine::new();
    // Starts with one retry; five calls earn another.
    let policy = exact().budget(RetryBudget::new(0.2, 0).unwrap()).max_retries(1).build().unwrap();
    let attempts = |policy: &Retry| {
        let mock = Mock::<u32, u32>::new("calls").fails(9, "not yet");
        let flow = step(mock.clone()).retry(policy.clone());
        assert!(engine.block_on(flow.run(7, &engine.context())).is_err());
        (mock.call_count(), outcome(&engine).1)
    };
    let made: Vec<_> = (0..7).map(|_| attempts(&policy)).collect();
    let (retried, refused) = ((2, "exhausted".to_owned()), (1, "budget_exhausted".to_owned()));
    let r = || refused.clone();
    assert_eq!(made, [retried.clone(), r(), r(), r(), r(), retried, r()]);
}

#[test]
fn several_steps_are_retried_together_from_the_first() {
    let engine = TestEngine::new();
    let (first, second) = (Mock::new("first").returns(2_u32), Mock::new("second").fails(1, "not yet").returns(3_u32));
    let both = (step(first.clone()) >> second.clone()).retry(exact().build().unwrap());
    let flow = workflow("both", double) >> both;
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 3);
    assert_eq!((first.calls(), second.calls()), (vec![2, 2], vec![2, 2]));
    insta::assert_snapshot!(engine.tree(), @r"
    both
    ├─ double
    ╰─ sequential
       ├─ attempt ✗ handled
       │  │  app: not yet
       │  ├─ first (mock)
       │  ╰─ second (mock) ✗
       │        app: not yet
       ╰─ attempt
          ├─ first (mock)
          ╰─ second (mock)
    ");
}

#[test]
fn a_retried_workflow_keeps_its_name_and_joins_chains_as_before() {
    let engine = TestEngine::new();
    let (_, calls) = fails(1, exact());
    let named = workflow("named", calls).retry(exact().build().unwrap());
    assert_eq!(named.name().map(|name| name.as_str()), Some("named"));
    engine.block_on((workflow("outer", double) >> named).run(1, &engine.context())).unwrap();
    insta::assert_snapshot!(engine.tree(), @r"
    outer
    ├─ double
    ╰─ named
       ╰─ calls (mock)
          ╰─ attempt
             ├─ attempt ✗ handled
             │     app: not yet
             ╰─ attempt
    ");
}

/// A sequence once claimed the place of its first step.
#[test]
fn a_decorated_closure_keeps_its_place_and_a_decorated_sequence_has_none() {
    let engine = TestEngine::new();
    let policy = exact().build().unwrap();
    let closure = || step(|x: u32| async move { Ok::<_, String>(x) });
    let flow = workflow("places", closure().retry(policy.clone())) >> (closure() >> double).retry(policy);
    engine.block_on(flow.run(1, &engine.context())).unwrap();
    let traces = engine.traces();
    let places = traces[0].children(traces[0].root_span_id);
    let places: Vec<_> =
        places.map(|span| (span.name.as_str(), span.attribute("code.file.path").map(ToString::to_string))).collect();
    assert_eq!(places, [("closure", Some(file!().to_owned())), ("sequential", None)]);
}

/// The other tests pause the engine's clock; here it is the system's, and tokio's timer is paused.
#[test]
fn with_the_systems_clock_waits_are_on_tokios_timer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (calls, flow) = fails(3, exact());
    let seconds = runtime.block_on(async {
        let start = tokio::time::Instant::now();
        flow.run(7, &Context::new()).await.unwrap();
        start.elapsed().as_secs()
    });
    assert_eq!((calls.call_count(), seconds), (4, 1 + 2 + 4));
}
