//! One of two ways.

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{either, step, when, workflow};

use super::support::{Counted, context, double, increment, refuse};

#[test]
fn when_takes_its_way_or_passes_the_input_through_and_records_which() {
    let engine = TestEngine::new();
    let flow = workflow("limits", increment) >> when(|x: &u32| *x > 10, double).named("if large") >> increment;
    assert_eq!(engine.block_on(flow.run(1, &context(&engine))).unwrap(), 3);
    assert_eq!(engine.block_on(flow.run(10, &context(&engine))).unwrap(), 23);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    limits
    │  correlation.id = c-1
    ├─ increment
    │     step.index = 0
    │     step.total = 3
    ├─ if large (conditional)
    │     step.index = 1
    │     step.total = 3
    │     conditional.result = false
    ╰─ increment
          step.index = 2
          step.total = 3
    limits
    │  correlation.id = c-1
    ├─ increment
    │     step.index = 0
    │     step.total = 3
    ├─ if large (conditional)
    │  │  step.index = 1
    │  │  step.total = 3
    │  │  conditional.result = true
    │  ╰─ double
    ╰─ increment
          step.index = 2
          step.total = 3
    ");
}

#[test]
fn either_takes_one_of_two_ways_and_never_the_other() {
    let engine = TestEngine::new();
    let (small, large) = (Mock::new("small").returns("small"), Mock::new("large").returns("large"));
    let flow = workflow("sizes", either(|x: &u32| *x < 10, small.clone(), step(double) >> large.clone()));
    assert_eq!(engine.block_on(flow.run(1, &context(&engine))).unwrap(), "small");
    assert_eq!((small.calls(), large.calls()), (vec![1], vec![]));
    assert_eq!(engine.block_on(flow.run(10, &context(&engine))).unwrap(), "large");
    assert_eq!((small.calls(), large.calls()), (vec![1], vec![20]));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    sizes
    │  correlation.id = c-1
    ╰─ conditional
       │  conditional.result = true
       ╰─ small (mock)
    sizes
    │  correlation.id = c-1
    ╰─ conditional
       │  conditional.result = false
       ╰─ sequential
          ├─ double
          │     step.index = 0
          │     step.total = 2
          ╰─ large (mock)
                step.index = 1
                step.total = 2
    ");
}

#[test]
fn the_way_taken_fails_as_itself() {
    let engine = TestEngine::new();
    let flow = workflow("fails", either(|_: &u32| true, refuse, double).named("choice"));
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "app error in `choice > refuse`: 1 is refused");
}

#[test]
fn the_predicate_looks_at_the_input_without_cloning_it() {
    async fn keep(value: Counted) -> Result<Counted, String> {
        Ok(value)
    }
    let engine = TestEngine::new();
    let (value, clones) = Counted::new();
    let flow = workflow("looks", when(|_: &Counted| true, keep)) >> either(|_: &Counted| false, keep, keep);
    assert!(engine.block_on(flow.run(value, &engine.context())).is_ok());
    assert_eq!(clones.load(std::sync::atomic::Ordering::SeqCst), 0);
}
