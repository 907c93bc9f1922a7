//! A store that is slow, gone or wrong, and values that are stale: nothing fails because of them.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tta_primitives::cache::{CacheStore, Entry, Found, Kept, MemoryStore, Reply, StoreError};
use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Cache, CacheKey, Context, ErrorKind, Timeout, Workflow, step, workflow};
use tta_telemetry::{Clock, Health, HealthStatus, Usd};

use super::cache::{answers, outcomes};
use super::support::{MS, SECOND, context, on_runtime, poll_once, start_and_drop};

#[derive(Clone, Copy, Default, PartialEq)]
enum Mood {
    #[default]
    Well,
    /// Answers after so long.
    Slow(Duration),
    Gone,
    /// Reads, but refuses writes.
    Full,
    Corrupt,
}

/// A memory store behind a network, so to speak.
#[derive(Clone)]
struct Remote(Arc<Inner>);

struct Inner {
    memory: MemoryStore<u32>,
    mood: Mutex<Mood>,
    operations: AtomicUsize,
}

impl Remote {
    fn new() -> Self {
        let memory = MemoryStore::new(100).unwrap();
        Self(Arc::new(Inner { memory, mood: Mutex::default(), operations: AtomicUsize::new(0) }))
    }

    fn is(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    fn operations(&self) -> usize {
        self.0.operations.swap(0, Ordering::SeqCst)
    }

    fn later<'a, T: Send + 'a>(&'a self, clock: Option<&'a Clock>, reply: Reply<'a, T>) -> Reply<'a, T> {
        self.0.operations.fetch_add(1, Ordering::SeqCst);
        let mood = *self.0.mood.lock().unwrap();
        let sleep = match (mood, clock.and_then(Clock::as_manual)) {
            (Mood::Slow(delay), Some(hand)) => Some(hand.sleep(delay)),
            _ => None,
        };
        Reply::Later(Box::pin(async move {
            if let Some(sleep) = sleep {
                sleep.await;
            }
            if mood == Mood::Gone { Err(StoreError::Unavailable("gone".to_owned())) } else { reply.wait().await }
        }))
    }
}

impl CacheStore<u32> for Remote {
    fn get<'a>(&'a self, key: &'a CacheKey, clock: &'a Clock) -> Reply<'a, Found<u32>> {
        if *self.0.mood.lock().unwrap() == Mood::Corrupt {
            return Reply::Ready(Ok(Found::Corrupt));
        }
        self.later(Some(clock), self.0.memory.get(key, clock))
    }

    fn put<'a>(&'a self, key: &'a CacheKey, entry: Entry<u32>, clock: &'a Clock) -> Reply<'a, Kept> {
        if *self.0.mood.lock().unwrap() == Mood::Full {
            return Reply::Ready(Err(StoreError::Refused("out of memory".to_owned())));
        }
        // The write arrives when its time has passed, not when it is sent.
        let sent = self.later(Some(clock), Reply::Ready(Ok(())));
        Reply::Later(Box::pin(async move {
            sent.wait().await?;
            self.0.memory.put(key, entry, clock).wait().await
        }))
    }

    fn remove<'a>(&'a self, key: &'a CacheKey) -> Reply<'a, bool> {
        self.later(None, self.0.memory.remove(key))
    }

    fn invalidate_tag<'a>(&'a self, tag: &'a str) -> Reply<'a, u64> {
        self.later(None, self.0.memory.invalidate_tag(tag))
    }

    fn clear(&self) -> Reply<'_, u64> {
        self.later(None, self.0.memory.clear())
    }

    fn entries(&self) -> Option<u64> {
        None
    }

    fn bytes(&self) -> Option<u64> {
        None
    }

    fn evictions(&self) -> (u64, u64) {
        (0, 0)
    }

    fn health(&self) -> Health {
        Health::healthy()
    }

    fn kind(&self) -> &'static str {
        "remote"
    }
}

fn cached(remote: &Remote) -> (Cache<u32>, Workflow<u32, u32>, Mock<u32, u32>) {
    let cache = answers().store(remote.clone()).build().unwrap();
    let ask = Mock::new("ask").returns(7_u32);
    (cache.clone(), workflow("asks", ask.clone()).cache(cache, |x: &u32| *x), ask)
}

fn health(engine: &TestEngine) -> (HealthStatus, Option<String>) {
    let health = engine.telemetry().health().component("cache:answers").unwrap().clone();
    (health.status, health.reason)
}

