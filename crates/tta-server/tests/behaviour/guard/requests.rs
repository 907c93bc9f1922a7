//! Requests that are too many, too often, too long, or for somebody else.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tta_server::{RateLimit, Server, ServerLimits, ServerSettings};

use super::support::{SHORT, get_once, head, problem, rest, routes, send, serve, settings, until};

#[tokio::test]
async fn every_reply_has_the_headers_that_keep_browsers_out_unless_a_route_says_otherwise() {
    let own = || async {
        ([("content-security-policy", "default-src 'self'"), ("cache-control", "max-age=60")], "page").into_response()
    };
    let router = routes().merge(Router::new().route("/page", get(own)));
    let server = Server::start(&settings(ServerLimits::default()).check().unwrap(), router).await.unwrap();
    let (plain, page) = (get_once(&server, "/hello", &[]).await, get_once(&server, "/page", &[]).await);
    for (name, value, of_page) in [
        ("x-content-type-options", "nosniff", "nosniff"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'", "default-src 'self'"),
        ("x-frame-options", "deny", "deny"),
        ("referrer-policy", "no-referrer", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin", "same-origin"),
        ("cache-control", "no-store", "max-age=60"),
    ] {
        assert_eq!((plain.header(name), page.header(name)), (Some(value), Some(of_page)), "{name}");
    }
    assert_eq!((plain.text().as_str(), page.text().as_str()), ("hello", "page"));
}

#[tokio::test]
async fn unknown_paths_and_methods_get_a_problem_without_any_fallback() {
    let server = serve(ServerLimits::default()).await;
    let unknown = get_once(&server, "/unknown", &[]).await;
    assert_eq!(problem(&unknown), (404, "there is nothing at this path".to_owned()));
    let refused = get_once(&server, "/length", &[]).await;
    assert_eq!(problem(&refused), (405, "the header Allow lists the methods there are".to_owned()));
    assert_eq!(refused.header("allow"), Some("post"));
}

#[tokio::test]
async fn too_many_headers_are_refused_with_their_number() {
    let server = serve(ServerLimits { headers: 10, ..ServerLimits::default() }).await;
    let with = |count: usize| vec!["x: y"; count];
    assert_eq!(get_once(&server, "/hello", &with(8)).await.status, 200);
    let refused = get_once(&server, "/hello", &with(9)).await;
    assert_eq!(problem(&refused), (431, "the request has 11 headers; accepted are 10".to_owned()));
    // What is far beyond is not even taken apart.
    assert_eq!(get_once(&server, "/hello", &with(200)).await.status, 431);
    assert_eq!(server.counters().too_many_headers, 1);
}

#[tokio::test]
async fn requests_beyond_the_places_there_are_get_503_and_places_come_back() {
    let server = serve(ServerLimits { requests: 1, ..ServerLimits::default() }).await;
    let mut holder = TcpStream::connect(server.local_addr()).await.unwrap();
    holder.write_all(head("GET", "/never", &[]).as_bytes()).await.unwrap();
    until(&server, |counters| counters.requests == 1).await;
    let refused = get_once(&server, "/hello", &[]).await;
    let want = "too many requests are being answered; try again later";
    assert_eq!((problem(&refused), refused.header("retry-after")), ((503, want.to_owned()), Some("1")));
    assert_eq!(server.counters().over_requests, 1);
    // Without a reset it might be one that only has nothing more to say.
    holder.set_zero_linger().unwrap();
    drop(holder);
    while get_once(&server, "/hello", &[]).await.status != 200 {}
}

#[tokio::test]
async fn a_client_beyond_its_rate_is_told_when_to_come_back() {
    let rate = RateLimit { per_second: 0.02, burst: 2, clients: 10 };
    let server = serve(ServerLimits { rate: Some(rate), ..ServerLimits::default() }).await;
    let replies = [0; 3].map(|_| get_once(&server, "/hello", &[]));
    let mut statuses = Vec::new();
    for reply in replies {
        let reply = reply.await;
        statuses.push(reply.status);
        if reply.status == 429 {
            let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=50).contains(&after), "{after}");
            let want = format!("requests come too often from this address; the next one is accepted in {after} s");
            assert_eq!(problem(&reply).1, want);
        }
    }
    assert_eq!((statuses, server.counters().over_rate), (vec![200, 200, 429], 1));
}

#[tokio::test]
async fn a_reply_that_takes_too_long_to_make_is_given_up() {
    let server = serve(ServerLimits { request_timeout: SHORT, ..ServerLimits::default() }).await;
    let reply = get_once(&server, "/never", &[]).await;
    assert_eq!(problem(&reply), (503, "the reply could not be made within 200ms".to_owned()));
    assert_eq!((server.counters().slow_replies, reply.header("retry-after")), (1, Some("1")));
}

#[tokio::test]
async fn a_route_that_panics_fails_its_own_request_only() {
    let panics = || async {
        if std::env::args().count() > 0 {
            panic!("on purpose: {}", "secret")
        }
    };
    let router = routes().route("/panics", get(panics));
    let server = Server::start(&settings(ServerLimits::default()).check().unwrap(), router).await.unwrap();
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let both = head("GET", "/panics", &[]) + &head("GET", "/hello", &["connection: close"]);
    stream.write_all(both.as_bytes()).await.unwrap();
    let replies = rest(&mut stream).await;
    let said = replies.text();
    let want = "{\"title\":\"Internal Server Error\",\"status\":500,\"detail\":\"the route panicked, which is a mistake in it\"}\n";
    assert!(replies.status == 500 && said.starts_with(want) && said.ends_with("hello"), "{said}");
    assert_eq!(server.counters().panics, 1);
}

#[tokio::test]
async fn a_web_page_cannot_reach_this_machine_by_a_name_of_its_own() {
    let server = serve(ServerLimits::default()).await;
    let by = |host: &str| format!("GET /hello HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into_bytes();
    let refused = send(server.local_addr(), &by("evil.example:8000")).await;
    let (status, detail) = problem(&refused);
    assert!(status == 421 && detail.starts_with("the header Host names another host; "), "{detail}");
    assert_eq!(server.counters().misdirected, 1);
    assert_eq!(send(server.local_addr(), &by("127.0.0.1:8000")).await.status, 200);
    // Where that is wanted, it can be said.
    let open = ServerSettings { insecure: true, ..settings(ServerLimits::default()) };
    let open = Server::start(&open.check().unwrap(), routes()).await.unwrap();
    assert_eq!(send(open.local_addr(), &by("proxy.example")).await.status, 200);
}
