//! What every reply has: headers for browsers, and a body that says what is wrong.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{self, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http_body::Body as _;

use crate::http::problem;

/// Headers that a reply gets unless it says something else itself: nothing of it is run, framed,
/// guessed at, told to others or kept.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

pub(super) fn finish(response: Response, is_grpc: bool, is_http2: bool) -> Response {
    let mut response = explained(response);
    if is_grpc {
        response = problem::as_grpc(response);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if is_http2 {
        // HTTP/2 has no such header (RFC 9113, section 8.2.2).
        headers.remove(CONNECTION);
    }
    response
}

/// Whether a reply is a stream of events, which ends when its reader does.
pub(super) fn is_endless(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.starts_with(b"text/event-stream")
}

/// A refusal without a word gets a problem body; its headers, as `Allow`, stay.
fn explained(response: Response) -> Response {
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let is_silent = response.body().size_hint().exact() == Some(0);
    if !is_refusal || !is_silent || response.headers().contains_key(CONTENT_TYPE) || is_grpc_status(response.headers())
    {
        return response;
    }
    let detail = match status {
        StatusCode::NOT_FOUND => "there is nothing at this path",
        StatusCode::METHOD_NOT_ALLOWED => "the header Allow lists the methods there are",
        _ => "there is no more to be said of it",
    };
    let mut explained = problem::reply(status, detail);
    let (head, _): (_, Body) = response.into_parts();
    for (name, value) in &head.headers {
        if name != CONTENT_LENGTH {
            explained.headers_mut().append(name.clone(), value.clone());
        }
    }
    explained
}

fn is_grpc_status(headers: &HeaderMap) -> bool {
    headers.contains_key("grpc-status")
}
