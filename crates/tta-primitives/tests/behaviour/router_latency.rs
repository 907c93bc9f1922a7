//! Routing by latency: the fastest route lately, and how others become known.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tta_primitives::testing::TestEngine;
use tta_primitives::{
    Context, Error, ErrorKind, IntoError, Result, Route, RouteReason, Router, RouterBuilder, RouterStats, router, step,
    with_context,
};

use super::support::{MS, SECOND, start_and_drop};

/// How a route behaves now: its delay in milliseconds, and the kind of error it fails with.
#[derive(Clone, Default)]
struct Knob {
    delay_ms: Arc<AtomicU64>,
    kind: Arc<std::sync::Mutex<Option<ErrorKind>>>,
}

impl Knob {
    fn set(&self, delay_ms: u64, kind: Option<ErrorKind>) {
        self.delay_ms.store(delay_ms, Ordering::SeqCst);
        *self.kind.lock().unwrap() = kind;
    }

    fn route(&self, name: &'static str) -> Route<u32, &'static str> {
        let knob = self.clone();
        let call = move |_: u32, cx: Context| {
            let knob = knob.clone();
            async move {
                cx.sleep(knob.delay_ms.load(Ordering::SeqCst) as u32 * MS).await;
                let kind = *knob.kind.lock().unwrap();
                kind.map_or(Ok(name), |kind| Err("boom".with_kind(kind)))
            }
        };
        Route::to(name, with_context(call))
    }
}

struct Bench {
    engine: TestEngine,
    a: Knob,
    b: Knob,
    router: Router<u32, &'static str>,
}

/// Route `a` takes 10 ms, `b` 20 ms.
fn bench(settings: impl FnOnce(RouterBuilder<u32, &'static str>) -> RouterBuilder<u32, &'static str>) -> Bench {
    let (a, b) = (Knob::default(), Knob::default());
    a.set(10, None);
    b.set(20, None);
    let router = settings(router().route(a.route("a")).route(b.route("b")).by_latency()).build().unwrap();
    Bench { engine: TestEngine::new(), a, b, router }
}

impl Bench {
    fn call(&self) -> Result<&'static str> {
        self.engine.block_on(step(self.router.clone()).run(1, &self.engine.context()))
    }

    fn calls(&self, count: u32) {
        (0..count).for_each(|_| drop(self.call()));
    }

    fn stats(&self) -> RouterStats {
        self.router.handle().stats()
    }

    fn chosen(&self, route: &str, reason: RouteReason) -> u64 {
        let stats = self.stats();
        let chosen = &stats.route(route).unwrap().chosen;
        chosen.iter().find(|(known, _)| *known == reason).map_or(0, |(_, count)| *count)
    }

    fn explored(&self) -> u64 {
        ["a", "b"].map(|route| self.chosen(route, RouteReason::Exploring)).iter().sum()
    }

    /// Calls until both routes are known.
    fn warm_up(&self) {
        for _ in 0..1_000 {
            self.calls(1);
            if self.stats().routes.iter().all(|route| route.latency.is_some()) {
                return;
            }
        }
        panic!("exploration made no route known: {:?}", self.stats());
    }
}

fn near(got: Option<Duration>, want: Duration) -> bool {
    got.is_some_and(|got| got >= want.mul_f64(0.98) && got <= want.mul_f64(1.02))
}

#[test]
fn once_both_are_known_the_faster_one_is_taken() {
    let bench = bench(|router| router);
    bench.warm_up();
    let before = bench.chosen("a", RouteReason::Fastest);
    bench.calls(50);
    assert_eq!(bench.chosen("a", RouteReason::Fastest), before + 50);
    let stats = bench.stats();
    assert!(near(stats.routes[0].latency, 10 * MS) && near(stats.routes[1].latency, 20 * MS), "{stats:?}");
    assert_eq!(
        bench.explored(),
        stats.routes.iter().map(|r| r.times_chosen()).sum::<u64>()
            - bench.chosen("a", RouteReason::Fastest)
            - bench.chosen("b", RouteReason::Fastest)
    );
    // Three calls make a route known: none was explored beyond that.
    assert!(bench.explored() <= 6, "{}", bench.explored());
}

#[test]
fn while_another_is_known_a_tenth_of_calls_explore_unless_told_otherwise() {
    let explored = |share: Option<f64>| {
        let bench = bench(|router| share.into_iter().fold(router, RouterBuilder::exploration));
        bench.b.set(0, Some(ErrorKind::RateLimited));
        bench.calls(3);
        while bench.stats().routes[0].latency.is_none() {
            bench.calls(1);
        }
        let before = bench.explored();
        bench.calls(1_000);
        bench.explored() - before
    };
    assert!((70..130).contains(&explored(None)), "{}", explored(None));
    assert_eq!(explored(None), explored(None), "the same ids give the same choices");
    assert_eq!(explored(Some(0.0)), 0);
    assert_eq!(explored(Some(1.0)), 1_000);
}

#[test]
fn a_route_that_becomes_slow_is_left_and_comes_back_when_it_has_recovered() {
    let bench = bench(|router| router);
    bench.warm_up();
    bench.calls(20);
    bench.a.set(500, None);
    bench.calls(10);
    assert_eq!(bench.call().unwrap(), "b", "more than 5 % of its calls are slow");
    bench.a.set(10, None);
    let before = bench.chosen("a", RouteReason::Fastest);
    bench.calls(100);
    assert_eq!(bench.chosen("a", RouteReason::Fastest), before, "nobody looks while its bad time is fresh");
    bench.engine.clock().advance(60 * SECOND);
    // Both are unknown after a minute of silence.
    bench.warm_up();
    assert_eq!(bench.call().unwrap(), "a");
}

#[test]
fn a_route_that_fails_fast_does_not_pass_for_a_fast_one() {
    let bench = bench(|router| router.max_reroutes(0));
    bench.warm_up();
    bench.a.set(0, Some(ErrorKind::Upstream));
    bench.calls(5);
    assert_eq!(bench.call().unwrap(), "b");
    assert!(near(bench.stats().routes[0].latency, 30 * SECOND), "{:?}", bench.stats());
}

#[test]
fn with_no_penalty_a_failure_counts_its_own_time() {
    let bench = bench(|router| router.failure_latency(Duration::ZERO));
    bench.a.set(5, Some(ErrorKind::Upstream));
    bench.warm_up();
    bench.calls(20);
    assert!(near(bench.stats().routes[0].latency, 5 * MS), "{:?}", bench.stats());
    assert!(bench.chosen("a", RouteReason::Fastest) >= 20);
}

#[test]
fn refusals_and_wrong_inputs_say_nothing_about_speed() {
    for kind in [ErrorKind::RateLimited, ErrorKind::CircuitOpen, ErrorKind::BulkheadFull, ErrorKind::InvalidInput] {
        let bench = bench(|router| router.max_reroutes(0));
        bench.warm_up();
        bench.a.set(0, Some(kind));
        bench.calls(30);
        assert!(near(bench.stats().routes[0].latency, 10 * MS), "{kind}: {:?}", bench.stats());
        assert_eq!(bench.call().unwrap_err().kind(), kind);
    }
}

#[test]
fn a_dropped_call_counts_when_it_already_took_longer_than_what_is_known() {
    let bench = bench(|router| router);
    bench.warm_up();
    bench.a.set(3_600_000, None);
    let flow = step(bench.router.clone());
    let drop_after = |wait: Duration| {
        let cx = bench.engine.context();
        let mut run = std::pin::pin!(flow.run(1, &cx));
        assert!(super::support::poll_once(run.as_mut()).is_pending());
        bench.engine.clock().advance(wait);
    };
    (0..10).for_each(|_| drop_after(MS));
    assert!(near(bench.stats().routes[0].latency, 10 * MS), "too early to say: {:?}", bench.stats());
    // Until more than 5 % of its calls are slow.
    for _ in 0..10 {
        if near(bench.stats().routes[0].latency, 10 * MS) {
            drop_after(SECOND);
        }
    }
    assert_eq!(bench.call().unwrap(), "b");
    assert!(bench.stats().routes[0].cancelled >= 11);
}

#[test]
fn expected_latencies_count_until_a_route_was_measured() {
    let (a, b) = (Knob::default(), Knob::default());
    a.set(10, None);
    b.set(20, None);
    let routes = router().route(a.route("a").latency(SECOND)).route(b.route("b").latency(MS));
    let router = routes.by_latency().build().unwrap();
    let engine = TestEngine::new();
    let run = || engine.block_on(step(router.clone()).run(1, &engine.context())).unwrap();
    assert_eq!(run(), "b", "expected to be the faster one");
    let stats = router.handle().stats();
    assert_eq!((stats.routes[1].chosen[0], stats.routes[1].latency), ((RouteReason::Fastest, 1), None));
    // Measured, and not known yet: its expectation no longer counts, that of `a` does.
    assert!((0..20).any(|_| run() == "a"));
    assert_eq!(stats.route("a").unwrap().chosen, []);
}

#[test]
fn another_percentile_can_be_asked_for_and_is_measured_under_any_strategy() {
    let median = bench(|router| router.latency_percentile(0.5));
    median.warm_up();
    median.calls(20);
    median.a.set(500, None);
    median.calls(5);
    assert!(near(median.stats().routes[0].latency, 10 * MS), "most of its calls are fast");
    let by_name = bench(|router| router.by(|_| "b").latency_percentile(0.9));
    by_name.calls(2);
    assert_eq!(by_name.stats().routes[1].latency, None);
    by_name.calls(1);
    assert!(near(by_name.stats().routes[1].latency, 20 * MS));
}

#[test]
fn of_routes_that_were_refused_the_next_fastest_follows() {
    let (a, b, c) = (Knob::default(), Knob::default(), Knob::default());
    let routes = router().route(a.route("a").latency(2 * MS)).route(b.route("b")).route(c.route("c").latency(3 * MS));
    let router = routes.by_latency().exploration(0.0).build().unwrap();
    a.set(0, Some(ErrorKind::RateLimited));
    let engine = TestEngine::new();
    let run = || engine.block_on(step(router.clone()).run(1, &engine.context()));
    assert_eq!(run().unwrap(), "c", "an unknown one comes last");
    c.set(0, Some(ErrorKind::RateLimited));
    let error: Error = {
        b.set(0, Some(ErrorKind::RateLimited));
        run().unwrap_err()
    };
    assert!(error.to_string().starts_with("all 3 routes failed: a: boom; "), "{error}");
}

#[test]
fn a_dropped_call_of_an_unknown_route_counts() {
    let bench = bench(|router| router.exploration(0.0));
    bench.a.set(1_000, None);
    bench.b.set(1_000, None);
    for _ in 0..8 {
        start_and_drop(step(bench.router.clone()).run(1, &bench.engine.context()));
    }
    assert!(bench.stats().routes.iter().any(|route| route.latency == Some(Duration::ZERO)), "{:?}", bench.stats());
}
