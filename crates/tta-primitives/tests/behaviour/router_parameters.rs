//! What a router refuses when it is built, and its defaults.

use std::time::Duration;

use tta_primitives::testing::Mock;
use tta_primitives::{PolicyError, Route, RouterBuilder, router};
use tta_telemetry::Usd;

type Builder = RouterBuilder<String, u32>;

fn route(name: impl Into<tta_telemetry::Name>) -> Route<String, u32> {
    Route::to(name, Mock::new("model").returns(1_u32))
}

fn cent(cents: u64) -> Usd {
    Usd::from_micros(cents * 10_000)
}

/// Two routes with all figures, and no strategy.
fn two() -> Builder {
    let fast = route("fast").cost(cent(1)).quality(0.7).latency(Duration::from_millis(5));
    router().route(fast).route(route("best").cost(cent(9)).quality(0.9))
}

fn refused(builder: Builder) -> String {
    builder.build().err().map(|error: PolicyError| error.to_string()).unwrap()
}

#[test]
fn wrong_routes_are_refused_by_name() {
    assert_eq!(refused(router().by_cost()), "router: `routes` is 0, accepted is 1 to 64");
    let many = |count: u32| (0..count).fold(router(), |all: Builder, i| all.route(route(format!("r{i}"))));
    assert_eq!(refused(many(65).by(|_| "r0")), "router: `routes` is 65, accepted is 1 to 64");
    assert!(many(64).by(|_| "r0").build().is_ok());
    let named = |name: &str| router().route(route(name.to_owned())).by(|_| "a");
    assert_eq!(refused(named("")), "router: `route` is \"\", accepted is a name of 1 to 128 bytes");
    assert!(refused(named(&"x".repeat(129))).ends_with("accepted is a name of 1 to 128 bytes"));
    assert!(named(&"x".repeat(128)).build().is_ok());
    let twice = router().route(route("a")).route(route("b")).route(route("a")).by_cost();
    assert_eq!(refused(twice), "router: `route` is \"a\" twice, accepted is each name once");
    assert_eq!(
        refused(two().default_route("slow").by_cost()),
        "router: `default_route` is \"slow\", accepted is `fast`, `best`"
    );
    let accepted = "by, try_by, by_cost, by_complexity, by_complexity_of, by_score, by_latency or by_weight";
    assert_eq!(refused(two()), format!("router: `strategy` is none, accepted is {accepted}"));
}

#[test]
fn figures_outside_their_range_are_refused_with_the_route_they_are_of() {
    let with = |route: Route<String, u32>| refused(two().route(route).by_cost());
    for (quality, given) in [(1.01, "1.01"), (-0.1, "-0.1"), (f64::NAN, "NaN")] {
        let want = format!("router: `quality` is {given} of route `odd`, accepted is 0 to 1");
        assert_eq!(with(route("odd").quality(quality)), want);
    }
    let want = "router: `latency` is 0ns of route `odd`, accepted is above 0, at most one day";
    assert_eq!(with(route("odd").latency(Duration::ZERO)), want);
    assert!(with(route("odd").latency(Duration::from_secs(86_401))).contains("`latency` is 86401s of route `odd`"));
    for end in [0.0, 1.5, f64::NAN] {
        let want = format!("router: `up_to` is {end:?} of route `odd`, accepted is above 0, at most 1");
        assert_eq!(with(route("odd").up_to(end)), want);
    }
    let want =
        "router: `cost` is none of route `free`, accepted is a cost of every eligible route when routing by cost";
    assert_eq!(with(route("free")), want);
    // One that is not eligible needs none.
    assert!(two().route(route("free").quality(0.1)).min_quality(0.5).by_cost().build().is_ok());
}

#[test]
fn a_least_quality_needs_qualities_and_a_route_that_has_it() {
    let least = |quality: f64| two().min_quality(quality).by_cost();
    assert_eq!(refused(least(1.5)), "router: `min_quality` is 1.5, accepted is 0 to 1");
    assert_eq!(refused(least(f64::NAN)), "router: `min_quality` is NaN, accepted is 0 to 1");
    assert_eq!(
        refused(least(0.91)),
        "router: `min_quality` is 0.91, accepted is at most 0.9, the best route's quality"
    );
    assert!(least(0.9).build().is_ok());
    assert_eq!(
        refused(least(0.5).route(route("odd").cost(cent(1)))),
        "router: `quality` is none of route `odd`, accepted is a quality of every route with min_quality"
    );
    assert_eq!(refused(least(0.8).default_route("fast")), "router: `default_route` is \"fast\", accepted is `best`");
}

