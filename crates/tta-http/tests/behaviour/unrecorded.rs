//! Telemetry that is off: nothing is recorded, and the trace still goes through.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use tta_http::{Cx, TraceCalls, TraceRequests};
use tta_primitives::Context;
use tta_primitives::testing::TestEngine;
use tta_telemetry::{Telemetry, TraceId};

use crate::support::{PassedOn, Server, TRACEPARENT, client, passes_on, plain_client};

#[tokio::test]
async fn a_service_whose_telemetry_is_off_passes_its_caller_on_as_it_is() {
    let engine = TestEngine::new();
    let behind = Server::traced(&engine, Router::new().route("/", get(passes_on))).await;
    let url = behind.url("/");
    let relay = move |Cx(_): Cx| async move { client().get(url).send().await.unwrap().text().await.unwrap() };
    let off = Telemetry::builder().enabled(false).build().unwrap();
    let router = Router::new().route("/", get(relay)).route("/passed", get(passes_on));
    let front = Server::start(router.layer(TraceRequests::new().telemetry(off))).await;

    let ask = async |path: &str| {
        let call = plain_client().get(front.url(path)).header("traceparent", TRACEPARENT).header("tracestate", "a=1");
        PassedOn::read(&call.header("baggage", "correlation_id=c-1").send().await.unwrap().text().await.unwrap())
    };
    let passed = ask("/passed").await;
    assert_eq!(
        (&*passed.traceparent, &*passed.tracestate, &*passed.baggage),
        (TRACEPARENT, "a=1", "correlation_id=c-1")
    );
    // The service behind sees the first caller as its own.
    let behind = ask("/").await;
    let traces = engine.traces();
    assert_eq!((traces.len(), behind.trace_id()), (1, &*traces[0].trace_id.to_string()));
    assert_eq!(traces[0].root().unwrap().parent_span_id.map(|id| id.to_string()), Some("00f067aa0ba902b7".into()));
}

/// Keeps the trace id of the run that a call is made in.
struct Look(Arc<Mutex<Vec<Option<TraceId>>>>);

#[async_trait::async_trait]
impl Middleware for Look {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        tokio::task::yield_now().await;
        self.0.lock().unwrap().push(Context::current().and_then(|cx| cx.trace_id()));
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn the_context_that_comes_with_a_call_is_current_in_it_also_when_nothing_is_recorded() {
    let server = Server::start(Router::new().fallback(|| async {})).await;
    let seen = Arc::<Mutex<Vec<_>>>::default();
    let client = ClientBuilder::new(plain_client()).with(TraceCalls::new()).with(Look(Arc::clone(&seen))).build();
    let run = Context::on(Telemetry::disabled()).start_run("run", "job");
    client.get(server.url("/")).with_extension(run.context().clone()).send().await.unwrap();
    client.get(server.url("/")).send().await.unwrap();
    assert!(run.context().trace_id().is_some());
    assert_eq!(*seen.lock().unwrap(), [run.context().trace_id(), None]);
}

#[tokio::test]
async fn without_an_engine_a_new_trace_still_starts_in_the_headers() {
    let server = Server::start(Router::new().route("/", get(passes_on)).layer(TraceRequests::new())).await;
    let answer = plain_client().get(server.url("/")).send().await.unwrap().text().await.unwrap();
    let passed = PassedOn::read(&answer);
    assert!(passed.traceparent.starts_with("00-") && passed.traceparent.ends_with("-02"), "{}", passed.traceparent);
}
