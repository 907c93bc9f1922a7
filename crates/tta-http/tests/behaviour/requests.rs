//! Requests of an axum server: names, attributes, outcomes, the context in handlers.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{any, get};
use insta::assert_snapshot;
use tta_http::{Cx, TraceRequests};
use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, step, traced, workflow};
use tta_telemetry::SpanStatus;

use crate::support::{PARENT_ID, PassedOn, Server, TRACE_ID, TRACEPARENT, only, passes_on, plain_client, raw, text};

async fn shout(name: String) -> tta_primitives::Result<String, String> {
    Ok(name.to_uppercase())
}

async fn greet(Cx(cx): Cx) -> String {
    workflow("greet", shout).run("ada".to_owned(), &cx).await.unwrap()
}

#[tokio::test]
async fn a_request_is_a_run_of_its_callers_trace_with_the_attributes_of_the_conventions() {
    let engine = TestEngine::new();
    let server = Server::traced(&engine, Router::new().route("/users/{id}/{*rest}", get(greet))).await;
    let request = format!(
        "GET /users/7/a/b?token=secret HTTP/1.1\r\nhost: api.example:8443\r\nuser-agent: test/1 \u{e9}\r\n\
         traceparent: {TRACEPARENT}\r\nbaggage: correlation_id=c-1\r\nconnection: close\r\n\r\n"
    );
    assert!(raw(server.address, request.as_bytes()).await.ends_with("\r\n\r\nADA"));
    assert_snapshot!(engine.tree_with_attributes(), @r"
    GET /users/{id}/{*rest} (http_server)
    │  correlation.id = c-1
    │  http.request.method = GET
    │  http.route = /users/{id}/{*rest}
    │  url.path = /users/7/a/b
    │  url.scheme = http
    │  server.address = api.example
    │  server.port = 8443
    │  user_agent.original = test/1 é
    │  network.protocol.version = 1.1
    │  http.response.status_code = 200
    ╰─ greet
       ╰─ shout
    ");
    let trace = only(&engine);
    assert_eq!(trace.trace_id.to_string(), TRACE_ID);
    assert_eq!(trace.root().unwrap().parent_span_id, PARENT_ID.parse().ok());
}

#[tokio::test]
async fn only_the_template_of_a_route_is_in_the_name_and_an_unknown_path_has_none() {
    let engine = TestEngine::new();
    let inner = Router::new().route("/{b}", get(|| async {}));
    let router = Router::new().route("/a/{id}", get(|| async {})).nest("/n/{a}", inner);
    let server = Server::traced(&engine, router).await;
    for path in ["/a/1", "/a/2", "/n/1/2", "/unknown/4711", "/a"] {
        plain_client().get(server.url(path)).send().await.unwrap();
    }
    plain_client().post(server.url("/a/1")).send().await.unwrap();
    let traces = engine.traces();
    let facts = traces.iter().map(|trace| trace.root().unwrap()).map(|root| {
        (root.name.to_string(), text(root, "http.route"), text(root, "http.response.status_code"), root.status)
    });
    let fact =
        |name: &str, route: &str, code: &str| (name.to_owned(), route.to_owned(), code.to_owned(), SpanStatus::Ok);
    assert_eq!(
        facts.collect::<Vec<_>>(),
        [
            fact("GET /a/{id}", "/a/{id}", "200"),
            fact("GET /a/{id}", "/a/{id}", "200"),
            fact("GET /n/{a}/{b}", "/n/{a}/{b}", "200"),
            fact("GET", "", "404"),
            fact("GET", "", "404"),
            fact("POST /a/{id}", "/a/{id}", "405"),
        ]
    );
    let statistics = engine.telemetry().step_statistics();
    let users = statistics.iter().find(|step| step.name == "GET /a/{id}").unwrap();
    assert_eq!((users.kind.as_str(), users.success), ("http_server", 2));
}

#[tokio::test]
async fn a_method_that_anyone_can_make_up_does_not_become_a_name() {
    let engine = TestEngine::new();
    let server = Server::traced(&engine, Router::new().route("/a", any(|| async {}))).await;
    raw(server.address, b"BREW /a HTTP/1.0\r\n\r\n").await;
    let trace = only(&engine);
    let root = trace.root().unwrap();
    assert_eq!(root.name, "HTTP /a");
    assert_eq!((&*text(root, "http.request.method"), &*text(root, "http.request.method_original")), ("_OTHER", "BREW"));
    assert_eq!((&*text(root, "network.protocol.version"), &*text(root, "server.address")), ("1.0", ""));
}

#[tokio::test]
async fn a_server_fails_from_status_500_on() {
    let engine = TestEngine::new();
    let answer = |code: axum::extract::Path<u16>| async move { StatusCode::from_u16(code.0).unwrap() };
    let server = Server::traced(&engine, Router::new().route("/{code}", get(answer))).await;
    for code in [200, 302, 400, 499, 500, 503, 600] {
        let url = server.url(&format!("/{code}"));
        assert_eq!(plain_client().get(url).send().await.unwrap().status(), code);
    }
    let traces = engine.traces();
    let facts = traces.iter().map(|trace| trace.root().unwrap()).map(|root| (root.status, text(root, "error.type")));
    let (ok, error) = (|| (SpanStatus::Ok, String::new()), |code: &str| (SpanStatus::Error, code.to_owned()));
    assert_eq!(facts.collect::<Vec<_>>(), [ok(), ok(), ok(), ok(), error("500"), error("503"), error("600")]);
}

#[tokio::test]
async fn the_context_of_the_run_is_current_in_the_handler_and_what_it_does_hangs_below() {
    let engine = TestEngine::new();
    let handler = |Cx(given): Cx| async move {
        assert!(Context::current().is_some_and(|cx| cx.span_id() == given.span_id()));
        tokio::task::yield_now().await;
        traced("inside", async { Context::current().unwrap().set("seen", true) }).await;
        let other = step(shout).run("x".to_owned(), &Context::current().unwrap()).await;
        other.unwrap()
    };
    let server = Server::traced(&engine, Router::new().route("/", get(handler))).await;
    assert_eq!(plain_client().get(server.url("/")).send().await.unwrap().text().await.unwrap(), "X");
    assert_snapshot!(engine.tree(), @r"
    GET / (http_server)
    ├─ inside (span)
    ╰─ shout
    ");
    assert!(Context::current().is_none());
}

#[tokio::test]
async fn a_panic_in_a_handler_fails_the_run_and_goes_on() {
    let engine = TestEngine::new();
    let handler = || async { traced("work", async { panic!("out of tea") as String }).await };
    let server = Server::traced(&engine, Router::new().route("/tea", get(handler))).await;
    // It ends the connection, as it does without the layer.
    assert!(plain_client().get(server.url("/tea")).send().await.is_err());
    assert_snapshot!(engine.tree(), @r"
    GET /tea (http_server) ✗
    │  panic: out of tea
    ╰─ work (span) ✗
          panic: out of tea
    ");
    // The server lives on.
    assert_eq!(plain_client().get(server.url("/")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_extractor_never_refuses_and_continues_the_caller_also_without_the_layer() {
    let server = Server::start(Router::new().route("/", get(passes_on))).await;
    let plain = plain_client().get(server.url("/")).send().await.unwrap();
    assert_eq!((plain.status().as_u16(), plain.text().await.unwrap().as_str()), (200, "\n\n"));
    let call = plain_client().get(server.url("/")).header("traceparent", TRACEPARENT).header("baggage", "a=b");
    let passed = PassedOn::read(&call.send().await.unwrap().text().await.unwrap());
    assert_eq!((&*passed.traceparent, &*passed.baggage), (TRACEPARENT, "a=b"));
}

#[tokio::test]
async fn the_scheme_and_the_route_can_be_given() {
    let engine = TestEngine::new();
    let layer = TraceRequests::new().telemetry(engine.telemetry().clone()).scheme("https");
    let layer = layer.route(|parts| parts.uri.path().starts_with("/files/").then_some("/files/{name}"));
    let router = Router::new().route("/files/{*path}", get(|| async {})).route("/other", get(|| async {}));
    let server = Server::start(router.layer(layer)).await;
    for path in ["/files/a/b", "/other"] {
        plain_client().get(server.url(path)).send().await.unwrap();
    }
    // What a request says itself goes first.
    raw(server.address, b"GET http://[::1]:81/files/c HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").await;
    let traces = engine.traces();
    let roots = traces.iter().map(|trace| trace.root().unwrap());
    let facts: Vec<_> = roots.map(|root| (root.name.to_string(), text(root, "url.scheme"))).collect();
    let fact = |name: &str, scheme: &str| (name.to_owned(), scheme.to_owned());
    assert_eq!(facts, [fact("GET /files/{name}", "https"), fact("GET", "https"), fact("GET /files/{name}", "http")]);
    let last = traces[2].root().unwrap();
    assert_eq!((&*text(last, "server.address"), &*text(last, "server.port")), ("::1", "81"));
}
