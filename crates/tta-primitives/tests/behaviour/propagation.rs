//! What a run inherits from its caller and passes on to what it calls.

use std::collections::HashMap;

use insta::assert_snapshot;
use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, ContextBuilder, Result, with_context, workflow};
use tta_telemetry::propagation::{Propagated, extract};
use tta_telemetry::sampling::{Rate, SamplingPolicy};
use tta_telemetry::{Sampling, Telemetry};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID: &str = "00f067aa0ba902b7";

fn incoming(flags: &str) -> Propagated {
    extract(&[
        ("traceparent", &*format!("00-{TRACE_ID}-{PARENT_ID}-{flags}")),
        ("tracestate", "vendor=1,other=2"),
        ("baggage", "tenant=acme, correlation_id=c-7"),
    ])
}

fn builder(telemetry: &Telemetry) -> ContextBuilder {
    Context::builder().telemetry(telemetry.clone())
}

async fn send(_: (), cx: Context) -> Result<HashMap<String, String>> {
    let mut headers = HashMap::from([("TraceState".to_owned(), "stale=1".to_owned())]);
    cx.inject(&mut headers);
    Ok(headers)
}

/// The headers that a step sends in a run with this context.
fn sent(engine: &TestEngine, cx: &Context) -> HashMap<String, String> {
    engine.block_on(workflow("run", with_context(send)).run((), cx)).unwrap()
}

fn parts(headers: &HashMap<String, String>) -> (&str, &str, &str) {
    let mut parts = headers["traceparent"].split('-').skip(1);
    let mut next = || parts.next().unwrap();
    (next(), next(), next())
}

/// One that leaves nothing of ordinary runs.
fn keeps_nothing(engine: &TestEngine) {
    let policy = SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() };
    engine.telemetry().set_sampling_policy(policy).unwrap();
}

#[test]
fn a_trace_that_is_asked_for_is_kept_at_a_rate_of_0_with_weight_1_and_those_that_are_called_are_told() {
    let engine = TestEngine::new();
    keeps_nothing(&engine);
    let headers = sent(&engine, &builder(engine.telemetry()).keep_traces(true).build().unwrap());
    let traces = engine.traces();
    assert_eq!(traces.len(), 1);
    let decision = traces[0].decision;
    assert_eq!((decision.keep, decision.reason.as_str(), decision.rate), (true, "forced", 1.0));
    assert_eq!(traces[0].adjusted_count, Some(1.0));
    assert_eq!((parts(&headers).2, &*headers["tracestate"]), ("03", "ot=th:0"));
    // Also against what the caller decided; a run that it causes is asked for as well.
    let cx = builder(engine.telemetry()).keep_traces(true).propagated(incoming("00")).build().unwrap();
    assert_eq!(parts(&sent(&engine, &cx)).2, "01");
    sent(&engine, &cx.caused());
    assert_eq!(
        engine.traces()[1..].iter().map(|trace| trace.decision.reason.as_str()).collect::<Vec<_>>(),
        ["forced"; 2]
    );
    let cx = builder(engine.telemetry()).keep_traces(false).build().unwrap();
    assert_eq!(parts(&sent(&engine, &cx)).2, "02");
    assert_eq!(engine.traces().len(), 3);
}

#[test]
fn a_run_continues_the_trace_of_its_caller_and_passes_it_on() {
    let engine = TestEngine::new();
    let cx = builder(engine.telemetry()).propagated(incoming("01")).build().unwrap();
    assert_eq!(cx.correlation_id().unwrap().to_string(), "c-7");
    let headers = sent(&engine, &cx);
    let trace = &engine.traces()[0];
    let step = trace.find("send").unwrap();
    assert_eq!(
        (trace.trace_id.to_string(), trace.root().unwrap().parent_span_id),
        (TRACE_ID.into(), PARENT_ID.parse().ok())
    );
    assert_eq!(parts(&headers), (TRACE_ID, &*step.span_id.to_string(), "01"));
    assert_eq!((&*headers["tracestate"], &*headers["baggage"]), ("vendor=1,other=2", "tenant=acme,correlation_id=c-7"));
    assert_eq!(headers.len(), 3, "the stale header in another casing is gone");
}

#[test]
fn a_new_trace_says_that_its_id_is_random_and_whether_it_is_kept_whatever_happens() {
    for (sampling, flags) in [(Sampling::KeepAll, "03"), (Sampling::KeepNone, "02"), (Sampling::KeepFailed, "02")] {
        let engine = TestEngine::with(|engine| engine.sampling(sampling));
        let cx = builder(engine.telemetry()).correlation_id("c-1").build().unwrap();
        let headers = sent(&engine, &cx);
        assert_eq!(parts(&headers).2, flags);
        assert_eq!((headers.contains_key("tracestate"), &*headers["baggage"]), (false, "correlation_id=c-1"));
        assert!(!headers.contains_key("TraceState"));
    }
}

#[test]
fn what_the_caller_sampled_stays_sampled_and_its_random_flag_is_not_ours_to_set() {
    for (received, sent_on, sampling) in [
        ("00", "01", Sampling::KeepAll),
        ("01", "01", Sampling::KeepNone),
        ("00", "00", Sampling::KeepNone),
        ("02", "02", Sampling::KeepNone),
        ("03", "03", Sampling::KeepFailed),
    ] {
        let engine = TestEngine::with(|engine| engine.sampling(sampling));
        let cx = builder(engine.telemetry()).propagated(incoming(received)).build().unwrap();
        assert_eq!(parts(&sent(&engine, &cx)).2, sent_on);
    }
}

