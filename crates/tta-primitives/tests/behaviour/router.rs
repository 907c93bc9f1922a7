//! Routers: which route does the work, and what is recorded of the choice.

use std::collections::BTreeMap;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, IntoError, Route, RouteOutcome, RouteReason, Router, RouterBuilder, RouterError,
    complexity, named, router, step, workflow,
};
use tta_telemetry::{Telemetry, Usd};

use super::support::{context, double, hang, increment, on_runtime, start_and_drop};

type Text = &'static str;

fn answers(name: Text, answer: u32) -> Mock<Text, u32> {
    Mock::new(name).returns(answer)
}

/// `cheap` answers 1 for a cent, `good` 2 for five, `best` 3 for nine.
fn three() -> RouterBuilder<Text, u32> {
    let cent = |cents: u64| Usd::from_micros(cents * 10_000);
    router()
        .route(Route::to("good", answers("a model", 2)).cost(cent(5)).quality(0.8))
        .route(Route::to("cheap", answers("a model", 1)).cost(cent(1)).quality(0.5))
        .route(Route::to("best", answers("a model", 3)).cost(cent(9)).quality(0.9))
}

fn run(engine: &TestEngine, router: &Router<Text, u32>, input: Text) -> Result<u32, Error> {
    engine.block_on(step(router.clone()).run(input, &engine.context()))
}

/// The reasons that were counted, by route.
fn counted(telemetry: &Telemetry) -> BTreeMap<(String, &'static str), u64> {
    let counts = telemetry.decision_counts();
    let routed = counts.into_iter().filter(|count| count.key.family.starts_with("router") && count.count > 0);
    routed.map(|count| ((count.key.subject.to_string(), count.outcome), count.count)).collect()
}

#[test]
fn the_cheapest_route_is_taken_and_what_it_saves_is_said() {
    let engine = TestEngine::new();
    let router = three().by_cost().named("models").build().unwrap();
    let flow = workflow("asks", router) >> double;
    assert_eq!(engine.block_on(flow.run("hi", &context(&engine))).unwrap(), 2);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    asks
    │  correlation.id = c-1
    ├─ models (router)
    │  │  step.index = 0
    │  │  step.total = 2
    │  │  router.reason = cheapest
    │  │  router.route = cheap
    │  │  router.cost_usd = 0.01
    │  │  router.savings_usd = 0.08
    │  ╰─ cheap (route)
    ╰─ double
          step.index = 1
          step.total = 2
    ");
}

#[test]
fn routes_below_the_least_quality_are_taken_by_no_strategy() {
    let engine = TestEngine::new();
    let by_cost = three().by_cost().min_quality(0.8).build().unwrap();
    assert_eq!(run(&engine, &by_cost, "hi").unwrap(), 2);
    // The dearest and the chosen one are both among the eligible.
    assert_eq!(by_cost.handle().stats().savings, Usd::from_micros(40_000));
    let dear_but_poor = three()
        .route(Route::to("poor", answers("a model", 9)).cost(Usd::from_micros(990_000)).quality(0.1))
        .min_quality(0.5);
    let router = dear_but_poor.by_cost().build().unwrap();
    assert_eq!(run(&engine, &router, "hi").unwrap(), 1);
    assert_eq!(router.handle().stats().savings, Usd::from_micros(80_000));
    let by_name = three().by(|_| "cheap").min_quality(0.8).default_route("best").build().unwrap();
    assert_eq!(run(&engine, &by_name, "hi").unwrap(), 3);
    assert_eq!(by_name.handle().stats().route("best").unwrap().chosen, [(RouteReason::InvalidRouteFallback, 1)]);
}

#[test]
fn of_routes_that_cost_the_same_the_better_one_is_taken() {
    let engine = TestEngine::new();
    let same = |name: Text, answer| Route::to(name, answers("a model", answer)).cost(Usd::from_micros(1));
    let router = router().route(same("a", 1)).route(same("b", 2).quality(0.1)).route(same("c", 3).quality(0.2));
    assert_eq!(run(&engine, &router.by_cost().build().unwrap(), "hi").unwrap(), 3);
}

