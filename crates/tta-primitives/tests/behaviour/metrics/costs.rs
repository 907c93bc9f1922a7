//! What steps say they spend: for which step, workflow and user.

use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, Retry, Timeout, named, parallel, saga, step, traced, with_context, workflow};
use tta_telemetry::{CardinalityLimits, Charge, SavingsSource, Telemetry, Usd};

use super::super::support::{MS, SECOND, double, on_runtime, refuse};
use super::series;

const CENT: Usd = Usd::from_micros(10_000);

/// Spends a cent.
async fn ask(x: u32, cx: Context) -> Result<u32, String> {
    cx.record_cost("llm", CENT);
    Ok(x)
}

/// `workflow/name (kind) category: dollars`.
fn spent(engine: &TestEngine) -> Vec<String> {
    let short = |line: String| {
        let line = line.replace("workflow=", "").replace(" primitive_name=", "/").replace(" primitive_type=", " (");
        line.replace(" category=", ") ")
    };
    series(engine, "primitive_cost_total").into_iter().map(short).collect()
}

#[test]
fn a_charge_is_that_of_the_innermost_step_that_runs() {
    let engine = TestEngine::new();
    let limit = Timeout::after(SECOND).build().unwrap();
    let in_timeout = step(named("limited", with_context(ask))).timeout(limit).retry(Retry::new().build().unwrap());
    let fan = parallel(vec![step(named("left", with_context(ask))), step(named("right", with_context(ask)))]).spawned();
    let own_span = |x: u32, cx: Context| async move {
        let current = || Context::current().unwrap().record_cost("llm", CENT);
        traced("span of its own", async { current() }).await;
        // Away from the run's task, and after another step of the run was here.
        let task = cx.spawn("task", async {
            Context::current().unwrap().record_cost("llm", CENT);
            Ok::<_, String>(())
        });
        task.await.unwrap();
        cx.in_scope(current);
        Ok::<_, String>(x)
    };
    let inner = workflow("inner", named("nested", with_context(ask)));
    let flow = workflow("w", in_timeout) >> inner >> named("own", with_context(own_span)) >> fan;
    on_runtime(&engine, flow.run(1, &engine.context())).unwrap();
    assert_eq!(
        spent(&engine),
        [
            "inner/nested (named) llm: 0.01",
            "w/left (named) llm: 0.01",
            "w/limited (named) llm: 0.01",
            "w/own (named) llm: 0.03",
            "w/right (named) llm: 0.01",
        ]
        .map(|line| line.replace("(named)", "(lambda)"))
    );
    let report = engine.telemetry().cost_report();
    let by_workflow: Vec<_> = report.by_workflow.iter().map(|line| (line.name.as_str(), line.totals.cost)).collect();
    assert_eq!(by_workflow, [("w", Usd::from_micros(60_000)), ("inner", CENT)]);
}

#[test]
fn the_step_says_its_total_and_model_user_and_what_has_no_price_are_in_the_report() {
    let engine = TestEngine::new();
    let spend = |x: u32, cx: Context| async move {
        cx.record_charge("llm", "small", &Charge::priced(CENT).saving(SavingsSource::Other, CENT));
        cx.record_charge("search", "", &Charge::priced(CENT));
        cx.record_charge("llm", "brand-new", &Charge::unpriced());
        Ok::<_, String>(x)
    };
    let flow = workflow("w", named("spends", with_context(spend)));
    let cx = Context::builder().telemetry(engine.telemetry().clone()).user_id("ada").build().unwrap();
    engine.block_on(flow.run(1, &cx)).unwrap();
    let report = engine.telemetry().cost_report();
    let names = |lines: &[tta_telemetry::CostLine]| -> Vec<String> {
        let mut names: Vec<_> =
            lines.iter().map(|line| format!("{} {} {}", line.name, line.totals.cost, line.totals.unpriced)).collect();
        names.sort();
        names
    };
    assert_eq!(names(&report.by_category), [format!("llm {CENT} 1"), format!("search {CENT} 0")]);
    let zero = Usd::ZERO;
    assert_eq!(
        names(&report.by_model),
        [format!(" {CENT} 0"), format!("brand-new {zero} 1"), format!("small {CENT} 0")]
    );
    assert_eq!(names(&report.by_user), [format!("ada {} 1", CENT + CENT)]);
    let place = "workflow=w primitive_name=spends primitive_type=lambda";
    assert_eq!(series(&engine, "primitive_cost_unpriced_total"), [format!("{place} category=llm: 1")]);
    assert_eq!(
        series(&engine, "primitive_cost_savings_total"),
        [format!("{place} category=llm: 0.01"), format!("{place} category=search: 0")]
    );
    let trace = engine.traces().remove(0);
    let span = trace.spans.iter().find(|span| span.name == "spends").unwrap();
    assert_eq!(span.attribute("cost.usd"), Some(&tta_telemetry::Value::F64(0.02)));
    assert_eq!(span.attribute("cost.unpriced"), Some(&tta_telemetry::Value::Bool(true)));
}

