//! What an operator sees of a program under load: 3,000 questions of 2,000 users to a workflow with the
//! preset for production, its metrics, traces, objectives, cost and sampling served by the program
//! itself, an index that fails and comes back, and the health of everything at the end.
//!
//! Everything that is printed was asked for over HTTP or read from the health report, and is checked.
#![forbid(unsafe_code)]

mod operator;
mod program;

use std::io::Write;
use std::time::Duration;

use anyhow::ensure;
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use operator::Operator;
use program::Program;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let program = Program::new()?;
    // The program's own routes, and everything about it below a path of their side.
    let routes = Router::new().route("/", get(|| async { "ask me" }));
    let routes = routes.nest("/observability", tta::server::router(&program.telemetry));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let operator = Operator::new(format!("http://{}", listener.local_addr()?))?;
    let mut server = JoinSet::new();
    server.spawn(axum::serve(listener, routes).into_future());

    let mut said = String::from("preset: production\n");
    program.load().await?;
    let before = program.health("circuit:index");
    program.outage().await?;
    let during = program.health("circuit:index");
    program.recovery().await?;
    let after = program.health("circuit:index");
    // What is kept is where the store has it.
    ensure!(program.telemetry.flush(Duration::from_secs(30)).await.complete, "not all was flushed");

    let runs = operator.metrics(&mut said).await?;
    operator.sampling(&mut said, &runs).await?;
    operator.traces(&mut said, &runs).await?;
    operator.objective(&mut said, &runs).await?;
    operator.cost(&mut said, &runs).await?;
    operator::dependency(&mut said, &[before, during, after])?;
    operator::full_status(&mut said, &program.telemetry)?;

    for line in said.lines() {
        ensure!(line.chars().count() <= 80, "more than 80 columns: {line}");
    }
    std::io::stdout().lock().write_all(said.as_bytes())?;
    ensure!(program.telemetry.shutdown(Duration::from_secs(30)).await.complete, "not all was flushed");
    Ok(())
}
