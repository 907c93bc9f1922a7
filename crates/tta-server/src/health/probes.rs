//! `/livez` and `/readyz`: a word each, for whoever starts, stops and routes to processes.

use ::http::StatusCode;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use utoipa::ToSchema;

use super::readiness::Readiness;
use super::{json, readable};

/// What a probe is told.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Probe {
    /// `alive`; or `starting`, `ready` or `draining`.
    status: &'static str,
}

pub(super) fn router(readiness: Readiness) -> Router {
    Router::new().route("/livez", readable(get(livez))).route("/readyz", readable(get(readyz))).with_state(readiness)
}

/// Whether the process answers.
#[utoipa::path(
    get, path = "/livez", tag = "health", security(()),
    responses((status = 200, description = "It does.", body = Probe))
)]
pub(super) async fn livez() -> Response {
    json(StatusCode::OK, &Probe { status: "alive" })
}

/// Whether the process is to be sent requests.
#[utoipa::path(
    get, path = "/readyz", tag = "health", security(()),
    responses(
        (status = 200, description = "It is.", body = Probe),
        (status = 503, description = "Not yet, or no longer.", body = Probe),
    )
)]
pub(super) async fn readyz(State(readiness): State<Readiness>) -> Response {
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &Probe { status: readiness.as_str() })
}
