//! Hedges: what attempts cost whose answer was not used.

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Context, Hedge, workflow};
use tta_telemetry::Usd;

use super::super::support::MS;
use super::series;

#[test]
fn waste_is_counted_by_step_and_in_the_cost_report_for_its_user() {
    let engine = TestEngine::new();
    let hedge = Hedge::after(100 * MS).cost_per_call(Usd::from_micros(2_000)).build().unwrap();
    let slow = Mock::new("fetch").delays(300 * MS).returns(7_u32);
    let flow = workflow("calls", slow).hedge(hedge.clone());
    let cx = Context::builder().telemetry(engine.telemetry().clone()).user_id("ada").build().unwrap();
    for _ in 0..2 {
        engine.block_on(flow.run(1, &cx)).unwrap();
    }
    let quick = workflow("calls", Mock::new("quick").returns(7_u32)).hedge(hedge.clone());
    engine.block_on(quick.run(1, &cx)).unwrap();
    assert_eq!(hedge.stats().waste, Usd::from_micros(4_000));
    assert_eq!(series(&engine, "hedge_waste_usd_total"), ["primitive_name=fetch: 0.004"]);
    let place = "workflow=calls primitive_name=fetch primitive_type=mock category=hedge";
    assert_eq!(series(&engine, "primitive_cost_total"), [format!("{place}: 0.004")]);
    let report = engine.telemetry().cost_report();
    assert_eq!((report.total_cost(), report.by_user[0].name.as_str()), (Usd::from_micros(4_000), "ada"));
    let requests = series(&engine, "hedge_requests_total").into_iter().filter(|line| !line.ends_with(": 0"));
    assert_eq!(
        requests.collect::<Vec<_>>(),
        ["primitive_name=fetch outcome=primary_won: 2", "primitive_name=quick outcome=not_needed: 1"]
    );
}

#[test]
fn without_a_cost_there_is_no_waste_in_money() {
    let engine = TestEngine::new();
    let hedge = Hedge::after(100 * MS).build().unwrap();
    let flow = workflow("calls", Mock::new("fetch").delays(300 * MS).returns(7_u32)).hedge(hedge);
    engine.block_on(flow.run(1, &engine.context())).unwrap();
    assert_eq!(series(&engine, "hedge_waste_usd_total"), [""; 0]);
    let off = TestEngine::with(|builder| builder.enabled(false));
    let dear = Hedge::after(100 * MS).cost_per_call(Usd::from_micros(1)).build().unwrap();
    let flow = workflow("calls", Mock::new("fetch").delays(300 * MS).returns(7_u32)).hedge(dear);
    off.block_on(flow.run(1, &off.context())).unwrap();
    assert_eq!((series(&off, "hedge_waste_usd_total"), off.telemetry().cost_report().total.entries), (vec![], 0));
}
