//! What follows when a route fails: which errors lead to which other route, and what is recorded.

use std::error::Error as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, IntoError, Retry, RetryHint, Route, RouteReason, Router, RouterBuilder, RouterError,
    Workflow, router, step, with_context, workflow,
};
use tta_telemetry::{Decision, Sampling, Usd};

use super::support::{Counted, SECOND, context, start_and_drop};

fn busy(name: &'static str, kind: ErrorKind) -> Mock<u32, u32> {
    Mock::new(name).fails(99, format!("{name} is busy").with_kind(kind))
}

fn limited(name: &'static str) -> Route<u32, u32> {
    Route::to(name, busy(name, ErrorKind::RateLimited))
}

fn fine(name: &'static str, answer: u32) -> Route<u32, u32> {
    Route::to(name, Mock::new("call").returns(answer))
}

fn micros(micros: u64) -> Usd {
    Usd::from_micros(micros)
}

/// By cost: `a` (busy), `b` (busy), `c` (answers 3).
fn busy_twice() -> RouterBuilder<u32, u32> {
    let routes = router().route(limited("b").cost(micros(2))).route(limited("a").cost(micros(1)));
    routes.route(fine("c", 3).cost(micros(5))).route(fine("d", 4).cost(micros(9))).by_cost()
}

fn run(engine: &TestEngine, router: &Router<u32, u32>) -> Result<u32, Error> {
    engine.block_on(workflow("asks", router.clone()).run(7, &context(engine)))
}

#[test]
fn a_busy_route_leads_to_the_next_cheapest_and_its_error_is_handled() {
    let engine = TestEngine::new();
    let router = busy_twice().build().unwrap();
    assert_eq!(run(&engine, &router).unwrap(), 3);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    asks
    │  correlation.id = c-1
    ╰─ router
       │  router.reason = route_failed
       │  router.route = c
       │  router.cost_usd = 0.000005
       │  router.rerouted = 2
       │  router.savings_usd = 0.000004
       ├─ a (route) ✗ handled
       │     rate_limited: a is busy
       ├─ b (route) ✗ handled
       │     rate_limited: b is busy
       ╰─ c (route)
    ");
    let stats = router.handle().stats();
    let read: Vec<_> = stats.routes.iter().map(|r| (r.name.as_str(), r.refusals, r.successes, r.cost)).collect();
    let nothing = Usd::ZERO;
    assert_eq!(read, [("b", 1, 0, nothing), ("a", 1, 0, nothing), ("c", 0, 1, micros(5)), ("d", 0, 0, nothing)]);
    assert_eq!(stats.savings, micros(4));
    assert_eq!(stats.route("c").unwrap().chosen, [(RouteReason::RouteFailed, 1)]);
}

#[test]
fn errors_that_say_that_nothing_was_done_lead_elsewhere_and_others_do_not() {
    let engine = TestEngine::new();
    let answer = |kind: ErrorKind| {
        let routes = router().route(Route::to("a", busy("a", kind))).route(fine("b", 2));
        run(&engine, &routes.by(|_| "a").build().unwrap()).map_err(|error| error.kind())
    };
    for kind in [ErrorKind::RateLimited, ErrorKind::CircuitOpen, ErrorKind::BulkheadFull, ErrorKind::BudgetExceeded] {
        assert_eq!(answer(kind), Ok(2), "{kind}");
    }
    for kind in [ErrorKind::App, ErrorKind::Upstream, ErrorKind::Timeout, ErrorKind::InvalidInput, ErrorKind::Cancelled]
    {
        assert_eq!(answer(kind), Err(kind));
    }
}

