//! Servers that go away, fall silent and come back.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::future::join_all;
use tta_primitives::cache::{CacheStore, StoreError};
use tta_redis::Redis;
use tta_telemetry::HealthStatus;

use super::support::{Bench, MS, eventually, key, quick, runtime, server_or_skip, tagged};

#[test]
fn a_server_that_is_killed_amid_operations_and_started_again_is_used_again() {
    let mut server = server_or_skip!();
    let redis = quick(&server).build().unwrap();
    let bench = Bench::new(&redis);
    runtime().block_on(async {
        bench.put("a", "text", &[]).await.unwrap();
        let reads = join_all((0..500).map(|_| bench.text("a")));
        let (reads, ()) = futures_util::join!(reads, async { server.kill() });
        assert!(reads.iter().all(|read| !matches!(read, Err(StoreError::TimedOut(_)))), "each ended by itself");
        let error = bench.text("a").await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        let health = redis.health();
        assert_eq!(health.status, HealthStatus::Degraded);
        assert!(health.reason.unwrap().starts_with("unreachable: "));
        server.restart();
        let text = eventually("an answer", || async { bench.text("a").await.ok() }).await;
        assert_eq!(text, None, "the new server is empty");
        assert_eq!(redis.health().status, HealthStatus::Healthy);
        bench.put("a", "again", &[]).await.unwrap();
        assert_eq!(bench.text("a").await.unwrap().as_deref(), Some("again"));
    });
}

/// Nobody notices, if nobody asked meanwhile.
#[test]
fn a_restart_between_two_operations_fails_neither() {
    let mut server = server_or_skip!();
    let bench = Bench::new(&quick(&server).build().unwrap());
    runtime().block_on(async {
        for turn in 0..5 {
            assert_eq!(bench.text("a").await.unwrap(), None, "turn {turn}");
            bench.put("a", "text", &["tag"]).await.unwrap();
            server.restart();
        }
    });
}

#[test]
fn a_handle_needs_no_server_to_be_built_and_finds_the_one_that_comes() {
    let mut server = server_or_skip!();
    server.kill();
    let redis = quick(&server).build().unwrap();
    let bench = Bench::new(&redis);
    assert_eq!(redis.health().status, HealthStatus::Healthy, "nothing is known against it");
    runtime().block_on(async {
        let error = bench.put("a", "text", &[]).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert_eq!(redis.health().status, HealthStatus::Degraded);
        server.restart();
        eventually("a put", || async { bench.put("a", "text", &[]).await.ok() }).await;
        assert_eq!(bench.text("a").await.unwrap().as_deref(), Some("text"));
    });
}

/// While it waits between attempts, nobody else has to.
#[test]
fn between_two_attempts_to_connect_operations_fail_at_once() {
    let mut server = server_or_skip!();
    server.kill();
    let delay = Duration::from_secs(60);
    let redis = Redis::builder(&server.url()).min_reconnect_delay(delay).max_reconnect_delay(delay).build().unwrap();
    let bench = Bench::new(&redis);
    runtime().block_on(async {
        bench.text("a").await.unwrap_err();
        for _ in 0..100 {
            let name = key("a");
            let mut read = pin!(bench.cache.get(&name, &bench.clock).wait());
            let polled = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_ready(), "without waiting for anything");
        }
        server.restart();
        bench.text("a").await.unwrap_err();
    });
}

