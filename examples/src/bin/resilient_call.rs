//! A call that fails twice and hangs once, made reliable by a timeout inside a retry. Time is the
//! real one; the waits are short.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tta::prelude::*;
use tta::telemetry::SpanStatus;

/// A service in a bad mood: refuses, hangs, refuses, then answers.
#[derive(Clone, Default)]
struct Service(Arc<AtomicU32>);

impl Primitive<String> for Service {
    type Out = String;

    async fn run(&self, request: String, cx: &Context) -> tta::Result<String> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Err("connection refused".with_kind(ErrorKind::Upstream)),
            1 => {
                cx.sleep(Duration::from_secs(3_600)).await;
                Ok("too late".to_owned())
            }
            2 => Err("slow down".with_kind(ErrorKind::RateLimited).retry_after(Duration::from_millis(20))),
            _ => Ok(format!("hello, {request}")),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let in_time = Timeout::after(Duration::from_millis(50)).build()?;
    let again = Retry::new().max_retries(4).initial_delay(Duration::from_millis(5)).build()?;
    let greet = workflow("greet", step(Service::default()).timeout(in_time).retry(again));

    let memory = MemorySink::new();
    let telemetry = Telemetry::builder().sink(memory.clone()).build()?;
    let report = greet.run_report("world".to_owned(), &Context::on(telemetry.clone())).await;
    anyhow::ensure!(report.result? == "hello, world", "the fourth attempt answers");

    let done = telemetry.shutdown(Duration::from_secs(5)).await;
    anyhow::ensure!(done.complete, "the trace was not flushed in time");
    let traces = memory.traces();
    let trace = traces.first().ok_or_else(|| anyhow::anyhow!("one run is one trace"))?;
    let attempts: Vec<_> = trace.spans.iter().filter(|span| span.kind == "attempt").collect();
    let handled = attempts.iter().filter(|span| span.status == SpanStatus::Error && span.handled).count();
    anyhow::ensure!(attempts.len() == 4 && handled == 3, "three errors were handled by the retry");
    let mut out = std::io::stdout().lock();
    std::io::Write::write_all(&mut out, tta::telemetry::TraceTree::new(trace).to_string().as_bytes())?;
    Ok(())
}
