//! Which primitive was followed by, or ran, which.

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Repeat, Retry, Route, Workflow, named, parallel, router, saga, step, switch, when, with_context, workflow,
};

use super::super::support::{double, increment, refuse};
use super::series;

/// `workflow: source > target, so often`.
fn edges(engine: &TestEngine) -> Vec<String> {
    let short = |line: String| {
        let line = line.replace("workflow=", "").replace(" source=", ": ").replace(" target=", " > ");
        let (edge, count) = line.rsplit_once(": ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        format!("{edge}, {count}")
    };
    series(engine, "primitive_connections_total").into_iter().map(short).collect()
}

fn run<In: Send + 'static, Out: Send + 'static>(engine: &TestEngine, flow: &Workflow<In, Out>, input: In) {
    let _ = engine.block_on(flow.run(input, &engine.context()));
}

#[test]
fn steps_follow_one_another_and_the_first_follows_the_workflow() {
    let engine = TestEngine::new();
    let flow = workflow("w", double) >> increment >> named("end", double);
    (0..3).for_each(|x| run(&engine, &flow, x));
    assert_eq!(edges(&engine), ["w: double > increment, 3", "w: increment > end, 3", "w: w > double, 3"]);
    run(&engine, &(workflow("fails", double) >> refuse >> increment), 1);
    let of_fails: Vec<_> = edges(&engine).into_iter().filter(|edge| edge.starts_with("fails")).collect();
    assert_eq!(of_fails, ["fails: double > refuse, 1", "fails: fails > double, 1"]);
}

#[test]
fn a_nested_workflow_is_a_step_and_runs_its_own() {
    let engine = TestEngine::new();
    let inner = workflow("inner", double) >> increment;
    let by_hand = {
        let inner = inner.clone();
        move |x: u32, cx: Context| {
            let inner = inner.clone();
            async move { inner.run(x, &cx).await }
        }
    };
    run(&engine, &(workflow("outer", increment) >> inner >> named("by hand", with_context(by_hand))), 1);
    assert_eq!(
        edges(&engine),
        [
            "inner: double > increment, 2",
            "inner: inner > double, 2",
            "outer: by hand > inner, 1",
            "outer: increment > inner, 1",
            "outer: inner > by hand, 1",
            "outer: outer > increment, 1",
        ]
    );
}

#[test]
fn branches_routes_alternatives_cases_and_stages_are_run_by_their_primitive() {
    let engine = TestEngine::new();
    let fan = parallel(vec![step(named("left", double)), step(named("right", double))]).named("fan");
    run(&engine, &workflow("a", fan), 1);
    let routed = router().named("models").route(Route::to("fast", double)).by(|_: &u32| "fast").build().unwrap();
    run(&engine, &workflow("b", routed), 1);
    run(&engine, &workflow("c", refuse).or_else(named("backup", double)), 1);
    run(&engine, &workflow("d", switch(|x: &u32| *x).case(1_u32, double).or_fail().named("which")), 1);
    run(&engine, &workflow("e", when(|_: &u32| true, double).named("if")), 1);
    let trip = saga("trip").step(named("book", double)).compensate(named("cancel", increment));
    run(&engine, &workflow("f", trip.step(refuse).uncompensated().build().unwrap()), 1);
    assert_eq!(
        edges(&engine),
        [
            "a: a > fan, 1",
            "a: fan > left, 1",
            "a: fan > right, 1",
            "b: b > models, 1",
            "b: models > fast, 1",
            "c: c > refuse, 1",
            "c: refuse > backup, 1",
            "d: d > which, 1",
            "d: which > double, 1",
            "e: e > if, 1",
            "e: if > double, 1",
            "f: f > trip, 1",
            "f: trip > book, 1",
            "f: trip > cancel, 1",
            "f: trip > refuse, 1",
        ]
    );
}

#[test]
fn steps_inside_a_decorator_are_run_again_with_it() {
    let engine = TestEngine::new();
    let retry = Retry::new().max_retries(2).build().unwrap();
    let chain = (step(double) >> Mock::new("flaky").fails(2, "no").returns(7_u32)).retry(retry);
    run(&engine, &(workflow("w", increment) >> chain), 1);
    let again = Repeat::at_most(3).build().unwrap();
    run(&engine, &workflow("v", step(double) >> increment).repeat_until(again, |x: &u32| *x > 3), 1);
    assert_eq!(
        edges(&engine),
        [
            "v: double > increment, 2",
            "v: sequential > double, 2",
            "v: v > sequential, 1",
            "w: double > flaky, 3",
            "w: increment > sequential, 1",
            "w: sequential > double, 3",
            "w: w > increment, 1",
        ]
    );
}

/// One of its places is remembered first; the others must not be counted as that one.
#[test]
fn clones_of_a_step_in_several_places_are_counted_where_they_are() {
    let engine = TestEngine::new();
    let twice = step(double);
    let flow = workflow("w", increment) >> twice.clone() >> twice.clone() >> named("mid", increment) >> twice.clone();
    (0..3).for_each(|x| run(&engine, &flow, x));
    run(&engine, &workflow("other", twice), 1);
    assert_eq!(
        edges(&engine),
        [
            "other: other > double, 1",
            "w: double > double, 3",
            "w: double > mid, 3",
            "w: increment > double, 3",
            "w: mid > double, 3",
            "w: w > increment, 3",
        ]
    );
}

#[test]
fn engines_count_for_themselves_and_one_that_is_off_counts_nothing() {
    let engines = [TestEngine::new(), TestEngine::new(), TestEngine::with(|builder| builder.enabled(false))];
    let flow = workflow("w", double);
    for engine in engines.iter().chain(&engines[1..]) {
        run(engine, &flow, 1);
    }
    let counts = engines.each_ref().map(|engine| edges(engine).join(" "));
    assert_eq!(counts, ["w: w > double, 1", "w: w > double, 2", ""]);
}