/// A route that was refused and then failed on its own way out once counted as refused, and free.
#[test]
fn a_route_that_did_something_after_it_was_refused_has_failed_and_is_not_followed() {
    let engine = TestEngine::new();
    let broken = Mock::<u32, u32>::new("backup").fails(9, "broken");
    let tried = step(busy("busy", ErrorKind::BulkheadFull)).or_else(broken);
    let routes = router().route(Route::to("a", tried).cost(micros(1))).route(fine("b", 2).cost(micros(5)));
    let router = routes.by_cost().build().unwrap();
    assert_eq!(run(&engine, &router).unwrap_err().kind(), ErrorKind::BulkheadFull);
    let stats = router.handle().stats();
    let a = stats.route("a").unwrap();
    assert_eq!((a.refusals, a.failures, stats.cost), (0, 1, micros(1)));
    // Refused on every way, it has done nothing.
    let tried = step(busy("busy", ErrorKind::BulkheadFull)).or_else(busy("backup", ErrorKind::CircuitOpen));
    let routes = tta_primitives::router().route(Route::to("a", tried).cost(micros(1)));
    let router = routes.route(fine("b", 2).cost(micros(5))).by_cost().build().unwrap();
    assert_eq!(run(&engine, &router).unwrap(), 2);
    assert_eq!((router.handle().stats().routes[0].refusals, router.handle().stats().cost), (1, micros(5)));
}

#[test]
fn the_predicate_decides_instead_and_what_failed_was_paid_for() {
    let engine = TestEngine::new();
    let cheap = Route::to("cheap", busy("cheap", ErrorKind::Upstream)).cost(micros(1));
    let routes =
        router().route(cheap).route(fine("dear", 2).cost(micros(8))).route(fine("dearest", 3).cost(micros(10)));
    let router = routes.by_cost().reroute_when(|error| error.kind() == ErrorKind::Upstream).build().unwrap();
    assert_eq!(run(&engine, &router).unwrap(), 2);
    let stats = router.handle().stats();
    assert_eq!((stats.cost, stats.savings), (micros(9), micros(1)), "the savings of what was spent in vain are gone");
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    asks
    │  correlation.id = c-1
    ╰─ router
       │  router.reason = route_failed
       │  router.route = dear
       │  router.cost_usd = 0.000009
       │  router.savings_usd = 0.000001
       │  router.rerouted = 1
       ├─ cheap (route) ✗ handled
       │     upstream: cheap is busy
       ╰─ dear (route)
    ");
}

#[test]
fn when_all_fail_the_error_carries_every_cause_and_nothing_is_handled() {
    let engine = TestEngine::new();
    let first = Mock::new("call").fails(9, "slow down".with_kind(ErrorKind::RateLimited).retry_after(SECOND));
    let routes = router().route(Route::to("a", first)).route(Route::to("b", busy("b", ErrorKind::CircuitOpen)));
    let error = run(&engine, &routes.by(|_| "a").build().unwrap()).unwrap_err();
    assert_eq!(format!("{error:#}"), "router: all 2 routes failed: a: slow down; b: b is busy: slow down");
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::RateLimited, RetryHint::After(SECOND)));
    let all = error.downcast_ref::<RouterError>().unwrap();
    let causes: Vec<_> = all.causes().iter().map(|cause| format!("{cause:?}")).collect();
    assert_eq!(causes, ["rate_limited error in `a`: slow down", "circuit_open error in `b`: b is busy"]);
    assert!(error.source().is_some_and(|source| source.downcast_ref::<Error>().is_some()));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    asks ✗
    │  rate_limited: all 2 routes failed: a: slow down; b: b is busy
    │  correlation.id = c-1
    │  error.path = router
    ╰─ router ✗
       │  rate_limited: all 2 routes failed: a: slow down; b: b is busy
       │  caused by: slow down
       │  router.reason = route_failed
       │  router.route = b
       │  router.rerouted = 1
       │  router.outcome = exhausted
       ├─ a (route) ✗
       │     rate_limited: slow down
       ╰─ b (route) ✗
             circuit_open: b is busy
    ");
}

