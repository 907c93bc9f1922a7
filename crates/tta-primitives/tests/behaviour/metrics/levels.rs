//! What is read where it is when somebody asks: circuits, bulkheads, branches.

use std::pin::pin;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Bulkhead, CircuitBreaker, step, with_context, workflow};

use super::super::support::{SECOND, double, poll_once, refuse, wait_a_second};
use super::series;

#[test]
fn a_circuit_tells_its_state_under_its_own_name_to_every_engine_that_uses_it() {
    let engines = [TestEngine::new(), TestEngine::new()];
    let breaker = CircuitBreaker::named("payments").consecutive_failures(1).build().unwrap();
    let flows = ["a", "b"]
        .map(|name| workflow(name, Mock::<u32, u32>::new(name).fails(9, "no")).circuit_breaker(breaker.clone()));
    let states = || engines.each_ref().map(|engine| series(engine, "circuit_state").join(" "));
    assert_eq!(states(), ["", ""], "it has met nobody");
    let cx = engines.each_ref().map(TestEngine::context);
    engines[0].block_on(flows[0].run(1, &cx[0])).unwrap_err();
    assert_eq!(states(), ["primitive_name=payments: 2", ""]);
    // The other step is rejected, which counts under the circuit's name as well.
    engines[1].block_on(flows[1].run(1, &cx[1])).unwrap_err();
    assert_eq!(states(), ["primitive_name=payments: 2"; 2]);
    assert_eq!(series(&engines[1], "circuit_rejected_total"), ["primitive_name=payments: 1"]);
    let opened: Vec<_> =
        series(&engines[0], "circuit_transitions_total").into_iter().filter(|line| !line.ends_with(": 0")).collect();
    assert_eq!(opened, ["primitive_name=payments to=open: 1"]);
    engines[0].clock().advance(61 * SECOND);
    assert_eq!(states()[0], "primitive_name=payments: 1");
    breaker.force_closed();
    assert_eq!(states()[0], "primitive_name=payments: 0");
    drop((flows, breaker));
    assert_eq!(states(), ["", ""]);
    assert_eq!(series(&engines[1], "circuit_rejected_total"), ["primitive_name=payments: 1"], "what was counted stays");
}

#[test]
fn of_circuits_of_one_name_the_worse_is_told() {
    let engine = TestEngine::new();
    let breakers = [(); 2].map(|()| CircuitBreaker::named("api").build().unwrap());
    for breaker in &breakers {
        engine.block_on(step(double).circuit_breaker(breaker.clone()).run(1, &engine.context())).unwrap();
    }
    breakers[0].force_open();
    assert_eq!(series(&engine, "circuit_state"), ["primitive_name=api: 2"]);
}

#[test]
fn a_bulkhead_tells_who_is_inside_and_who_waits() {
    let engine = TestEngine::new();
    let bulkhead = Bulkhead::named("db").max_concurrent(1).max_queued(1).build().unwrap();
    let flow = workflow("slow", with_context(wait_a_second)).bulkhead(bulkhead.clone());
    let cx = engine.context();
    {
        let (mut inside, mut waits, mut refused) =
            (pin!(flow.run(1, &cx)), pin!(flow.run(1, &cx)), pin!(flow.run(1, &cx)));
        assert!(poll_once(inside.as_mut()).is_pending() && poll_once(waits.as_mut()).is_pending());
        assert!(poll_once(refused.as_mut()).is_ready());
        assert_eq!(series(&engine, "bulkhead_active"), ["primitive_name=db: 1"]);
        assert_eq!(series(&engine, "bulkhead_queue_length"), ["primitive_name=db: 1"]);
    }
    assert_eq!(series(&engine, "bulkhead_active"), ["primitive_name=db: 0"]);
    assert_eq!(series(&engine, "bulkhead_queue_length"), ["primitive_name=db: 0"]);
    assert_eq!(series(&engine, "bulkhead_rejected_total"), ["primitive_name=db: 1"]);
    let off = TestEngine::with(|builder| builder.enabled(false));
    engine.block_on(workflow("quick", double).bulkhead(bulkhead.clone()).run(1, &off.context())).unwrap();
    assert_eq!(series(&off, "bulkhead_active"), [""; 0]);
    drop((flow, bulkhead));
    assert_eq!(series(&engine, "bulkhead_active"), [""; 0]);
}

#[test]
fn active_branches_are_told_by_the_name_of_their_join() {
    let engine = TestEngine::new();
    let fan = |name: &'static str| {
        (step(with_context(wait_a_second)) | with_context(wait_a_second) | refuse).settle().named(name)
    };
    let (one, two) = (workflow("w", fan("one")), workflow("w", fan("two")));
    let cx = engine.context();
    {
        let (mut a, mut b, mut c) = (pin!(one.run(1, &cx)), pin!(one.run(1, &cx)), pin!(two.run(1, &cx)));
        for run in [a.as_mut(), b.as_mut()] {
            assert!(poll_once(run).is_pending());
        }
        assert!(poll_once(c.as_mut()).is_pending());
        assert_eq!(series(&engine, "parallel_active_branches"), ["primitive_name=one: 4", "primitive_name=two: 2"]);
        assert_eq!(engine.telemetry().counters().active_branches, 6);
    }
    assert_eq!(series(&engine, "parallel_active_branches"), ["primitive_name=one: 0", "primitive_name=two: 0"]);
    assert_eq!(engine.telemetry().counters().active_branches, 0);
}