#[test]
fn ranges_of_complexity_must_rise_and_leave_nothing_out() {
    let ranges = |ends: [Option<f64>; 3]| {
        let with = |name: &'static str, end: Option<f64>| match end {
            Some(end) => route(name).up_to(end),
            None => route(name),
        };
        let [a, b, c] = ends;
        router().route(with("a", a)).route(with("b", b)).route(with("c", c)).by_complexity()
    };
    let above = "accepted is above that of the route before it";
    assert_eq!(refused(ranges([Some(0.5), Some(0.5), None])), format!("router: `up_to` is 0.5 of route `b`, {above}"));
    assert_eq!(refused(ranges([Some(0.5), Some(0.2), None])), format!("router: `up_to` is 0.2 of route `b`, {above}"));
    assert_eq!(
        refused(ranges([Some(0.5), Some(1.0), Some(1.0)])),
        format!("router: `up_to` is 1.0 of route `c`, {above}")
    );
    assert_eq!(
        refused(ranges([Some(0.5), None, None])),
        "router: `up_to` is none of route `b`, accepted is an end of every range but the last"
    );
    assert_eq!(
        refused(ranges([Some(0.2), Some(0.5), Some(0.9)])),
        "router: `up_to` is 0.9 of route `c`, accepted is 1 or none of the last route"
    );
    assert!(
        ranges([Some(0.2), Some(0.5), Some(1.0)]).build().is_ok()
            && ranges([Some(0.2), Some(0.5), None]).build().is_ok()
    );
    assert_eq!(
        refused(ranges([None, None, None])),
        "router: `quality` is none of route `a`, accepted is a quality of every eligible route when routing by \
         complexity without up_to"
    );
    let odd = route("odd").cost(cent(1)).up_to(0.5);
    assert_eq!(
        refused(two().route(odd).by_cost()),
        "router: `up_to` is 0.5 of route `odd`, accepted is none, except when routing by complexity"
    );
}

#[test]
fn weights_must_name_routes_once_and_add_up_to_something() {
    let weights = |weights: &[(&'static str, f64)]| refused(two().by_weight(weights.iter().copied()));
    let range = "accepted is 0 to 1000000000";
    assert_eq!(weights(&[("fast", -1.0)]), format!("router: `weights` is -1.0 of route `fast`, {range}"));
    assert_eq!(weights(&[("best", f64::NAN)]), format!("router: `weights` is NaN of route `best`, {range}"));
    assert_eq!(weights(&[("best", 1e10)]), format!("router: `weights` is 10000000000.0 of route `best`, {range}"));
    assert_eq!(weights(&[]), "router: `weights` is none, accepted is at least one above 0");
    assert_eq!(
        weights(&[("fast", 0.0), ("best", 0.0)]),
        "router: `weights` is 0 of every route, accepted is at least one above 0"
    );
    assert_eq!(weights(&[("slow", 1.0)]), "router: `weights` is \"slow\", accepted is `fast`, `best`");
    assert_eq!(
        weights(&[("fast", 1.0), ("fast", 2.0)]),
        "router: `weights` is \"fast\" twice, accepted is each route once"
    );
    let poor = two().min_quality(0.8).by_weight([("fast", 1), ("best", 1)]);
    assert_eq!(refused(poor), "router: `weights` is \"fast\", accepted is `best`");
}

#[test]
fn settings_outside_their_range_or_without_a_use_are_refused() {
    let day = Duration::from_secs(86_400);
    let cases = [
        (two().by_latency().exploration(1.1), "`exploration` is 1.1, accepted is 0 to 1"),
        (two().by_latency().exploration(f64::NAN), "`exploration` is NaN, accepted is 0 to 1"),
        (two().by_latency().latency_percentile(1.0), "`latency_percentile` is 1.0, accepted is above 0, below 1"),
        (two().by_cost().latency_percentile(0.0), "`latency_percentile` is 0.0, accepted is above 0, below 1"),
        (two().by_latency().failure_latency(day), "`failure_latency` is 86400s, accepted is 0 to one hour"),
        (two().by_cost().max_reroutes(64), "`max_reroutes` is 64, accepted is 0 to 63"),
        (two().by_cost().history(10_001), "`history` is 10001, accepted is 0 to 10000"),
        (two().by_cost().exploration(0.1), "`exploration` is 0.1, accepted is none, except when routing by latency"),
        (
            two().by_cost().failure_latency(Duration::ZERO),
            "`failure_latency` is 0ns, accepted is none, except where latencies are measured",
        ),
        (
            two().by_cost().sticky_by(Clone::clone),
            "`sticky_by` is a key, accepted is none, except when routing by weight",
        ),
    ];
    for (builder, want) in cases {
        assert_eq!(refused(builder), format!("router: {want}"));
    }
    assert!(two().by_latency().exploration(0.0).failure_latency(Duration::ZERO).build().is_ok());
    assert!(two().by_cost().latency_percentile(0.5).failure_latency(Duration::ZERO).build().is_ok());
    assert!(two().by_cost().max_reroutes(63).history(10_000).build().is_ok());
}

#[test]
fn of_two_strategies_the_last_one_counts() {
    let twice = two().by_cost().by_latency().build().unwrap();
    assert!(tta_primitives::step(twice).graph().to_text().contains("router [by latency]"));
}
