//! How the process is: `/health` with its parts, `/livez`, `/readyz`.
//!
//! Owns the routes and the form of their replies. What each component says of itself is the
//! component's: it registers with [`Telemetry::watch_health`] and is asked for every reply.
//!
#![doc = include_str!("rules.md")]

mod probes;
mod readiness;
mod report;
mod storage;
mod views;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::http::StatusCode;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde::Serialize;
use tokio::sync::Semaphore;
use tta_telemetry::{Telemetry, Ticks};
use utoipa::OpenApi;

pub use readiness::Readiness;
pub use storage::{StorageStatus, StorageStatusSource};

use crate::http::problem;
use report::{FullHealth, HealthBody};
use views::{MetricsHealth, SamplingHealth, StorageHealth};

/// Replies that are made at the same time; further requests wait.
const TURNS: usize = 8;
/// How long components may take to answer, all together.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the engine, and all that has registered with it, are: routes, and what they show.
///
/// ```
/// use axum::Router;
/// use tta_server::HealthApi;
/// use tta_telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder().build()?;
/// let health = HealthApi::builder(&telemetry).build();
/// // Probes are open to everybody; the rest may be for those with a token.
/// let app: Router = Router::new().merge(health.probes()).merge(health.router());
/// // Once everything listens; and when the process is told to end.
/// health.readiness().set_ready();
/// health.readiness().set_draining();
/// # let _ = app;
/// # Ok::<(), tta_telemetry::BuildError>(())
/// ```
#[derive(Clone)]
pub struct HealthApi(Arc<Shared>);

struct Shared {
    telemetry: Telemetry,
    started: Ticks,
    readiness: Readiness,
    storage: Option<Box<dyn StorageStatusSource>>,
    export: Option<ExportInfo>,
    patience: Duration,
    turns: Arc<Semaphore>,
}

/// How what is counted and kept leaves the process, for the replies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExportInfo {
    /// Whether traces are exported while the program goes on.
    pub async_export_enabled: bool,
    /// Batches that may be on their way at the same time.
    pub max_export_workers: u64,
    /// How often metrics are pushed, in seconds; `None` when they are only scraped.
    pub export_interval_seconds: Option<f64>,
}

/// Makes a [`HealthApi`].
#[must_use]
pub struct HealthApiBuilder {
    telemetry: Telemetry,
    storage: Option<Box<dyn StorageStatusSource>>,
    export: Option<ExportInfo>,
    patience: Duration,
}

impl HealthApiBuilder {
    /// Where kept traces are. Default: nowhere.
    pub fn storage(mut self, source: impl StorageStatusSource) -> Self {
        self.storage = Some(Box::new(source));
        self
    }

    /// How what is kept and counted leaves the process. Default: each sink has a thread of its own, and
    /// metrics are scraped.
    pub fn export(mut self, export: ExportInfo) -> Self {
        self.export = Some(export);
        self
    }

    /// How long components may take to answer, all together; then the reply is 503. Default: 2 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The uptime counts from now on.
    pub fn build(self) -> HealthApi {
        let Self { telemetry, storage, export, patience } = self;
        let started = telemetry.clock().ticks();
        let (readiness, turns) = (Readiness::default(), Arc::new(Semaphore::new(TURNS)));
        HealthApi(Arc::new(Shared { telemetry, started, readiness, storage, export, patience, turns }))
    }
}

impl HealthApi {
    /// The health of this engine.
    pub fn builder(telemetry: &Telemetry) -> HealthApiBuilder {
        HealthApiBuilder { telemetry: telemetry.clone(), storage: None, export: None, patience: PATIENCE }
    }

    /// Whether the process is to be sent requests: what `/readyz` says.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }

    /// `/livez` and `/readyz`, which tell nothing but that, and are meant to be open to everybody.
    pub fn probes(&self) -> Router {
        probes::router(self.0.readiness.clone())
    }