#[test]
fn a_store_that_is_too_slow_costs_the_lookup_timeout_and_no_write_is_tried() {
    let engine = TestEngine::new();
    let remote = Remote::new();
    let (cache, flow, ask) = cached(&remote);
    remote.is(Mood::Slow(SECOND));
    let cx = context(&engine);
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap(), 7);
    assert_eq!((cx.elapsed(), ask.call_count(), remote.operations()), (50 * MS, 1, 1));
    assert_eq!((cache.stats().get_errors, cache.stats().misses), (1, 1));
    let reason = "reads failed 1 times in a row: the cache store did not answer within 50ms";
    assert_eq!(health(&engine), (HealthStatus::Degraded, Some(reason.to_owned())));
    assert_eq!(outcomes(&engine, "cache"), [("error", 1)]);
    // Just fast enough: a value each for lookup and write.
    remote.is(Mood::Slow(49 * MS));
    let cx = context(&engine);
    engine.block_on(flow.run(1, &cx)).unwrap();
    assert_eq!((cx.elapsed(), health(&engine).0), (98 * MS, HealthStatus::Healthy));
    let cx = context(&engine);
    engine.block_on(flow.run(1, &cx)).unwrap();
    assert_eq!((cx.elapsed(), cache.stats().hits), (49 * MS, 1));
}

#[test]
fn a_store_that_is_gone_is_left_alone_for_a_second_at_a_time_and_recovers_by_itself() {
    let engine = TestEngine::new();
    let remote = Remote::new();
    let (cache, flow, ask) = cached(&remote);
    let run = || engine.block_on(flow.run(1, &context(&engine))).unwrap();
    remote.is(Mood::Gone);
    assert_eq!((0..20).map(|_| run()).collect::<Vec<_>>(), [7; 20]);
    assert_eq!((remote.operations(), ask.call_count()), (5, 20));
    assert_eq!(outcomes(&engine, "cache"), [("error", 5), ("resting", 15)]);
    engine.clock().advance(SECOND);
    (0..5).for_each(|_| assert_eq!(run(), 7));
    assert_eq!(remote.operations(), 1);
    remote.is(Mood::Well);
    run();
    assert_eq!((remote.operations(), health(&engine).0), (0, HealthStatus::Degraded));
    engine.clock().advance(SECOND);
    (0..3).for_each(|_| assert_eq!(run(), 7));
    assert_eq!((health(&engine), cache.stats().hits), ((HealthStatus::Healthy, None), 2));
    let stats = cache.stats();
    assert_eq!((stats.get_errors, stats.resting, stats.misses), (6, 20, 27));
}

#[test]
fn a_store_that_refuses_writes_still_answers_and_health_says_so() {
    let engine = TestEngine::new();
    let remote = Remote::new();
    let (cache, flow, _) = cached(&remote);
    engine.block_on(flow.run(1, &context(&engine))).unwrap();
    remote.is(Mood::Full);
    for x in [2, 1] {
        assert_eq!(engine.block_on(flow.run(x, &context(&engine))).unwrap(), 7);
    }
    assert_eq!((cache.stats().put_errors, cache.stats().hits), (1, 1));
    let reason = "writes failed 1 times in a row: the cache store refused: out of memory";
    assert_eq!(health(&engine), (HealthStatus::Degraded, Some(reason.to_owned())));
    assert_eq!(outcomes(&engine, "cache_put"), [("kept", 1), ("failed", 1)]);
}

#[test]
fn a_corrupt_entry_is_a_miss_that_is_counted_and_made_anew() {
    let engine = TestEngine::new();
    let remote = Remote::new();
    let cache = answers().store(remote.clone()).cost_per_call(Usd::from_nanos(1)).build().unwrap();
    let flow = step(Mock::new("ask").returns(7_u32)).cache(cache.clone(), |x: &u32| *x);
    remote.is(Mood::Corrupt);
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 7);
    let stats = cache.stats();
    assert_eq!((stats.corrupt, stats.misses, stats.hits, stats.savings), (1, 1, 0, Usd::ZERO));
    assert_eq!((outcomes(&engine, "cache"), outcomes(&engine, "cache_put")), (vec![("corrupt", 1)], vec![("kept", 1)]));
}

