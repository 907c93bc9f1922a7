//! The README's workflow: validate, then two analyses side by side, then a report; and the trace
//! that comes with it.
#![forbid(unsafe_code)]

use std::time::Duration;

use tta::prelude::*;
use tta::telemetry::TraceTree;

async fn validate(text: String) -> Result<String, String> {
    if text.trim().is_empty() { Err("the text is empty".into()) } else { Ok(text) }
}

async fn words(text: String) -> Result<usize, String> {
    Ok(text.split_whitespace().count())
}

async fn longest(text: String) -> Result<String, String> {
    Ok(text.split_whitespace().max_by_key(|word| word.len()).unwrap_or_default().to_owned())
}

async fn report((words, longest): (usize, String)) -> Result<String, String> {
    Ok(format!("{words} words, the longest is `{longest}`"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let triage = workflow("triage", validate) >> (step(words) | longest) >> report;

    let memory = MemorySink::new();
    let telemetry = Telemetry::builder().sink(memory.clone()).build()?;
    let cx = Context::on(telemetry.clone());

    let said = triage.run("compose and see".to_owned(), &cx).await?;
    anyhow::ensure!(said == "3 words, the longest is `compose`", "unexpected: {said}");
    let error = triage.run("  ".to_owned(), &cx).await.err();
    anyhow::ensure!(error.is_some_and(|error| error.to_string() == "the text is empty"), "an empty text must fail");

    let done = telemetry.shutdown(Duration::from_secs(5)).await;
    anyhow::ensure!(done.complete, "the traces were not flushed in time: {done:?}");
    let trees: Vec<String> = memory.traces().iter().map(|trace| TraceTree::new(trace).to_string()).collect();
    anyhow::ensure!(trees.len() == 2, "two runs are two traces");
    let mut out = std::io::stdout().lock();
    std::io::Write::write_all(&mut out, trees.join("\n").as_bytes())?;
    Ok(())
}
