//! Who may use a server, how full it is, and what the health report says.

use tta_primitives::Memory;
use tta_primitives::cache::{CacheStore, StoreError};
use tta_primitives::testing::TestEngine;
use tta_redis::{Environment, Redis, RedisMemory};
use tta_telemetry::HealthStatus;

use super::support::{Bench, quick, runtime, server_or_skip};

fn reason(redis: &Redis) -> Option<String> {
    redis.health().reason
}

#[test]
fn a_user_with_a_password_may_do_what_its_list_says() {
    let server = server_or_skip!("--requirepass", "admin");
    let rule = ["ACL", "SETUSER", "app", "on", ">hunter2", "~tta:c:test:*", "+@all", "-unlink"];
    assert_eq!(server.ask(&rule), "+OK");
    let url = server.url().replace("redis://", "redis://app:hunter2@");
    let in_url = Bench::new(&Redis::connect(&url).unwrap());
    let redis = Redis::builder(&server.url()).username("app").password("hunter2").build().unwrap();
    let by_builder = Bench::new(&redis);
    runtime().block_on(async {
        in_url.put("a", "text", &[]).await.unwrap();
        assert_eq!(by_builder.text("a").await.unwrap().as_deref(), Some("text"));
        let error = by_builder.cache.clear().wait().await.unwrap_err();
        assert!(matches!(&error, StoreError::Refused(text) if text.contains("no permissions")), "{error}");
        assert!(reason(&redis).unwrap().contains("no permissions"));
        assert_eq!(by_builder.text("a").await.unwrap().as_deref(), Some("text"));
        assert_eq!(redis.health().status, HealthStatus::Healthy);
    });
}

#[test]
fn a_wrong_password_is_a_clear_error_that_does_not_show_it() {
    let server = server_or_skip!("--requirepass", "right-one");
    let wrong = Redis::builder(&server.url()).password("hunter2").build().unwrap();
    let none = Redis::connect(&server.url()).unwrap();
    let right = Redis::builder(&server.url()).password("right-one").build().unwrap();
    runtime().block_on(async {
        let error = Bench::new(&wrong).text("a").await.unwrap_err().to_string();
        assert!(error.starts_with("the cache store refused: ") && error.contains("authentication failed"), "{error}");
        let shown = format!("{error} {:?} {:?} {:?}", wrong, wrong.health(), wrong.ping().await.unwrap_err());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(reason(&wrong).unwrap().contains("authentication failed"), "{:?}", wrong.health());
        let error = Bench::new(&none).text("a").await.unwrap_err();
        assert!(matches!(&error, StoreError::Refused(text) if text.contains("NOAUTH")), "{error}");
        right.ping().await.unwrap();
        assert_eq!(right.health().status, HealthStatus::Healthy);
    });
}

#[test]
fn in_production_a_server_that_takes_anyones_word_is_degraded() {
    let server = server_or_skip!();
    let redis = quick(&server).environment(Environment::Production).build().unwrap();
    runtime().block_on(redis.ping()).unwrap();
    let health = redis.health();
    assert_eq!(health.status, HealthStatus::Degraded);
    assert_eq!(health.reason.as_deref(), Some("no password is set in the production environment"));
    assert!(health.last_success_unix_ns.is_some());
    drop(server);
    let server = server_or_skip!("--requirepass", "hunter2");
    let redis = quick(&server).password("hunter2").environment("production".into()).build().unwrap();
    runtime().block_on(redis.ping()).unwrap();
    assert_eq!(redis.health().status, HealthStatus::Healthy);
}

#[test]
fn a_full_server_still_reads_is_degraded_and_well_again_when_there_is_room() {
    let server = server_or_skip!("--maxmemory-policy", "noeviction");
    let redis = Redis::connect(&server.url()).unwrap();
    let bench = Bench::new(&redis);
    runtime().block_on(async {
        bench.put("kept", "text", &["tag"]).await.unwrap();
        assert_eq!(server.ask(&["CONFIG", "SET", "maxmemory", "1"]), "+OK");
        for tags in [&[][..], &["tag"], &["other"]] {
            let error = bench.put("more", "text", tags).await.unwrap_err();
            assert!(matches!(&error, StoreError::Refused(text) if text.contains("OOM")), "{error}");
        }
        assert_eq!(bench.text("kept").await.unwrap().as_deref(), Some("text"));
        let health = redis.health();
        assert_eq!(health.status, HealthStatus::Degraded, "reading does not make it well");
        assert!(health.reason.as_ref().unwrap().contains("OOM") && health.since_unix_ns.is_some(), "{health:?}");
        assert_eq!(bench.cache.invalidate_tag("tag").wait().await.unwrap(), 1, "forgetting works");
        assert_eq!(server.ask(&["CONFIG", "SET", "maxmemory", "0"]), "+OK");
        bench.put("more", "text", &[]).await.unwrap();
        assert_eq!(redis.health().status, HealthStatus::Healthy);
    });
}

#[test]
fn an_engine_reports_the_server_and_the_memories_in_it() {
    let mut server = server_or_skip!();
    let redis = quick(&server).name("main").build().unwrap();
    let engine = TestEngine::new();
    let component = redis.component();
    engine.telemetry().watch_health(&component);
    let backend = RedisMemory::<String>::new(&redis, "facts").unwrap();
    let memory = Memory::builder("facts").backend(backend).build().unwrap();
    let cx = engine.context();
    runtime().block_on(async {
        memory.add("a", "text".to_owned(), None, &cx).await.unwrap();
        let report = engine.telemetry().health();
        assert_eq!(report.status, HealthStatus::Healthy);
        assert!(report.component("redis:main").is_some() && report.component("memory:facts").is_some());
        server.kill();
        memory.get("a", &cx).await.unwrap_err();
        let report = engine.telemetry().health();
        for name in ["redis:main", "memory:facts"] {
            let health = report.component(name).unwrap();
            assert_eq!(health.status, HealthStatus::Degraded);
            assert!(health.reason.as_ref().unwrap().starts_with("unreachable: "), "{health:?}");
        }
    });
}
