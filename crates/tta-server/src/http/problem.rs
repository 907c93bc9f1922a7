//! Replies that say what is wrong: problem details by RFC 9457, and what gRPC has in their place.
//!
//! Bodies are always valid JSON, whatever a detail holds. No detail may hold a token.

use std::borrow::Cow;
use std::fmt::Write;

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode, Uri};

/// Characters of a detail; what is beyond is left out.
const MOST_CHARS: usize = 1_000;
const KIND: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What a reply says is wrong, for whoever has to say it in another form.
#[derive(Clone, Debug)]
pub(crate) struct Detail(Cow<'static, str>);

/// A reply of this status. The detail says what was given and what is accepted; it may quote what a
/// request said.
pub(crate) fn reply(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Response {
    problem(status, detail.into(), None)
}

/// The same, which is at once the JSON of `google.rpc.Status` with this code: the members of each are
/// unknown to readers of the other, who pass over them.
pub(crate) fn reply_with(status: StatusCode, detail: impl Into<Cow<'static, str>>, code: i32) -> Response {
    problem(status, detail.into(), Some(code))
}

fn problem(status: StatusCode, detail: Cow<'static, str>, code: Option<i32>) -> Response {
    let mut body = String::with_capacity(96 + detail.len());
    body.push_str("{\"title\":");
    push_json(&mut body, status.canonical_reason().unwrap_or("Unknown"));
    // Writing to a string does not fail.
    let _ = write!(body, ",\"status\":{},\"detail\":", status.as_u16());
    push_json(&mut body, &detail);
    if let Some(code) = code {
        let _ = write!(body, ",\"code\":{code},\"message\":");
        push_json(&mut body, &detail);
    }
    body.push_str("}\n");
    let mut response = (status, [(CONTENT_TYPE, KIND)], body).into_response();
    response.extensions_mut().insert(Detail(detail));
    response
}

/// 405 with the methods there are.
pub(crate) fn method_not_allowed(allowed: &'static str) -> Response {
    let mut response = reply(StatusCode::METHOD_NOT_ALLOWED, "the header Allow lists the methods there are");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The router, which now answers unknown paths with 404 and unknown methods with 405 and `Allow`,
/// both with a problem body. For routes that are served by other means than [`Server`](crate::Server),
/// which sees to it itself; a router with a fallback of its own keeps neither.
pub fn with_fallbacks(router: Router) -> Router {
    let unknown = |uri: Uri| async move { reply(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path())) };
    let refused = |method: Method| async move {
        let detail = format!("the method is {method}; the header Allow lists those there are");
        reply(StatusCode::METHOD_NOT_ALLOWED, detail)
    };
    router.fallback(unknown).method_not_allowed_fallback(refused)
}

/// Text as a JSON string (RFC 8259, section 7).
fn push_json(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars().take(MOST_CHARS) {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

/// What gRPC says instead: HTTP status 200, and the status in headers ("Trailers-Only" of
/// *gRPC over HTTP2*). A reply that is no problem stays as it is.
pub(crate) fn as_grpc(response: Response) -> Response {
    let Some(Detail(detail)) = response.extensions().get().cloned() else { return response };
    let status = grpc_status(response.status());
    let mut message = String::with_capacity(detail.len());
    for byte in detail.bytes().take(MOST_CHARS) {
        match byte {
            b' '..=b'~' if byte != b'%' => message.push(char::from(byte)),
            _ => {
                let _ = write!(message, "%{byte:02X}");
            }
        }
    }
    let mut reply = StatusCode::OK.into_response();
    let mut kept = response.headers().clone();
    kept.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    kept.remove(http::header::CONTENT_LENGTH);
    kept.insert("grpc-status", HeaderValue::from_static(status));
    if let Ok(message) = HeaderValue::from_str(&message) {
        kept.insert("grpc-message", message);
    }
    *reply.headers_mut() = kept;
    reply
}

/// By the mapping of *gRPC over HTTP2*, but for 413: what is too large will be so again.
fn grpc_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 415 | 431 => "3",
        401 => "16",
        403 => "7",
        404 | 405 => "12",
        408 => "4",
        413 => "8",
        429 | 502 | 503 | 504 => "14",
        _ => "2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_detail_may_hold_anything_and_stays_json() {
        let said = body(reply(StatusCode::BAD_REQUEST, "a \"b\\c\"\n\u{1}\u{7f}é".to_owned())).await;
        let want = "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"a \\\"b\\\\c\\\"\\n\\u0001\\u007fé\"}\n";
        assert_eq!(said, want);
        let long = body(reply(StatusCode::BAD_REQUEST, "\"".repeat(5_000))).await;
        assert!(long.len() < 2_100 && long.ends_with("\\\"\"}\n"), "{}", long.len());
    }

    #[tokio::test]
    async fn a_problem_is_told_to_grpc_in_headers() {
        let response = as_grpc(reply(StatusCode::UNAUTHORIZED, "100 % wrong\n"));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["grpc-status"], "16");
        assert_eq!(response.headers()["grpc-message"], "100 %25 wrong%0A");
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert_eq!(body(response).await, "");
        let fine = as_grpc((StatusCode::OK, "fine").into_response());
        assert_eq!(fine.headers().get("grpc-status"), None);
    }

    #[tokio::test]
    async fn unknown_paths_and_methods_are_problems() {
        use axum::routing::get;
        use tower_service::Service;

        let mut router = with_fallbacks(Router::new().route("/here", get(|| async { "here" })));
        let request = |method: &str, path: &str| {
            http::Request::builder().method(method).uri(path).body(axum::body::Body::empty()).unwrap()
        };
        let unknown = router.call(request("GET", "/x\"y?token=secret")).await.unwrap();
        assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
        assert!(body(unknown).await.contains("\"detail\":\"there is nothing at /x\\\"y\"}"));
        let refused = router.call(request("POST", "/here")).await.unwrap();
        assert_eq!(
            (refused.status(), &refused.headers()[ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &HeaderValue::from_static("GET,HEAD"))
        );
        assert!(body(refused).await.contains("the method is POST; "));
    }
}
