//! Headers that nobody should send: the request is served, and the trace is sound.

use axum::Router;
use axum::routing::get;
use tta_primitives::testing::TestEngine;

use crate::support::{PARENT_ID, PassedOn, Server, TRACE_ID, TRACEPARENT, only, passes_on, raw};

const OTHER: &str = "00-00000000000000000000000000000bad-00000000000000ad-01";

/// What a request with these header lines passes on, and the parent that was recorded.
async fn passed_on(lines: &[u8]) -> (PassedOn, Option<String>) {
    let engine = TestEngine::new();
    let server = Server::traced(&engine, Router::new().route("/", get(passes_on))).await;
    let request = [b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n", lines, b"\r\n"].concat();
    let answer = raw(server.address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let passed = PassedOn::read(&answer);
    let trace = only(&engine);
    assert_eq!(passed.trace_id(), trace.trace_id.to_string());
    assert_eq!(passed.parent_id(), trace.root_span_id.to_string());
    (passed, trace.root().unwrap().parent_span_id.map(|parent| parent.to_string()))
}

#[tokio::test]
async fn a_traceparent_that_cannot_be_believed_starts_a_new_trace() {
    let long = format!("traceparent: {TRACEPARENT}{}\r\n", "0".repeat(100_000));
    let blocks: [Vec<u8>; 8] = [
        format!("traceparent: {TRACEPARENT}\r\ntraceparent: {OTHER}\r\n").into(),
        format!("traceparent: {TRACEPARENT}\r\nTraceParent: {TRACEPARENT}\r\n").into(),
        format!("traceparent: {}\r\n", TRACEPARENT.to_uppercase()).into(),
        b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\xe9\r\n".into(),
        b"traceparent: \xff\xfe\xfd\r\n".into(),
        b"traceparent:\r\n".into(),
        format!("traceparent: 00-{TRACE_ID}-{}-01\r\n", "0".repeat(16)).into(),
        long.into(),
    ];
    for block in blocks {
        let (passed, parent) = passed_on(&block).await;
        let shown = String::from_utf8_lossy(&block[..block.len().min(200)]).into_owned();
        assert_eq!(parent, None, "{shown}");
        assert_ne!(passed.trace_id(), TRACE_ID, "{shown}");
        assert!(passed.traceparent.ends_with("-03"), "a new trace is random and kept: {shown}");
    }
}

#[tokio::test]
async fn a_name_in_any_casing_and_white_space_around_the_value_are_believed() {
    let (passed, parent) = passed_on(format!("TrAcEpArEnT: \t{TRACEPARENT}\t \r\n").as_bytes()).await;
    assert_eq!((passed.trace_id(), parent.as_deref()), (TRACE_ID, Some(PARENT_ID)));
}

#[tokio::test]
async fn a_tracestate_of_any_size_or_content_does_not_cost_the_trace() {
    let many = (0..8_000).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    for (state, expected) in [
        ("a=1", "a=1"),
        (&*"x".repeat(100_000), ""),
        (&*format!("a={}", "x".repeat(100_000)), ""),
        (&*many, ""),
        ("a=1,,b=2", "a=1,b=2"),
        ("a=1,a=2", ""),
        ("A=1", ""),
        ("a=\u{e9}", ""),
    ] {
        let (passed, parent) =
            passed_on(format!("traceparent: {TRACEPARENT}\r\ntracestate: {state}\r\n").as_bytes()).await;
        let shown = &state[..state.len().min(40)];
        assert_eq!((&*passed.tracestate, parent.as_deref()), (expected, Some(PARENT_ID)), "{shown}");
    }
}

#[tokio::test]
async fn baggage_keeps_what_can_be_read() {
    let bytes = b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
        baggage: =,;;,a b=c, tenant=acme,\xe9=1\r\nBaggage: correlation_id=c%2d1,\xff\r\n";
    let (passed, parent) = passed_on(bytes).await;
    assert_eq!((&*passed.baggage, parent.as_deref()), ("tenant=acme,correlation_id=c%2d1", Some(PARENT_ID)));
    let huge = format!("baggage: {}\r\n", "k=v,".repeat(25_000));
    let (passed, _) = passed_on(huge.as_bytes()).await;
    assert!(passed.baggage.len() <= 16 * 1024, "{} bytes", passed.baggage.len());
}

#[tokio::test]
async fn a_host_and_an_agent_that_are_no_text_do_not_hurt() {
    let engine = TestEngine::new();
    let server = Server::traced(&engine, Router::new().route("/", get(|| async { "fine" }))).await;
    let request = b"GET / HTTP/1.1\r\nhost: \xff\xfe\r\nuser-agent: \xff\x80ok\r\nconnection: close\r\n\r\n";
    assert!(raw(server.address, request).await.ends_with("fine"));
    let trace = only(&engine);
    let root = trace.root().unwrap();
    assert_eq!(root.attribute("server.address"), None);
    assert_eq!(root.attribute("user_agent.original").unwrap().to_string(), "\u{fffd}\u{fffd}ok");
}
