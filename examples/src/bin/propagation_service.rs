//! Trace propagation as the W3C validates it: a service that makes the calls it is asked for and
//! passes the trace on.
//!
//! `propagation_service PORT` serves `POST /test` on that port until it is told to stop, for
//! `test.py` of <https://github.com/w3c/trace-context>. Without a port it asks itself, prints what
//! it was sent and what it sent on, and ends.
#![forbid(unsafe_code)]

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::HeaderMap;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tta::prelude::*;
use tta::telemetry::TraceTree;
use tta::telemetry::propagation::TraceContext;
use tta_examples::propagation::{Call, service};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1) {
        Some(port) => {
            serve(port.parse().with_context(|| format!("`{port}` is no port, accepted are 0 to 65535"))?).await
        }
        None => check_itself().await,
    }
}

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
}

async fn serve(port: u16) -> anyhow::Result<()> {
    let telemetry = Telemetry::builder().build()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| format!("cannot listen on {port}"))?;
    say(&format!("listening on http://{}/test", listener.local_addr()?))?;
    let router = service(telemetry.clone(), client()?);
    axum::serve(listener, router).with_graceful_shutdown(told_to_stop()).await?;
    ensure!(telemetry.shutdown(Duration::from_secs(5)).await.complete, "the engine did not stop in time");
    say("stopped")?;
    Ok(())
}

/// Calls others on this machine: never by way of a proxy.
fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build()
}

/// Completes with the first SIGINT or SIGTERM. What cannot be listened for does not stop us.
async fn told_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}

const CALLER: &str = "00-12345678901234567890123456789012-1234567890123456-01";
const MALFORMED: &str = "00-12345678901234567890123456789012-0000000000000000-01";
const TRACE_ID: &str = "12345678901234567890123456789012";

/// Asks the service on `home` to make calls, and looks at the headers that the last of them had.
struct Lookout {
    client: reqwest::Client,
    home: String,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Lookout {
    /// Which span the last call says it was made in.
    async fn ask(&self, calls: &[Call], headers: &[(&str, &str)]) -> anyhow::Result<TraceContext> {
        let mut request = self.client.post(format!("{}/test", self.home)).json(calls);
        for (name, value) in headers {
            say(&format!("sent      {name}: {value}"))?;
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        ensure!(answer.status() == 200, "the service answered {}: {}", answer.status(), answer.text().await?);
        let headers = self.seen.lock().unwrap_or_else(PoisonError::into_inner).pop().context("nobody was called")?;
        for name in ["traceparent", "tracestate", "baggage"] {
            if let Some(value) = headers.get(name) {
                say(&format!("passed on {name}: {}", value.to_str()?))?;
            }
        }
        say("")?;
        tta::http::extract(&headers).trace.context("no valid traceparent was passed on")
    }
}

async fn check_itself() -> anyhow::Result<()> {
    let memory = MemorySink::new();
    let telemetry = Telemetry::builder().sink(memory.clone()).build()?;
    let seen = Arc::<Mutex<Vec<HeaderMap>>>::default();
    let note = Arc::clone(&seen);
    let see = |headers: HeaderMap| async move { note.lock().unwrap_or_else(PoisonError::into_inner).push(headers) };
    let client = client()?;
    let router = service(telemetry.clone(), client.clone()).route("/see", axum::routing::post(see));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let home = format!("http://{}", listener.local_addr()?);
    let mut server = JoinSet::new();
    server.spawn(axum::serve(listener, router).into_future());

    let see = [Call { url: format!("{home}/see"), arguments: serde_json::json!([]) }];
    // The service asks itself to call the one who looks: the trace goes through it twice.
    let twice = [Call { url: format!("{home}/test"), arguments: serde_json::to_value(&see)? }];
    let lookout = Lookout { client, home, seen };
    let sent = [("traceparent", CALLER), ("tracestate", "foo=1"), ("baggage", "a=b")];
    let known = lookout.ask(&see, &sent).await?;
    ensure!(known.trace_id.to_string() == TRACE_ID, "another trace was passed on: {known:?}");
    ensure!(known.trace_state.as_str() == "foo=1", "the tracestate was lost: {known:?}");
    let new = lookout.ask(&see, &[("traceparent", MALFORMED)]).await?;
    ensure!(new.trace_id.to_string() != TRACE_ID, "a malformed header was believed: {new:?}");
    let through = lookout.ask(&twice, &[("traceparent", CALLER)]).await?;
    ensure!(through.trace_id.to_string() == TRACE_ID, "the trace was lost on the way: {through:?}");

    let done = telemetry.shutdown(Duration::from_secs(5)).await;
    ensure!(done.complete, "the traces were not flushed in time: {done:?}");
    let traces = memory.traces();
    for passed in [known, new, through] {
        let call = traces.iter().find_map(|trace| trace.span(passed.span_id));
        ensure!(call.is_some_and(|call| call.kind == "http_client"), "the parent is not the call's span: {passed:?}");
    }
    let trees: Vec<String> = traces.iter().map(|trace| TraceTree::new(trace).timing(false).to_string()).collect();
    let tree = "POST /test (http_server)\n╰─ POST (http_client)\n";
    ensure!(trees.concat() == tree.repeat(4), "four requests made one call each: {trees:#?}");
    say(&trees.concat())?;
    Ok(())
}
