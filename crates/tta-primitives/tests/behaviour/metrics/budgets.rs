//! Budgets of retries: what is left of them.

use tta_primitives::testing::TestEngine;
use tta_primitives::{Jitter, Retry, RetryBudget, workflow};

use super::super::support::{MS, SECOND, double, refuse};
use super::series;

fn retry(budget: &RetryBudget) -> Retry {
    Retry::new().max_retries(3).initial_delay(MS).jitter(Jitter::None).budget(budget.clone()).build().unwrap()
}

#[test]
fn what_is_left_is_a_share_and_grows_with_time() {
    let engine = TestEngine::new();
    let budget = RetryBudget::new(0.0, 1).unwrap();
    let flow = workflow("w", refuse).retry(retry(&budget));
    engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    // Three of ten were spent, and waiting between attempts has earned less than one.
    let read = || {
        let line = series(&engine, "retry_budget_remaining").remove(0);
        line.strip_prefix("primitive_name=refuse: ").unwrap().parse::<f64>().unwrap()
    };
    let left = read();
    assert!((0.7..0.8).contains(&left), "{left}");
    engine.clock().advance(SECOND);
    assert!((read() - left - 0.1).abs() < 1e-3, "{left} and {}", read());
    engine.clock().advance(100 * SECOND);
    assert_eq!(series(&engine, "retry_budget_remaining"), ["primitive_name=refuse: 1"]);
    drop(flow);
    assert_eq!(series(&engine, "retry_budget_remaining"), [""; 0]);
}

#[test]
fn a_shared_budget_is_told_by_each_step_and_engine_and_a_spent_one_exhausts() {
    let engines = [TestEngine::new(), TestEngine::new(), TestEngine::with(|builder| builder.enabled(false))];
    let budget = RetryBudget::new(0.5, 0).unwrap();
    let (bad, good) = (workflow("w", refuse).retry(retry(&budget)), workflow("w", double).retry(retry(&budget)));
    for engine in &engines {
        engine.block_on(bad.run(1, &engine.context())).unwrap_err();
    }
    // It held one retry, earned half of one by each call, and gave out two.
    let exhausted = engines.each_ref().map(|engine| series(engine, "retry_exhausted_total").join(" "));
    assert_eq!(exhausted, ["primitive_name=refuse: 1", "primitive_name=refuse: 1", ""]);
    let lines = engines.each_ref().map(|engine| series(engine, "retry_budget_remaining").join(" "));
    let left = &lines[0];
    assert!(left.starts_with("primitive_name=refuse: 0"), "{lines:?}");
    assert_eq!((&lines[1], lines[2].as_str()), (left, ""));
    engines[0].block_on(good.run(1, &engines[0].context())).unwrap();
    let told = series(&engines[0], "retry_budget_remaining");
    let shares: Vec<_> = told.iter().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!((shares.len(), shares[0]), (2, shares[1]), "{told:?}");
}

#[test]
fn without_a_budget_nothing_is_told_of_one() {
    let engine = TestEngine::new();
    let retry = Retry::new().budget(None).build().unwrap();
    engine.block_on(workflow("w", double).retry(retry).run(1, &engine.context())).unwrap();
    assert_eq!(series(&engine, "retry_budget_remaining"), [""; 0]);
}