#[test]
fn compensations_and_runs_of_the_users_own_are_charged_too() {
    let engine = TestEngine::new();
    let trip = saga("trip").step(double).compensate(named("cancel", with_context(ask))).step(refuse).uncompensated();
    engine.block_on(workflow("w", trip.build().unwrap()).run(1, &engine.context())).unwrap_err();
    let run = engine.context().start_run("import", "job");
    run.context().record_cost("storage", CENT);
    run.end(&Ok(()));
    assert_eq!(spent(&engine), ["import/import (job) storage: 0.01", "w/cancel (compensation) llm: 0.01"]);
}

#[test]
fn money_is_counted_whatever_is_kept_of_the_trace_and_not_outside_a_run_or_when_off() {
    let none = TestEngine::with(|builder| builder.sampling(tta_telemetry::Sampling::KeepNone));
    let off = TestEngine::with(|builder| builder.enabled(false));
    let flow = workflow("w", with_context(ask));
    for engine in [&none, &off] {
        engine.block_on(flow.run(1, &engine.context())).unwrap();
        engine.context().record_cost("llm", CENT);
        assert_eq!(engine.traces().len(), 0);
    }
    assert_eq!((spent(&none), spent(&off)), (vec!["w/ask (lambda) llm: 0.01".to_owned()], vec![]));
    assert_eq!(off.telemetry().cost_report().total.entries, 0);
    Context::on(Telemetry::disabled()).record_cost("llm", CENT);
}

/// Steps beyond the limit share a number: the first of them was once charged for all.
#[test]
fn money_of_steps_beyond_the_limit_is_that_of_other_steps() {
    let limits = CardinalityLimits { max_series_per_metric: 3, ..CardinalityLimits::default() };
    let engine = TestEngine::with(|builder| builder.cardinality(limits));
    for name in ["a", "b", "c", "d"] {
        // The workflow is a step as well.
        let flow = workflow("w", named(name, with_context(ask)));
        engine.block_on(flow.run(1, &engine.context())).unwrap();
    }
    assert_eq!(spent(&engine), ["other/other (other) llm: 0.02", "w/a (lambda) llm: 0.01", "w/b (lambda) llm: 0.01"]);
}

#[test]
fn two_engines_that_share_a_workflow_keep_their_money_apart() {
    let engines = [TestEngine::new(), TestEngine::new()];
    // The second engine has met another step before, so that the same step has another number.
    engines[1].block_on(workflow("first", double).run(1, &engines[1].context())).unwrap();
    let flow = workflow("w", with_context(ask)).timeout(Timeout::after(100 * MS).build().unwrap());
    for engine in engines.iter().chain(&engines[1..]) {
        engine.block_on(flow.run(1, &engine.context())).unwrap();
    }
    assert_eq!(engines.each_ref().map(spent), [vec!["w/ask (lambda) llm: 0.01"], vec!["w/ask (lambda) llm: 0.02"]]);
}
