//! A workload in which every primitive runs, and everything that can be counted happens once at least.

use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tta::otlp::export::{ExportSettings, OtlpSink};
use tta::prelude::*;
use tta::telemetry::{Charge, CostPlace, Metric, Resource, SavingsSource, Slo, SpanStatus, Unit};
use tta::{Repeat, RetryBudget, Route, Usd};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// What must live on so that its gauges are read.
type Alive = Vec<Box<dyn Any + Send>>;
type Step = Workflow<u32, u32>;

pub(crate) async fn double(n: u32) -> Result<u32, Error> {
    Ok(n * 2)
}

async fn offline(n: u32) -> Result<u32, Error> {
    Err(format!("no route for {n}").with_kind(ErrorKind::Upstream))
}

async fn busy(n: u32) -> Result<u32, Error> {
    Err(format!("too many requests: {n}").with_kind(ErrorKind::RateLimited))
}

async fn slow(n: u32, cx: Context) -> Result<u32, Error> {
    cx.sleep(30 * MS).await;
    Ok(n)
}

async fn undo(_: u32) -> Result<(), Error> {
    Ok(())
}

async fn sum((left, right): (u32, u32)) -> Result<u32, Error> {
    Ok(left + right)
}

/// Runs everything; what is returned must be kept as long as metrics are read.
pub(crate) async fn run_everything(telemetry: &Telemetry) -> Alive {
    objectives_and_instruments(telemetry);
    let cx = Context::on(telemetry.clone());
    shapes(&cx).await;
    let mut alive = retries_and_limits(&cx).await;
    alive.extend(shared_policies(&cx).await);
    alive.extend(kept_and_routed(&cx).await);
    alive.extend(sending(telemetry));
    alive.push(Box::new(cx));
    alive
}

/// A sink that sends to a collector, and says how that goes.
fn sending(telemetry: &Telemetry) -> Alive {
    let (settings, identity) = (ExportSettings::default(), Resource::new("tests".into()));
    let sink = OtlpSink::start(&settings, identity, telemetry.clock().clone()).unwrap();
    let source = sink.exporter().metric_source();
    telemetry.watch_metrics(&source);
    vec![Box::new(sink), Box::new(source)]
}

/// Chains, branches, conditions, loops, sagas, and a run that is cancelled.
async fn shapes(cx: &Context) {
    let shape = workflow("shape", double) >> (step(double) | with_context(slow)) >> sum;
    assert_eq!(shape.run(1, cx).await.unwrap(), 6);
    let tuned = step(when(|n: &u32| *n > 1, double)) >> either(|n: &u32| *n > 9, offline, double);
    let keyed = switch(|n: &u32| if *n > 3 { "large" } else { "small" }).case("large", double).case("small", busy);
    let loops = Repeat::at_most(9).build().unwrap();
    let tuned = (tuned >> keyed.or_fail()).repeat_until(loops, |n: &u32| *n > 100);
    let tuned = tuned >> sync(|n: u32| Ok::<_, String>(n)) >> blocking(|n: u32| Ok::<_, String>(n));
    workflow("tuned", tuned).run(2, cx).await.unwrap_err();
    let first = workflow("first", step((step(offline) | double).any()));
    assert_eq!(first.run(2, cx).await.unwrap(), 4);
    let trip = saga("trip").step(double).compensate(undo).step(offline).uncompensated().build().unwrap();
    workflow("trips", trip).run(2, cx).await.unwrap_err();
    let told = Context::on(cx.telemetry().clone());
    told.cancel_handle().cancel();
    workflow("told", with_context(slow)).run(2, &told).await.unwrap_err();
}

/// Policies that belong to one step.
async fn retries_and_limits(cx: &Context) -> Alive {
    let tries = AtomicU32::new(0);
    let flaky = move |n: u32| {
        let works = tries.fetch_add(1, Ordering::Relaxed) > 0;
        async move { if works { Ok(n) } else { offline(n).await } }
    };
    let quickly = || Retry::new().max_retries(2).initial_delay(MS).budget(RetryBudget::new(0.5, 10).unwrap());
    let again: Step = step(named("flaky", flaky)).retry(quickly().build().unwrap());
    assert_eq!(again.run(2, cx).await.unwrap(), 2);
    let never: Step = workflow("never", step(offline).retry(quickly().build().unwrap()).or_else(double));
    assert_eq!(never.run(2, cx).await.unwrap(), 4);
    let in_time = |limit| Timeout::after(limit).build().unwrap();
    let given_up: Step = workflow("given_up", step(with_context(slow)).timeout(in_time(MS)));
    given_up.run(2, cx).await.unwrap_err();
    let ended: Step = workflow("ended", step(double).timeout(in_time(HOUR)));
    assert_eq!(ended.run(2, cx).await.unwrap(), 4);
    let hedge = Hedge::after(2 * MS).max_extra_share(1.0).cost_per_call(Usd::from_micros(10)).build().unwrap();
    let hedged: Step = workflow("hedged", step(with_context(slow)).hedge(hedge.clone()));
    assert_eq!(hedged.run(2, cx).await.unwrap(), 2);
    vec![Box::new((again, never, given_up)), Box::new((ended, hedged, hedge))]
}

