//! Two axum services and one trace: a handler runs a workflow whose step calls the other service.
//!
//! Each service has an engine of its own, as if it were another process; the trace id and the
//! parent travel in the headers of the call.
#![forbid(unsafe_code)]

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tta::http::{Cx, TraceCalls, TraceRequests, UrlTemplate, call_error, check_status};
use tta::prelude::*;
use tta::telemetry::{SpanRecord, SpanStatus, Trace, TraceTree, Value};

/// Looks a customer up in the other service.
#[derive(Clone)]
struct Customers {
    client: ClientWithMiddleware,
    home: String,
}

impl Primitive<u32> for Customers {
    type Out = String;

    async fn run(&self, id: u32, _: &Context) -> tta::Result<String> {
        let call = self.client.get(format!("{}/customers/{id}?token=secret", self.home));
        let call = call.with_extension(UrlTemplate::new("/customers/{id}"));
        let response = call.send().await.map_err(call_error)?;
        check_status(response)?.text().await.map_err(call_error)
    }
}

async fn parse(ticket: String) -> tta::Result<u32> {
    ticket.parse().map_err(|_| format!("`{ticket}` is no customer").with_kind(ErrorKind::InvalidInput))
}

async fn rank(customer: String) -> Result<String, String> {
    Ok(format!("{customer}: first in the queue"))
}

type Triage = Workflow<String, String>;

async fn handle(State(triage): State<Triage>, Path(ticket): Path<String>, Cx(cx): Cx) -> Result<String, StatusCode> {
    triage.run(ticket, &cx).await.map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        _ => StatusCode::BAD_GATEWAY,
    })
}

async fn customer(Path(id): Path<u32>) -> Result<String, StatusCode> {
    match id {
        7 => Ok("Ada".to_owned()),
        500.. => Err(StatusCode::INTERNAL_SERVER_ERROR),
        _ => Err(StatusCode::NOT_FOUND),
    }
}

fn engine() -> anyhow::Result<(Telemetry, MemorySink)> {
    let memory = MemorySink::new();
    Ok((Telemetry::builder().sink(memory.clone()).build()?, memory))
}

/// Serves until the set is dropped. Returns where.
async fn serve(router: Router, servers: &mut JoinSet<std::io::Result<()>>) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let home = format!("http://{}", listener.local_addr()?);
    servers.spawn(axum::serve(listener, router).into_future());
    Ok(home)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut servers = JoinSet::new();
    let (behind, behind_memory) = engine()?;
    let customers = Router::new().route("/customers/{id}", get(customer));
    let home = serve(customers.layer(TraceRequests::new().telemetry(behind.clone())), &mut servers).await?;

    let (front, front_memory) = engine()?;
    let untraced = reqwest::Client::builder().no_proxy().build()?;
    let client = ClientBuilder::new(untraced.clone()).with(TraceCalls::new()).build();
    let triage: Triage = workflow("triage", parse) >> Customers { client, home } >> rank;
    let tickets = Router::new().route("/tickets/{ticket}", get(handle)).with_state(triage);
    let home = serve(tickets.layer(TraceRequests::new().telemetry(front.clone())), &mut servers).await?;

    let ask = async |path: &str| -> anyhow::Result<(u16, String)> {
        let answer = untraced.get(format!("{home}{path}")).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    };
    ensure!(ask("/tickets/7").await? == (200, "Ada: first in the queue".to_owned()), "customer 7 is known");
    ensure!(ask("/tickets/8").await?.0 == 400, "customer 8 is unknown: the caller's mistake");
    ensure!(ask("/tickets/500").await?.0 == 502, "customer 500 makes the other service fail");
    ensure!(ask("/elsewhere").await?.0 == 404, "no such route");

    for telemetry in [&front, &behind] {
        let done = telemetry.shutdown(Duration::from_secs(5)).await;
        ensure!(done.complete, "the traces were not flushed in time: {done:?}");
    }
    let (front, behind) = (front_memory.traces(), behind_memory.traces());
    ensure!((front.len(), behind.len()) == (4, 3), "each request is one trace in each service it reached");
    for (front, behind) in front.iter().zip(&behind) {
        check_pair(front, behind)?;
    }
    let statuses = |traces: &[std::sync::Arc<Trace>]| -> Vec<_> {
        traces.iter().filter_map(|trace| trace.root()).map(|root| (root.name.to_string(), root.status)).collect()
    };
    let ticket = |status| ("GET /tickets/{ticket}".to_owned(), status);
    let customer = |status| ("GET /customers/{id}".to_owned(), status);
    let (ok, error) = (SpanStatus::Ok, SpanStatus::Error);
    ensure!(statuses(&front) == [ticket(ok), ticket(ok), ticket(error), ("GET".to_owned(), ok)], "fails from 500 on");
    ensure!(statuses(&behind) == [customer(ok), customer(ok), customer(error)], "fails from 500 on");

    let trees: Vec<_> =
        front.iter().zip(&behind).map(|pair| [pair.0, pair.1].map(|trace| TraceTree::new(trace))).collect();
    let mut out = std::io::stdout().lock();
    for [front, behind] in trees {
        std::io::Write::write_all(&mut out, format!("{front}{behind}\n").as_bytes())?;
    }
    Ok(())
}

/// What the two services recorded of one request are two parts of one trace.
fn check_pair(front: &Trace, behind: &Trace) -> anyhow::Result<()> {
    ensure!(front.trace_id == behind.trace_id, "two traces: {} and {}", front.trace_id, behind.trace_id);
    let call = front.find("GET /customers/{id}").context("the call is a span")?;
    let root = behind.root().context("the other service's run has a root")?;
    ensure!(root.parent_span_id == Some(call.span_id), "the request hangs below the call");
    let step = call.parent_span_id.and_then(|parent| front.span(parent)).context("the call hangs below a step")?;
    ensure!(step.name == "Customers", "the call hangs below `{}`", step.name);
    let text = |span: &SpanRecord, key: &str| span.attribute(key).map(Value::to_string).unwrap_or_default();
    ensure!(!text(call, "url.full").contains("secret"), "the query is not recorded");
    ensure!(text(call, "http.response.status_code") == text(root, "http.response.status_code"), "one status");
    ensure!(text(root, "correlation.id") == text(front.root().context("a root")?, "correlation.id"), "one correlation");
    Ok(())
}
