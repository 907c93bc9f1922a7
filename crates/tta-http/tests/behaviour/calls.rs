//! Calls of a client: their spans, and what they carry along.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use insta::assert_snapshot;
use reqwest::Request;
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tta_http::{TraceCalls, UrlTemplate, extract};
use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, ErrorKind, IntoError, Result, traced, with_context, workflow};
use tta_telemetry::{IdSource, SpanStatus};

use crate::support::{
    PARENT_ID, PassedOn, Server, TRACE_ID, TRACEPARENT, client, client_with, only, passes_on, plain_client, text,
};

type CallResult = reqwest_middleware::Result<reqwest::Response>;

/// Runs a future in a run of its own.
async fn in_run<T>(engine: &TestEngine, future: impl Future<Output = T>) -> T {
    let cx = Context::builder().telemetry(engine.telemetry().clone()).correlation_id("c-1").build().unwrap();
    let run = cx.start_run("run", "job");
    let result = run.scope(future).await;
    let _ = run.end_as(SpanStatus::Ok);
    result
}

/// Answers with the headers that came.
async fn echo() -> Server {
    let headers = |headers: http::HeaderMap| async move {
        let line = |name| headers.get(name).map_or("", |value| value.to_str().unwrap());
        [line("traceparent"), line("tracestate"), line("baggage")].join("\n")
    };
    Server::start(Router::new().fallback(headers)).await
}

#[tokio::test]
async fn each_call_is_a_span_below_its_step_and_the_parent_of_what_the_server_does() {
    let behind = TestEngine::with(|engine| engine.ids(IdSource::seeded(2)));
    let server = Server::traced(&behind, Router::new().route("/{n}", get(|| async {}))).await;
    let engine = TestEngine::new();
    let call_three = |home: String, cx: Context| async move {
        for n in 0..3 {
            client().get(format!("{home}/{n}")).send().await?;
        }
        traced("after", async { cx.set("calls", 3) }).await;
        Ok::<_, reqwest_middleware::Error>(())
    };
    let flow = workflow("flow", with_context(call_three));
    flow.run(server.url(""), &engine.context()).await.unwrap();
    assert_eq!(
        engine.tree(),
        "flow\n╰─ closure\n   ├─ GET (http_client)\n   ├─ GET (http_client)\n   ├─ GET (http_client)\n   ╰─ after (span)\n"
    );
    let trace = only(&engine);
    let calls: Vec<_> = trace.spans.iter().filter(|span| span.kind == "http_client").map(|span| span.span_id).collect();
    let requests = behind.traces();
    let parents: Vec<_> = requests.iter().map(|request| request.root().unwrap().parent_span_id.unwrap()).collect();
    assert_eq!(parents, calls);
    assert!(requests.iter().all(|request| request.trace_id == trace.trace_id));
}