    /// `/health`, `/health/sampling`, `/health/metrics`, `/health/storage` and `/health/full`. They name
    /// components and tell why they fail: for those who may read.
    ///
    /// Replies are made on threads for blocking work, eight at a time. Needs a tokio runtime with the
    /// time driver enabled.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/health", readable(get(health)))
            .route("/health/sampling", readable(get(sampling)))
            .route("/health/metrics", readable(get(metrics)))
            .route("/health/storage", readable(get(storage_status)))
            .route("/health/full", readable(get(full)))
            .with_state(self.clone())
    }

    /// What these routes are, in OpenAPI 3.1: to be merged with that of others.
    #[must_use]
    pub fn open_api() -> utoipa::openapi::OpenApi {
        Description::openapi()
    }

    /// Makes a reply where a component that blocks harms no other route.
    async fn answer<T, F>(&self, make: F) -> Response
    where
        T: Serialize + Send + 'static,
        F: FnOnce(&Shared) -> (StatusCode, T) + Send + 'static,
    {
        let shared = Arc::clone(&self.0);
        let patience = shared.patience;
        let made = async move {
            let turn = Arc::clone(&shared.turns).acquire_owned().await.ok()?;
            let make = move || {
                let _turn = turn;
                make(&shared)
            };
            tokio::task::spawn_blocking(make).await.ok()
        };
        match tokio::time::timeout(patience, made).await {
            Ok(Some((status, body))) => json(status, &body),
            Ok(None) => problem::reply(StatusCode::INTERNAL_SERVER_ERROR, "the components could not be asked"),
            Err(_) => {
                let detail = format!("unhealthy: a component did not answer within {patience:?}");
                problem::reply(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
        }
    }
}

impl fmt::Debug for HealthApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthApi").field("readiness", &self.0.readiness).finish_non_exhaustive()
    }
}

impl fmt::Debug for HealthApiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthApiBuilder").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// These routes, to be merged into another description.
#[derive(OpenApi)]
#[openapi(
    paths(health, sampling, metrics, storage_status, full, probes::livez, probes::readyz),
    tags((name = "health", description = "How the process and its parts are."))
)]
struct Description;

/// With a problem for other methods.
fn readable<S: Clone + Send + Sync + 'static>(methods: MethodRouter<S>) -> MethodRouter<S> {
    methods.fallback(|| async { problem::method_not_allowed("GET, HEAD") })
}

/// A reply that is true only now.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    use ::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
    match serde_json::to_vec(body) {
        Ok(mut text) => {
            text.push(b'\n');
            let kind = HeaderValue::from_static("application/json");
            (status, [(CONTENT_TYPE, kind), (CACHE_CONTROL, HeaderValue::from_static("no-store"))], text)
                .into_response()
        }
        Err(_) => problem::reply(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be made"),
    }
}

/// How everything is: 200 while it works, with loss or without, 503 when something does not.
#[utoipa::path(
    get, path = "/health", tag = "health",
    responses(
        (status = 200, description = "Healthy or degraded.", body = HealthBody),
        (status = 503, description = "Something does not work; a problem body when components did not answer.", body = HealthBody),
    )
)]
async fn health(State(api): State<HealthApi>) -> Response {
    api.answer(|shared| {
        let body = HealthBody::of(shared);
        (body.code(), body)
    })
    .await
}

/// Which traces are kept.
#[utoipa::path(
    get, path = "/health/sampling", tag = "health",
    responses((status = 200, description = "Sampling as it is now.", body = SamplingHealth))
)]
async fn sampling(State(api): State<HealthApi>) -> Response {
    api.answer(|shared| (StatusCode::OK, SamplingHealth::of(&shared.telemetry))).await
}

/// What is counted.
#[utoipa::path(
    get, path = "/health/metrics", tag = "health",
    responses((status = 200, description = "Metrics as they are now.", body = MetricsHealth))
)]
async fn metrics(State(api): State<HealthApi>) -> Response {
    api.answer(|shared| (StatusCode::OK, MetricsHealth::of(shared))).await
}

/// Where kept traces are.
#[utoipa::path(
    get, path = "/health/storage", tag = "health",
    responses((status = 200, description = "The store as it is now.", body = StorageHealth))
)]
async fn storage_status(State(api): State<HealthApi>) -> Response {
    api.answer(|shared| (StatusCode::OK, StorageHealth::of(shared))).await
}

/// All of it, and what the process is.
#[utoipa::path(
    get, path = "/health/full", tag = "health",
    responses(
        (status = 200, description = "Healthy or degraded.", body = FullHealth),
        (status = 503, description = "Something does not work; a problem body when components did not answer.", body = FullHealth),
    )
)]
async fn full(State(api): State<HealthApi>) -> Response {
    api.answer(|shared| {
        let body = FullHealth::of(shared);
        (body.health.code(), body)
    })
    .await
}
