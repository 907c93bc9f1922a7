//! The cache around a step: what is kept, for how long, who runs, what is said of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Cache, CacheBuilder, CacheKey, CachedFailure, Context, ErrorKind, IntoError, Retry, RetryHint, Workflow, step,
    workflow,
};
use tta_telemetry::{Telemetry, Usd};

use super::support::{MS, SECOND, context, double};

pub(super) fn answers() -> CacheBuilder<u32> {
    Cache::named("answers")
}

/// A step that doubles by hand, counts how often, and is cached by its input.
pub(super) fn counted(cache: &Cache<u32>) -> (Workflow<u32, u32>, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let count = move |x: u32| {
        seen.fetch_add(1, Ordering::SeqCst);
        async move { if x == 13 { Err("unlucky") } else { Ok(x * 2) } }
    };
    (workflow("cached", step(count).cache(cache.clone(), |x: &u32| *x)), calls)
}

/// How often each outcome of the family was decided, without those that never were.
pub(super) fn outcomes(engine: &TestEngine, family: &str) -> Vec<(&'static str, u64)> {
    let counts = engine.telemetry().decision_counts().into_iter();
    let happened = counts.filter(|count| count.key.family == family && count.count > 0);
    happened.map(|count| (count.outcome, count.count)).collect()
}

#[test]
fn the_second_execution_with_the_same_key_is_given_the_value_and_says_so() {
    let engine = TestEngine::new();
    let cache = answers().cost_per_call(Usd::from_micros(300)).build().unwrap();
    let ask = Mock::new("ask").returns(14_u32);
    let flow = workflow("asks", ask.clone()).cache(cache.clone(), |x: &u32| *x) >> double;
    for _ in 0..2 {
        assert_eq!(engine.block_on(flow.run(7, &context(&engine))).unwrap(), 28);
    }
    assert_eq!(ask.calls(), [7]);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    asks
    │  correlation.id = c-1
    ├─ ask (mock)
    │     step.index = 0
    │     step.total = 2
    │     cache.outcome = miss
    │     cache.name = answers
    ╰─ double
          step.index = 1
          step.total = 2
    asks
    │  correlation.id = c-1
    ├─ ask (mock)
    │     step.index = 0
    │     step.total = 2
    │     cache.outcome = hit
    │     cache.name = answers
    ╰─ double
          step.index = 1
          step.total = 2
    ");
    assert_eq!(outcomes(&engine, "cache"), [("hit", 1), ("miss", 1)]);
    assert_eq!(outcomes(&engine, "cache_put"), [("kept", 1)]);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries, stats.savings), (1, 1, Some(1), Usd::from_micros(300)));
    assert!((stats.hit_rate() - 0.5).abs() < 1e-9);
    insta::assert_snapshot!(flow.graph().to_text(), @r"
    asks (workflow)
    ├─ ask (mock) [cache answers]
    ╰─ double
    ");
}

#[test]
fn a_value_is_good_until_its_ttl_has_passed_and_not_a_nanosecond_longer() {
    let engine = TestEngine::new();
    let cache = answers().ttl(10 * SECOND).build().unwrap();
    let (flow, calls) = counted(&cache);
    let run = || engine.block_on(flow.run(1, &engine.context())).unwrap();
    let nanosecond = Duration::from_nanos(1);
    for (pass, want) in [(Duration::ZERO, 1), (10 * SECOND - nanosecond, 1), (nanosecond, 2), (9 * SECOND, 2)] {
        engine.clock().advance(pass);
        assert_eq!((run(), calls.load(Ordering::SeqCst)), (2, want));
    }
    assert_eq!(cache.stats().expired, 1);
}

#[test]
fn different_keys_and_different_caches_know_nothing_of_each_other_and_workflows_share() {
    let engine = TestEngine::new();
    let (cache, other) = (answers().build().unwrap(), answers().build().unwrap());
    let (flow, calls) = counted(&cache);
    let (same, same_calls) = counted(&cache);
    let (apart, apart_calls) = counted(&other);
    for flow in [&flow, &same, &apart] {
        for x in [1, 2] {
            assert_eq!(engine.block_on(flow.run(x, &engine.context())).unwrap(), 2 * x);
        }
    }
    let calls = [calls, same_calls, apart_calls].map(|calls| calls.load(Ordering::SeqCst));
    assert_eq!(calls, [2, 0, 2]);
    assert_eq!((cache.stats().hits, other.stats().hits), (2, 0));
}

