//! Budgets around steps: who is refused, what each run is charged, and what is said about it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tta_primitives::testing::TestEngine;
use tta_primitives::{
    Context, Error, ErrorKind, RateLimit, Result, Retry, UnknownBudget, Workflow, step, sync, with_context, workflow,
};
use tta_telemetry::{Budget, BudgetExceeded, BudgetPeriod, BudgetPolicy, HealthStatus, Telemetry, Usd};

use super::support::{SECOND, context, double, hang, poll_once, refuse, start_and_drop, wait_a_second};

fn micros(amount: u64) -> Usd {
    Usd::from_micros(amount)
}

/// A hard budget of 100 millionths of a dollar.
fn hundred() -> Budget {
    Budget::named("llm").limit(micros(100)).policy(BudgetPolicy::Reject).build().unwrap()
}

/// Spent and reserved, in millionths of a dollar.
fn stand(budget: &Budget) -> (u64, u64) {
    let status = budget.status();
    (status.spent.nanos() / 1_000, status.reserved.nanos() / 1_000)
}

fn counts(telemetry: &Telemetry) -> Vec<(String, &'static str, u64)> {
    let counts = telemetry.decision_counts().into_iter().filter(|count| count.key.family == "budget");
    let counts = counts.filter(|count| count.count > 0);
    counts.map(|count| (format!("{} {}", count.key.primitive, count.key.subject), count.outcome, count.count)).collect()
}

#[test]
fn a_run_that_the_budget_has_no_money_for_does_not_run() {
    let engine = TestEngine::new();
    let budget = hundred();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    let ask = step(move |x: u32| {
        count.fetch_add(1, Ordering::Relaxed);
        double(x)
    });
    let flow = workflow("w", ask.budget(budget.clone(), micros(60)));
    let cx = engine.context();
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap(), 2);
    let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded);
    assert_eq!(error.to_string(), "budget `llm` has no $0.00006 left: $0.00006 of $0.0001 spent, $0.00 reserved");
    let exceeded = error.downcast_ref::<BudgetExceeded>().unwrap();
    assert_eq!((exceeded.estimate, exceeded.spent, exceeded.reserved), (micros(60), micros(60), Usd::ZERO));
    assert_eq!((ran.load(Ordering::Relaxed), stand(&budget)), (1, (60, 0)));
    let want = [("closure llm".to_owned(), "reserved", 1), ("closure llm".to_owned(), "refused", 1)];
    assert_eq!(counts(engine.telemetry()), want);
}

#[test]
fn money_is_reserved_while_runs_are_under_way() {
    let engine = TestEngine::new();
    let budget = hundred();
    let flow = workflow("slow", with_context(wait_a_second)).budget(budget.clone(), micros(30));
    let cx = engine.context();
    {
        let mut runs = pin!(join_all((0..5).map(|x| flow.run(x, &cx))));
        assert!(poll_once(runs.as_mut()).is_pending());
        assert_eq!(stand(&budget), (0, 90));
        let results = engine.block_on(runs);
        let oks: Vec<_> = results.iter().map(Result::is_ok).collect();
        assert_eq!(oks, [true, true, true, false, false]);
    }
    assert_eq!((stand(&budget), cx.elapsed()), ((90, 0), SECOND));
}

#[test]
fn a_run_that_is_dropped_or_fails_is_charged_its_estimate() {
    let engine = TestEngine::new();
    let budget = hundred();
    let cx = engine.context();
    start_and_drop(step(hang).budget(budget.clone(), micros(10)).run(1, &cx));
    assert_eq!(stand(&budget), (10, 0));
    assert!(engine.block_on(step(refuse).budget(budget.clone(), micros(10)).run(1, &cx)).is_err());
    assert_eq!(stand(&budget), (20, 0));
    let broken = step(sync(|_: u32| -> Result<u32, String> { panic!("broken") })).budget(budget.clone(), micros(10));
    assert_eq!(engine.block_on(broken.run(1, &cx)).unwrap_err().kind(), ErrorKind::Panic);
    assert_eq!(stand(&budget), (30, 0));
}

