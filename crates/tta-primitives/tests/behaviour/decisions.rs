//! What primitives decide is said once: counted, on the span, told to observers.

use std::sync::{Arc, Mutex};

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Context, Jitter, Retry, step, workflow};
use tta_telemetry::{Decision, Severity, Telemetry};

use crate::support::refuse;

/// What an observer heard: family, outcome, severity, workflow, primitive, attributes.
type Heard = Arc<Mutex<Vec<String>>>;

fn listening() -> (TestEngine, Heard) {
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    let engine = TestEngine::with(|builder| {
        builder.observer(move |decision: &Decision<'_>| {
            let key = decision.key;
            let attributes: Vec<_> =
                decision.attributes.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
            let place = format!("{} > {}", key.workflow, key.primitive);
            let in_run = decision.trace_id.is_some() && decision.span_id.is_some();
            ear.lock().unwrap().push(format!(
                "{} {} {:?} at {place} {} in run {in_run}",
                key.family,
                decision.outcome,
                decision.severity,
                attributes.join(" ")
            ));
        })
    });
    (engine, heard)
}

fn counts(telemetry: &Telemetry) -> Vec<(String, &'static str, u64)> {
    let happened = telemetry.decision_counts().into_iter().filter(|count| count.count > 0);
    happened.map(|count| (count.key.primitive.to_string(), count.outcome, count.count)).collect()
}

fn retry() -> Retry {
    Retry::new().max_retries(2).jitter(Jitter::None).build().unwrap()
}

#[test]
fn a_decision_is_counted_put_on_the_span_and_told_once() {
    let (engine, heard) = listening();
    let mock = Mock::new("call").fails(1, "not yet").returns(7);
    let flow = workflow("w", step(mock).retry(retry()));
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 7);
    let told = ["retry recovered Info at w > call retry.attempts=I64(2) in run true"];
    assert_eq!(*heard.lock().unwrap(), told);
    let call = "call".to_owned();
    assert_eq!(
        counts(engine.telemetry()),
        [(call.clone(), "success", 1), (call.clone(), "failure", 1), (call, "recovered", 1)]
    );
    let traces = engine.traces();
    let said = traces[0].spans.iter().filter_map(|span| span.attribute("retry.outcome")).count();
    assert_eq!(said, 1);
}

#[test]
fn what_happens_all_the_time_is_counted_and_told_to_nobody() {
    let (engine, heard) = listening();
    let flow = workflow("w", step(Mock::new("call").returns(7)).retry(retry()));
    for _ in 0..3 {
        engine.block_on(flow.run(1, &engine.context())).unwrap();
    }
    assert!(heard.lock().unwrap().is_empty());
    let call = "call".to_owned();
    assert_eq!(counts(engine.telemetry()), [(call.clone(), "success", 3), (call, "succeeded", 3)]);
}

#[test]
fn counts_are_kept_by_workflow_and_engine() {
    let (one, other) = (TestEngine::new(), TestEngine::new());
    let shared = step(refuse).retry(retry());
    let (a, b) = (workflow("a", shared.clone()), workflow("b", shared));
    for (engine, flow) in [(&one, &a), (&one, &b), (&other, &a), (&one, &a)] {
        engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    }
    let by_workflow = |engine: &TestEngine| -> Vec<_> {
        let counts = engine.telemetry().decision_counts().into_iter();
        let counts = counts.filter(|count| count.key.family == "retry" && count.count > 0);
        counts.map(|count| (count.key.workflow.to_string(), count.outcome, count.count)).collect()
    };
    assert_eq!(by_workflow(&one), [("a".to_owned(), "exhausted", 2), ("b".to_owned(), "exhausted", 1)]);
    assert_eq!(by_workflow(&other), [("a".to_owned(), "exhausted", 1)]);
}

#[test]
fn an_observer_that_panics_is_counted_and_the_step_goes_on() {
    let engine = TestEngine::with(|builder| builder.observer(|_: &Decision<'_>| panic!("deaf")));
    let mock = Mock::new("call").fails(1, "not yet").returns(7);
    let flow = workflow("w", step(mock).retry(retry()));
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 7);
    assert_eq!(engine.telemetry().counters().observer_panics, 1);
}

#[test]
fn an_engine_that_is_off_counts_and_tells_nothing() {
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    let observer = move |decision: &Decision<'_>| ear.lock().unwrap().push(decision.outcome.to_owned());
    let off = TestEngine::with(|builder| builder.observer(observer).enabled(false));
    let flow = workflow("w", step(refuse).retry(retry()));
    off.block_on(flow.run(1, &Context::on(off.telemetry().clone()))).unwrap_err();
    assert!(off.telemetry().decision_counts().is_empty() && heard.lock().unwrap().is_empty());
}

#[test]
fn severities_are_ordered_by_how_much_they_matter() {
    assert!(Severity::Routine < Severity::Info && Severity::Info < Severity::Warning);
}