#[test]
fn a_key_function_that_fails_or_panics_bypasses_the_cache() {
    let engine = TestEngine::new();
    let cache = answers().build().unwrap();
    let ask = Mock::new("ask").returns(1_u32);
    let failing = |text: &String| text.parse::<u32>();
    let flow = workflow("fails", ask.clone()).cache(cache.clone(), failing);
    let panicking = |text: &String| -> CacheKey { panic!("no key for {text}") };
    let other = workflow("panics", ask.clone()).cache(cache.clone(), panicking);
    for input in ["7", "x", "7", "x"] {
        assert_eq!(engine.block_on(flow.run(input.to_owned(), &context(&engine))).unwrap(), 1);
    }
    assert_eq!(engine.block_on(other.run("y".to_owned(), &context(&engine))).unwrap(), 1);
    assert_eq!(ask.calls(), ["7", "x", "x", "y"]);
    let stats = cache.stats();
    assert_eq!((stats.key_failed, stats.key_panicked, stats.hits, stats.misses), (2, 1, 1, 1));
    let traces = engine.traces();
    let said = |trace: usize, key: &str| traces[trace].spans.iter().find_map(|span| span.attribute(key).cloned());
    assert_eq!(said(1, "cache.outcome").unwrap().to_string(), "bypassed");
    assert_eq!(said(1, "cache.bypass").unwrap().to_string(), "key_failed");
    assert_eq!(said(4, "cache.bypass").unwrap().to_string(), "key_panicked");
}

#[test]
fn failures_are_not_kept_unless_a_negative_ttl_is_set() {
    let engine = TestEngine::new();
    let cache = answers().build().unwrap();
    let (flow, calls) = counted(&cache);
    for _ in 0..2 {
        assert_eq!(engine.block_on(flow.run(13, &engine.context())).unwrap_err().to_string(), "unlucky");
    }
    assert_eq!((calls.load(Ordering::SeqCst), cache.stats().negative_hits), (2, 0));
}

#[test]
fn a_kept_failure_has_kind_and_message_and_goes_after_its_negative_ttl() {
    let engine = TestEngine::new();
    let cache = answers().negative_ttl(SECOND).cost_per_call(Usd::from_nanos(5)).build().unwrap();
    let ask = Mock::new("ask").fails(1, "no such user".with_kind(ErrorKind::InvalidInput)).returns(7_u32);
    let flow = workflow("asks", ask.clone()).cache(cache.clone(), |x: &u32| *x);
    let run = || engine.block_on(flow.run(1, &context(&engine)));
    assert_eq!(run().unwrap_err().kind(), ErrorKind::InvalidInput);
    let error = run().unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::InvalidInput, RetryHint::Never));
    assert_eq!(format!("{error:#}"), "ask: no such user");
    assert_eq!(error.downcast_ref::<CachedFailure>().unwrap().cache, "answers");
    assert_eq!(outcomes(&engine, "cache"), [("negative", 1), ("miss", 1)]);
    engine.clock().advance(SECOND);
    assert_eq!((run().unwrap(), ask.call_count()), (7, 2));
    let stats = cache.stats();
    assert_eq!((stats.negative_hits, stats.misses, stats.savings), (1, 2, Usd::from_nanos(5)));
}

#[test]
fn only_errors_about_the_value_are_kept_whatever_is_asked_for() {
    let is_kept = |builder: CacheBuilder<u32>, error: tta_primitives::Error| {
        let engine = TestEngine::new();
        let cache = builder.negative_ttl(SECOND).build().unwrap();
        let flow = step(Mock::<u32, u32>::new("ask").fails(2, error)).cache(cache.clone(), |x: &u32| *x);
        (0..2).for_each(|_| assert!(engine.block_on(flow.run(1, &engine.context())).is_err()));
        cache.stats().negative_hits == 1
    };
    use ErrorKind::{App, Cancelled, InvalidInput, LimitReached, Panic, RateLimited, Timeout, Upstream};
    for (kind, by_default, by_wish) in [
        (App, true, true),
        (InvalidInput, true, true),
        (Upstream, true, true),
        (LimitReached, false, true),
        (Timeout, false, false),
        (RateLimited, false, false),
        (Cancelled, false, false),
        (Panic, false, false),
    ] {
        assert_eq!(is_kept(answers(), "no".with_kind(kind)), by_default, "{kind}");
        assert_eq!(is_kept(answers().negative_when(|_| true), "no".with_kind(kind)), by_wish, "{kind}");
        assert!(!is_kept(answers().negative_when(|_| false), "no".with_kind(kind)), "{kind}");
        assert!(!is_kept(answers().negative_when(|_| panic!("no idea")), "no".with_kind(kind)), "{kind}");
    }
    assert!(!is_kept(answers(), "busy".retry_after(SECOND)));
}

#[test]
fn a_retry_outside_does_not_repeat_what_the_cache_would_answer() {
    let engine = TestEngine::new();
    let cache = answers().negative_ttl(SECOND).build().unwrap();
    let ask = Mock::<u32, u32>::new("ask").fails(9, "no");
    let flow =
        step(ask.clone()).cache(cache.clone(), |x: &u32| *x).retry(Retry::new().initial_delay(MS).build().unwrap());
    assert!(engine.block_on(flow.run(1, &engine.context())).is_err());
    // The first failure is retried once; the kept one says that it is of no use.
    assert_eq!((ask.call_count(), cache.stats().negative_hits), (1, 1));
}

