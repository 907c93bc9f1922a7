//! Servers of a few routes, and clients that behave and that do not.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use http::{HeaderMap, Request};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tta_server::{Server, ServerCounters, ServerLimits, ServerSettings};

use crate::support::{Reply, read};

pub(crate) const SHORT: Duration = Duration::from_millis(200);
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) const READ: &str = "5f0c1a9b7e3d2846-read";
pub(crate) const WRITE: &str = "82d1c07be94f6a35-write";
pub(crate) const ADMIN: &str = "b37e5a0d91c8f264-admin";

/// `/hello`, `/length` (of what is posted), `/never` (answers) `/large` and `/larger` (1 and 32 MiB
/// in one piece).
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route(
            "/length",
            post(|headers: HeaderMap, body: Bytes| async move {
                format!("{} {}", body.len(), headers.contains_key("content-encoding"))
            }),
        )
        .route("/never", get(std::future::pending::<()>))
        .route("/large", get(|| async { vec![b'x'; 1 << 20] }))
        .route("/larger", get(|| async { vec![b'x'; 32 << 20] }))
}

pub(crate) fn settings(limits: ServerLimits) -> ServerSettings {
    ServerSettings { address: "127.0.0.1:0".parse().unwrap(), limits, ..ServerSettings::default() }
}

pub(crate) async fn serve(limits: ServerLimits) -> Server {
    Server::start(&settings(limits).check().unwrap(), routes()).await.unwrap()
}

pub(crate) fn head(method: &str, path: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")
}

/// Sends bytes on a connection of their own, and reads what comes back, until it ends or is cut.
pub(crate) async fn send(address: SocketAddr, bytes: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The reply may come before all is sent.
    let _ = stream.write_all(bytes).await;
    rest(&mut stream).await
}

pub(crate) async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> Reply {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    read(&bytes)
}

pub(crate) async fn get_once(server: &Server, path: &str, headers: &[&str]) -> Reply {
    let headers: Vec<&str> = headers.iter().copied().chain(["connection: close"]).collect();
    send(server.local_addr(), head("GET", path, &headers).as_bytes()).await
}

pub(crate) async fn post_once(server: &Server, headers: &[&str], body: &[u8]) -> Reply {
    let length = format!("content-length: {}", body.len());
    let headers: Vec<&str> = headers.iter().copied().chain(["connection: close", &length]).collect();
    send(server.local_addr(), &[head("POST", "/length", &headers).as_bytes(), body].concat()).await
}

/// Status and detail, of a reply that must be a problem with all headers that replies have.
pub(crate) fn problem(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{} {}", reply.head, reply.text());
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{}", reply.head);
    let text = reply.text();
    let status = format!("\",\"status\":{},\"detail\":\"", reply.status);
    let (title, detail) = text.split_once(&status).unwrap_or_else(|| panic!("{text}"));
    assert!(title.starts_with("{\"title\":\""), "{text}");
    (reply.status, detail.strip_suffix("\"}\n").unwrap().to_owned())
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Waits for what the server will have counted.
pub(crate) async fn until(server: &Server, is_so: impl Fn(&ServerCounters) -> bool) -> ServerCounters {
    loop {
        let counters = server.counters();
        if is_so(&counters) {
            return counters;
        }
        tokio::task::yield_now().await;
    }
}

/// A client of HTTP/2 on a connection, which ends with the runtime.
pub(crate) async fn http2(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> SendRequest<Body> {
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    // What is not read is not asked for.
    builder.initial_stream_window_size(65_535).initial_connection_window_size(16 << 20);
    let (sender, connection) = builder.handshake(TokioIo::new(io)).await.unwrap();
    tokio::runtime::Handle::current().spawn(connection);
    sender
}

pub(crate) async fn connect_http2(server: &Server) -> SendRequest<Body> {
    http2(TcpStream::connect(server.local_addr()).await.unwrap()).await
}

pub(crate) fn request(method: &str, path: &str, body: Body) -> Request<Body> {
    Request::builder().method(method).uri(format!("http://localhost{path}")).body(body).unwrap()
}

/// Status and body.
pub(crate) async fn whole(response: http::Response<hyper::body::Incoming>) -> Result<(u16, String), axum::Error> {
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(Body::new(response.into_body()), usize::MAX).await?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
