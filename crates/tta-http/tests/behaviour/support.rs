//! Servers, clients and small tools that several modules use.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use axum::Router;
use http::{HeaderMap, Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower_service::Service;
use tta_http::{Cx, TraceCalls, TraceRequests, inject};
use tta_primitives::testing::TestEngine;
use tta_telemetry::{SpanRecord, Trace};

pub(crate) const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const PARENT_ID: &str = "00f067aa0ba902b7";
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(axum::serve(listener, router).into_future());
        Self { address, _tasks: tasks }
    }

    /// One whose requests are runs.
    pub(crate) async fn traced(engine: &TestEngine, router: Router) -> Self {
        Self::start(router.layer(TraceRequests::new().telemetry(engine.telemetry().clone()))).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

pub(crate) fn plain_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(crate) fn client() -> ClientWithMiddleware {
    client_with([])
}

/// A client whose calls are traced, with these further middlewares outside of that.
pub(crate) fn client_with<const N: usize>(outer: [Arc<dyn Middleware>; N]) -> ClientWithMiddleware {
    let builder = outer.into_iter().fold(ClientBuilder::new(plain_client()), ClientBuilder::with_arc);
    builder.with(TraceCalls::new()).build()
}

/// Sends bytes on a connection of their own and returns all that comes back.
pub(crate) async fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// The headers that a call made by this request would carry, one a line.
pub(crate) async fn passes_on(Cx(cx): Cx) -> String {
    let mut headers = HeaderMap::new();
    inject(&cx, &mut headers);
    let line =
        |name| headers.get(name).map_or(String::new(), |value: &http::HeaderValue| value.to_str().unwrap().into());
    [line("traceparent"), line("tracestate"), line("baggage")].join("\n")
}

/// What [`passes_on`] answered: trace id, parent id and flags, then tracestate and baggage.
pub(crate) struct PassedOn {
    pub(crate) traceparent: String,
    pub(crate) tracestate: String,
    pub(crate) baggage: String,
}

impl PassedOn {
    pub(crate) fn read(answer: &str) -> Self {
        let body = answer.split("\r\n\r\n").last().unwrap();
        let mut lines = body.split('\n').map(str::to_owned);
        let mut next = || lines.next().unwrap();
        Self { traceparent: next(), tracestate: next(), baggage: next() }
    }

    pub(crate) fn trace_id(&self) -> &str {
        self.traceparent.split('-').nth(1).unwrap()
    }

    pub(crate) fn parent_id(&self) -> &str {
        self.traceparent.split('-').nth(2).unwrap()
    }
}

pub(crate) fn text(span: &SpanRecord, key: &str) -> String {
    span.attribute(key).map(ToString::to_string).unwrap_or_default()
}

/// The one trace that an engine has kept.
pub(crate) fn only(engine: &TestEngine) -> Arc<Trace> {
    let traces = engine.traces();
    assert_eq!(traces.len(), 1, "{}", engine.tree());
    Arc::clone(&traces[0])
}

/// A service made of a function; see what it answers by polling it, without a socket.
#[derive(Clone)]
pub(crate) struct Answer<F>(pub(crate) F);

impl<F, B, T, E> Service<Request<B>> for Answer<F>
where
    F: FnMut(Request<B>) -> T,
    T: Future<Output = Result<Response<()>, E>>,
{
    type Response = Response<()>;
    type Error = E;
    type Future = T;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> T {
        (self.0)(request)
    }
}

/// Polls a future once.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Task::from_waker(std::task::Waker::noop()))
}

/// Calls a function when dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
