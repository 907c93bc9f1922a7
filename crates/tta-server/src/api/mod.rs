//! The query API, `/api/v1`: kept traces, metrics, objectives, cost and sampling as JSON.
//!
//! Owns routes, parameters, and the JSON forms of what the engine and the store know. Does not own
//! what is computed, or who may ask.

pub(crate) mod graph;
pub(crate) mod live;
pub(crate) mod params;
pub(crate) mod problem;
mod reply;
mod state;
pub(crate) mod time;
pub(crate) mod traces;
pub(crate) mod views;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::header::{ALLOW, HeaderValue};
use http::{StatusCode, Uri};
use tokio::sync::Semaphore;
use tta_telemetry::Telemetry;
use tta_telemetry::store::TraceStore;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use problem::Problem;
pub(crate) use reply::json;

/// Answers that are made at the same time; further requests wait.
const TURNS: usize = 4;
/// Where the API is.
const PREFIX: &str = "/api/v1";

/// The query API of an engine and the store of its kept traces.
///
/// - [`router`](Self::router): `/api/v1/...`, described by OpenAPI at `/api/v1/openapi.json`.
/// - [`jaeger`](Self::jaeger) and [`tempo`](Self::tempo): the queries of Grafana's data sources of these names, below
///   `/jaeger` and `/tempo`, since both call some of their paths the same.
///
/// Answers are made on threads for blocking work, four at a time. Needs a tokio runtime with the time driver enabled.
///
/// ```
/// use std::sync::Arc;
/// use tta_server::QueryApi;
/// use tta_telemetry::Telemetry;
/// use tta_telemetry::store::MemoryTraceStore;
///
/// let store = MemoryTraceStore::new("shop");
/// let telemetry = Telemetry::builder().service("shop", "1.0").sink(store.clone()).build()?;
/// let api = QueryApi::new(&telemetry, Arc::new(store));
/// let app: axum::Router = api.router().merge(api.jaeger()).merge(api.tempo());
/// # let _ = app;
/// # Ok::<(), tta_telemetry::BuildError>(())
/// ```
#[derive(Clone)]
pub struct QueryApi(Api);

/// What handlers need.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) telemetry: Telemetry,
    /// Of kept traces; nobody can look for them where there is none.
    store: Option<Arc<dyn TraceStore>>,
    turns: Arc<Semaphore>,
}

impl Api {
    pub(crate) fn store(&self) -> Result<&dyn TraceStore, Problem> {
        let none = || Problem::not_found("traces are not kept here: this engine was built without a trace store");
        self.store.as_deref().ok_or_else(none)
    }
}

impl std::fmt::Debug for QueryApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryApi").finish_non_exhaustive()
    }
}

impl QueryApi {
    /// The API of this engine, and of this store of what it keeps.
    #[must_use]
    pub fn new(telemetry: &Telemetry, store: Arc<dyn TraceStore>) -> Self {
        Self::with(telemetry, Some(store))
    }

    /// The API of this engine, and of the store that it was [built
    /// with](tta_telemetry::TelemetryBuilder::trace_store). Without one it answers all that is not asked
    /// of traces; what is gets 404.
    #[must_use]
    pub fn of(telemetry: &Telemetry) -> Self {
        Self::with(telemetry, telemetry.trace_store())
    }

    pub(crate) fn with(telemetry: &Telemetry, store: Option<Arc<dyn TraceStore>>) -> Self {
        Self(Api { telemetry: telemetry.clone(), store, turns: Arc::new(Semaphore::new(TURNS)) })
    }

    /// The routes below `/api/v1`, to be merged into or nested in a program's own. Other paths below
    /// it are 404s with a problem body.
    pub fn router(&self) -> Router {
        self.described_by(&Self::open_api())
    }

    /// The same, with a description of what else is served.
    pub(crate) fn described_by(&self, description: &utoipa::openapi::OpenApi) -> Router {
        let (router, _) = open_api_router().split_for_parts();
        // Made once: it does not change.
        let description = Bytes::from(description.to_json().unwrap_or_default());
        let below = router
            .route("/openapi.json", get(|| async move { json(description) }))
            // Routes, since a fallback is lost when the whole is nested once more.
            .route("/", any(unknown))
            .route("/{*unknown}", any(unknown))
            .method_not_allowed_fallback(method_not_allowed);
        let itself = format!("{PREFIX}/");
        Router::new().nest(PREFIX, below).route(&itself, any(unknown)).with_state(self.0.clone())
    }

    /// What the API is, in OpenAPI 3.1: to be merged with that of other routes.
    #[must_use]
    pub fn open_api() -> utoipa::openapi::OpenApi {
        let router: OpenApiRouter<Api> = OpenApiRouter::with_openapi(Description::openapi());
        let (_, open_api) = router.nest(PREFIX, open_api_router()).split_for_parts();
        open_api
    }

    /// The queries of Jaeger's HTTP API, below `/jaeger`.
    pub fn jaeger(&self) -> Router {
        crate::jaeger::router(self.0.clone())
    }

    /// The queries of Tempo's HTTP API, below `/tempo`.
    pub fn tempo(&self) -> Router {
        crate::tempo::router(self.0.clone())
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "tta",
        description = "Kept traces, exact metrics, objectives, cost and sampling of one tta process. Errors are \
                       problem details (RFC 9457) as application/problem+json."
    ),
    components(schemas(Problem))
)]
struct Description;

/// The routes with what is said of them, without their prefix.
fn open_api_router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(traces::search))
        .routes(routes!(traces::one))
        .routes(routes!(graph::graph))
        .routes(routes!(state::metrics))
        .routes(routes!(state::slo))
        .routes(routes!(state::cost))
        .routes(routes!(state::sampling))
        .routes(routes!(live::live))
}

pub(crate) async fn method_not_allowed() -> Response {
    let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "accepted are GET and HEAD").into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// With the path that was asked for, of which nesting has taken the beginning.
async fn unknown(State(_): State<Api>, OriginalUri(asked): OriginalUri, below: Uri) -> Problem {
    let base = asked.path().strip_suffix(below.path()).unwrap_or(asked.path());
    let [path, base] = [asked.path(), base].map(|path| tta_telemetry::format::clip(path, 80));
    Problem::not_found(format!("there is nothing at `{path}`; {base}/openapi.json says what there is"))
}
