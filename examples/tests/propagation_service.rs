//! The service of the example `propagation_service`, asked for things that its self-check does not
//! ask for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tta::http::extract;
use tta::testing::TestEngine;
use tta_examples::propagation::service;

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The service, a route that keeps the headers it was called with, and where both are.
struct Home {
    url: String,
    seen: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    _server: JoinSet<std::io::Result<()>>,
}

impl Home {
    async fn start(engine: &TestEngine) -> Self {
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let note = Arc::clone(&seen);
        let see = |headers: HeaderMap, body: String| async move { note.lock().unwrap().push((headers, body)) };
        let router = service(engine.telemetry().clone(), client()).route("/see", post(see));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(axum::serve(listener, router).into_future());
        Self { url, seen, _server: server }
    }

    /// Status and body.
    async fn ask(&self, body: impl Into<reqwest::Body>) -> (u16, String) {
        let answer = client().post(format!("{}/test", self.url)).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn each_call_has_a_parent_of_its_own_and_posts_its_arguments() {
    let engine = TestEngine::new();
    let home = Home::start(&engine).await;
    let see = format!("{}/see", home.url);
    let calls = json!([{"url": see, "arguments": [{"url": "a"}]}, {"url": see, "arguments": []}, {"url": see}]);
    assert_eq!(home.ask(calls.to_string()).await, (200, String::new()));
    let seen = home.seen.lock().unwrap();
    let bodies: Vec<Value> = seen.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(bodies, [json!([{"url": "a"}]), json!([]), Value::Null]);
    let parents: Vec<_> = seen.iter().map(|(headers, _)| extract(headers).trace.unwrap().span_id).collect();
    let traces = engine.traces();
    let calls: Vec<_> = traces[0].children(traces[0].root_span_id).map(|span| span.span_id).collect();
    assert_eq!(parents, calls);
}

#[tokio::test]
async fn a_body_that_is_no_list_of_calls_is_refused_with_what_is_accepted() {
    let engine = TestEngine::new();
    let home = Home::start(&engine).await;
    for malformed in ["", "{", "null", "{}", "[1]", r#"[{"arguments": []}]"#, "[[]]", "\u{0}"] {
        let (status, message) = home.ask(malformed).await;
        assert_eq!(status, 400, "{malformed}");
        let accepted =
            r#"the body cannot be read, accepted is a JSON array of {"url": "http://...", "arguments": [...]}: "#;
        assert!(message.starts_with(accepted), "{message}");
    }
    assert_eq!(home.ask(vec![0xff, 0xfe]).await.0, 400);
    assert_eq!(home.ask("[]").await.0, 200);
}

#[tokio::test]
async fn a_call_that_fails_says_whose_fault_it_is() {
    let engine = TestEngine::new();
    let home = Home::start(&engine).await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let ask = async |url: String| home.ask(json!([{"url": url, "arguments": []}]).to_string()).await;
    let (status, message) = ask("no url".to_owned()).await;
    assert_eq!((status, message.starts_with("the call of no url failed: builder error")), (400, true), "{message}");
    let (status, message) = ask(format!("http://{nobody}/")).await;
    assert_eq!(status, 502);
    assert!(message.contains("onnection refused"), "{message}");
    let (status, message) = ask(format!("{}/missing", home.url)).await;
    assert_eq!((status, message.contains("answered 404 Not Found")), (400, true), "{message}");
}