#[test]
fn a_function_names_the_route_or_leaves_it_to_the_default() {
    let engine = TestEngine::new();
    let by_length = |text: &Text| match text.len() {
        0 => None,
        1..=3 => Some("cheap"),
        _ => Some("best"),
    };
    let router = three().by(by_length).default_route("good").build().unwrap();
    let answered: Vec<u32> = ["hi", "hello", ""].into_iter().map(|text| run(&engine, &router, text).unwrap()).collect();
    assert_eq!(answered, [1, 3, 2]);
    let want = [("best", "routing_function"), ("cheap", "routing_function"), ("good", "default_route")];
    assert_eq!(counted(engine.telemetry()), want.map(|(route, reason)| ((route.to_owned(), reason), 1)).into());
}

#[test]
fn a_route_that_is_not_there_leads_to_the_default_route_and_says_so() {
    let engine = TestEngine::new();
    let router = three().by(|text| text.repeat(100)).default_route("good").build().unwrap();
    assert_eq!(engine.block_on(workflow("asks", router).run("odd", &context(&engine))).unwrap(), 2);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    asks
    │  correlation.id = c-1
    ╰─ router
       │  router.reason = invalid_route_fallback
       │  router.route = good
       │  router.cause = no route `oddoddoddoddoddoddoddoddoddoddoddoddoddoddoddodd…
       │  router.cost_usd = 0.05
       │  router.savings_usd = 0.04
       ╰─ good (route)
    ");
}

#[test]
fn without_a_default_route_the_error_lists_the_routes() {
    let engine = TestEngine::new();
    let router = three().by(|text| Some(*text).filter(|text| *text != "none")).build().unwrap();
    let error = run(&engine, &router, "odd").unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "invalid_input error in `router`: no route `odd` and no default route, accepted is `good`, `cheap`, `best`"
    );
    let Some(RouterError::NoRoute { asked, accepted }) = error.downcast_ref() else { panic!("{error}") };
    assert_eq!((asked.as_deref(), accepted.len()), (Some("odd"), 3));
    let error = run(&engine, &router, "none").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no route was named and there is no default route, accepted is `good`, `cheap`, `best`"
    );
    assert_eq!(router.handle().stats().unroutable, 2);
    assert_eq!(counted(engine.telemetry()), [((String::new(), "no_route"), 2)].into());
}

fn judge(text: &Text, _: &Context) -> Result<Text, Error> {
    match *text {
        "panic" => panic!("cannot judge"),
        "fail" => Err("the judge is out".with_kind(ErrorKind::Upstream)),
        other => Ok(other),
    }
}

#[test]
fn a_routing_function_that_fails_or_panics_leads_to_the_default_route() {
    let engine = TestEngine::new();
    let router = three().try_by(judge).default_route("good").build().unwrap();
    let flow = workflow("asks", router);
    for text in ["fail", "panic", "best"] {
        engine.block_on(flow.run(text, &context(&engine))).unwrap();
    }
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    asks
    │  correlation.id = c-1
    ╰─ router
       │  router.reason = routing_error_fallback
       │  router.route = good
       │  router.cause = the judge is out
       │  router.cost_usd = 0.05
       │  router.savings_usd = 0.04
       ╰─ good (route)
    asks
    │  correlation.id = c-1
    ╰─ router
       │  router.reason = routing_error_fallback
       │  router.route = good
       │  router.cause = cannot judge
       │  router.cost_usd = 0.05
       │  router.savings_usd = 0.04
       ╰─ good (route)
    asks
    │  correlation.id = c-1
    ╰─ router
       │  router.reason = routing_function
       │  router.route = best
       │  router.cost_usd = 0.09
       │  router.savings_usd = 0
       ╰─ best (route)
    ");
}

#[test]
fn without_a_default_route_the_functions_error_is_the_steps() {
    let engine = TestEngine::new();
    let router = three().try_by(judge).build().unwrap();
    let failed = |text| format!("{:?}", run(&engine, &router, text).unwrap_err());
    assert_eq!(failed("fail"), "upstream error in `router`: the judge is out");
    assert_eq!(failed("panic"), "panic error in `router`: cannot judge");
    assert_eq!(run(&engine, &router, "best").unwrap(), 3, "a panic leaves the router as it was");
    assert_eq!(router.handle().stats().unroutable, 2);
}

#[test]
fn the_more_complex_the_text_the_better_the_route() {
    let engine = TestEngine::new();
    let hard = "Explain why the atmosphere scatters light. Compare Rayleigh and Mie scattering, derive both, and:\n\
                1) evaluate different wavelengths\n2) design an experiment\n3) prove the approximations\n\
                4) how do particles interfere?";
    assert!(complexity(hard) > 1.0 / 3.0 && complexity(hard) <= 2.0 / 3.0, "{}", complexity(hard));
    let router = three().by_complexity().build().unwrap();
    assert_eq!((run(&engine, &router, "Hi").unwrap(), run(&engine, &router, hard).unwrap()), (1, 2));
    let counts = counted(engine.telemetry());
    let want = [("cheap", "complexity"), ("good", "complexity")];
    assert_eq!(counts, want.map(|(route, reason)| ((route.to_owned(), reason), 1)).into());
}

/// A router whose input is the score.
fn scored(by: impl Fn(RouterBuilder<f64, Text>) -> RouterBuilder<f64, Text>) -> impl Fn(f64) -> Result<Text, Error> {
    let says = |name: Text| Mock::<f64, Text>::new("a model").returns(name);
    let routes = router()
        .route(Route::to("low", says("low")).up_to(0.3))
        .route(Route::to("middle", says("middle")).up_to(0.6))
        .route(Route::to("high", says("high")));
    let router = by(routes).build().unwrap();
    let engine = TestEngine::new();
    move |score| engine.block_on(step(router.clone()).run(score, &engine.context()))
}

#[test]
fn ranges_end_with_the_score_they_are_up_to_and_the_last_takes_the_rest() {
    let route = scored(|router| router.by_score(|score| *score));
    let cases = [
        (0.0, "low"),
        (0.3, "low"),
        (0.300_1, "middle"),
        (0.6, "middle"),
        (0.61, "high"),
        (1.0, "high"),
        (7.0, "high"),
        (f64::INFINITY, "high"),
        (-3.0, "low"),
    ];
    for (score, want) in cases {
        assert_eq!(route(score).unwrap(), want, "{score}");
    }
    assert_eq!(route(f64::NAN).unwrap_err().to_string(), "the complexity score is NaN, accepted is 0 to 1");
}

#[test]
fn an_estimator_that_fails_leads_to_the_default_route() {
    let careless = |score: &f64| if *score > 0.9 { panic!("too hard") } else { *score };
    let route = scored(|router| router.by_score(careless).default_route("middle"));
    assert_eq!((route(0.0).unwrap(), route(0.95).unwrap(), route(f64::NAN).unwrap()), ("low", "middle", "middle"));
    let route = scored(|router| router.by_score(careless));
    assert_eq!(route(0.95).unwrap_err().kind(), ErrorKind::Panic);
}

#[test]
fn a_part_of_the_input_can_be_what_is_estimated() {
    let says = |name: Text| Mock::<(String, u8), Text>::new("a model").returns(name);
    let routes = router().route(Route::to("low", says("low")).up_to(0.1)).route(Route::to("high", says("high")));
    let flow = step(routes.by_complexity_of(|(text, _)| text).build().unwrap());
    let engine = TestEngine::new();
    let run = |text: &str| engine.block_on(flow.run((text.to_owned(), 0), &engine.context())).unwrap();
    assert_eq!((run("Hi"), run("Why? How? Explain.")), ("low", "high"));
}

fn canary() -> RouterBuilder<u32, u32> {
    router().route(Route::to("stable", double)).route(Route::to("canary", increment)).route(Route::to("spare", double))
}

#[test]
fn routes_are_drawn_in_proportion_to_their_weights() {
    let engine = TestEngine::new();
    let router = canary().by_weight([("stable", 95), ("canary", 5)]).build().unwrap();
    let flow = step(router.clone());
    (0..2_000).for_each(|x| assert!(engine.block_on(flow.run(x, &engine.context())).is_ok()));
    let stats = router.handle().stats();
    let drawn: Vec<u64> = stats.routes.iter().map(|route| route.times_chosen()).collect();
    assert!((70..130).contains(&drawn[1]) && drawn[0] + drawn[1] == 2_000 && drawn[2] == 0, "{drawn:?}");
    assert_eq!(counted(engine.telemetry())[&("canary".to_owned(), "weighted")], drawn[1]);
}

#[test]
fn a_key_sticks_to_its_route_and_a_growing_canary_only_takes_keys() {
    let engine = TestEngine::new();
    let drawn = |canary_weight: u32| {
        let weights = [("stable", 100 - canary_weight), ("canary", canary_weight)];
        let flow = step(canary().by_weight(weights).sticky_by(|x| x / 2).build().unwrap());
        let is_canary = |x: u32| engine.block_on(flow.run(x, &engine.context())).unwrap() == x + 1;
        (2..402).map(is_canary).collect::<Vec<_>>()
    };
    let (few, more) = (drawn(20), drawn(50));
    assert!(few.chunks(2).all(|pair| pair[0] == pair[1]), "two inputs of one key");
    assert_eq!(few, drawn(20));
    assert!(few.iter().zip(&more).all(|(before, after)| !before || *after));
    let count = |drawn: &[bool]| drawn.iter().filter(|is_canary| **is_canary).count();
    assert!((40..130).contains(&count(&few)) && (140..260).contains(&count(&more)), "{} {}", count(&few), count(&more));
}

#[test]
fn a_key_function_that_panics_leads_to_the_default_route() {
    let engine = TestEngine::new();
    let careless = |x: &u32| if *x == 3 { panic!("no key for {x}") } else { *x };
    let weights = [("stable", 1)];
    let router = canary().by_weight(weights).sticky_by(careless).default_route("canary").build().unwrap();
    let flow = step(router);
    let run = |x| engine.block_on(flow.run(x, &engine.context())).unwrap();
    assert_eq!((run(3), run(4)), (4, 8));
    assert_eq!(counted(engine.telemetry())[&("canary".to_owned(), "routing_error_fallback")], 1);
}

#[test]
fn a_router_is_a_step_that_draws_its_routes() {
    let flow = step(named("first", canary().by(|_| "stable").build().unwrap()))
        >> canary().named("second").by_weight([("canary", 1)]).build().unwrap()
        >> increment;
    insta::assert_snapshot!(flow.graph().to_text(), @r"
    sequential
    ├─ first (router) [by function]
    │  ├─ stable: double
    │  ├─ canary: increment
    │  ╰─ spare: double
    ├─ second (router) [by weight]
    │  ├─ stable: double
    │  ├─ canary: increment
    │  ╰─ spare: double
    ╰─ increment
    ");
    let engine = TestEngine::new();
    assert_eq!(engine.block_on(flow.run(3, &engine.context())).unwrap(), 8);
}

#[test]
fn several_steps_and_workflows_are_routes_under_the_routes_name() {
    let engine = TestEngine::new();
    let routes = router()
        .route(Route::to("steps", step(double) >> increment))
        .route(Route::to("flow", workflow("inner", double) >> increment))
        .by(|x: &u32| if x.is_multiple_of(2) { "steps" } else { "flow" });
    let flow = workflow("asks", routes.build().unwrap());
    assert_eq!(engine.block_on(flow.run(2, &engine.context())).unwrap(), 5);
    assert_eq!(engine.block_on(flow.run(3, &engine.context())).unwrap(), 7);
    insta::assert_snapshot!(engine.tree(), @r"
    asks
    ╰─ router
       ╰─ steps (route)
          ├─ double
          ╰─ increment
    asks
    ╰─ router
       ╰─ flow (route)
          ├─ double
          ╰─ increment
    ");
    let statistics = engine.telemetry().step_statistics();
    let routes = statistics.iter().filter(|step| step.kind.as_str() == "route");
    let routes: Vec<_> = routes.map(|step| (step.name.as_str(), step.success)).collect();
    assert_eq!(routes, [("steps", 1), ("flow", 1)]);
}

#[test]
fn dropping_the_run_counts_the_route_as_cancelled_and_paid_for() {
    let engine = TestEngine::new();
    let router = router().route(Route::to("slow", hang).cost(Usd::from_micros(5))).by_cost().build().unwrap();
    start_and_drop(workflow("asks", router.clone()).run(1, &context(&engine)));
    let stats = router.handle().stats();
    assert_eq!((stats.cost, stats.savings, stats.routes[0].cancelled), (Usd::from_micros(5), Usd::ZERO, 1));
    assert_eq!(router.handle().history()[0].outcome, RouteOutcome::Cancelled);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    asks ⊘ cancelled
    │  correlation.id = c-1
    ╰─ router ⊘ cancelled
       │  router.reason = cheapest
       │  router.route = slow
       ╰─ slow (route) ⊘ cancelled
    ");
}

/// Clones and workflows share one router's numbers; each engine counts what it saw.
#[test]
fn one_router_serves_several_workflows_and_engines_and_one_that_is_off() {
    let (one, two) = (TestEngine::new(), TestEngine::new());
    let router = three().by_cost().build().unwrap();
    let (first, second) = (workflow("first", router.clone()), workflow("second", router.clone()));
    one.block_on(first.run("a", &one.context())).unwrap();
    one.block_on(second.run("b", &one.context())).unwrap();
    two.block_on(first.run("c", &two.context())).unwrap();
    let off = Context::on(Telemetry::disabled());
    assert_eq!(one.block_on(first.run("d", &off)).unwrap(), 1);
    let count = |engine: &TestEngine| counted(engine.telemetry())[&("cheap".to_owned(), "cheapest")];
    // A map by route and reason: the last of the engine's two workflows.
    assert_eq!((count(&one), count(&two)), (1, 1));
    let total: u64 = one.telemetry().decision_counts().iter().map(|count| count.count).sum();
    assert_eq!(total, 2);
    let stats = router.handle().stats();
    assert_eq!((stats.routes[1].successes, stats.cost), (4, Usd::from_micros(40_000)));
    assert!(!Telemetry::disabled().decision_counts().iter().any(|count| count.count > 0));
}

#[test]
fn decisions_of_many_threads_are_all_counted() {
    let engine = TestEngine::new();
    let router = three().by_weight([("cheap", 1), ("good", 1), ("best", 2)]).history(50).build().unwrap();
    let flow = workflow("asks", router.clone());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                (0..500).for_each(|_| assert!(runtime.block_on(flow.run("hi", &engine.context())).is_ok()));
            });
        }
    });
    let stats = router.handle().stats();
    let successes: u64 = stats.routes.iter().map(|route| route.successes).sum();
    assert_eq!((successes, counted(engine.telemetry()).values().sum::<u64>()), (2_000, 2_000));
    let [good, cheap, best] = [0, 1, 2].map(|at| stats.routes[at].successes);
    assert_eq!(stats.cost, Usd::from_micros(10_000 * (5 * good + cheap + 9 * best)));
    assert_eq!(stats.cost + stats.savings, Usd::from_micros(10_000 * 9 * 2_000));
    assert_eq!(router.handle().history().len(), 50);
    assert!(stats.skipped_history <= 1_950, "{}", stats.skipped_history);
}

#[test]
fn the_last_decisions_can_be_read_with_what_came_of_them() {
    let engine = TestEngine::new();
    let failing = Mock::<Text, u32>::new("a model").fails(9, "boom");
    let router = three().route(Route::to("broken", failing)).by(|text| *text).history(3).build().unwrap();
    for text in ["good", "cheap", "broken", "best"] {
        let _ = run(&engine, &router, text);
        engine.clock().advance(super::support::SECOND);
    }
    let history = router.handle().history();
    let read: Vec<_> = history.iter().map(|decision| (decision.route.as_str(), decision.outcome)).collect();
    let (ok, failed) = (RouteOutcome::Succeeded, RouteOutcome::Failed);
    assert_eq!(read, [("cheap", ok), ("broken", failed), ("best", ok)]);
    assert!(history.iter().all(|decision| decision.reason == RouteReason::RoutingFunction));
    assert_eq!(history[2].ended_unix_ns - history[0].ended_unix_ns, 2_000_000_000);
    let traces = engine.traces();
    assert_eq!(history[2].trace_id, Some(traces[3].trace_id));
    let none = three().by_cost().history(0).build().unwrap();
    run(&engine, &none, "hi").unwrap();
    assert_eq!((none.handle().history().len(), none.handle().stats().skipped_history), (0, 0));
    let standard = three().by_cost().build().unwrap();
    (0..105).for_each(|_| assert!(run(&engine, &standard, "hi").is_ok()));
    assert_eq!(standard.handle().history().len(), 100);
}

#[test]
fn the_numbers_hold_costs_and_savings_of_every_route() {
    let engine = TestEngine::new();
    let router = three().named("models").by(|text| *text).build().unwrap();
    for text in ["cheap", "cheap", "good", "best"] {
        run(&engine, &router, text).unwrap();
    }
    let handle = router.handle();
    let stats = handle.stats();
    assert_eq!((stats.name.as_str(), handle.name().as_str()), ("models", "models"));
    let cents = |usd: Usd| usd.nanos() / 10_000_000;
    let read: Vec<_> = stats
        .routes
        .iter()
        .map(|route| (route.name.as_str(), route.times_chosen(), cents(route.cost), cents(route.savings)))
        .collect();
    assert_eq!(read, [("good", 1, 5, 4), ("cheap", 2, 2, 16), ("best", 1, 9, 0)]);
    assert_eq!((cents(stats.cost), cents(stats.savings)), (16, 20));
    assert!((stats.savings_rate - 20.0 / 36.0).abs() < 1e-12);
    assert_eq!(stats.routes[0].latency, None, "not measured unless asked for");
    assert_eq!(three().by_cost().build().unwrap().handle().stats().savings_rate, 0.0);
}

#[test]
fn routes_of_unknown_cost_save_nothing() {
    let engine = TestEngine::new();
    let routes = three().route(Route::to("local", answers("a model", 4)));
    let router = routes.by(|text| *text).build().unwrap();
    run(&engine, &router, "local").unwrap();
    run(&engine, &router, "cheap").unwrap();
    let stats = router.handle().stats();
    assert_eq!((stats.cost, stats.savings), (Usd::from_micros(10_000), Usd::ZERO));
}

#[test]
fn a_route_is_told_where_in_the_run_it_is() {
    async fn mark(x: u32, cx: Context) -> tta_primitives::Result<u32> {
        cx.set("seen", x);
        cx.sleep(super::support::SECOND).await;
        Ok(x)
    }
    let engine = TestEngine::new();
    let route = Route::to("marked", tta_primitives::with_context(mark));
    let flow = workflow("asks", router().route(route).by(|_: &u32| "marked").build().unwrap());
    assert_eq!(on_runtime(&engine, flow.run(3, &context(&engine))).unwrap(), 3);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    asks
    │  correlation.id = c-1
    ╰─ router
       │  router.reason = routing_function
       │  router.route = marked
       ╰─ marked (route)
             seen = 3
    ");
}
