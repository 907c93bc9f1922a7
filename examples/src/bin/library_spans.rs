//! What libraries record with `tracing` inside steps: tower-http's span of a call, h2's of the
//! frames it sends, hyper-util's events about the connection, and the queries of a small database that
//! uses `tracing` as sqlx does. None of them knows tta. Log lines are JSON and carry the run's ids.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tower::{Layer as _, ServiceExt as _};
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use tta::prelude::*;
use tta::telemetry::{SpanRecord, SpanStatus, Trace, TraceTree};
use tta::tracing::logging::{LogFormat, Logging};

/// A database in memory; its functions are spans, as those of a real client are.
#[derive(Clone)]
struct Database(Arc<HashMap<u32, u32>>);

#[derive(Debug)]
struct NoRow(u32);

impl std::fmt::Display for NoRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no order {}", self.0)
    }
}

impl std::error::Error for NoRow {}

impl Database {
    #[tracing::instrument(name = "query", target = "database", skip(self), err, fields(
        db.system.name = "memory",
        db.query.text = "SELECT article FROM orders WHERE id = ?",
        db.response.returned_rows,
    ))]
    async fn article_of(&self, order: u32) -> Result<u32, NoRow> {
        let connection = self.acquire().await;
        let row = connection.0.get(&order);
        tracing::Span::current().record("db.response.returned_rows", i64::from(row.is_some()));
        row.copied().ok_or(NoRow(order))
    }

    /// As sqlx's pool does.
    #[tracing::instrument(name = "acquire", target = "database", skip(self))]
    async fn acquire(&self) -> &Self {
        tokio::task::yield_now().await;
        tracing::info!(target: "database", idle = 1, "connection taken from the pool");
        self
    }
}

/// Finds the article of an order.
impl Primitive<u32> for Database {
    type Out = u32;

    async fn run(&self, order: u32, _: &Context) -> tta::Result<u32> {
        self.article_of(order).await.map_err(|error| error.with_kind(ErrorKind::InvalidInput))
    }
}

/// Asks a service for the price of an article, over HTTP/2.
#[derive(Clone)]
struct Prices {
    client: Client<HttpConnector, Body>,
    service: SocketAddr,
}

impl Primitive<u32> for Prices {
    type Out = u32;

    async fn run(&self, article: u32, _: &Context) -> tta::Result<u32> {
        let client = TraceLayer::new_for_http()
            .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
            .on_response(DefaultOnResponse::new().level(Level::INFO))
            .layer(self.client.clone());
        let url = format!("http://{}/prices/{article}", self.service);
        let request =
            Request::get(url).body(Body::empty()).map_err(|error| error.with_kind(ErrorKind::InvalidInput))?;
        let response = client.oneshot(request).await.map_err(|error| error.with_kind(ErrorKind::Upstream))?;
        let body = axum::body::to_bytes(Body::new(response.into_body()), 64).await;
        let body = body.map_err(|error| error.with_kind(ErrorKind::Upstream))?;
        let price = std::str::from_utf8(&body).ok().and_then(|text| text.parse().ok());
        price.ok_or_else(|| "the service gave no price".with_kind(ErrorKind::Upstream))
    }
}

/// Where the log goes: kept to be checked, and shown.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::stdout().lock().write_all(bytes)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().lock().flush()
    }
}

async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    let price = |Path(article): Path<u32>| async move { (StatusCode::OK, (article * 100).to_string()) };
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    axum::serve(listener, axum::Router::new().route("/prices/{article}", get(price))).await
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let log = Log::default();
    // h2 has a span for every frame; this much of it is enough to see that they are there.
    let spans = Targets::new()
        .with_default(Level::INFO)
        .with_targets([("hyper_util", Level::DEBUG), ("h2::codec::framed_write", Level::TRACE)]);
    let logging =
        Logging::builder().level("info,hyper_util=debug".parse()?).format(LogFormat::Json).writer(log.clone()).build();
    tracing_subscriber::registry().with(tta::tracing::layer().with_filter(spans)).with(logging.layer()).try_init()?;

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build(connector);
    let prices = Prices { client, service: listener.local_addr()? };
    let mut server = tokio::task::JoinSet::new();
    server.spawn(serve(listener));

    let database = Database(Arc::new(HashMap::from([(7, 42)])));
    let quote = workflow("quote", database) >> prices;
    let memory = MemorySink::new();
    let telemetry = Telemetry::builder().sink(memory.clone()).build()?;
    let cx = || Context::builder().telemetry(telemetry.clone()).correlation_id("quote-7").build();
    ensure!(quote.run(7, &cx()?).await? == 4_200, "article 42 costs 4200");
    let error = quote.run(8, &cx()?).await.err().context("order 8 does not exist")?;
    ensure!(error.to_string() == "there is no order 8", "unexpected: {error}");

    let done = telemetry.shutdown(Duration::from_secs(5)).await;
    ensure!(done.complete, "the traces were not flushed in time: {done:?}");
    server.abort_all();
    let traces = memory.traces();
    let [first, second] = traces.as_slice() else { anyhow::bail!("two runs are two traces") };
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{}\n{}", TraceTree::new(first), TraceTree::new(second))?;
    check_spans(first, second)?;
    let text = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    check_log(&String::from_utf8(text)?, first)
}

fn find<'t>(trace: &'t Trace, name: &str) -> anyhow::Result<&'t SpanRecord> {
    trace.find(name).with_context(|| format!("there is no span `{name}`"))
}

fn check_spans(first: &Trace, second: &Trace) -> anyhow::Result<()> {
    let parent = |name| find(first, name).map(|span| span.parent_span_id);
    let id = |name| find(first, name).map(|span| Some(span.span_id));
    for (child, expected) in
        [("query", "Database"), ("acquire", "query"), ("request", "Prices"), ("FramedWrite::buffer", "request")]
    {
        ensure!(parent(child)? == id(expected)?, "`{child}` hangs below `{expected}`");
    }
    let query = find(first, "query")?;
    ensure!(query.attribute("order").and_then(|value| value.as_i64()) == Some(7), "arguments are attributes");
    ensure!(query.attribute("db.response.returned_rows").and_then(|value| value.as_i64()) == Some(1), "also late ones");
    let request = find(first, "request")?;
    ensure!(
        request.attribute("method").and_then(|value| value.as_str()) == Some("GET"),
        "tower-http's fields are there"
    );
    let events: Vec<&str> = request.events.iter().map(|event| event.name.as_str()).collect();
    ensure!(events.contains(&"finished processing request"), "so are its events: {events:?}");
    ensure!(events.iter().any(|event| event.starts_with("connecting to")), "and hyper-util's: {events:?}");
    let failed = find(second, "query")?;
    ensure!(failed.status == SpanStatus::Error, "the error that `#[instrument(err)]` tells of fails its span");
    Ok(())
}

fn check_log(text: &str, first: &Trace) -> anyhow::Result<()> {
    let lines: Vec<serde_json::Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let taken = lines.iter().find(|line| line["message"] == "connection taken from the pool");
    let taken = taken.context("the database's event is logged")?;
    ensure!(taken["trace_id"] == first.trace_id.to_string(), "with the trace's id");
    ensure!(taken["span_id"] == find(first, "acquire")?.span_id.to_string(), "with the innermost span's");
    ensure!(
        taken["correlation_id"] == "quote-7" && taken.pointer("/fields/idle") == Some(&1.into()),
        "with what else is known"
    );
    Ok(())
}