#[test]
fn values_too_large_are_returned_and_not_kept_and_counted() {
    let engine = TestEngine::new();
    let cache = answers().capacity_bytes(10).weigh(|x| u64::from(*x)).build().unwrap();
    let (flow, calls) = counted(&cache);
    for x in [5, 6, 5, 6] {
        assert_eq!(engine.block_on(flow.run(x, &engine.context())).unwrap(), 2 * x);
    }
    let stats = cache.stats();
    assert_eq!((calls.load(Ordering::SeqCst), stats.too_large, stats.hits, stats.bytes), (3, 2, 1, Some(10)));
    assert_eq!(outcomes(&engine, "cache_put"), [("kept", 1), ("too_large", 2)]);
}

#[test]
fn what_makes_room_is_counted() {
    let engine = TestEngine::new();
    let cache = answers().capacity(3).build().unwrap();
    let (flow, _) = counted(&cache);
    (20..30).for_each(|x| assert_eq!(engine.block_on(flow.run(x, &engine.context())).unwrap(), 2 * x));
    assert_eq!((cache.stats().entries, cache.stats().evictions), (Some(3), 7));
}

#[test]
fn values_are_forgotten_by_key_by_tag_and_altogether() {
    let engine = TestEngine::new();
    let parity = |x: &u32| vec![if x.is_multiple_of(4) { "even".into() } else { "odd".into() }];
    let cache = answers().tags(parity).build().unwrap();
    let (flow, calls) = counted(&cache);
    let cx = engine.context();
    let run = || {
        (1..=4).for_each(|x| assert_eq!(engine.block_on(flow.run(x, &engine.context())).unwrap(), 2 * x));
        calls.swap(0, Ordering::SeqCst)
    };
    assert_eq!((run(), run()), (4, 0));
    assert!(engine.block_on(cache.invalidate(1_u32, &cx)).unwrap());
    assert!(!engine.block_on(cache.invalidate(1_u32, &cx)).unwrap());
    assert_eq!((run(), run()), (1, 0));
    assert_eq!(engine.block_on(cache.invalidate_tag("odd", &cx)).unwrap(), 2);
    assert_eq!((run(), run()), (2, 0));
    assert_eq!(engine.block_on(cache.clear(&cx)).unwrap(), 4);
    assert_eq!(run(), 4);
    let failed = engine.block_on(cache.invalidate("x".parse::<u32>(), &cx)).unwrap_err();
    assert_eq!(failed.to_string(), "the value cannot be encoded: invalid digit found in string");
}

#[test]
fn a_value_whose_tags_cannot_be_told_is_returned_and_not_kept() {
    let engine = TestEngine::new();
    let panics = answers().tags(|_| panic!("no tags")).build().unwrap();
    let too_many = answers().tags(|_| (0..65).map(|tag| tag.to_string().into()).collect()).build().unwrap();
    for cache in [panics, too_many] {
        let (flow, calls) = counted(&cache);
        (0..2).for_each(|_| assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 2));
        assert_eq!((calls.load(Ordering::SeqCst), cache.stats().put_errors), (2, 2));
    }
}

#[test]
fn by_hand_values_are_put_and_got_and_counted_like_those_of_steps() {
    let engine = TestEngine::new();
    let cache = answers().build().unwrap();
    let cx = engine.context();
    let (got, kept, then) = engine
        .block_on(async { (cache.get(1_u32, &cx).await, cache.put(1_u32, 2, &cx).await, cache.get(1_u32, &cx).await) });
    assert_eq!((got, kept, then), (None, true, Some(2)));
    let bad = || "x".parse::<u32>();
    assert_eq!(engine.block_on(async { (cache.get(bad(), &cx).await, cache.put(bad(), 2, &cx).await) }), (None, false));
    let (flow, calls) = counted(&cache);
    assert_eq!((engine.block_on(flow.run(1, &cx)).unwrap(), calls.load(Ordering::SeqCst)), (2, 0));
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.key_failed), (2, 1, 2));
}

#[test]
fn it_works_the_same_where_nothing_is_recorded_and_on_several_engines() {
    let cache = answers().build().unwrap();
    let (flow, calls) = counted(&cache);
    let off = TestEngine::with(|builder| builder.enabled(false));
    let engines = [TestEngine::new(), TestEngine::new()];
    assert_eq!(off.block_on(flow.run(1, &off.context())).unwrap(), 2);
    for _ in 0..2 {
        for engine in &engines {
            assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 2);
        }
    }
    assert_eq!((calls.load(Ordering::SeqCst), cache.stats().hits), (1, 4));
    for engine in engines.iter().chain([&off]) {
        let health = engine.telemetry().health();
        let caches = health.components.iter().filter(|component| component.name.starts_with("cache:"));
        assert_eq!(caches.count(), 1);
        assert_eq!(health.component("cache:answers").unwrap().status.as_str(), "healthy");
    }
    assert_eq!(outcomes(&engines[1], "cache"), [("hit", 2)]);
    let disabled = Context::on(Telemetry::disabled());
    assert_eq!(off.block_on(flow.run(2, &disabled)).unwrap(), 4);
}