#[test]
fn the_only_route_and_one_that_fails_for_good_fail_as_they_are() {
    let engine = TestEngine::new();
    let failed = |router: RouterBuilder<u32, u32>| format!("{:?}", run(&engine, &router.build().unwrap()).unwrap_err());
    let only = router().route(limited("a")).by(|_| "a");
    assert_eq!(failed(only), "rate_limited error in `router > a`: a is busy");
    let broken = router().route(limited("a")).route(Route::to("b", busy("b", ErrorKind::App))).by(|_| "a");
    assert_eq!(failed(broken), "app error in `router > b`: b is busy");
    assert!(engine.traces().iter().flat_map(|trace| &trace.spans).all(|span| !span.handled));
}

#[test]
fn so_many_routes_follow_as_are_allowed() {
    let engine = TestEngine::new();
    let run = |reroutes| run(&engine, &busy_twice().max_reroutes(reroutes).build().unwrap());
    assert_eq!(format!("{:?}", run(0).unwrap_err()), "rate_limited error in `router > a`: a is busy");
    assert_eq!(run(1).unwrap_err().to_string(), "all 2 routes failed: a: a is busy; b: b is busy");
    assert_eq!(run(2).unwrap(), 3);
}

/// The order in which busy routes are tried.
fn order(router: RouterBuilder<u32, u32>) -> String {
    let engine = TestEngine::new();
    let error = run(&engine, &router.build().unwrap()).unwrap_err();
    let all = error.downcast_ref::<RouterError>().unwrap();
    all.causes().iter().map(|cause| cause.path()[0].to_string()).collect::<Vec<_>>().join(" ")
}

fn five() -> RouterBuilder<u32, u32> {
    ["a", "b", "c", "d", "e"].into_iter().zip(1_u32..).fold(router(), |router, (name, place)| {
        router.route(limited(name).quality(f64::from(place) / 10.0).cost(micros(u64::from(6 - place))))
    })
}

#[test]
fn each_strategy_has_an_order_in_which_routes_follow() {
    assert_eq!(order(five().by_cost()), "e d c b a");
    assert_eq!(order(five().by_cost().min_quality(0.25)), "e d c");
    // More capable ones first, then the next less capable.
    assert_eq!(order(five().by_score(|_| 0.5)), "c d e b a");
    assert_eq!(order(five().by_score(|_| 0.0)), "a b c d e");
    assert_eq!(order(five().by_score(|_| 1.0)), "e d c b a");
    // The default route, then as given.
    assert_eq!(order(five().by(|_| "c")), "c a b d e");
    assert_eq!(order(five().by(|_| "c").default_route("e")), "c e a b d");
    // By weight, then the default route, then as given.
    let weights = [("b", 0), ("c", 1_000_000), ("d", 2), ("e", 5)];
    assert_eq!(order(five().by_weight(weights).sticky_by(|_| 0)), "c e d a b");
    assert_eq!(order(five().by_weight(weights).sticky_by(|_| 0).default_route("b")), "c e d b a");
}

proptest::proptest! {
    /// However routes cost and whichever are good enough: every eligible one is tried once, and
    /// by cost in the order of it.
    #[test]
    fn all_eligible_routes_and_no_others_are_tried_each_once(
        routes in proptest::collection::vec((0_u64..5, 0_u8..=4), 2..12),
        least in 0_u8..=4,
        first: u64,
    ) {
        let quality = |of: u8| f64::from(of) / 4.0;
        let named = |at: usize| format!("r{at}");
        let all = || {
            let add = |router: RouterBuilder<u32, u32>, (at, (cost, of)): (usize, &(u64, u8))| {
                let call = busy("call", ErrorKind::RateLimited);
                router.route(Route::to(named(at), call).cost(micros(*cost)).quality(quality(*of)))
            };
            routes.iter().enumerate().fold(router(), add).min_quality(quality(least))
        };
        let mut eligible: Vec<usize> = (0..routes.len()).filter(|at| routes[*at].1 >= least).collect();
        proptest::prop_assume!(eligible.len() > 1);
        let weights: Vec<_> = eligible.iter().map(|at| (named(*at), 1)).collect();
        let drawn = order(all().by_weight(weights).sticky_by(move |_| first));
        let mut drawn: Vec<&str> = drawn.split(' ').collect();
        drawn.sort_unstable();
        let mut want: Vec<String> = eligible.iter().map(|at| named(*at)).collect();
        want.sort_unstable();
        proptest::prop_assert_eq!(drawn, want);
        eligible.sort_by_key(|at| (routes[*at].0, std::cmp::Reverse(routes[*at].1), *at));
        let want: Vec<String> = eligible.into_iter().map(named).collect();
        proptest::prop_assert_eq!(order(all().by_cost()), want.join(" "));
    }
}

