//! OTLP over HTTP.
//!
//! An error's body says what was wrong both to people and to programs: a problem by RFC 9457 that is
//! at the same time the JSON of `google.rpc.Status`, which OTLP wants. Who accepts protobuf and says
//! so gets the latter in protobuf.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use tta_otlp::{ErrorReply, ReplyCode};

use super::{Encoding, OtlpReceiver};
use crate::http::lists::split;
use crate::http::problem;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

pub(super) fn router(receiver: OtlpReceiver) -> Router {
    let allowed = || async { problem::method_not_allowed("POST") };
    let refuse = |what: &'static str| {
        let detail = format!("{what} are not taken, only traces, at /v1/traces");
        post(move || async move { refuse(StatusCode::NOT_IMPLEMENTED, ReplyCode::Unimplemented, detail, false) })
    };
    Router::new()
        .route("/v1/traces", post(traces).fallback(allowed))
        .route("/v1/metrics", refuse("metrics").fallback(allowed))
        .route("/v1/logs", refuse("logs").fallback(allowed))
        .with_state(receiver)
}

async fn traces(State(receiver): State<OtlpReceiver>, headers: HeaderMap, body: Bytes) -> Response {
    let wants_protobuf = accepts_protobuf(&headers);
    let Some(encoding) = encoding(&headers) else {
        let given = headers.get(CONTENT_TYPE).map_or("none".to_owned(), |given| format!("{given:?}"));
        let detail = format!("the content type is {given}, accepted are {PROTOBUF} and {JSON}");
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, ReplyCode::InvalidArgument, detail, wants_protobuf);
    };
    match receiver.take(body, encoding).await {
        Ok(reply) => match encoding {
            Encoding::Protobuf => typed(PROTOBUF, reply.to_protobuf()),
            Encoding::Json => typed(JSON, reply.to_json()),
        },
        Err(error) => error_reply(&error, wants_protobuf),
    }
}

fn typed(kind: &'static str, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// What the body is; `None` for what is neither.
pub(crate) fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let kind = kinds.next()?.to_str().ok()?;
    // Two that differ would be read one way here and another way elsewhere.
    if kinds.next().is_some() {
        return None;
    }
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(PROTOBUF) {
        Some(Encoding::Protobuf)
    } else if essence.eq_ignore_ascii_case(JSON) {
        Some(Encoding::Json)
    } else {
        None
    }
}

pub(crate) fn accepts_protobuf(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accepted.flat_map(|accept| split(accept, ',')).any(|entry| {
        let mut parts = split(entry, ';').map(str::trim);
        let is_meant = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(PROTOBUF));
        is_meant && parts.all(|part| !is_refusal(part))
    })
}

/// Whether a parameter says that what it belongs to is not wanted: `q=0`.
fn is_refusal(parameter: &str) -> bool {
    let quality = parameter.split_once('=').filter(|(key, _)| key.trim().eq_ignore_ascii_case("q"));
    quality.is_some_and(|(_, value)| !value.trim().parse().is_ok_and(|quality: f64| quality > 0.0 && quality <= 1.0))
}

fn refuse(status: StatusCode, code: ReplyCode, detail: String, wants_protobuf: bool) -> Response {
    with_status(status, &ErrorReply::new(code, detail), wants_protobuf)
}

fn error_reply(error: &ErrorReply, wants_protobuf: bool) -> Response {
    let status = match error.code {
        ReplyCode::InvalidArgument => StatusCode::BAD_REQUEST,
        ReplyCode::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        ReplyCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    with_status(status, error, wants_protobuf)
}

fn with_status(status: StatusCode, error: &ErrorReply, wants_protobuf: bool) -> Response {
    let mut response = if wants_protobuf {
        typed(PROTOBUF, error.to_protobuf())
    } else {
        problem::reply_with(status, error.message.clone(), error.code.number())
    };
    *response.status_mut() = status;
    if let Some(delay) = error.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1)));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_content_type_says_how_to_read_and_anything_else_is_not_guessed() {
        let of = |kind: &'static str| encoding(&headers(&[(CONTENT_TYPE, kind)]));
        assert_eq!(of("application/x-protobuf"), Some(Encoding::Protobuf));
        assert_eq!(of("Application/JSON; charset=utf-8"), Some(Encoding::Json));
        assert_eq!((of("text/plain"), of("application/grpc"), encoding(&HeaderMap::new())), (None, None, None));
        let mut both = headers(&[(CONTENT_TYPE, JSON)]);
        both.append(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        assert_eq!(encoding(&both), None);
    }

    #[test]
    fn protobuf_is_answered_only_where_it_is_asked_for() {
        assert!(accepts_protobuf(&headers(&[(ACCEPT, "text/html, application/x-protobuf;q=0.9")])));
        assert!(accepts_protobuf(&headers(&[(ACCEPT, "Application/X-Protobuf")])));
        for other in ["*/*", "application/x-protobuffer", "application/x-protobuf;q=0", "application/x-protobuf; Q=0.0"]
        {
            assert!(!accepts_protobuf(&headers(&[(ACCEPT, other)])), "{other}");
        }
    }
}
