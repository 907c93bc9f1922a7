//! Clients that say that they have nothing more to ask, and clients that are gone.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, mpsc};
use tta_server::{Server, ServerLimits};

use super::support::{LONG, SHORT, get_once, head, rest, routes, serve, settings, until};

/// Dropped with the request or the reply that holds it.
struct Held(mpsc::UnboundedSender<()>);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

async fn start(router: Router) -> Server {
    let limits = ServerLimits { request_timeout: LONG, ..ServerLimits::default() };
    Server::start(&settings(limits).check().unwrap(), routes().merge(router)).await.unwrap()
}

/// Sends a request and closes that half of the connection.
async fn ask(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    stream
}

#[tokio::test]
async fn who_closes_its_half_after_a_whole_request_gets_the_reply() {
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (notify, wait) = (Arc::clone(&begun), Arc::clone(&gate));
    let slow = move |body: Bytes| async move {
        notify.notify_one();
        wait.acquire().await.unwrap().forget();
        body.len().to_string()
    };
    let router = Router::new().route("/slow", get(slow.clone()).post(slow));
    let server = start(router).await;
    let with_body = head("POST", "/slow", &["content-length: 5"]) + "12345";
    let chunked = head("POST", "/slow", &["transfer-encoding: chunked"]) + "5\r\n12345\r\n0\r\n\r\n";
    for (request, want) in [
        ("GET /slow HTTP/1.0\r\n\r\n", "0"),
        (&head("GET", "/slow", &[]), "0"),
        (&head("GET", "/slow", &["connection: close"]), "0"),
        (&with_body, "5"),
        (&chunked, "5"),
    ] {
        let mut stream = ask(&server, request).await;
        begun.notified().await;
        // Whole requests of others later, the end of this one has been there for long.
        for _ in 0..3 {
            assert_eq!(get_once(&server, "/hello", &[]).await.text(), "hello");
        }
        gate.add_permits(1);
        let reply = rest(&mut stream).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, want), "{request}");
    }
    assert_eq!(server.counters().broken, 0);
}

#[tokio::test]
async fn requests_that_follow_one_another_are_all_answered_before_the_end() {
    let server = serve(ServerLimits::default()).await;
    let mut stream = ask(&server, &head("GET", "/hello", &[]).repeat(3)).await;
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await.unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap().matches("\r\n\r\nhello").count(), 3);
}

#[tokio::test]
async fn a_reply_that_waits_to_be_taken_is_whole_and_one_to_a_body_that_nobody_reads_too() {
    let server = serve(ServerLimits::default()).await;
    let mut stream = ask(&server, &head("GET", "/larger", &["connection: close"])).await;
    assert_eq!(get_once(&server, "/hello", &[]).await.text(), "hello");
    assert_eq!(rest(&mut stream).await.body.len(), 32 << 20);
    let mut stream = ask(&server, &(head("POST", "/unknown", &["content-length: 5"]) + "12345")).await;
    assert_eq!(rest(&mut stream).await.status, 404);
}

#[tokio::test]
async fn a_reader_of_events_that_goes_is_gone_at_once() {
    let (dropped, mut gone) = mpsc::unbounded_channel();
    let events = move || async move {
        let held = Held(dropped);
        let body = silent(held);
        ([("content-type", "text/event-stream")], body).into_response()
    };
    let server = start(Router::new().route("/events", get(events))).await;
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    stream.write_all(head("GET", "/events", &[]).as_bytes()).await.unwrap();
    stream.readable().await.unwrap();
    assert!(gone.try_recv().is_err());
    // There is never an event to find it out by.
    let mut read = [0; 4096];
    let _ = stream.try_read(&mut read).unwrap();
    drop(stream);
    gone.recv().await.unwrap();
    until(&server, |counters| counters.broken == 1).await;
    // Also when it said so before the reply.
    ask(&server, &head("GET", "/events", &[])).await;
    gone.recv().await.unwrap();
}

/// A body that never says anything.
fn silent(held: Held) -> Body {
    struct Silent(#[allow(dead_code)] Held);
    impl http_body::Body for Silent {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
    Body::new(Silent(held))
}

#[tokio::test]
async fn a_client_that_resets_the_connection_is_gone_at_once_and_so_is_one_that_leaves_within_its_body() {
    let (dropped, mut gone) = mpsc::unbounded_channel();
    let (begun, mut begins) = mpsc::unbounded_channel();
    let (never, never_begun) = (dropped.clone(), begun.clone());
    let never = move || async move {
        let _held = Held(never);
        never_begun.send(()).unwrap();
        std::future::pending::<()>().await;
    };
    let reads = move |body: Bytes| async move {
        let _held = Held(dropped);
        begun.send(()).unwrap();
        body.len().to_string()
    };
    let server = start(Router::new().route("/held", get(never)).route("/reads", post(reads))).await;
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    stream.write_all(head("GET", "/held", &[]).as_bytes()).await.unwrap();
    begins.recv().await.unwrap();
    stream.set_zero_linger().unwrap();
    drop(stream);
    gone.recv().await.unwrap();
    until(&server, |counters| counters.broken == 1).await;
    let mut stream = ask(&server, &(head("POST", "/reads", &["content-length: 9"]) + "12345")).await;
    assert_eq!(rest(&mut stream).await.status, 400);
    assert!(begins.try_recv().is_err());
}

#[tokio::test]
async fn a_client_that_closed_its_half_and_has_no_reply_in_time_is_taken_for_gone() {
    let limits = ServerLimits { write_timeout: SHORT, request_timeout: LONG, ..ServerLimits::default() };
    let server = serve(limits).await;
    let mut stream = ask(&server, &head("GET", "/never", &[])).await;
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await.unwrap();
    assert_eq!(bytes, b"");
    until(&server, |counters| counters.broken == 1).await;
}

#[tokio::test]
async fn a_body_in_many_pieces_is_answered_though_nothing_follows_it() {
    let server = serve(ServerLimits::default()).await;
    for length in [1, 70_000, 1 << 20, 5 << 20] {
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        let request = head("POST", "/length", &[&format!("content-length: {length}")]);
        stream.write_all(&[request.as_bytes(), &vec![b'x'; length]].concat()).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(rest(&mut stream).await.text(), format!("{length} false"));
    }
    assert_eq!(server.counters().broken, 0);
}