#[test]
fn what_another_policy_refused_costs_nothing() {
    let engine = TestEngine::new();
    let budget = hundred();
    let limit = RateLimit::named("model").per(1, SECOND).build().unwrap();
    let flow = step(double).rate_limit(limit).budget(budget.clone(), micros(10));
    let cx = engine.context();
    assert!(engine.block_on(flow.run(1, &cx)).is_ok());
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap_err().kind(), ErrorKind::RateLimited);
    assert_eq!(stand(&budget), (10, 0));
    for kind in [ErrorKind::BudgetExceeded, ErrorKind::BulkheadFull, ErrorKind::CircuitOpen, ErrorKind::Upstream] {
        let refuses = step(sync(move |_: u32| -> Result<u32> { Err(Error::new(kind, "no")) }));
        assert!(engine.block_on(refuses.budget(budget.clone(), micros(10)).run(1, &cx)).is_err());
    }
    // The service that failed may have sent a bill.
    assert_eq!(stand(&budget), (20, 0));
}

async fn answer(units: u32) -> Result<u32, String> {
    if units > 90 { Err("too much".to_owned()) } else { Ok(units) }
}

/// Costs a millionth for each unit of its output; failures cost 7.
fn priced(budget: &Budget) -> Workflow<u32, u32> {
    let cost_of = |result: Result<&u32, &Error>| micros(result.map_or(7, |units| u64::from(*units)));
    workflow("w", step(answer).budget_by(budget.clone(), micros(20), cost_of))
}

#[test]
fn a_run_is_charged_what_it_cost() {
    let engine = TestEngine::new();
    let budget = hundred();
    let flow = priced(&budget);
    let cx = engine.context();
    for (input, want) in [(5, 5), (95, 12), (30, 42)] {
        let _ = engine.block_on(flow.run(input, &cx));
        assert_eq!(stand(&budget), (want, 0));
    }
    let outcomes: Vec<_> = counts(engine.telemetry()).into_iter().map(|(_, what, count)| (what, count)).collect();
    assert_eq!(outcomes, [("reserved", 3), ("overrun", 1)]);
}

#[test]
fn a_cost_function_that_panics_costs_the_estimate_and_not_the_result() {
    let engine = TestEngine::new();
    let budget = hundred();
    let flow = step(double).budget_by(budget.clone(), micros(20), |_| panic!("no price"));
    assert_eq!(engine.block_on(flow.run(4, &engine.context())).unwrap(), 8);
    let outcomes: Vec<_> = counts(engine.telemetry()).into_iter().map(|(_, what, count)| (what, count)).collect();
    assert_eq!((stand(&budget), outcomes), ((20, 0), vec![("reserved", 1), ("cost_unknown", 1)]));
}

#[test]
fn the_step_says_that_it_was_refused_or_cost_more_and_nothing_otherwise() {
    let engine = TestEngine::new();
    let budget = hundred();
    let flow = priced(&budget);
    for input in [1, 85, 2] {
        let _ = engine.block_on(flow.run(input, &context(&engine)));
    }
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    w
    │  correlation.id = c-1
    ╰─ answer
    w
    │  correlation.id = c-1
    ╰─ answer
          budget.outcome = overrun
          budget.name = llm
          budget.estimate_usd = 0.00002
          budget.cost_usd = 0.000085
    w ✗
    │  budget_exceeded: budget `llm` has no $0.00002 left: $0.000086 of $0.0001
    │    spent, $0.00 reserved
    │  correlation.id = c-1
    │  error.path = answer
    ╰─ answer ✗
          budget_exceeded: budget `llm` has no $0.00002 left: $0.000086 of $0.0001
            spent, $0.00 reserved
          budget.outcome = refused
          budget.name = llm
          budget.estimate_usd = 0.00002
    ");
}

#[test]
fn a_retry_does_not_hammer_a_budget_that_is_spent() {
    let engine = TestEngine::new();
    let budget = hundred();
    budget.charge(micros(100));
    let flow = step(double).budget(budget.clone(), micros(1)).retry(Retry::new().build().unwrap());
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap_err().kind(), ErrorKind::BudgetExceeded);
    assert_eq!(budget.status().refused, 1);
}