#[test]
fn the_input_is_cloned_only_while_another_route_may_follow() {
    async fn refuse(_: Counted) -> Result<u32, Error> {
        Err("busy".with_kind(ErrorKind::RateLimited))
    }
    async fn answer(_: Counted) -> Result<u32, String> {
        Ok(1)
    }
    let engine = TestEngine::new();
    let clones = |router: RouterBuilder<Counted, u32>| {
        let (value, clones) = Counted::new();
        let flow: Workflow<Counted, u32> = step(router.by(|_| "a").build().unwrap());
        let _ = engine.block_on(flow.run(value, &engine.context()));
        clones.load(Ordering::SeqCst)
    };
    let two = || router().route(Route::to("a", refuse)).route(Route::to("b", refuse));
    assert_eq!(clones(router().route(Route::to("a", answer))), 0);
    assert_eq!(clones(two()), 1);
    assert_eq!(clones(two().route(Route::to("c", answer))), 2);
    assert_eq!(clones(two().max_reroutes(0)), 0);
}

#[test]
fn no_route_follows_once_the_run_was_told_to_stop() {
    async fn stop(_: u32, cx: Context) -> Result<u32, Error> {
        cx.cancel_handle().cancel();
        Err("busy".with_kind(ErrorKind::RateLimited))
    }
    let engine = TestEngine::new();
    let never = Mock::new("never").returns(1);
    let routes = router().route(Route::to("a", with_context(stop))).route(Route::to("b", never.clone()));
    let error = run(&engine, &routes.by(|_| "a").build().unwrap()).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "cancelled error in `router > b`: the run was told to stop before this step began"
    );
    assert_eq!(never.call_count(), 0);
}

/// Whatever the predicate says, a route that stopped because it was told to has not failed.
#[test]
fn a_route_that_was_told_to_stop_is_not_followed_by_another() {
    async fn stop(_: u32, cx: Context) -> Result<u32, Error> {
        cx.cancel_handle().cancel();
        Err("told to stop".with_kind(ErrorKind::Cancelled))
    }
    let engine = TestEngine::new();
    let routes = router().route(Route::to("a", with_context(stop))).route(fine("b", 2));
    let router = routes.by(|_| "a").reroute_when(|_| true).build().unwrap();
    assert_eq!(format!("{:?}", run(&engine, &router).unwrap_err()), "cancelled error in `router > a`: told to stop");
    assert_eq!(router.handle().stats().routes[0].cancelled, 1);
}

#[test]
fn a_panic_in_a_route_is_its_failure_and_one_in_the_predicate_the_steps() {
    let engine = TestEngine::new();
    let explodes =
        || router().route(Route::to("a", Mock::new("call").panics("exploded"))).route(fine("b", 2)).by(|_| "a");
    let router = explodes().build().unwrap();
    assert_eq!(format!("{:?}", run(&engine, &router).unwrap_err()), "panic error in `router > a`: exploded");
    assert_eq!(router.handle().stats().routes[0].failures, 1);
    assert_eq!(run(&engine, &explodes().reroute_when(|_| true).build().unwrap()).unwrap(), 2);
    let judges = explodes().reroute_when(|error| panic!("cannot judge {error}")).build().unwrap();
    assert_eq!(format!("{:?}", run(&engine, &judges).unwrap_err()), "panic error in `router`: cannot judge exploded");
    assert_eq!(judges.handle().stats().routes[0].failures, 1);
}