#[test]
fn a_silent_server_keeps_nobody_longer_than_they_want_and_is_used_again_when_it_speaks() {
    let server = server_or_skip!();
    let redis = quick(&server).connect_timeout(100 * MS).response_timeout(200 * MS).build().unwrap();
    let bench = Bench::new(&redis);
    runtime().block_on(async {
        bench.put("a", "text", &[]).await.unwrap();
        server.pause();
        // As the cache does: each lookup has a time of its own, shorter than ours.
        let lookups = join_all((0..50).map(|_| tokio::time::timeout(20 * MS, bench.text("a")))).await;
        assert!(lookups.iter().all(Result::is_err), "nobody answers");
        let health = redis.health();
        assert_eq!(health.status, HealthStatus::Degraded);
        assert!(health.reason.as_ref().unwrap().starts_with("no answer within "), "{health:?}");
        // Who waits for longer is told.
        let error = bench.text("a").await.unwrap_err();
        assert!(matches!(error, StoreError::TimedOut(limit) if limit == 200 * MS), "{error}");
        // By then the connection is given up, and so is the attempt at another.
        let error = bench.text("a").await.unwrap_err();
        let text = "the cache store cannot be reached: no connection within 100ms";
        assert_eq!(error.to_string(), text);
        server.resume();
        let text = eventually("an answer", || async { bench.text("a").await.ok() }).await;
        assert_eq!(text.as_deref(), Some("text"));
        assert_eq!(redis.health().status, HealthStatus::Healthy);
    });
}

#[test]
fn requests_that_a_silent_server_leaves_unanswered_are_bounded() {
    let server = server_or_skip!();
    let redis = quick(&server).max_unanswered(10).response_timeout(60_000 * MS).connect_timeout(60_000 * MS);
    let redis = redis.build().unwrap();
    let bench = Bench::new(&redis);
    runtime().block_on(async {
        bench.put("a", "text", &[]).await.unwrap();
        server.pause();
        for _ in 0..10 {
            tokio::time::timeout(MS, bench.text("a")).await.unwrap_err();
        }
        // The connection with ten requests in it was given up for another, which nobody greets.
        for _ in 0..100 {
            tokio::time::timeout(MS, bench.text("a")).await.unwrap_err();
        }
        server.resume();
        let text = eventually("an answer", || async { bench.text("a").await.ok() }).await;
        assert_eq!(text.as_deref(), Some("text"));
    });
    // The asker, the connection that was given up, and its only successor.
    let stats = server.ask(&["INFO", "stats"]);
    assert!(stats.contains("total_connections_received:3\r\n"), "{stats}");
}

#[test]
fn operations_that_are_dropped_at_once_harm_neither_connection_nor_health() {
    let server = server_or_skip!();
    let redis = quick(&server).max_unanswered(100_000).build().unwrap();
    let bench = Bench::new(&redis);
    runtime().block_on(async {
        bench.put("a", "text", &[]).await.unwrap();
        let mut task = Context::from_waker(Waker::noop());
        for number in 0..1_000 {
            let name = key("a");
            let mut read = pin!(bench.cache.get(&name, &bench.clock).wait());
            let _ = read.as_mut().poll(&mut task);
            let mut write = pin!(bench.cache.put(&name, tagged(&number.to_string(), &[]), &bench.clock).wait());
            let _ = write.as_mut().poll(&mut task);
        }
        assert_eq!(redis.health().status, HealthStatus::Healthy, "who gives up at once says nothing about it");
        bench.put("a", "last", &[]).await.unwrap();
        assert_eq!(bench.text("a").await.unwrap().as_deref(), Some("last"));
        assert_eq!(redis.health().status, HealthStatus::Healthy);
    });
    let stats = server.ask(&["INFO", "stats"]);
    assert!(stats.contains("total_connections_received:2\r\n"), "{stats}");
}

#[test]
fn a_handle_outlives_the_runtime_it_connected_on() {
    let server = server_or_skip!();
    let bench = Bench::new(&quick(&server).build().unwrap());
    runtime().block_on(bench.put("a", "text", &[])).unwrap();
    let text = runtime().block_on(bench.text("a")).unwrap();
    assert_eq!(text.as_deref(), Some("text"));
    let name = key("a");
    let outside = futures_util::FutureExt::now_or_never(bench.cache.get(&name, &bench.clock).wait());
    let error = outside.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the cache store cannot be reached: there is no tokio runtime here");
}
