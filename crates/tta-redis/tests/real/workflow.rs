//! Whole workflows whose cache is in a Redis that comes and goes: none fails because of it.

use std::time::{Duration, Instant};

use tta_primitives::testing::Mock;
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
        let telemetry = Telemetry::builder().build().unwrap();
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

// The bound is of another order than what it rules out, so a slow machine does not reach it.
#[expect(clippy::disallowed_methods, reason = "how long it takes in the real world is what is tested")]
#[test]
fn a_lookup_in_a_silent_server_costs_no_more_than_the_caches_own_limit() {
    let server = server_or_skip!();
    let minute = Duration::from_secs(60);
    let kit = Kit::new(&quick(&server).connect_timeout(minute).response_timeout(minute).build().unwrap());
    runtime().block_on(async {
        kit.ask("why?").await;
        server.pause();
        let start = Instant::now();
        for _ in 0..20 {
            kit.ask("why?").await;
        }
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_secs(10), "{elapsed:?} for 20 lookups of 20 ms");
        assert_eq!((kit.answers.stats().hits, kit.model.call_count()), (0, 21));
        assert_eq!(kit.status(), HealthStatus::Degraded);
        server.resume();
        kit.recovers().await;
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