#[tokio::test]
async fn a_call_has_the_attributes_of_the_conventions_and_no_secrets() {
    let (engine, server) = (TestEngine::new(), echo().await);
    let url = format!("http://user:password@{}/users/7?token=secret#part", server.address);
    let call = client().post(url).with_extension(UrlTemplate::new("/users/{id}"));
    let answer = in_run(&engine, async { call.send().await.unwrap().text().await.unwrap() }).await;
    assert_eq!(PassedOn::read(&answer).baggage, "correlation_id=c-1");
    let port = server.address.port().to_string();
    assert_snapshot!(engine.tree_with_attributes().replace(&port, "PORT"), @r"
    run (job)
    │  correlation.id = c-1
    ╰─ POST /users/{id} (http_client)
          http.request.method = POST
          url.full = http://127.0.0.1:PORT/users/7
          url.template = /users/{id}
          server.address = 127.0.0.1
          server.port = PORT
          http.response.status_code = 200
          network.protocol.version = 1.1
    ");
}

#[tokio::test]
async fn a_method_that_is_not_known_is_named_http_and_its_text_is_kept() {
    let (engine, server) = (TestEngine::new(), echo().await);
    let method = reqwest::Method::from_bytes(b"BREW").unwrap();
    in_run(&engine, client().request(method, server.url("/tea")).send()).await.unwrap();
    let trace = only(&engine);
    let span = trace.find("HTTP").unwrap();
    assert_eq!((&*text(span, "http.request.method"), &*text(span, "http.request.method_original")), ("_OTHER", "BREW"));
}

#[tokio::test]
async fn a_client_fails_from_status_400_on() {
    let engine = TestEngine::new();
    let answer = |code: axum::extract::Path<u16>| async move { StatusCode::from_u16(code.0).unwrap() };
    let server = Server::start(Router::new().route("/{code}", get(answer))).await;
    in_run(&engine, async {
        for code in [204, 304, 399, 400, 404, 500] {
            let answer = client().get(server.url(&format!("/{code}"))).send().await.unwrap();
            assert_eq!(answer.status(), code, "the response passes through");
        }
    })
    .await;
    let trace = only(&engine);
    let calls = trace.spans.iter().filter(|span| span.kind == "http_client");
    let facts: Vec<_> = calls.map(|span| (span.status, text(span, "error.type"))).collect();
    let (ok, error) = (|| (SpanStatus::Ok, String::new()), |code: &str| (SpanStatus::Error, code.to_owned()));
    assert_eq!(facts, [ok(), ok(), ok(), error("400"), error("404"), error("500")]);
}

#[tokio::test]
async fn a_dead_peer_is_an_error_of_type_connect_whose_message_holds_no_query() {
    let engine = TestEngine::new();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/?token=secret");
    let error = in_run(&engine, client().get(&url).send()).await.unwrap_err();
    assert_eq!(error.url().map(ToString::to_string), Some(url), "the user's error stays as it is");
    let trace = only(&engine);
    let span = trace.find("GET").unwrap();
    assert_eq!((span.status, &*text(span, "error.type")), (SpanStatus::Error, "connect"));
    assert_eq!(text(span, "error.message"), "error sending request");
    assert!(text(span, "error.chain").contains("onnection refused"), "{}", text(span, "error.chain"));
    assert!(!engine.tree_with_attributes().contains("secret"));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_an_error_of_type_timeout() {
    let engine = TestEngine::new();
    let server = Server::start(Router::new().route("/", get(std::future::pending::<()>))).await;
    let call = client().get(server.url("/")).timeout(Duration::from_millis(20));
    assert!(in_run(&engine, call.send()).await.unwrap_err().is_timeout());
    assert_eq!(text(only(&engine).find("GET").unwrap(), "error.type"), "timeout");
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled() {
    let engine = TestEngine::new();
    let arrived = Arc::new(Notify::new());
    let note = Arc::clone(&arrived);
    let hang = || async move {
        note.notify_one();
        std::future::pending::<()>().await;
    };
    let server = Server::start(Router::new().route("/", get(hang))).await;
    in_run(&engine, async {
        tokio::select! {
            _ = client().get(server.url("/")).send() => panic!("nobody answers"),
            () = arrived.notified() => {}
        }
        assert!(Context::current().is_some());
    })
    .await;
    assert_eq!(engine.tree(), "run (job)\n╰─ GET (http_client) ⊘ cancelled\n");
}

/// Sends everything twice, as a retry does.
struct Twice;

#[async_trait::async_trait]
impl Middleware for Twice {
    async fn handle(&self, request: Request, extensions: &mut http::Extensions, next: Next<'_>) -> CallResult {
        let again = request.try_clone().unwrap();
        next.clone().run(request, extensions).await?;
        next.run(again, extensions).await
    }
}

/// Records something and then fails, or lets the request through.
struct Inner(fn() -> reqwest_middleware::Result<()>);

#[async_trait::async_trait]
impl Middleware for Inner {
    async fn handle(&self, request: Request, extensions: &mut http::Extensions, next: Next<'_>) -> CallResult {
        traced("inner", async { tokio::task::yield_now().await }).await;
        (self.0)()?;
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn each_sending_of_a_retried_call_is_a_span_with_its_number() {
    let (engine, server) = (TestEngine::new(), echo().await);
    let call = client_with([Arc::new(Twice)]).get(server.url("/"));
    in_run(&engine, call.send()).await.unwrap();
    let trace = only(&engine);
    let calls = trace.spans.iter().filter(|span| span.kind == "http_client");
    assert_eq!(calls.map(|span| text(span, "http.request.resend_count")).collect::<Vec<_>>(), ["", "1"]);
}

#[tokio::test]
async fn what_happens_inside_a_call_hangs_below_it_and_its_error_names_its_kind() {
    fn own() -> reqwest_middleware::Result<()> {
        Err(reqwest_middleware::Error::middleware("no token left".with_kind(ErrorKind::RateLimited)))
    }
    fn foreign() -> reqwest_middleware::Result<()> {
        Err(reqwest_middleware::Error::middleware(std::io::Error::other("disk on fire")))
    }
    let engine = TestEngine::new();
    for fails in [own, foreign] {
        let client = ClientBuilder::new(plain_client()).with(TraceCalls::new()).with(Inner(fails)).build();
        in_run(&engine, client.get("https://api.example/").send()).await.unwrap_err();
        let traces = engine.traces();
        let call = traces.last().unwrap().find("GET").unwrap();
        assert_eq!((&*text(call, "server.address"), &*text(call, "server.port")), ("api.example", "443"));
    }
    assert_snapshot!(engine.tree(), @r"
    run (job)
    ╰─ GET (http_client) ✗
       │  rate_limited: no token left
       ╰─ inner (span)
    run (job)
    ╰─ GET (http_client) ✗
       │  middleware: disk on fire
       ╰─ inner (span)
    ");
}

#[tokio::test]
async fn outside_a_run_a_call_goes_out_as_it_is() {
    let server = echo().await;
    let answer = client().get(server.url("/")).header("traceparent", "mine").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "mine\n\n");
}

#[tokio::test]
async fn a_context_that_comes_with_the_request_is_used_wherever_the_call_is_made() {
    let (engine, server) = (TestEngine::new(), echo().await);
    let url = server.url("/");
    let incoming: http::HeaderMap =
        [("traceparent".parse().unwrap(), TRACEPARENT.parse().unwrap())].into_iter().collect();
    let cx = Context::builder().telemetry(engine.telemetry().clone()).propagated(extract(&incoming)).build().unwrap();
    // Not in a run: what the context was given passes through.
    let answer = client().get(&url).with_extension(cx.clone()).send().await.unwrap().text().await.unwrap();
    assert_eq!(answer, format!("{TRACEPARENT}\n\n"));
    assert!(engine.traces().is_empty());

    let run = cx.start_run("run", "job");
    let call = client().get(&url).with_extension(run.context().clone());
    let passed = PassedOn::read(&call.send().await.unwrap().text().await.unwrap());
    let _ = run.end_as(SpanStatus::Ok);
    let trace = only(&engine);
    let span = trace.find("GET").unwrap();
    assert_eq!(span.parent_span_id, Some(trace.root_span_id));
    assert_eq!((passed.trace_id(), passed.parent_id()), (TRACE_ID, &*span.span_id.to_string()));
    assert_eq!(trace.root().unwrap().parent_span_id, PARENT_ID.parse().ok());
}

#[tokio::test]
async fn what_runs_at_once_stays_apart() {
    let (engine, server) = (TestEngine::new(), echo().await);
    let call = async |n: u32| -> Result<String> {
        let step = workflow(
            "call",
            with_context(async |url: String, _: Context| {
                let answer = client().get(url).send().await?;
                Ok::<_, anyhow::Error>(answer.text().await?)
            }),
        );
        step.run(server.url(&format!("/{n}")), &engine.context()).await
    };
    let (first, second) = tokio::join!(call(1), call(2));
    let (first, second) = (PassedOn::read(&first.unwrap()), PassedOn::read(&second.unwrap()));
    assert_ne!(first.trace_id(), second.trace_id());
    for passed in [first, second] {
        let traces = engine.traces();
        let trace = traces.iter().find(|trace| trace.trace_id.to_string() == passed.trace_id()).unwrap();
        assert_eq!(trace.find("GET").unwrap().span_id.to_string(), passed.parent_id());
    }
}

#[tokio::test]
async fn a_server_that_is_not_to_be_told_is_called_all_the_same() {
    let (engine, server) = (TestEngine::new(), echo().await);
    let told = |url: &reqwest::Url| url.path() == "/ours";
    let client = ClientBuilder::new(plain_client()).with(TraceCalls::new().propagate_to(told)).build();
    let call = async |path: &str| client.get(server.url(path)).send().await.unwrap().text().await.unwrap();
    let (ours, theirs) = in_run(&engine, async { (call("/ours").await, call("/theirs").await) }).await;
    assert!(ours.starts_with("00-"), "{ours}");
    assert_eq!(theirs, "\n\n");
    assert_eq!(engine.tree(), "run (job)\n├─ GET (http_client)\n╰─ GET (http_client)\n");
}

#[tokio::test]
async fn a_handlers_call_hangs_below_its_request() {
    let engine = TestEngine::new();
    let behind = Server::traced(&engine, Router::new().route("/behind", get(passes_on))).await;
    let url = behind.url("/behind");
    let relay = move || async move { client().get(url).send().await.unwrap().text().await.unwrap() };
    let front = Server::traced(&engine, Router::new().route("/front", get(relay))).await;
    let answer = plain_client().get(front.url("/front")).send().await.unwrap().text().await.unwrap();
    let traces = engine.traces();
    let root = |name: &str| traces.iter().find(|trace| trace.root().unwrap().name == name).unwrap();
    let (front, behind) = (root("GET /front"), root("GET /behind"));
    assert_eq!(behind.root().unwrap().parent_span_id, Some(front.find("GET").unwrap().span_id));
    assert_eq!(PassedOn::read(&answer).trace_id(), front.trace_id.to_string());
}
