//! Every primitive once: all that the table of metrics says of primitives is there, as it says.

use std::pin::pin;
use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Bulkhead, Cache, CircuitBreaker, Context, Hedge, Jitter, RateLimit, Retry, Route, Timeout, named, router, saga,
    step, with_context, workflow,
};
use tta_telemetry::{Charge, Slo, Usd, catalog};

use super::super::support::{MS, SECOND, double, increment, poll_once, refuse, wait_a_second};

const FAMILIES: [&str; 13] = [
    "primitive_",
    "router_",
    "cache_",
    "timeout_",
    "retry_",
    "fallback_",
    "saga_",
    "circuit_",
    "bulkhead_",
    "rate_limit_",
    "hedge_",
    "parallel_",
    "workflow_",
];

fn dollar() -> Usd {
    Usd::from_micros(1_000_000)
}

fn run(engine: &TestEngine, flow: &tta_primitives::Workflow<u32, u32>) {
    for _ in 0..2 {
        let _ = engine.block_on(flow.run(1, &engine.context()));
    }
}

fn routes_and_caches(engine: &TestEngine) {
    let models = router()
        .route(Route::to("small", refuse).cost(Usd::from_micros(1)))
        .route(Route::to("large", double).cost(dollar()))
        .by_cost()
        .build()
        .unwrap();
    run(engine, &workflow("routes", models));
    let spends = |x: u32, cx: Context| async move {
        cx.record_charge("llm", "new", &Charge::unpriced());
        Ok::<_, String>(x)
    };
    run(engine, &workflow("spends", named("spends", with_context(spends))));
}

fn policies(engine: &TestEngine) {
    let retry = Retry::new().max_retries(1).jitter(Jitter::None).build().unwrap();
    run(engine, &workflow("retries", refuse).retry(retry));
    run(engine, &workflow("limits", with_context(wait_a_second)).timeout(Timeout::after(MS).build().unwrap()));
    run(engine, &workflow("in time", double).timeout(Timeout::after(MS).build().unwrap()));
    run(engine, &workflow("falls back", refuse).or_else(double));
    let rate = RateLimit::named("api").per(1, Duration::from_secs(60)).build().unwrap();
    run(engine, &workflow("rate", double).rate_limit(rate));
    let hedge = Hedge::after(MS).cost_per_call(dollar()).build().unwrap();
    run(engine, &workflow("hedges", Mock::new("slow").delays(SECOND).returns(7_u32)).hedge(hedge));
    let trip = saga("trip").step(double).compensate(increment).step(refuse).uncompensated().build().unwrap();
    run(engine, &workflow("saga", trip));
    run(engine, &workflow("fan", (step(double) | double).any()));
}

#[test]
fn every_metric_of_primitives_in_the_table_is_there_with_exactly_its_labels() {
    let engine = TestEngine::new();
    engine.telemetry().configure_slo("double", Slo::named("good").target(0.9).build().unwrap()).unwrap();
    routes_and_caches(&engine);
    policies(&engine);
    // These live while the metrics are read.
    let cache = Cache::named("answers").cost_per_call(dollar()).build().unwrap();
    let store_fails = workflow("asks", double).cache(cache, |x: &u32| *x);
    run(&engine, &store_fails);
    let retry = Retry::new().build().unwrap();
    let retries = workflow("may retry", double).retry(retry);
    run(&engine, &retries);
    let breaker = CircuitBreaker::named("payments").consecutive_failures(1).build().unwrap();
    let broken = workflow("breaks", refuse).circuit_breaker(breaker);
    run(&engine, &broken);
    let full = Bulkhead::named("db").max_concurrent(1).build().unwrap();
    let queued = workflow("queues", with_context(wait_a_second)).bulkhead(full);
    let cx = engine.context();
    let mut inside = pin!(queued.run(1, &cx));
    assert!(poll_once(inside.as_mut()).is_pending());
    run(&engine, &queued);

    let families = engine.telemetry().collect_metrics();
    for row in catalog::ALL.iter().filter(|row| FAMILIES.iter().any(|family| row.name.starts_with(family))) {
        let family = families.iter().find(|family| family.name == row.name);
        let family = family.unwrap_or_else(|| panic!("`{}` is missing", row.name));
        assert_eq!((family.kind, family.unit, family.help.as_str()), (row.kind, row.unit, row.help), "{}", row.name);
        for point in &family.points {
            let keys: Vec<_> = point.labels.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(keys, row.labels, "{}", row.name);
        }
    }
}
