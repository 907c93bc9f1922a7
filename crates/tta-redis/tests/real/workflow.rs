//! Whole workflows whose cache is in a Redis that comes and goes: none fails because of it.

use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Cache, Context, Workflow, step};
use tta_redis::{Redis, RedisCache};
use tta_telemetry::{HealthStatus, Telemetry};

use super::support::{HOUR, MS, eventually, quick, runtime, server_or_skip};

struct Kit {
    telemetry: Telemetry,
    answers: Cache<String>,
    model: Mock<String, String>,
    ask: Workflow<String, String>,
}

impl Kit {
    fn new(redis: &Redis) -> Self {
        Self::on(Telemetry::builder().build().unwrap(), redis)
    }

    fn on(telemetry: Telemetry, redis: &Redis) -> Self {
        let store = RedisCache::new(redis, "answers").unwrap();
        let cache = Cache::named("answers").ttl(HOUR).lookup_timeout(20 * MS).store(store);
        let answers = cache.build().unwrap();
        let model = Mock::new("model").returns("because".to_owned());
        let ask = step(model.clone()).cache(answers.clone(), |question: &String| question.clone());
        Self { telemetry, answers, model, ask }
    }

    async fn ask(&self, question: &str) {
        let answer = self.ask.run(question.to_owned(), &Context::on(self.telemetry.clone())).await;
        assert_eq!(answer.unwrap(), "because");
    }

    /// Until the answer is kept again, and the report says that all is well.
    async fn recovers(&self) {
        eventually("a hit", || async {
            let before = self.answers.stats().hits;
            self.ask("why?").await;
            (self.answers.stats().hits > before).then_some(())
        })
        .await;
        assert_eq!(self.status(), HealthStatus::Healthy);
    }

    fn status(&self) -> HealthStatus {
        self.telemetry.health().component("cache:answers").unwrap().status
    }
}

#[test]
fn runs_go_on_while_the_server_is_dead_and_hit_again_when_it_is_back() {
    let mut server = server_or_skip!();
    let kit = Kit::new(&quick(&server).build().unwrap());
    runtime().block_on(async {
        kit.ask("why?").await;
        kit.ask("why?").await;
        assert_eq!((kit.answers.stats().hits, kit.model.call_count()), (1, 1));
        server.kill();
        for _ in 0..20 {
            kit.ask("why?").await;
        }
        assert_eq!((kit.answers.stats().hits, kit.model.call_count()), (1, 21));
        assert_eq!(kit.status(), HealthStatus::Degraded);
        server.restart();
        kit.recovers().await;
    });
}

/// On a clock that moves only where the test drives it, and then only to the next deadline that
/// somebody waits for: the cache's, if it sets one. The handle's own limit is on real time, so a
/// lookup that ended by it would have taken no time on this clock.
#[test]
fn a_lookup_in_a_silent_server_costs_no_more_than_the_caches_own_limit() {
    let server = server_or_skip!();
    let engine = TestEngine::new();
    let clock = engine.context().clock().clone();
    let minute = Duration::from_secs(60);
    let redis = quick(&server).clock(clock).connect_timeout(minute).response_timeout(minute).build().unwrap();
    let kit = Kit::on(engine.telemetry().clone(), &redis);
    runtime().block_on(async {
        // While the server answers, nobody moves the clock, so no answer can be late.
        kit.ask("why?").await;
        server.pause();
        let mut waited = Vec::new();
        for _ in 0..20 {
            let cx = engine.context();
            engine.drive(kit.ask("why?")).await;
            waited.push(cx.elapsed());
        }
        // Five lookups of 20 ms; then the cache leaves its store alone for a second.
        assert_eq!(waited, [[20 * MS; 5].as_slice(), &[Duration::ZERO; 15]].concat());
        let stats = kit.answers.stats();
        assert_eq!((stats.get_errors, stats.resting, stats.hits, kit.model.call_count()), (5, 15, 0, 21));
        let health = kit.telemetry.health().component("cache:answers").unwrap().clone();
        assert_eq!((health.status, health.reason.as_deref()), (HealthStatus::Degraded, Some("no answer within 20ms")));
        server.resume();
        engine.clock().advance(Duration::from_secs(1));
        kit.ask("why?").await;
        assert_eq!((kit.answers.stats().hits, kit.status()), (1, HealthStatus::Healthy));
    });
}

#[test]
fn a_full_server_costs_hits_and_nothing_else() {
    let server = server_or_skip!("--maxmemory-policy", "noeviction");
    let kit = Kit::new(&quick(&server).build().unwrap());
    runtime().block_on(async {
        assert_eq!(server.ask(&["CONFIG", "SET", "maxmemory", "1"]), "+OK");
        for _ in 0..3 {
            kit.ask("why?").await;
        }
        assert_eq!((kit.answers.stats().hits, kit.answers.stats().put_errors), (0, 3));
        assert_eq!(kit.status(), HealthStatus::Degraded);
        assert_eq!(server.ask(&["CONFIG", "SET", "maxmemory", "0"]), "+OK");
        kit.recovers().await;
    });
}
