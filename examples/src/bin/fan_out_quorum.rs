//! A read from three replicas that is answered by two of them, with a replica that is down and one
//! that hangs; and a write that one region after another may take. No task and no open span is
//! left behind.
#![forbid(unsafe_code)]

use std::num::NonZeroUsize;
use std::time::Duration;

use tta::prelude::*;
use tta::telemetry::SpanStatus;
use tta::{Error, fallback, named, parallel};

/// A replica that answers, refuses or hangs.
#[derive(Clone, Copy)]
enum Replica {
    Answers(u64),
    Refuses,
    Hangs,
}

impl Primitive<String> for Replica {
    type Out = u64;

    async fn run(&self, key: String, cx: &Context) -> tta::Result<u64> {
        match self {
            Replica::Answers(version) => {
                cx.sleep(Duration::from_millis(*version)).await;
                cx.set("replica.version", *version);
                Ok(*version)
            }
            Replica::Refuses => Err(format!("`{key}`: connection refused").with_kind(ErrorKind::Upstream)),
            Replica::Hangs => {
                // A well-behaved loser ends when it is told to; one that is not is dropped.
                cx.cancelled().await;
                Err(Error::new(ErrorKind::Cancelled, "told to stop"))
            }
        }
    }
}

async fn newest(versions: Vec<u64>) -> Result<u64, String> {
    versions.into_iter().max().ok_or_else(|| "no replica answered".to_owned())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let two = NonZeroUsize::new(2).ok_or_else(|| anyhow::anyhow!("two is not zero"))?;
    let replica = |name: &'static str, replica: Replica| step(named(name, replica));
    let replicas = vec![
        replica("paris", Replica::Refuses),
        replica("tokyo", Replica::Answers(3)),
        replica("lima", Replica::Hangs),
        replica("oslo", Replica::Answers(7)),
    ];
    let read = workflow("read", parallel(replicas).spawned().quorum(two)?.named("replicas")) >> newest;

    let write = workflow(
        "write",
        replica("primary_region", Replica::Refuses).fallback(
            fallback(replica("second_region", Replica::Refuses)).or(replica("third_region", Replica::Answers(1))),
        ),
    );

    let memory = MemorySink::new();
    let telemetry = Telemetry::builder().sink(memory.clone()).build()?;
    let cx = || Context::on(telemetry.clone());
    anyhow::ensure!(read.run("cart/42".to_owned(), &cx()).await? == 7, "oslo has the newest version");
    anyhow::ensure!(write.run("cart/42".to_owned(), &cx()).await? == 1, "the third region takes the write");
    let left = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    anyhow::ensure!(left == 0, "{left} tasks were left behind");

    anyhow::ensure!(telemetry.shutdown(Duration::from_secs(5)).await.complete, "not flushed in time");
    let traces = memory.traces();
    let mut out = std::io::stdout().lock();
    for trace in &traces {
        let text = tta::telemetry::TraceTree::new(trace).attributes(true).to_string();
        std::io::Write::write_all(&mut out, text.as_bytes())?;
    }
    std::io::Write::write_all(&mut out, format!("\nTasks left behind: {left}.\n").as_bytes())?;
    let span = |name: &str| {
        let found = traces.iter().find_map(|trace| trace.find(name));
        found.ok_or_else(|| anyhow::anyhow!("no span is named {name}"))
    };
    anyhow::ensure!(span("paris")?.handled && span("second_region")?.handled, "handled errors say so");
    anyhow::ensure!(span("lima")?.status == SpanStatus::Cancelled, "the loser was cancelled");
    anyhow::ensure!(traces.iter().all(|trace| !trace.failed()), "no run failed");
    Ok(())
}
