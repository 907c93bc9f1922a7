//! What is served of an engine, nested in a program's own routes.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use serde_json::{Value as Json, json};
use tower_service::Service;
use tta_server::{OtlpReceiver, Services};
use tta_telemetry::config::Preset;
use tta_telemetry::store::{
    LiveFeed, MemoryTraceStore, Operation, StoreError, StoreStatus, StoredTrace, TagNames, TagScope, TagValues,
    TracePage, TraceQuery, TraceStore,
};
use tta_telemetry::{Clock, Name, Telemetry, TraceId};

use crate::guard::support::LONG;

/// Status and body.
async fn ask(router: &Router, path: &str) -> (u16, String) {
    let response = router.clone().call(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn json(router: &Router, path: &str) -> Json {
    let (status, body) = ask(router, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn app(telemetry: &Telemetry) -> Router {
    Router::new().route("/mine", get(|| async { "mine" })).nest("/internal", tta_server::router(telemetry))
}

#[tokio::test]
async fn the_store_that_an_engine_was_built_with_is_found_and_asked() {
    let telemetry = Telemetry::builder().trace_store(MemoryTraceStore::new("shop")).build().unwrap();
    telemetry.start_trace("import").end();
    assert!(telemetry.flush_blocking(LONG).complete);
    let app = app(&telemetry);
    let found = json(&app, "/internal/api/v1/traces?service=shop").await;
    assert_eq!((&found["traces"][0]["root_name"], &found["traces"][1]), (&json!("import"), &Json::Null));
    assert_eq!(json(&app, "/internal/jaeger/api/services").await["data"], json!(["shop"]));
    assert_eq!(json(&app, "/internal/tempo/api/search").await["traces"].as_array().map(Vec::len), Some(1));
    assert!(ask(&app, "/internal/metrics").await.1.contains("telemetry_up"));
    assert_eq!(ask(&app, "/mine").await, (200, "mine".to_owned()));
    assert_eq!(ask(&app, "/else").await.0, 404);
    let (status, said) = ask(&app, "/internal/api/v1/nowhere").await;
    let want = "there is nothing at `/internal/api/v1/nowhere`; /internal/api/v1/openapi.json says what there is";
    assert!(status == 404 && said.contains(want), "{status} {said}");
}

#[tokio::test]
async fn what_is_not_there_below_the_path_is_told_of_in_a_problem_body_whatever_its_depth() {
    let telemetry = Telemetry::builder().trace_store(MemoryTraceStore::new("shop")).build().unwrap();
    let nested = app(&telemetry);
    let deeper = Router::new().nest("/a", Router::new().nest("/b", app(&telemetry)));
    let parts = [
        ("/jaeger", "this path of Jaeger's API is not served"),
        ("/tempo", "this path of Tempo's API is not served"),
        ("/api/v1", "/openapi.json says what there is"),
    ];
    for (router, prefix) in [(&nested, "/internal"), (&deeper, "/a/b/internal"), (&tta_server::router(&telemetry), "")]
    {
        for (part, said) in parts {
            for unknown in ["", "/", "/x", "/api", "/api/search/x/y/", "/api/v3"] {
                let path = format!("{prefix}{part}{unknown}");
                let (status, body) = ask(router, &path).await;
                let problem: Json = serde_json::from_str(&body).unwrap_or_default();
                assert_eq!((status, &problem["status"]), (404, &json!(404)), "{path}: {body}");
                assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(said)), "{path}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn how_it_is_and_what_is_configured_is_below_the_path_too() {
    let store = MemoryTraceStore::new("shop");
    let telemetry =
        Telemetry::builder().config(&Preset::Development.config()).unwrap().trace_store(store).build().unwrap();
    let app = app(&telemetry);
    let health = json(&app, "/internal/health").await;
    assert_eq!((&health["status"], &health["details"]["readiness"]), (&json!("healthy"), &json!("ready")));
    let full = json(&app, "/internal/health/full").await;
    assert_eq!((&full["health"]["status"], &full["storage"]["kind"]), (&json!("healthy"), &json!("memory")));
    for part in ["sampling", "metrics", "storage"] {
        assert_eq!(json(&app, &format!("/internal/health/{part}")).await, full[part], "{part}");
    }
    assert_eq!(json(&app, "/internal/livez").await["status"], "alive");
    assert_eq!(json(&app, "/internal/readyz").await["status"], "ready");
    let shown = json(&app, "/internal/api/v1/config").await;
    assert_eq!(shown["config"]["tracing"]["sampling"]["default_rate"], 1.0);
    let patch = Request::patch("/internal/api/v1/config").header("content-type", "application/json");
    let patch = patch.body(Body::from(r#"{"tracing":{"sampling":{"default_rate":0.5}}}"#)).unwrap();
    assert_eq!(app.clone().call(patch).await.unwrap().status().as_u16(), 200);
    assert_eq!(json(&app, "/internal/health/sampling").await["sampling_rate"], 0.5);
}

#[tokio::test]
async fn the_storage_that_is_shown_is_the_store_as_it_is() {
    let ((clock, time), store) = (Clock::manual(), MemoryTraceStore::new("shop"));
    let telemetry = Telemetry::builder().clock(clock).trace_store(store.clone()).by_hand().build().unwrap();
    let app = app(&telemetry);
    let shown = json(&app, "/internal/health/storage").await;
    assert_eq!((&shown["traces"], &shown["bytes"], &shown["oldest"]), (&json!(0), &json!(0), &Json::Null));
    for _ in 0..2 {
        time.advance(Duration::from_secs(1));
        telemetry.start_trace("import").end();
        assert!(telemetry.flush_blocking(LONG).complete);
    }
    let shown = json(&app, "/internal/health/storage").await;
    let status = store.status();
    assert_eq!((&shown["kind"], &shown["traces"]), (&json!("memory"), &json!(2)));
    assert_eq!(
        (&shown["bytes"], &shown["capacity_bytes"]),
        (&json!(status.bytes), &json!(status.capacity_bytes.unwrap()))
    );
    let traces = json(&app, "/internal/api/v1/traces").await;
    let started = [1, 0].map(|place| &traces["traces"][place]["start_time"]);
    assert_eq!([&shown["oldest"], &shown["newest"]], started);
    assert!(started[0] != started[1] && shown["evicted_traces"] == 0, "{shown}");
}

/// A store of a program's own, which does not say of what kind it is.
struct Own(MemoryTraceStore);

impl TraceStore for Own {
    fn search(&self, query: &TraceQuery) -> Result<TracePage, StoreError> {
        self.0.search(query)
    }

    fn trace(&self, trace_id: TraceId) -> Result<Option<StoredTrace>, StoreError> {
        self.0.trace(trace_id)
    }

    fn services(&self) -> Result<Vec<Name>, StoreError> {
        self.0.services()
    }

    fn operations(&self, service: &str) -> Result<Vec<Operation>, StoreError> {
        self.0.operations(service)
    }

    fn tag_names(&self) -> Result<TagNames, StoreError> {
        self.0.tag_names()
    }

    fn tag_values(&self, scope: TagScope, name: &str) -> Result<TagValues, StoreError> {
        self.0.tag_values(scope, name)
    }

    fn status(&self) -> StoreStatus {
        self.0.status()
    }

    fn live(&self) -> &LiveFeed {
        self.0.live()
    }
}

#[tokio::test]
async fn of_what_kind_a_store_is_is_said_by_the_store_and_not_guessed() {
    let telemetry = Telemetry::builder().build().unwrap();
    let store = MemoryTraceStore::new("shop");
    let kind = async |store: std::sync::Arc<dyn TraceStore>| {
        json(&Services::new(&telemetry).store(store).router(), "/health/storage").await["kind"].clone()
    };
    assert_eq!(kind(std::sync::Arc::new(store.clone())).await, "memory");
    assert_eq!(kind(std::sync::Arc::new(Own(store))).await, "other");
}

#[tokio::test]
async fn without_a_store_everything_is_served_that_needs_none() {
    let telemetry = Telemetry::builder().build().unwrap();
    assert!(telemetry.trace_store().is_none());
    let app = app(&telemetry);
    for (path, field) in [("metrics", "metrics"), ("slo", "objectives"), ("graph", "services")] {
        assert_eq!(json(&app, &format!("/internal/api/v1/{path}")).await[field], json!([]), "{path}");
    }
    assert_eq!(json(&app, "/internal/api/v1/sampling").await["mode"], "keep_all");
    assert_eq!(json(&app, "/internal/api/v1/cost").await["total"]["entries"], 0);
    let said = "traces are not kept here: this engine was built without a trace store";
    for path in ["traces", "live", "traces/4bf92f3577b34da6a3ce929d0e0e4736"] {
        let (status, body) = ask(&app, &format!("/internal/api/v1/{path}")).await;
        assert!(status == 404 && body.contains(said), "{path}: {status} {body}");
    }
    for path in ["jaeger/api/services", "tempo/api/echo"] {
        assert_eq!(ask(&app, &format!("/internal/{path}")).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_store_may_be_served_in_place_of_the_engines_own_and_the_last_given_is_that() {
    let (first, last) = (MemoryTraceStore::new("first"), MemoryTraceStore::new("last"));
    let telemetry = Telemetry::builder().trace_store(first.clone()).trace_store(last.clone()).build().unwrap();
    telemetry.start_trace("import").end();
    assert!(telemetry.flush_blocking(LONG).complete);
    assert_eq!((first.status().traces, last.status().traces), (0, 1));
    let services = async |router: Router| json(&router, "/jaeger/api/services").await["data"].clone();
    assert_eq!(services(tta_server::router(&telemetry)).await, json!(["last"]));
    let other = Services::new(&telemetry).store(std::sync::Arc::new(first));
    assert_eq!(services(other.router()).await, json!([]));
}

#[tokio::test]
async fn an_engine_that_records_nothing_has_its_store_all_the_same() {
    let builder = Telemetry::builder().trace_store(MemoryTraceStore::new("shop")).enabled(false);
    let telemetry = builder.build().unwrap();
    telemetry.start_trace("import").end();
    let app = tta_server::router(&telemetry);
    assert_eq!(json(&app, "/api/v1/traces").await["traces"], json!([]));
    let health = telemetry.health();
    assert!(health.component("trace-store").is_some(), "{health:?}");
}

#[tokio::test]
async fn senders_find_their_place_below_the_path_where_there_is_a_receiver() {
    let telemetry = Telemetry::builder().trace_store(MemoryTraceStore::new("shop")).build().unwrap();
    let receiver = OtlpReceiver::new(&telemetry).unwrap();
    let send = |router: Router| async move {
        let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
            "spanId":"00f067aa0ba902b7","name":"checkout"}]}]}]}"#;
        let request = Request::post("/internal/v1/traces").header("content-type", "application/json");
        router.clone().call(request.body(Body::from(body)).unwrap()).await.unwrap().status().as_u16()
    };
    let with = Services::new(&telemetry).otlp(receiver.clone()).router();
    assert_eq!(send(Router::new().nest("/internal", with)).await, 200);
    assert_eq!(receiver.status().spans, 1);
    let without = Services::new(&telemetry).router();
    assert_eq!(send(Router::new().nest("/internal", without)).await, 404);
}
