//! Caches: lookups, times, what was saved, what is kept.

use std::pin::pin;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Cache, Context, with_context, workflow};
use tta_telemetry::{SavingsSource, Usd};

use super::super::support::{MS, SECOND, on_runtime, poll_once};
use super::series;

fn answers() -> Cache<u32> {
    let builder = Cache::named("answers").ttl(10 * SECOND).capacity(2).cost_per_call(Usd::from_micros(300));
    builder.stale_while_revalidate(10 * SECOND).build().unwrap()
}

/// Takes 40 ms, and fails for 13.
async fn ask(x: u32, cx: Context) -> Result<u32, String> {
    cx.sleep(40 * MS).await;
    if x == 13 { Err("unlucky".to_owned()) } else { Ok(x * 2) }
}

#[test]
fn lookups_times_and_savings_agree_with_the_caches_own_numbers() {
    let engine = TestEngine::new();
    let cache = answers();
    let flow = workflow("asks", with_context(ask)).cache(cache.clone(), |x: &u32| *x);
    let run = |x| drop(engine.block_on(flow.run(x, &engine.context())));
    [1, 1, 13, 13, 1].into_iter().for_each(run);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (2, 3));
    assert_eq!(series(&engine, "cache_hits_total"), ["operation=ask: 2"]);
    assert_eq!(series(&engine, "cache_misses_total"), ["operation=ask: 3"]);
    assert_eq!(series(&engine, "cache_hit_rate"), [format!("operation=ask: {}", stats.hit_rate())]);
    assert_eq!(
        series(&engine, "cache_latency_seconds"),
        ["operation=ask hit=false: 3 in 0.12 s", "operation=ask hit=true: 2 in 0 s"]
    );
    assert_eq!(series(&engine, "cache_cost_savings_usd_total"), ["operation=ask: 0.0006"]);
    assert_eq!(series(&engine, "cache_entries"), ["operation=ask: 1"]);
    let report = engine.telemetry().cost_report();
    assert_eq!((report.total.saved_by(SavingsSource::Caching), report.total_cost()), (stats.savings, Usd::ZERO));
    let place = "workflow=asks primitive_name=ask primitive_type=lambda category=cache";
    assert_eq!(series(&engine, "primitive_cost_savings_total"), [format!("{place}: 0.0006")]);
}

#[test]
fn an_execution_that_waits_for_another_is_a_miss_that_saves_a_call() {
    let engine = TestEngine::new();
    let cache = answers();
    let flow = workflow("asks", with_context(ask)).cache(cache.clone(), |x: &u32| *x);
    let cx = engine.context();
    let both = async { futures_util::join!(flow.run(1, &cx), flow.run(1, &cx)) };
    let (one, other) = engine.block_on(both);
    assert_eq!((one.unwrap(), other.unwrap(), cache.stats().shared), (2, 2, 1));
    assert_eq!(series(&engine, "cache_misses_total"), ["operation=ask: 2"]);
    assert_eq!(
        series(&engine, "cache_latency_seconds"),
        ["operation=ask hit=false: 2 in 0.08 s", "operation=ask hit=true: 0 in 0 s"]
    );
    assert_eq!(series(&engine, "cache_cost_savings_usd_total"), ["operation=ask: 0.0003"]);
}

/// Savings that were counted cannot be taken back when the value is made anew.
#[test]
fn a_stale_answer_saves_a_call_unless_it_begins_the_refresh() {
    let engine = TestEngine::new();
    let cache = answers();
    let flow = workflow("asks", with_context(ask)).cache(cache.clone(), |x: &u32| *x);
    let cx = engine.context();
    on_runtime(&engine, async {
        flow.run(1, &cx).await.unwrap();
        engine.clock().advance(11 * SECOND);
        // The second comes while the first one's refresh is under way.
        let (a, b) = futures_util::join!(flow.run(1, &cx), flow.run(1, &cx));
        assert_eq!((a.unwrap(), b.unwrap()), (2, 2));
        cx.sleep(SECOND).await;
    });
    let stats = cache.stats();
    assert_eq!((stats.stale_hits, stats.refreshes, stats.savings), (2, 1, Usd::from_micros(300)));
    assert_eq!(series(&engine, "cache_hits_total"), ["operation=ask: 2"]);
    assert_eq!(series(&engine, "cache_cost_savings_usd_total"), ["operation=ask: 0.0003"]);
}

#[test]
fn entries_and_evictions_are_told_once_for_an_operation_however_many_steps_use_the_cache() {
    let engine = TestEngine::new();
    let cache = Cache::named("answers").ttl(10 * SECOND).capacity(2).build().unwrap();
    let of = |name| workflow(name, Mock::new("ask").returns(7_u32)).cache(cache.clone(), |x: &u32| *x);
    for flow in [of("one"), of("other")] {
        for x in 0..4 {
            engine.block_on(flow.run(x, &engine.context())).unwrap();
        }
    }
    engine.clock().advance(11 * SECOND);
    // Two of them are there, and met after their time.
    let (flow, cx) = (of("third"), engine.context());
    for x in 0..4 {
        let mut run = pin!(flow.run(x, &cx));
        let _ = poll_once(run.as_mut());
    }
    let stats = cache.stats();
    assert!(stats.evictions >= 4 && stats.expired >= 1, "{stats:?}");
    assert_eq!(
        series(&engine, "cache_evictions_total"),
        [
            format!("operation=ask cause=expired: {}", stats.expired),
            format!("operation=ask cause=size: {}", stats.evictions)
        ]
    );
    assert_eq!(series(&engine, "cache_entries"), ["operation=ask: 2"]);
}

#[test]
fn contents_are_told_under_every_operation_and_end_with_the_cache() {
    let (one, two) = (TestEngine::new(), TestEngine::new());
    let off = TestEngine::with(|builder| builder.enabled(false));
    let cache = answers();
    let of = |name: &'static str| workflow("w", Mock::new(name).returns(7_u32)).cache(cache.clone(), |x: &u32| *x);
    let (ask, look) = (of("ask"), of("look"));
    for (engine, flow, x) in [(&one, &ask, 1), (&one, &look, 2), (&two, &ask, 1), (&off, &ask, 1)] {
        engine.block_on(flow.run(x, &engine.context())).unwrap();
    }
    assert_eq!(series(&one, "cache_entries"), ["operation=ask: 2", "operation=look: 2"]);
    assert_eq!(
        (series(&two, "cache_entries"), series(&off, "cache_entries")),
        (vec!["operation=ask: 2".to_owned()], vec![])
    );
    drop((ask, look));
    assert_eq!(series(&two, "cache_entries"), ["operation=ask: 2"], "the cache lives");
    drop(cache);
    assert_eq!((series(&one, "cache_entries"), series(&one, "cache_evictions_total")), (vec![], vec![]));
    assert_eq!(series(&one, "cache_misses_total"), ["operation=ask: 1", "operation=look: 1"], "what was counted stays");
}
