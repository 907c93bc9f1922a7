//! Routers: how long routes took, what they cost and saved, how they failed.

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    CircuitBreaker, Context, ErrorKind, IntoError, Route, Router, named, router, step, with_context, workflow,
};
use tta_telemetry::{SavingsSource, Usd};

use super::super::support::{MS, hang, start_and_drop};
use super::series;

fn cent(cents: u64) -> Usd {
    Usd::from_micros(cents * 10_000)
}

/// Takes the route that is named by the tens of milliseconds it takes: `fast` takes 10, `best` 20.
fn models() -> Router<u32, u32> {
    let takes = |ms: u32| {
        move |x: u32, cx: Context| async move {
            cx.sleep(ms * MS).await;
            if x == 13 { Err("unlucky".with_kind(ErrorKind::Upstream)) } else { Ok(x) }
        }
    };
    router()
        .named("models")
        .route(Route::to("fast", with_context(takes(10))).cost(cent(1)))
        .route(Route::to("best", with_context(takes(20))).cost(cent(9)))
        .by(|x: &u32| if *x > 50 { "best" } else { "fast" })
        .build()
        .unwrap()
}

#[test]
fn routes_are_timed_and_their_money_is_counted() {
    let engine = TestEngine::new();
    let models = models();
    let flow = workflow("asks", models.clone());
    for x in [1, 2, 99, 13] {
        let _ = engine.block_on(flow.run(x, &engine.context()));
    }
    assert_eq!(
        series(&engine, "router_execution_seconds"),
        ["primitive_name=models route=best: 1 in 0.02 s", "primitive_name=models route=fast: 3 in 0.03 s"]
    );
    assert_eq!(
        series(&engine, "router_cost_usd_total"),
        ["primitive_name=models route=best: 0.09", "primitive_name=models route=fast: 0.03"]
    );
    assert_eq!(
        series(&engine, "router_cost_savings_usd_total"),
        ["primitive_name=models route=best: 0", "primitive_name=models route=fast: 0.16"]
    );
    assert_eq!(series(&engine, "router_errors_total"), ["primitive_name=models route=fast error_type=upstream: 1"]);
    let decisions: Vec<_> =
        series(&engine, "router_decisions_total").into_iter().filter(|line| !line.ends_with(": 0")).collect();
    assert_eq!(
        decisions,
        [
            "primitive_name=models route=best reason=routing_function: 1",
            "primitive_name=models route=fast reason=routing_function: 3"
        ]
    );
    let stats = models.handle().stats();
    assert_eq!((stats.cost, stats.savings), (cent(12), cent(16)), "the handle says the same");
}

#[test]
fn what_routers_spend_and_save_is_in_the_cost_report_and_the_steps_metrics_for_its_user() {
    let engine = TestEngine::new();
    let flow = workflow("asks", models());
    for user in [Some("ada"), None, Some("ada"), Some("bob")] {
        let builder = Context::builder().telemetry(engine.telemetry().clone());
        let cx = match user {
            Some(user) => builder.user_id(user).build().unwrap(),
            None => builder.build().unwrap(),
        };
        engine.block_on(flow.run(1, &cx)).unwrap();
    }
    let place = "workflow=asks primitive_name=models primitive_type=router category=router";
    assert_eq!(series(&engine, "primitive_cost_total"), [format!("{place}: 0.04")]);
    assert_eq!(series(&engine, "primitive_cost_savings_total"), [format!("{place}: 0.32")]);
    let report = engine.telemetry().cost_report();
    assert_eq!((report.total_cost(), report.total_savings()), (cent(4), cent(32)));
    assert_eq!(report.total.saved_by(SavingsSource::Routing), cent(32), "by routing");
    assert_eq!((report.by_category[0].name.as_str(), report.by_workflow[0].name.as_str()), ("router", "asks"));
    let users: Vec<_> = report.by_user.iter().map(|line| (line.name.as_str(), line.totals.cost)).collect();
    assert_eq!(users, [("ada", cent(2)), ("", cent(1)), ("bob", cent(1))]);
}

#[test]
fn a_call_that_was_refused_costs_nothing_and_a_dropped_one_is_paid_and_timed() {
    let engine = TestEngine::new();
    let breaker = CircuitBreaker::named("model").build().unwrap();
    breaker.force_open();
    let closed = step(Mock::new("a model").returns(7_u32)).circuit_breaker(breaker);
    let models = router()
        .named("models")
        .route(Route::to("shut", closed).cost(cent(1)))
        .route(Route::to("open", named("stuck", hang)).cost(cent(5)))
        .by_cost()
        .build()
        .unwrap();
    start_and_drop(workflow("asks", models).run(1, &engine.context()));
    assert_eq!(
        series(&engine, "router_cost_usd_total"),
        ["primitive_name=models route=open: 0.05", "primitive_name=models route=shut: 0"]
    );
    assert_eq!(series(&engine, "router_errors_total"), ["primitive_name=models route=shut error_type=circuit_open: 1"]);
    assert_eq!(
        series(&engine, "router_execution_seconds"),
        ["primitive_name=models route=open: 1 in 0 s", "primitive_name=models route=shut: 1 in 0 s"]
    );
}

#[test]
fn a_router_whose_routes_have_no_cost_says_nothing_of_money() {
    let engine = TestEngine::new();
    let models = router().route(Route::to("only", Mock::new("a model").returns(7_u32))).by(|_: &u32| "only");
    engine.block_on(workflow("asks", models.build().unwrap()).run(1, &engine.context())).unwrap();
    assert_eq!(series(&engine, "router_execution_seconds"), ["primitive_name=router route=only: 1 in 0 s"]);
    for metric in ["router_cost_usd_total", "router_cost_savings_usd_total", "primitive_cost_total"] {
        assert_eq!(series(&engine, metric), [""; 0], "{metric}");
    }
}

#[test]
fn engines_count_for_themselves_and_one_that_is_off_counts_nothing() {
    let engines = [TestEngine::new(), TestEngine::new(), TestEngine::with(|builder| builder.enabled(false))];
    let flow = workflow("asks", models());
    for engine in engines.iter().chain(&engines[1..]) {
        engine.block_on(flow.run(1, &engine.context())).unwrap();
    }
    let costs = engines.each_ref().map(|engine| series(engine, "router_cost_usd_total"));
    let fast = |cost| vec![format!("primitive_name=models route=fast: {cost}")];
    assert_eq!(costs, [fast("0.01"), fast("0.02"), vec![]]);
    assert_eq!(engines.map(|engine| engine.telemetry().cost_report().total_cost()), [cent(1), cent(2), Usd::ZERO]);
}
