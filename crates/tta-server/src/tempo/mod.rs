//! Tempo's query API over HTTP.

use axum::Router;

use crate::api::Api;

pub(crate) fn router(_api: Api) -> Router {
    Router::new()
}
