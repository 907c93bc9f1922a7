//! Sagas: what is undone, in which order, with what, and what is said of it.

use std::error::Error as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, IntoError, Jitter, Result, Retry, RetryHint, Saga, SagaError, Timeout, named, saga,
    step, with_context, workflow,
};
use tta_telemetry::{Decision, Sampling, Telemetry};

use super::support::{MS, SECOND, context, double, increment, refuse};

/// What happened, in order.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(super) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

pub(super) fn exact(retries: u32) -> Retry {
    Retry::new().max_retries(retries).initial_delay(100 * MS).jitter(Jitter::None).budget(None).build().unwrap()
}

/// A compensation that notes what it was given.
pub(super) fn undo(log: &Log, name: &'static str) -> impl tta_primitives::Primitive<u32, Out = ()> + use<> {
    let log = log.clone();
    named(name, move |x: u32| {
        let log = log.clone();
        async move {
            log.note(format!("{name} {x}"));
            Ok::<_, String>(())
        }
    })
}

/// Three steps that return 2, 3 and 6 of 1, the last replaced when it is to fail.
fn booking(log: &Log, fails_at: usize) -> Saga<u32, u32> {
    let failing = |at: usize, name: &'static str, returns: u32| {
        let mock = Mock::new(name);
        if at == fails_at { mock.fails(9, "refused".with_kind(ErrorKind::Upstream)) } else { mock.returns(returns) }
    };
    let builder = saga("book trip").step(failing(0, "flight", 2)).compensate(undo(log, "cancel_flight"));
    let builder = builder.step(failing(1, "hotel", 3)).compensate(undo(log, "cancel_hotel"));
    let builder = builder.step(failing(2, "car", 4)).compensate(undo(log, "cancel_car"));
    builder.step(failing(3, "charge", 5)).compensate(undo(log, "refund")).build().unwrap()
}

#[test]
fn a_saga_that_succeeds_undoes_nothing_and_passes_each_output_on() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let built = saga("counts").step(double).compensate(undo(&log, "halve")).step(increment).uncompensated();
    let flow = workflow("runs", double) >> built.build().unwrap() >> double;
    assert_eq!(engine.block_on(flow.run(1, &context(&engine))).unwrap(), 10);
    assert!(log.take().is_empty());
    insta::assert_snapshot!(engine.tree_with_attributes(), @"");
}

#[test]
fn compensations_run_last_in_first_out_each_with_its_own_steps_output() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let flow = workflow("trips", booking(&log, 3));
    let error = engine.block_on(flow.run(1, &context(&engine))).unwrap_err();
    assert_eq!(log.take(), ["cancel_car 4", "cancel_hotel 3", "cancel_flight 2"]);
    assert_eq!(format!("{error:?}"), "upstream error in `book trip > charge`: refused");
    assert!(error.downcast_ref::<SagaError>().is_none());
    insta::assert_snapshot!(engine.tree_with_attributes(), @"");
}

#[test]
fn whichever_step_fails_only_those_before_it_are_undone() {
    let (engine, log) = (TestEngine::new(), Log::default());
    let undone = |fails_at: usize| {
        let error = engine.block_on(step(booking(&log, fails_at)).run(1, &engine.context())).err();
        (error.map(|error| format!("{error:#}")), log.take().len())
    };
    let failed = |step: &str| Some(format!("book trip: {step}: refused"));
    assert_eq!(undone(0), (failed("flight"), 0));
    assert_eq!(undone(1), (failed("hotel"), 1));
    assert_eq!(undone(2), (failed("car"), 2));
    assert_eq!(undone(3), (failed("charge"), 3));
    assert_eq!(undone(4), (None, 0));
    let mut counts: Vec<_> = engine.telemetry().decision_counts();
    counts.retain(|count| count.key.family == "saga");
    let total = |outcome: &str| -> u64 {
        let counts = counts.iter().filter(|count| count.key.primitive == *"book trip");
        counts.filter(|count| count.outcome == outcome).map(|count| count.count).sum()
    };
    assert_eq!([total("failed"), total("compensated"), total("completed")], [1, 3, 1]);
}
