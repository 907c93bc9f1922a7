//! What came back from a call, as a workflow error.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::Response;
use tokio::net::TcpListener;
use tta_http::{StatusError, call_error, check_status};
use tta_primitives::testing::TestEngine;
use tta_primitives::{Error, ErrorKind, IntoError, RetryHint};

use crate::support::{Server, client, plain_client};

fn response(status: u16, headers: &[(&str, &str)]) -> reqwest::Response {
    let builder =
        headers.iter().fold(Response::builder().status(status), |builder, (name, value)| builder.header(*name, *value));
    builder.body("").unwrap().into()
}

fn meaning(status: u16, headers: &[(&str, &str)]) -> (ErrorKind, RetryHint) {
    let error = check_status(response(status, headers)).unwrap_err();
    (error.kind(), error.retry_hint())
}

#[test]
fn a_status_says_what_went_wrong_and_whether_to_try_again() {
    for fine in [200, 204, 301, 399] {
        assert_eq!(check_status(response(fine, &[])).unwrap().status(), fine);
    }
    for refused in [400, 401, 404, 422, 499] {
        assert_eq!(meaning(refused, &[("retry-after", "1")]), (ErrorKind::InvalidInput, RetryHint::Never), "{refused}");
    }
    assert_eq!(meaning(408, &[]), (ErrorKind::Timeout, RetryHint::Retry));
    assert_eq!(meaning(429, &[]), (ErrorKind::RateLimited, RetryHint::Retry));
    for broken in [500, 501, 503, 599, 600] {
        assert_eq!(meaning(broken, &[]), (ErrorKind::Upstream, RetryHint::Retry), "{broken}");
    }
}

#[test]
fn a_server_may_say_how_long_to_wait_in_seconds_or_by_a_date() {
    let after = |seconds| RetryHint::After(Duration::from_secs(seconds));
    assert_eq!(meaning(429, &[("retry-after", "7")]), (ErrorKind::RateLimited, after(7)));
    let date = ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT");
    let now = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(meaning(503, &[date, now]), (ErrorKind::Upstream, after(60)));
    assert_eq!(meaning(429, &[("retry-after", "soon")]), (ErrorKind::RateLimited, RetryHint::Retry));
}

#[test]
fn without_a_date_of_the_server_the_runs_clock_counts() {
    let engine = TestEngine::new();
    engine.clock().advance(Duration::from_secs(10));
    // The manual clock begins with the year 2026.
    let header = [("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT")];
    let (_, hint) = engine.context().in_scope(|| meaning(429, &header));
    assert_eq!(hint, RetryHint::After(Duration::from_secs(50)));
}

#[tokio::test]
async fn a_status_error_names_the_url_without_its_secrets() {
    let server = Server::start(
        Router::new().route("/busy", get(|| async { (http::StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3")]) })),
    )
    .await;
    let url = format!("http://user:password@{}/busy?token=secret#part", server.address);
    let error = check_status(client().get(url).send().await.unwrap()).unwrap_err();
    assert_eq!(error.to_string(), format!("http://{}/busy answered 429 Too Many Requests", server.address));
    assert_eq!(error.retry_hint(), RetryHint::After(Duration::from_secs(3)));
    let status = error.downcast_ref::<StatusError>().unwrap();
    assert_eq!((status.status.as_u16(), status.url.path()), (429, "/busy"));
}

fn facts(error: &Error) -> (ErrorKind, RetryHint) {
    (error.kind(), error.retry_hint())
}

#[tokio::test]
async fn a_peer_that_cannot_be_reached_is_worth_another_try_and_a_request_that_cannot_be_made_is_not() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://user:password@{nobody}/path?token=secret");
    let error = call_error(client().get(&url).send().await.unwrap_err());
    assert_eq!(facts(&error), (ErrorKind::Upstream, RetryHint::Retry));
    assert_eq!(error.to_string(), format!("error sending request for url (http://{nobody}/path)"));
    assert!(error.chain().iter().any(|source| source.contains("onnection refused")), "{error:?}");

    let error = call_error(client().get("no url").send().await.unwrap_err());
    assert_eq!(facts(&error), (ErrorKind::InvalidInput, RetryHint::Never));
}

#[tokio::test]
async fn a_timeout_a_status_and_a_body_that_cannot_be_read_have_their_kinds() {
    let router = Router::new().route("/hang", get(std::future::pending::<()>)).route("/text", get(|| async { "text" }));
    let server = Server::start(router).await;
    let slow = client().get(server.url("/hang")).timeout(Duration::from_millis(20)).send().await;
    assert_eq!(facts(&call_error(slow.unwrap_err())), (ErrorKind::Timeout, RetryHint::Unspecified));

    // Errors of reqwest itself, without the middleware, are taken as well.
    let text = plain_client().get(server.url("/text")).send().await.unwrap();
    let garbled = text.json::<Vec<u8>>().await.unwrap_err();
    assert_eq!(facts(&call_error(garbled)), (ErrorKind::Upstream, RetryHint::Unspecified));

    let missing = plain_client().get(server.url("/missing?token=secret")).send().await.unwrap();
    let error = call_error(missing.error_for_status().unwrap_err());
    assert_eq!(facts(&error), (ErrorKind::InvalidInput, RetryHint::Never));
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn an_error_of_a_middleware_comes_out_as_what_it_was() {
    let ours = "no token left".with_kind(ErrorKind::RateLimited).retry_after(Duration::from_secs(1));
    let error = call_error(reqwest_middleware::Error::middleware(ours));
    assert_eq!(facts(&error), (ErrorKind::RateLimited, RetryHint::After(Duration::from_secs(1))));
    assert_eq!(error.to_string(), "no token left");

    let other = call_error(reqwest_middleware::Error::middleware(std::io::Error::other("disk on fire")));
    assert_eq!((facts(&other), &*other.to_string()), ((ErrorKind::App, RetryHint::Unspecified), "disk on fire"));

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let last = plain_client().get(format!("http://{nobody}/")).send().await.unwrap_err();
    let error = call_error(reqwest_middleware::Error::middleware(GaveUp(last)));
    assert_eq!((facts(&error), &*error.to_string()), ((ErrorKind::Upstream, RetryHint::Retry), "gave up"));
}

/// What a middleware that retries makes of the last attempt's error.
#[derive(Debug)]
struct GaveUp(reqwest::Error);

impl std::fmt::Display for GaveUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("gave up")
    }
}

impl std::error::Error for GaveUp {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
