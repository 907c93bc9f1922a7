//! What came back from a call, as a workflow error: its kind, and whether to try again.

use http::{HeaderMap, StatusCode};
use reqwest::{Response, Url};
use reqwest_middleware::Error as CallError;
use thiserror::Error;
use tta_primitives::{Context, Error, ErrorKind, Result, RetryHint};
use tta_telemetry::Telemetry;

use super::retry_after;
use super::span::{is_failure, public_part};

/// A server answered with a status that is an error: see [`check_status`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{url} answered {status}")]
pub struct StatusError {
    /// The status, 400 or above.
    pub status: StatusCode,
    /// Which URL answered, without user, password, query and fragment.
    pub url: Url,
}

/// Passes a response on, or turns an error status into a workflow error that a
/// [`Retry`](tta_primitives::Retry) understands:
///
/// | status | kind | retry |
/// |---|---|---|
/// | 429 | [`RateLimited`](ErrorKind::RateLimited) | yes, not before `Retry-After` |
/// | 408 | [`Timeout`](ErrorKind::Timeout) | yes |
/// | other 4xx | [`InvalidInput`](ErrorKind::InvalidInput) | never |
/// | 500 and above | [`Upstream`](ErrorKind::Upstream) | yes, not before `Retry-After` |
///
/// The body is dropped; read it from the response where it explains the error.
///
/// # Errors
/// A [`StatusError`] for a status of 400 or above.
pub fn check_status(response: Response) -> Result<Response> {
    if !is_failure(response.status()) {
        return Ok(response);
    }
    let (kind, hint) = meaning(response.status(), Some(response.headers()));
    let error = StatusError { status: response.status(), url: public_part(response.url()) };
    Err(Error::new(kind, error).with_retry_hint(hint))
}

/// An error of a call as a workflow error: a timeout as [`Timeout`](ErrorKind::Timeout), a peer
/// that cannot be reached or breaks off as [`Upstream`](ErrorKind::Upstream), a request that
/// cannot be made as [`InvalidInput`](ErrorKind::InvalidInput), a status as [`check_status`] does.
/// A workflow error that a middleware returned comes out as it was.
///
/// Says to try again only where the request was not sent; otherwise the policy decides by kind.
/// The error's URL loses user, password, query and fragment.
///
/// ```
/// use tta_http::{call_error, check_status};
/// use tta_primitives::Result;
///
/// async fn price(client: reqwest_middleware::ClientWithMiddleware, of: String) -> Result<String> {
///     let response = client.get(format!("http://prices.internal/{of}")).send().await.map_err(call_error)?;
///     check_status(response)?.text().await.map_err(call_error)
/// }
/// ```
pub fn call_error(error: impl Into<CallError>) -> Error {
    let mut error = error.into();
    if let Some(url) = error.url_mut() {
        *url = public_part(url);
    }
    match error {
        CallError::Reqwest(error) => {
            let (kind, hint) = meaning_of(&error);
            Error::new(kind, error).with_retry_hint(hint)
        }
        CallError::Middleware(error) => match error.downcast::<Error>() {
            Ok(ours) => ours,
            Err(error) => {
                // A middleware that retries wraps the last error.
                let meaning = error.chain().find_map(|source| source.downcast_ref()).map(meaning_of);
                match meaning {
                    Some((kind, hint)) => Error::new(kind, error).with_retry_hint(hint),
                    None => Error::from_any(error),
                }
            }
        },
    }
}

/// `error.type` of a call that got no response.
pub(super) fn failure_type(error: &CallError) -> &'static str {
    match error {
        CallError::Reqwest(error) => match error {
            error if error.is_timeout() => "timeout",
            error if error.is_connect() => "connect",
            error if error.is_redirect() => "redirect",
            error if error.is_builder() => "builder",
            error if error.is_body() => "body",
            error if error.is_decode() => "decode",
            error if error.is_request() => "request",
            _ => "_OTHER",
        },
        CallError::Middleware(error) => match error.downcast_ref::<Error>() {
            Some(ours) => ours.kind().as_str(),
            None => "middleware",
        },
    }
}

fn meaning_of(error: &reqwest::Error) -> (ErrorKind, RetryHint) {
    if let Some(status) = error.status() {
        return meaning(status, None);
    }
    if error.is_timeout() {
        (ErrorKind::Timeout, RetryHint::Unspecified)
    } else if error.is_connect() {
        (ErrorKind::Upstream, RetryHint::Retry)
    } else if error.is_builder() {
        (ErrorKind::InvalidInput, RetryHint::Never)
    } else {
        (ErrorKind::Upstream, RetryHint::Unspecified)
    }
}

/// The table of [`check_status`].
fn meaning(status: StatusCode, headers: Option<&HeaderMap>) -> (ErrorKind, RetryHint) {
    let again = || match headers.and_then(wait) {
        Some(delay) => RetryHint::After(delay),
        None => RetryHint::Retry,
    };
    match status.as_u16() {
        429 => (ErrorKind::RateLimited, again()),
        408 => (ErrorKind::Timeout, RetryHint::Retry),
        400..500 => (ErrorKind::InvalidInput, RetryHint::Never),
        _ => (ErrorKind::Upstream, again()),
    }
}

fn wait(headers: &HeaderMap) -> Option<std::time::Duration> {
    let telemetry = Context::current().map_or_else(Telemetry::global, |cx| cx.telemetry().clone());
    let clock = telemetry.clock();
    retry_after::read(headers, || clock.unix_ns(clock.ticks()))
}