#[test]
fn a_budget_is_shared_between_workflows_and_engines_and_reported_by_each() {
    let (one, two) = (TestEngine::new(), TestEngine::new());
    let clock = one.telemetry().clock().clone();
    let builder = Budget::named("llm").limit(micros(100)).policy(BudgetPolicy::Reject);
    let budget = builder.period(BudgetPeriod::HOUR).clock(clock).build().unwrap();
    let flow = step(double).budget(budget.clone(), micros(40));
    let other = step(double).budget(budget.clone(), micros(40));
    assert!(one.block_on(flow.run(1, &one.context())).is_ok());
    assert!(two.block_on(flow.run(1, &two.context())).is_ok());
    assert!(two.block_on(other.run(1, &two.context())).is_err());
    for engine in [&one, &two] {
        let report = engine.telemetry().health();
        let health = report.component("budget:llm").unwrap();
        let budgets = report.components.iter().filter(|component| component.name.starts_with("budget:"));
        assert_eq!((budgets.count(), health.status), (1, HealthStatus::Degraded));
    }
    one.clock().advance(Duration::from_secs(3_600));
    assert!(two.block_on(other.run(1, &two.context())).is_ok());
    assert_eq!((stand(&budget), one.telemetry().health().status), ((40, 0), HealthStatus::Healthy));
}

#[test]
fn a_budget_holds_also_when_nothing_is_recorded() {
    let engine = TestEngine::new();
    let budget = hundred();
    let cx = Context::builder().telemetry(Telemetry::disabled()).build().unwrap();
    let flow = step(double).budget(budget.clone(), micros(60));
    assert!(engine.block_on(flow.run(1, &cx)).is_ok());
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap_err().kind(), ErrorKind::BudgetExceeded);
    assert_eq!(stand(&budget), (60, 0));
}

#[test]
fn the_graph_names_the_budget_and_the_estimate() {
    let flow = workflow("w", step(double).budget(hundred(), micros(20)));
    let text = flow.graph().to_text();
    assert!(text.contains("double [budget llm $0.00002]"), "{text}");
}

#[test]
fn a_budget_that_is_named_is_the_one_of_the_run_s_engine() {
    let (one, other) = (hundred(), hundred());
    let engine = TestEngine::new();
    let flow = workflow("w", step(double).budget("llm", micros(60)));
    let cx = |budget: &Budget| {
        let telemetry = Telemetry::builder().budget(budget.clone()).by_hand().build().unwrap();
        (Context::on(telemetry.clone()), telemetry)
    };
    let ((first, telemetry), (second, _)) = (cx(&one), cx(&other));
    assert_eq!(engine.block_on(flow.run(1, &first)).unwrap(), 2);
    assert_eq!(engine.block_on(flow.run(1, &second)).unwrap(), 2);
    assert_eq!(engine.block_on(flow.run(1, &first)).unwrap_err().kind(), ErrorKind::BudgetExceeded);
    assert_eq!((stand(&one), stand(&other)), ((60, 0), (60, 0)));
    one.charge(micros(40));
    assert_eq!(telemetry.health().component("budget:llm").unwrap().status, HealthStatus::Degraded);
}

#[test]
fn a_run_whose_engine_does_not_know_the_budget_does_not_run() {
    let engine = TestEngine::new();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    let ask = step(move |x: u32| {
        count.fetch_add(1, Ordering::Relaxed);
        double(x)
    });
    let flow = workflow("w", ask.budget("search".to_owned(), micros(60)));
    let builder = Telemetry::builder().budget(hundred());
    for (telemetry, known) in [(builder.build().unwrap(), "`llm`"), (Telemetry::disabled(), "none")] {
        let error = engine.block_on(flow.run(1, &Context::on(telemetry))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BudgetExceeded);
        assert_eq!(error.to_string(), format!("the engine knows no budget called `search`, known are {known}"));
        assert_eq!(error.downcast_ref::<UnknownBudget>().unwrap().name, "search");
    }
    assert_eq!(ran.load(Ordering::Relaxed), 0);
}
