//! Callers from outside, who may claim anything.

use axum::Router;
use axum::routing::get;
use tta_http::TraceRequests;
use tta_primitives::testing::TestEngine;
use tta_telemetry::Sampling;

use crate::support::{PARENT_ID, PassedOn, Server, TRACE_ID, TRACEPARENT, only, passes_on, plain_client};

#[tokio::test]
async fn a_caller_that_is_not_trusted_is_linked_to_and_nothing_of_it_is_passed_on() {
    let engine = TestEngine::with(|engine| engine.sampling(Sampling::KeepFailed));
    let layer = TraceRequests::new().telemetry(engine.telemetry().clone()).trust_remote(false);
    let failing = async |cx| (axum::http::StatusCode::INTERNAL_SERVER_ERROR, passes_on(cx).await);
    let server = Server::start(Router::new().route("/", get(failing)).layer(layer)).await;
    let call = plain_client().get(server.url("/")).header("traceparent", TRACEPARENT).header("tracestate", "a=1");
    let answer = call.header("baggage", "user=admin,correlation_id=c-1").send().await.unwrap().text().await.unwrap();
    let passed = PassedOn::read(&answer);
    assert_ne!(passed.trace_id(), TRACE_ID);
    assert!(passed.traceparent.ends_with("-02"), "the wish to be sampled is left out: {}", passed.traceparent);
    assert_eq!(passed.tracestate, "");
    assert!(passed.baggage.starts_with("correlation_id=") && !passed.baggage.contains("c-1,"), "{}", passed.baggage);
    assert!(!answer.contains("admin"));

    let trace = only(&engine);
    let root = trace.root().unwrap();
    assert_eq!((trace.trace_id.to_string(), root.parent_span_id), (passed.trace_id().to_owned(), None));
    let links: Vec<_> = root.links.iter().map(|link| (link.trace_id.to_string(), link.span_id.to_string())).collect();
    assert_eq!(links, [(TRACE_ID.to_owned(), PARENT_ID.to_owned())]);
}

#[tokio::test]
async fn without_a_caller_there_is_nothing_to_link_to_and_a_trusted_one_is_a_parent_alone() {
    for (trusted, headers, linked) in [(false, false, 0), (true, true, 0), (false, true, 1)] {
        let engine = TestEngine::new();
        let layer = TraceRequests::new().telemetry(engine.telemetry().clone()).trust_remote(trusted);
        let server = Server::start(Router::new().route("/", get(passes_on)).layer(layer)).await;
        let mut call = plain_client().get(server.url("/"));
        if headers {
            call = call.header("traceparent", TRACEPARENT);
        }
        call.send().await.unwrap();
        let trace = only(&engine);
        let root = trace.root().unwrap();
        assert_eq!((root.links.len(), root.parent_span_id.is_some()), (linked, trusted && headers));
    }
}
