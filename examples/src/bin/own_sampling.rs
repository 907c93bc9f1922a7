//! A sampler and a processor of the program's own: health checks are dropped, one in four searches is
//! kept and stands for four, and every kept trace says where it was made. What fails is kept whatever
//! the sampler says, and what the processor adds goes through the redaction as everything does.
#![forbid(unsafe_code)]

use std::time::Duration;

use tta::prelude::*;
use tta::telemetry::sampling::{
    FinishedRun, Rate, RunStart, Sampler, SamplingPolicy, TraceEdit, TraceProcessor, Verdict,
};
use tta::telemetry::{IdSource, MemorySink, Name, RuleName};

/// By what the program knows of its workflows.
struct ByTraffic {
    name: RuleName,
    searches: Rate,
}

impl Sampler for ByTraffic {
    fn name(&self) -> RuleName {
        self.name
    }

    fn head(&self, workflow: &Name, _: &RunStart<'_>) -> Option<Rate> {
        (*workflow == "search").then_some(self.searches)
    }

    fn tail(&self, run: &FinishedRun<'_>) -> Option<Verdict> {
        (run.workflow == "health").then_some(Verdict::Drop)
    }
}

/// Says where a trace was made.
struct Place {
    region: &'static str,
    /// Should not be in a trace at all.
    token: &'static str,
}

impl TraceProcessor for Place {
    fn name(&self) -> &str {
        "place"
    }

    fn process(&self, trace: &mut TraceEdit<'_>) {
        // The root comes first.
        trace.set(0, "cloud.region", self.region);
        trace.set(0, "cloud.token", self.token);
    }
}

async fn answer(number: u32) -> Result<u32, String> {
    if number == 13 { Err("no luck".to_owned()) } else { Ok(number * 2) }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let memory = MemorySink::with_capacity(1_000);
    let telemetry = Telemetry::builder()
        .ids(IdSource::seeded(7))
        .sampling_policy(SamplingPolicy { rate: Rate::ONE, ..SamplingPolicy::default() })
        .sampler(ByTraffic { name: "by-traffic".parse()?, searches: Rate::new(0.25)? })
        .processor(Place { region: "eu-west-1", token: "swordfish" })
        .sink(memory.clone())
        .build()?;
    let cx = Context::on(telemetry.clone());
    let [health, search, order] = ["health", "search", "order"].map(|name| workflow(name, answer));
    for number in 0..100 {
        let _ = health.run(number, &cx).await;
        let _ = search.run(number, &cx).await;
    }
    order.run(1, &cx).await?;
    anyhow::ensure!(telemetry.shutdown(Duration::from_secs(10)).await.complete, "not all was flushed");

    let kept = memory.traces();
    let of = |name: &str| {
        kept.iter().filter(|trace| trace.root().is_some_and(|root| root.name == *name)).collect::<Vec<_>>()
    };
    anyhow::ensure!(of("order").len() == 1, "of orders the sampler says nothing");
    let [failed] = of("health")[..] else { anyhow::bail!("of health checks only the failed one is kept") };
    anyhow::ensure!(failed.failed() && failed.decision.reason.as_str() == "tail_error");
    let searches: Vec<_> = of("search").into_iter().filter(|trace| !trace.failed()).collect();
    anyhow::ensure!((10..40).contains(&searches.len()), "{} searches", searches.len());
    anyhow::ensure!(searches.iter().all(|trace| trace.adjusted_count == Some(4.0)));
    for trace in &kept {
        let text = format!("{trace:?}");
        anyhow::ensure!(text.contains("eu-west-1") && !text.contains("swordfish"), "{text}");
    }
    let said = format!(
        "kept: {} of 100 searches, which stand for {}; of 100 health checks the one that failed\n",
        searches.len(),
        searches.len() * 4
    );
    std::io::Write::write_all(&mut std::io::stdout().lock(), said.as_bytes())?;
    let decisions = telemetry.collect_metrics();
    let dropped = decisions.iter().find(|family| family.name == "sampling_decisions_total").and_then(|family| {
        family.value(&[("decision", "drop"), ("reason", "rule:by-traffic")]).map(|count| count.as_f64())
    });
    anyhow::ensure!(dropped == Some(99.0), "{dropped:?}");
    Ok(())
}
