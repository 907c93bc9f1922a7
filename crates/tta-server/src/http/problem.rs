//! Replies that say what is wrong: problem details by RFC 9457.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};

/// A reply of this status. The detail is ours, never something a request said, and has no quotes.
pub(crate) fn reply(status: StatusCode, detail: &'static str) -> Response {
    debug_assert!(!detail.contains(['"', '\\']), "{detail}");
    let title = status.canonical_reason().unwrap_or_default();
    let body = format!("{{\"title\":\"{title}\",\"status\":{},\"detail\":\"{detail}\"}}\n", status.as_u16());
    let kind = HeaderValue::from_static("application/problem+json");
    (status, [(CONTENT_TYPE, kind)], body).into_response()
}

pub(crate) fn method_not_allowed(allowed: &'static str) -> Response {
    let mut response = reply(StatusCode::METHOD_NOT_ALLOWED, "the header Allow lists the methods there are");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
