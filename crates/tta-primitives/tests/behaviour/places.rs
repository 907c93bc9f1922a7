//! Places in a run, for bridges to other tracing systems: entered anywhere, left in any order.

use tta_primitives::interop::{Place, with_current};
use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, Run, traced_fn};
use tta_telemetry::{SpanId, SpanStatus, Telemetry};

fn start(engine: &TestEngine) -> Run {
    engine.context().start_run("run", "test")
}

fn root(run: &Run) -> Place {
    run.context().in_scope(Place::current).unwrap()
}

fn span(number: u64) -> SpanId {
    SpanId::new(number).unwrap()
}

fn here() -> Option<SpanId> {
    Context::current()?.span_id()
}

#[test]
fn a_place_is_entered_on_a_thread_that_is_in_no_run_and_left_again() {
    let engine = TestEngine::new();
    let run = start(&engine);
    let place = root(&run).at(span(7));
    assert_eq!((place.span_id(), place.context().trace_id()), (Some(span(7)), run.context().trace_id()));
    assert!(Place::current().is_none() && Place::recorded().is_none());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let before = place.enter();
            assert!(before.is_here());
            assert_eq!(here(), Some(span(7)));
            assert_eq!(Place::recorded().unwrap().span_id(), Some(span(7)));
            with_current(|cx| assert_eq!(cx.unwrap().trace_id(), run.context().trace_id()));
            before.leave();
            assert!(Context::current().is_none());
        });
    });
    run.end_as(SpanStatus::Ok);
    let unrecorded = Context::on(Telemetry::disabled()).start_run("run", "test");
    unrecorded.context().in_scope(|| assert!(Place::current().is_some() && Place::recorded().is_none()));
}

#[test]
fn a_place_that_is_entered_twice_is_told_apart_by_its_enterings() {
    let engine = TestEngine::new();
    let run = start(&engine);
    run.context().in_scope(|| {
        let outside = here();
        let place = root(&run).at(span(7));
        let outer = place.enter();
        let inner = place.enter();
        assert_eq!((outer.is_here(), inner.is_here(), inner.follows(&outer)), (false, true, true));
        inner.leave();
        assert_eq!((outer.is_here(), here()), (true, Some(span(7))));
        outer.leave();
        assert_eq!(here(), outside);
    });
}

#[test]
fn a_place_is_not_left_from_a_step_inside_it_and_is_found_again_after_it() {
    let engine = TestEngine::new();
    let run = start(&engine);
    run.context().in_scope(|| {
        let outside = here();
        let place = root(&run).at(span(7));
        let (left, kept) = (place.enter(), root(&run).at(span(8)).enter());
        traced_fn("step", || {
            let step = here();
            assert!(!kept.is_here() && !left.is_here());
            left.leave();
            assert_eq!(here(), step);
        });
        assert!(kept.is_here());
        kept.leave();
        // The first was left in vain: the thread is back in it.
        assert_eq!(here(), Some(span(7)));
        assert_ne!(here(), outside);
    });
}

#[test]
fn places_of_two_runs_that_are_left_out_of_order_lead_back_to_where_it_began() {
    let (first, second) = (TestEngine::new(), TestEngine::new());
    let (one, two) = (start(&first), start(&second));
    let outer = root(&one).at(span(7)).enter();
    let mut inner = root(&two).at(span(8)).enter();
    assert!(inner.follows(&outer));
    inner.skip(&outer);
    outer.leave();
    assert_eq!(here(), Some(span(8)));
    inner.leave();
    assert!(Context::current().is_none());
    // Of one run: only the outer one exchanged the thread's context.
    let outer = root(&one).at(span(7)).enter();
    let mut inner = root(&one).at(span(8)).enter();
    inner.skip(&outer);
    drop(outer);
    inner.leave();
    assert!(Context::current().is_none());
}
