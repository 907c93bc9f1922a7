//! How answers are made: on threads that may block, a few at a time, as JSON.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use super::Api;
use super::problem::Problem;

impl Api {
    /// Makes an answer where blocking does no harm. Waits while as many are made as may be.
    pub(crate) async fn answer<T, F>(&self, make: F) -> Response
    where
        T: Serialize,
        F: FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    {
        self.bytes(move |api| {
            let answer = make(api)?;
            serde_json::to_vec(&answer).map_err(|_| Problem::internal())
        })
        .await
        .map_or_else(IntoResponse::into_response, json)
    }

    pub(crate) async fn bytes<F>(&self, make: F) -> Result<Vec<u8>, Problem>
    where
        F: FnOnce(&Self) -> Result<Vec<u8>, Problem> + Send + 'static,
    {
        // The semaphore is never closed.
        let turn = std::sync::Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Problem::internal())?;
        let api = self.clone();
        let made = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            make(&api)
        });
        // It panicked, or the runtime ends.
        made.await.unwrap_or_else(|_| Err(Problem::internal()))
    }
}

pub(crate) fn json(body: impl Into<Body>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, HeaderValue::from_static("no-store"))], body.into()).into_response()
}