/// Policies that several steps share: each lets one call through and refuses another.
async fn shared_policies(cx: &Context) -> Alive {
    let supplier = CircuitBreaker::named("supplier").consecutive_failures(1).build().unwrap();
    let guarded: Step = workflow("guarded", step(offline).circuit_breaker(supplier.clone()));
    guarded.run(2, cx).await.unwrap_err();
    assert_eq!(guarded.run(2, cx).await.unwrap_err().kind(), ErrorKind::CircuitOpen);
    let quota = RateLimit::named("quota").per(1, HOUR).burst(1).build().unwrap();
    let limited: Step = workflow("limited", step(double).rate_limit(quota.clone()));
    limited.run(2, cx).await.unwrap();
    assert_eq!(limited.run(2, cx).await.unwrap_err().kind(), ErrorKind::RateLimited);
    let room = Bulkhead::named("room").max_concurrent(1).build().unwrap();
    let bounded: Step = workflow("bounded", step(with_context(slow)).bulkhead(room.clone()));
    let (one, other) = tokio::join!(bounded.run(2, cx), bounded.run(2, cx));
    assert!(one.is_ok() && other.unwrap_err().kind() == ErrorKind::BulkheadFull);
    vec![Box::new((supplier, guarded)), Box::new((quota, limited)), Box::new((room, bounded))]
}

/// Cache, memory and router.
async fn kept_and_routed(cx: &Context) -> Alive {
    let answers = Cache::named("answers").capacity(2).cost_per_call(Usd::from_micros(500)).build().unwrap();
    let cached: Step = workflow("cached", step(double).cache(answers.clone(), |n: &u32| *n));
    for n in [1, 1, 1, 2, 3, 4, 5, 6, 7, 8] {
        assert_eq!(cached.run(n, cx).await.unwrap(), n * 2);
    }
    let facts = Memory::builder("facts").max_entries(1).build().unwrap();
    for key in ["one", "two"] {
        facts.add(key, 1_u32, None, cx).await.unwrap();
    }
    let route = |name, cost| Route::to(name, double).cost(Usd::from_micros(cost));
    let models = router()
        .route(Route::to("small", busy).cost(Usd::from_micros(1)))
        .route(route("large", 3_000))
        .route(Route::to("broken", offline).cost(Usd::from_micros(9_000)))
        .by(|n: &u32| {
            if *n > 5 {
                "broken"
            } else if *n > 2 {
                "large"
            } else {
                "small"
            }
        })
        .named("models")
        .build()
        .unwrap();
    let numbers = models.handle();
    let ask: Step = workflow("ask", models);
    for n in [1, 5] {
        assert_eq!(ask.run(n, cx).await.unwrap(), n * 2);
    }
    ask.run(9, cx).await.unwrap_err();
    vec![Box::new((answers, cached)), Box::new(facts), Box::new((numbers, ask))]
}

/// Objectives, cost, instruments of a program's own, and more labels than there may be.
fn objectives_and_instruments(telemetry: &Telemetry) {
    let slo = Slo::named("quick").target(0.9).latency_threshold(100 * MS).build().unwrap();
    telemetry.configure_slo("shape", slo).unwrap();
    telemetry.record_execution("import", "batch", 5 * MS, SpanStatus::Ok, Some(Usd::from_micros(300)));
    let place = CostPlace { workflow: "shape", name: "double", kind: "step", category: "llm", ..CostPlace::default() };
    telemetry.record_cost(&place, &Charge::saved(SavingsSource::Routing, Usd::from_micros(40)));
    telemetry.record_cost(&place, &Charge::unpriced());
    let sizes = Metric::named("page_size_bytes").help("Size of a page: \"\\\".").unit(Unit::Bytes).labels(&["host"]);
    let sizes = telemetry.histogram(sizes.buckets(&[1e3, 1e6])).unwrap();
    sizes.with(&["a \"quoted\" \\ name\nof two lines"]).unwrap().record(48_213.0);
    let odd = telemetry.counter(Metric::named("odd_total").help("Odd ones.").labels(&["here", "there"])).unwrap();
    for number in 0..1_600 {
        let (here, there) = ((number / 40).to_string(), (number % 40).to_string());
        odd.with(&[&here, &there]).unwrap().add(number);
    }
    let level = telemetry.gauge(Metric::named("water_level").help("Of the tank.")).unwrap();
    level.with(&[]).unwrap().set(-1.5);
}