#[test]
fn nothing_recorded_passes_the_caller_on_as_it_is_and_a_new_trace_still_has_ids() {
    let engine = TestEngine::new();
    let off = Telemetry::disabled();
    let headers = sent(&engine, &builder(&off).propagated(incoming("01")).build().unwrap());
    assert_eq!(parts(&headers), (TRACE_ID, PARENT_ID, "01"));
    let headers = sent(&engine, &builder(&off).build().unwrap());
    assert_ne!(parts(&headers).0, TRACE_ID);
    assert_eq!(parts(&headers).2, "02");
    assert!(extract(&headers).trace.is_some());
}

#[test]
fn outside_a_run_a_context_passes_on_what_it_was_given_and_nothing_else() {
    let engine = TestEngine::new();
    let mut headers = HashMap::new();
    engine.context().inject(&mut headers);
    assert!(headers.is_empty());
    let cx = builder(engine.telemetry()).propagated(incoming("01")).build().unwrap();
    assert_eq!(cx.trace_context(), incoming("01").trace);
    cx.inject(&mut headers);
    assert_eq!(parts(&headers), (TRACE_ID, PARENT_ID, "01"));
}

#[test]
fn a_malformed_caller_starts_a_new_trace_and_its_baggage_is_kept() {
    let engine = TestEngine::new();
    let malformed = extract(&[("traceparent", "00-zz-01"), ("baggage", "tenant=acme")]);
    let cx = builder(engine.telemetry()).propagated(malformed).build().unwrap();
    let headers = sent(&engine, &cx);
    assert_eq!(engine.traces()[0].root().unwrap().parent_span_id, None);
    assert!(headers["baggage"].starts_with("tenant=acme,correlation_id="));
}

#[test]
fn an_explicit_correlation_id_wins_over_the_callers_in_either_order() {
    let telemetry = Telemetry::disabled();
    let first = builder(&telemetry).correlation_id("mine").propagated(incoming("01")).build().unwrap();
    let last = builder(&telemetry).propagated(incoming("01")).correlation_id("mine").build().unwrap();
    for cx in [first, last] {
        assert_eq!(cx.outgoing_baggage().get("correlation_id"), Some("mine"));
    }
}

#[test]
fn a_run_that_this_one_causes_is_a_trace_of_its_own() {
    let engine = TestEngine::new();
    let cx = builder(engine.telemetry()).propagated(incoming("01")).build().unwrap();
    let headers = sent(&engine, &cx.caused());
    assert_ne!(parts(&headers).0, TRACE_ID);
    assert!(headers["baggage"].starts_with("tenant=acme,correlation_id="));
    assert!(!headers["baggage"].contains("c-7"));
}

#[test]
fn a_workflow_run_by_hand_inside_a_step_has_a_span_of_its_own() {
    async fn handler(x: u32, cx: Context) -> Result<u32> {
        let inner = workflow("inner", crate::support::double) >> crate::support::refuse;
        inner.run(x, &cx).await
    }
    let engine = TestEngine::new();
    let flow = workflow("request", with_context(handler));
    let error = engine.block_on(flow.run(2, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:#}"), "handler: inner: refuse: 4 is refused");
    assert_snapshot!(engine.tree(), @r"
    request ✗
    │  app: 4 is refused
    ╰─ handler ✗
       │  app: 4 is refused
       ╰─ inner ✗
          │  app: 4 is refused
          ├─ double
          ╰─ refuse ✗
                app: 4 is refused
    ");
    let statistics = engine.telemetry().step_statistics();
    let inner = statistics.iter().find(|step| step.name == "inner").unwrap();
    assert_eq!((inner.kind.as_str(), inner.failure), ("workflow", 1));
}

#[test]
fn a_run_that_is_not_recorded_adds_nothing_to_what_its_caller_said() {
    let engine = TestEngine::new();
    let report = engine.telemetry().shutdown_blocking(std::time::Duration::ZERO);
    assert!(report.complete);
    let headers = sent(&engine, &builder(engine.telemetry()).propagated(incoming("00")).build().unwrap());
    assert_eq!(parts(&headers), (TRACE_ID, PARENT_ID, "00"));
    assert_eq!(parts(&sent(&engine, &builder(engine.telemetry()).build().unwrap())).2, "02");
}

#[test]
fn baggage_that_is_set_by_hand_wins_over_the_callers_in_either_order() {
    let telemetry = Telemetry::disabled();
    let first = builder(&telemetry).baggage("tenant", "mine").baggage("a", "b").propagated(incoming("01"));
    let last = builder(&telemetry).propagated(incoming("01")).baggage("tenant", "mine").baggage("a", "b");
    for cx in [first.build().unwrap(), last.build().unwrap()] {
        assert_eq!((cx.baggage("tenant"), cx.baggage("a")), (Some("mine"), Some("b")));
        assert_eq!(cx.baggage("correlation_id"), Some("c-7"));
    }
    let empty = extract(&[("baggage", "correlation_id=")]);
    assert_eq!(builder(&telemetry).propagated(empty).build().unwrap().correlation_id(), None);
}
