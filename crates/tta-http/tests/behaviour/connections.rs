//! Connections: clients that go away, requests side by side, requests one after another.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Notify};
use tta_http::Cx;
use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, traced};
use tta_telemetry::SpanStatus;

use crate::support::{OnDrop, PassedOn, Server, TRACE_ID, TRACEPARENT, only, passes_on, plain_client, text};

#[tokio::test]
async fn a_client_that_goes_away_cancels_the_run() {
    let engine = TestEngine::new();
    let (started, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (started, dropped) = (Arc::clone(&started), Arc::clone(&dropped));
        move |Cx(cx): Cx| async move {
            let _drop = OnDrop(move || dropped.notify_one());
            assert!(!cx.is_cancelled());
            started.notify_one();
            traced("waits", std::future::pending::<()>()).await;
        }
    };
    let server = Server::traced(&engine, Router::new().route("/", get(handler))).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    started.notified().await;
    assert!(engine.traces().is_empty(), "the run goes on while its client waits");
    drop(stream);
    dropped.notified().await;
    assert_eq!(engine.tree(), "GET / (http_server) ⊘ cancelled\n╰─ waits (span) ⊘ cancelled\n");
    assert_eq!(text(only(&engine).root().unwrap(), "http.response.status_code"), "");
}

#[tokio::test]
async fn requests_that_interleave_on_a_thread_each_keep_their_own_trace() {
    let engine = TestEngine::new();
    let barrier = Arc::new(Barrier::new(2));
    let handler = move |given: Cx| async move {
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(Context::current().unwrap().trace_id());
            barrier.wait().await;
        }
        assert!(seen.iter().all(|id| *id == given.0.trace_id()), "{seen:?}");
        passes_on(given).await
    };
    let server = Server::traced(&engine, Router::new().route("/", get(handler))).await;
    let ask = async |trace_id: &str| {
        let call = plain_client().get(server.url("/"));
        let call = call.header("traceparent", format!("00-{trace_id}-00000000000000aa-01"));
        PassedOn::read(&call.send().await.unwrap().text().await.unwrap())
    };
    let (one, two) = ("000000000000000000000000000000a1", "000000000000000000000000000000a2");
    let (first, second) = tokio::join!(ask(one), ask(two));
    assert_eq!((first.trace_id(), second.trace_id()), (one, two));
    let traces = engine.traces();
    assert_eq!(traces.len(), 2);
    assert!(traces.iter().all(|trace| trace.root().unwrap().status == SpanStatus::Ok));
}

/// Sends a request on a connection that stays open, and reads its answer.
async fn ask(stream: &mut TcpStream, headers: &str) -> String {
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the connection stays open");
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return text.into_owned();
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_used_again_brings_nothing_of_the_request_before() {
    let engine = TestEngine::new();
    let server = Server::traced(&engine, Router::new().route("/", get(passes_on))).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let headers = format!("traceparent: {TRACEPARENT}\r\ntracestate: a=1\r\nbaggage: tenant=acme\r\n");
    let first = PassedOn::read(&ask(&mut stream, &headers).await);
    let second = PassedOn::read(&ask(&mut stream, "").await);
    let third = PassedOn::read(&ask(&mut stream, &headers).await);
    assert_eq!((first.trace_id(), third.trace_id()), (TRACE_ID, TRACE_ID));
    assert_ne!(first.parent_id(), third.parent_id());
    assert_ne!(second.trace_id(), TRACE_ID);
    assert_eq!(second.tracestate, "");
    assert!(second.baggage.starts_with("correlation_id="), "{}", second.baggage);
    let parents: Vec<_> = engine.traces().iter().map(|trace| trace.root().unwrap().parent_span_id.is_some()).collect();
    assert_eq!(parents, [true, false, true]);
}
