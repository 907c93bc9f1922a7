//! Metrics for those that scrape: formats, which one a request gets, and the endpoint.
//!
//! Owns how metrics are written. What they are, and reading them, is `tta-telemetry`'s; sockets and
//! limits of connections are `http`'s.

mod body;
mod format;
pub(crate) mod negotiate;
mod numbers;
mod page;
mod protobuf;
mod server;
mod snapshots;
mod text;

use std::sync::Arc;

use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use ::http::{HeaderMap, Method, StatusCode};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tta_telemetry::Telemetry;

pub use format::Format;
pub use page::Page;
pub use server::{MetricsServer, MetricsServerBuilder};

use crate::http::problem;
use body::PageBody;
use snapshots::Snapshots;

/// The path that metrics are served at.
pub(crate) const PATH: &str = "/metrics";

/// The metrics of one engine, as a service.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint(Arc<Snapshots>);

impl Endpoint {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        Self(Arc::new(Snapshots::new(telemetry.clone())))
    }

    pub(crate) fn router(&self) -> Router {
        // `get` answers HEAD, too.
        let methods = get(scrape).fallback(|| async { problem::method_not_allowed("GET, HEAD") });
        Router::new().route(PATH, methods).with_state(self.clone())
    }

    /// Pages that were not sent to their end, for others' sake.
    pub(crate) fn given_up(&self) -> u64 {
        self.0.given_up()
    }
}

async fn scrape(State(endpoint): State<Endpoint>, method: Method, headers: HeaderMap) -> Response {
    let format = negotiate::format(&headers);
    let is_gzip = negotiate::wants_gzip(&headers);
    let body = if method == Method::HEAD {
        // Nothing is read for a body that is not sent.
        Body::new(PageBody::left_out(format))
    } else {
        match endpoint.0.lease().await {
            Some(lease) => Body::new(PageBody::new(lease, format, is_gzip)),
            None => return problem::reply(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be read"),
        }
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if is_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
