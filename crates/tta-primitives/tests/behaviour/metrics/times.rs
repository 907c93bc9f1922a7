//! Timeouts, retries and fallbacks: how long, how often, which way.

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{ErrorKind, IntoError, Jitter, Retry, Timeout, fallback, step, with_context, workflow};

use super::super::support::{MS, hang, refuse, start_and_drop, wait_a_second};
use super::series;

#[test]
fn executions_under_a_time_limit_are_timed_those_given_up_too() {
    let engine = TestEngine::new();
    let limit = |ms: u32| Timeout::after(ms * MS).build().unwrap();
    let generous = workflow("w", with_context(wait_a_second)).timeout(limit(5_000));
    let strict = workflow("v", with_context(wait_a_second)).timeout(limit(250));
    engine.block_on(generous.run(1, &engine.context())).unwrap();
    engine.block_on(strict.run(1, &engine.context())).unwrap_err();
    assert_eq!(series(&engine, "timeout_execution_seconds"), ["operation=wait_a_second: 2 in 1.25 s"]);
    assert_eq!(series(&engine, "timeout_successes_total"), ["operation=wait_a_second: 1"]);
    assert_eq!(series(&engine, "timeout_failures_total"), ["operation=wait_a_second: 1"]);
    assert_eq!(series(&engine, "timeout_rate"), ["operation=wait_a_second: 0.5"]);
}

fn retry(retries: u32) -> Retry {
    Retry::new().max_retries(retries).jitter(Jitter::None).build().unwrap()
}

#[test]
fn every_attempt_counts_and_those_who_had_no_further_one_are_exhausted() {
    let engine = TestEngine::new();
    let flaky = workflow("w", Mock::new("flaky").fails(2, "not yet").returns(7_u32)).retry(retry(5));
    engine.block_on(flaky.run(1, &engine.context())).unwrap();
    let dead = workflow("w", refuse).retry(retry(2));
    engine.block_on(dead.run(1, &engine.context())).unwrap_err();
    let wrong = Mock::<u32, u32>::new("wrong").fails(9, "no".with_kind(ErrorKind::InvalidInput));
    engine.block_on(workflow("w", wrong).retry(retry(2)).run(1, &engine.context())).unwrap_err();
    start_and_drop(workflow("w", hang).retry(retry(2)).run(1, &engine.context()));
    assert_eq!(
        series(&engine, "retry_attempts_total"),
        [
            "primitive_name=flaky outcome=failure: 2",
            "primitive_name=flaky outcome=success: 1",
            "primitive_name=refuse outcome=failure: 3",
            "primitive_name=refuse outcome=success: 0",
            "primitive_name=wrong outcome=failure: 1",
            "primitive_name=wrong outcome=success: 0",
        ]
    );
    let exhausted: Vec<_> =
        series(&engine, "retry_exhausted_total").into_iter().filter(|line| !line.ends_with(": 0")).collect();
    assert_eq!(exhausted, ["primitive_name=refuse: 1"], "what may not be retried had no further attempt to lose");
}

#[test]
fn the_way_that_answered_counts_by_its_place() {
    let engine = TestEngine::new();
    let fails = |name| Mock::<u32, u32>::new(name).fails(2, "no").returns(7);
    let ways = fallback(fails("second")).or(Mock::new("third").returns(9_u32));
    let flow = workflow("w", Mock::<u32, u32>::new("first").fails(4, "no").returns(5)).fallback(ways);
    let answers: Vec<_> = (0..5).map(|_| engine.block_on(flow.run(1, &engine.context())).unwrap()).collect();
    assert_eq!(answers, [9, 9, 7, 7, 5]);
    assert_eq!(
        series(&engine, "fallback_used_total"),
        ["primitive_name=first position=1: 2", "primitive_name=first position=2: 2"]
    );
    let none = step(refuse).or_else(refuse);
    engine.block_on(none.run(1, &engine.context())).unwrap_err();
    assert_eq!(series(&engine, "fallback_used_total").len(), 2, "nobody answered");
}