#[test]
fn an_invalidation_that_fails_is_an_error_for_the_one_who_asked() {
    let engine = TestEngine::new();
    let remote = Remote::new();
    let (cache, _, _) = cached(&remote);
    remote.is(Mood::Gone);
    let cx = engine.context();
    let failed = engine.block_on(async {
        (cache.invalidate(1_u32, &cx).await.is_err(), cache.invalidate_tag("t", &cx).await.is_err())
    });
    assert_eq!((failed, cache.stats().invalidation_errors), ((true, true), 2));
    assert_eq!(health(&engine).0, HealthStatus::Degraded);
}

/// The store is done with the invalidation before the write, which was under way, arrives.
#[test]
fn a_value_that_is_being_written_while_it_is_invalidated_is_removed_again() {
    let engine = TestEngine::new();
    let remote = Remote::new();
    let (cache, flow, ask) = cached(&remote);
    remote.is(Mood::Slow(10 * MS));
    let (cx, other) = (engine.context(), engine.context());
    let invalidate = async {
        other.sleep(15 * MS).await;
        cache.invalidate(1_u32, &other).await
    };
    let (made, gone) = engine.block_on(futures_util::future::join(flow.run(1, &cx), invalidate));
    assert_eq!((made.unwrap(), gone.unwrap(), cx.elapsed()), (7, false, 20 * MS));
    assert_eq!((cache.stats().superseded, engine.block_on(cache.get(1_u32, &cx))), (1, None));
    assert_eq!((engine.block_on(flow.run(1, &cx)).unwrap(), ask.call_count()), (7, 2));
}

#[test]
fn one_whose_lookup_was_just_too_early_looks_again_before_it_makes_the_value() {
    let engine = TestEngine::new();
    let remote = Remote::new();
    let (cache, flow, ask) = cached(&remote);
    remote.is(Mood::Slow(10 * MS));
    let (cx, other) = (engine.context(), engine.context());
    // The store has found nothing, and is about to say so.
    let mut early = pin!(flow.run(1, &cx));
    assert!(poll_once(early.as_mut()).is_pending());
    remote.is(Mood::Well);
    assert_eq!(engine.block_on(flow.run(1, &other)).unwrap(), 7);
    assert_eq!(engine.block_on(early).unwrap(), 7);
    assert_eq!((ask.call_count(), cache.stats().hits, cache.stats().misses), (1, 1, 1));
}

#[test]
fn an_execution_dropped_while_it_waits_for_the_store_leaves_nothing_behind() {
    let engine = TestEngine::new();
    let remote = Remote::new();
    let (cache, flow, ask) = cached(&remote);
    remote.is(Mood::Slow(10 * MS));
    let cx = engine.context();
    start_and_drop(flow.run(1, &cx));
    assert_eq!((ask.call_count(), engine.clock().sleepers()), (0, 0));
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 7);
    assert_eq!((cache.stats().misses, cache.stats().get_errors), (1, 0));
}

/// A step whose values are 1, 2, 3 and so on, each after `delay`.
fn counting(cache: &Cache<u32>, delay: Duration) -> (Workflow<u32, u32>, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&calls);
    let next = tta_primitives::with_context(move |_: u32, cx: tta_primitives::Context| {
        let seen = Arc::clone(&seen);
        async move {
            let number = seen.fetch_add(1, Ordering::SeqCst) + 1;
            cx.sleep(delay).await;
            if number == 9 { Err("nine") } else { Ok(number) }
        }
    });
    (workflow("counts", tta_primitives::named("next", next)).cache(cache.clone(), |_: &u32| "n"), calls)
}

#[test]
fn a_stale_value_is_shown_at_once_and_made_anew_once_in_the_background() {
    let engine = TestEngine::new();
    let cache = answers().ttl(10 * SECOND).stale_while_revalidate(5 * SECOND).cost_per_call(Usd::from_nanos(1));
    let cache = cache.build().unwrap();
    let (flow, calls) = counting(&cache, SECOND);
    let seen = on_runtime(&engine, async {
        let mut seen = vec![flow.run(0, &context(&engine)).await.unwrap()];
        engine.clock().advance(10 * SECOND);
        let cx = context(&engine);
        for _ in 0..3 {
            seen.push(flow.run(0, &cx).await.unwrap());
        }
        assert_eq!(cx.elapsed(), Duration::ZERO);
        context(&engine).sleep(2 * SECOND).await;
        seen.push(flow.run(0, &cx).await.unwrap());
        seen
    });
    assert_eq!((seen, calls.load(Ordering::SeqCst)), (vec![1, 1, 1, 1, 2], 2));
    let stats = cache.stats();
    assert_eq!((stats.stale_hits, stats.hits, stats.misses, stats.refreshes), (3, 1, 1, 1));
    assert_eq!(stats.savings.nanos(), 3);
    assert_eq!(outcomes(&engine, "cache"), [("hit", 1), ("stale", 3), ("miss", 1)]);
    let tree = engine.tree();
    assert!(tree.contains("counts\n╰─ next\n   ╰─ refresh (task)\n"), "{tree}");
}

