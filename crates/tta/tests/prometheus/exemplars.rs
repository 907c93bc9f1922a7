//! Exemplars, and the format that they come in.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::middleware::{Next, from_fn};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tta::prelude::*;
use tta::server::Format;

use crate::support::{Prometheus, Scraped, Settings, double, eventually, prometheus_or_skip};

async fn odd_only(n: u32) -> Result<u32, Error> {
    if n % 2 == 1 { Ok(n) } else { Err("even".with_kind(ErrorKind::InvalidInput)) }
}

/// Each exemplar: the name of its series' step, and what it says.
fn exemplars(data: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for series in data.as_array().unwrap() {
        let step = series["seriesLabels"]["primitive_name"].as_str().unwrap();
        all.extend(series["exemplars"].as_array().unwrap().iter().map(|one| (step.to_owned(), one.clone())));
    }
    all
}

/// What a request accepted, and what it got.
type Negotiated = Arc<Mutex<Vec<(String, String)>>>;

/// Serves an engine's metrics, and notes who asks for what.
async fn serve(telemetry: &Telemetry) -> (SocketAddr, Negotiated, JoinSet<std::io::Result<()>>) {
    let seen = Negotiated::default();
    let note = Arc::clone(&seen);
    let watch = move |request: Request, next: Next| {
        let note = Arc::clone(&note);
        async move {
            let accepted = request.headers()[ACCEPT].to_str().unwrap().to_owned();
            let reply = next.run(request).await;
            note.lock().unwrap().push((accepted, reply.headers()[CONTENT_TYPE].to_str().unwrap().to_owned()));
            reply
        }
    };
    let router = tta::server::router(telemetry).layer(from_fn(watch));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(axum::serve(listener, router).into_future());
    (target, seen, server)
}

#[tokio::test]
async fn prometheus_gets_open_metrics_with_exemplars_that_point_at_spans_of_kept_traces() {
    let scraped = Scraped::with(|builder| builder.sampling(Sampling::KeepFailed)).await;
    let flow = workflow("flow", double) >> odd_only;
    let chosen = workflow("chosen", odd_only);
    for n in 0..20 {
        flow.run(n, &scraped.context()).await.unwrap_err();
        assert_eq!(chosen.run(n, &scraped.context()).await.is_ok(), n % 2 == 1);
    }
    scraped.settle().await;
    let (target, seen, _server) = serve(&scraped.telemetry).await;
    let prometheus = prometheus_or_skip!(Settings::of(target).features("exemplar-storage"));
    let query = [("query", "primitive_duration_seconds_bucket"), ("start", "0"), ("end", "4102444800")];
    let steps = ["chosen", "double", "flow", "odd_only"];
    let arrived = eventually("exemplars of every step", async || {
        let arrived = exemplars(&prometheus.ask("/api/v1/query_exemplars", &query).await);
        steps.iter().all(|step| arrived.iter().any(|(of, _)| of == step)).then_some(arrived)
    })
    .await;
    let traces = scraped.memory.traces();
    assert_eq!(traces.len(), 30);
    for (step, exemplar) in arrived {
        let id = |key: &str| exemplar["labels"][key].as_str().unwrap().to_owned();
        let trace = traces.iter().find(|trace| trace.trace_id.to_string() == id("trace_id")).expect("it was kept");
        let span = trace.spans.iter().find(|span| span.span_id.to_string() == id("span_id")).unwrap();
        assert_eq!(span.name, *step);
        let seconds: f64 = exemplar["value"].as_str().unwrap().parse().unwrap();
        assert_eq!((seconds * 1e9).round() as u64, span.duration_ns);
        let ms = (exemplar["timestamp"].as_f64().unwrap() * 1e3).round() as u64;
        assert_eq!(ms, span.end_unix_ns() / 1_000_000);
    }
    let (accepted, got) = seen.lock().unwrap()[0].clone();
    assert!(accepted.starts_with("application/openmetrics-text"), "{accepted}");
    assert_eq!(got, Format::OpenMetrics.content_type());
    end_late(&scraped, &prometheus).await;
    assert_eq!(prometheus.complaints(), [""; 0]);
}

/// A run ends long after its first step did, and another one meanwhile: Prometheus wants no exemplar that is older
/// than what it has.
async fn end_late(scraped: &Scraped, prometheus: &Prometheus) {
    let held = Arc::new(Notify::new());
    let release = Arc::clone(&held);
    let gate = move |n: u32| {
        let held = Arc::clone(&held);
        async move {
            if n == 2 {
                held.notified().await;
            }
            odd_only(n).await
        }
    };
    let late = workflow("late", double) >> named("gate", gate);
    let cx = scraped.context();
    let meanwhile = async {
        late.run(2, &cx).await.unwrap_err();
        scraped.settle().await;
        prometheus.scraped_anew().await;
        release.notify_one();
    };
    let (first, ()) = tokio::join!(late.run(1, &cx), meanwhile);
    first.unwrap_err();
    scraped.settle().await;
    prometheus.scraped_anew().await;
}