/// A retry around the router starts again from the best route.
#[test]
fn a_retry_around_a_router_tries_all_routes_again() {
    let engine = TestEngine::new();
    let once = |name: &'static str| {
        let call = Mock::new(name).fails(1, "busy".with_kind(ErrorKind::RateLimited)).returns(5);
        Route::to(name, call)
    };
    let router = router().route(once("a")).route(once("b")).by(|_| "a").build().unwrap();
    let flow = step(router.clone()).retry(Retry::new().build().unwrap());
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 5);
    let stats = router.handle().stats();
    assert_eq!((stats.routes[0].refusals, stats.routes[0].successes, stats.routes[1].refusals), (1, 1, 1));
}

#[test]
fn a_run_that_another_route_saved_counts_as_one_that_succeeded() {
    let engine = TestEngine::with(|builder| builder.sampling(Sampling::KeepFailed));
    run(&engine, &busy_twice().build().unwrap()).unwrap();
    assert_eq!(engine.traces().len(), 0);
}

/// What the observers were told, in words.
fn told(run: impl FnOnce(&TestEngine)) -> Vec<String> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let listen = move |decision: &Decision<'_>| {
        let key = decision.key;
        let about = format!("{}/{}/{}", key.workflow, key.primitive, key.subject);
        log.lock().unwrap().push(format!("{:?} {about} {}", decision.severity, decision.outcome));
    };
    run(&TestEngine::with(|builder| builder.observer(listen)));
    std::mem::take(&mut *heard.lock().unwrap())
}

#[test]
fn observers_hear_of_reroutes_fallbacks_and_ends_and_not_of_routine() {
    let heard = told(|engine| {
        run(engine, &busy_twice().named("models").build().unwrap()).unwrap();
        run(engine, &five().by(|_| "zero").default_route("b").max_reroutes(1).build().unwrap()).unwrap_err();
        run(engine, &five().by(|_| "zero").build().unwrap()).unwrap_err();
        run(engine, &router().route(fine("a", 1)).by(|_| "a").build().unwrap()).unwrap();
    });
    assert_eq!(
        heard,
        [
            "Info asks/models/b route_failed",
            "Info asks/models/c route_failed",
            "Warning asks/router/b invalid_route_fallback",
            "Info asks/router/a route_failed",
            "Warning asks/router/ exhausted",
            "Warning asks/router/ no_route",
        ]
    );
}

#[test]
fn a_run_dropped_on_the_second_route_leaves_both_accounted_for() {
    async fn hang(_: u32) -> Result<u32, String> {
        std::future::pending().await
    }
    let engine = TestEngine::new();
    let routes = router().route(limited("a").cost(micros(1))).route(Route::to("b", hang).cost(micros(2)));
    let router = routes.by_cost().build().unwrap();
    start_and_drop(workflow("asks", router.clone()).run(1, &context(&engine)));
    let stats = router.handle().stats();
    assert_eq!((stats.routes[0].refusals, stats.routes[1].cancelled, stats.cost), (1, 1, micros(2)));
    insta::assert_snapshot!(engine.tree(), @r"
    asks ⊘ cancelled
    ╰─ router ⊘ cancelled
       ├─ a (route) ✗
       │     rate_limited: a is busy
       ╰─ b (route) ⊘ cancelled
    ");
}

/// The time of a decision was once read on one engine's clock and understood by another's.
#[test]
fn the_history_tells_the_time_of_the_engine_that_was_met_first() {
    let router = busy_twice().build().unwrap();
    let (first, second) = (TestEngine::new(), TestEngine::new());
    run(&first, &router).unwrap();
    second.clock().advance(100 * SECOND);
    run(&second, &router).unwrap();
    let times: Vec<u64> = router.handle().history().iter().map(|decision| decision.ended_unix_ns).collect();
    assert_eq!((times.len(), times.windows(2).all(|two| two[0] == two[1])), (6, true), "{times:?}");
}