#[test]
fn a_refresh_that_fails_or_takes_too_long_neither_fails_the_run_nor_loses_the_stale_value() {
    let engine = TestEngine::new();
    let cache = answers().ttl(SECOND).stale_while_revalidate(1_000 * SECOND).refresh_timeout(3 * SECOND);
    let cache = cache.negative_ttl(SECOND).build().unwrap();
    let (flow, calls) = counting(&cache, Duration::ZERO);
    let (slow, _) = counting(&cache, 5 * SECOND);
    let seen = on_runtime(&engine, async {
        calls.store(7, Ordering::SeqCst);
        let mut seen = vec![flow.run(0, &context(&engine)).await.unwrap()];
        for flow in [&flow, &slow, &flow] {
            engine.clock().advance(SECOND);
            seen.push(flow.run(0, &context(&engine)).await.unwrap());
            context(&engine).sleep(4 * SECOND).await;
        }
        seen
    });
    // The ninth failed, the slow one took too long; the next was made at last.
    assert_eq!(seen, [8, 8, 8, 8]);
    assert_eq!((cache.stats().refreshes, cache.stats().refresh_failures), (3, 2));
    assert!(!engine.tree().contains("counts ✗"), "{}", engine.tree());
}

/// The steps of a refresh once had what was left of the deadline of the run that met the stale value.
#[test]
fn a_refresh_may_take_longer_than_the_run_that_began_it_had_left() {
    let engine = TestEngine::new();
    let cache = answers().ttl(10 * SECOND).stale_while_revalidate(50 * SECOND).build().unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let next = tta_primitives::with_context(move |_: u32, cx: Context| {
        let calls = Arc::clone(&calls);
        async move {
            cx.sleep(500 * MS).await;
            Ok::<u32, String>(calls.fetch_add(1, Ordering::SeqCst) + 1)
        }
    });
    let bounded = step(tta_primitives::named("next", next)).timeout(Timeout::after(5 * SECOND).build().unwrap());
    let flow = workflow("counts", bounded).cache(cache.clone(), |_: &u32| "n");
    let seen = on_runtime(&engine, async {
        let mut seen = vec![flow.run(0, &context(&engine)).await.unwrap()];
        engine.clock().advance(10 * SECOND);
        let hurried = Context::builder().telemetry(engine.telemetry().clone()).deadline(100 * MS).build().unwrap();
        seen.push(flow.run(0, &hurried).await.unwrap());
        context(&engine).sleep(SECOND).await;
        seen.push(flow.run(0, &context(&engine)).await.unwrap());
        seen
    });
    assert_eq!(seen, [1, 1, 2]);
    assert_eq!((cache.stats().refreshes, cache.stats().refresh_failures), (1, 0));
}

#[test]
fn without_a_runtime_stale_values_are_shown_and_the_refresh_is_skipped() {
    let engine = TestEngine::new();
    let cache = answers().ttl(SECOND).stale_while_revalidate(SECOND).build().unwrap();
    let (flow, _) = counting(&cache, Duration::ZERO);
    let run = || engine.block_on(flow.run(0, &context(&engine))).unwrap();
    assert_eq!(run(), 1);
    engine.clock().advance(SECOND);
    assert_eq!((run(), cache.stats().refreshes_skipped, cache.stats().refreshes), (1, 1, 0));
    engine.clock().advance(SECOND);
    assert_eq!(run(), 2);
    assert!(!engine.tree().contains('✗'));
}

#[test]
fn a_step_that_fails_keeps_failing_by_itself_when_the_store_is_gone() {
    let engine = TestEngine::new();
    let remote = Remote::new();
    let cache = answers().store(remote.clone()).negative_ttl(SECOND).build().unwrap();
    let flow = step(Mock::<u32, u32>::new("ask").fails(9, "no")).cache(cache, |x: &u32| *x);
    remote.is(Mood::Gone);
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::App, "no".to_owned()));
}
