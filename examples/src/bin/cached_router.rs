//! Ten thousand questions of the sort that users ask (few are asked often, most once or twice),
//! through a cache, a timeout and a router over two models; and the same questions to the large
//! model alone. What was saved is read from what the primitives themselves report.
//!
//! Seeded, on a paused clock: the same questions in every run, and hours pass in no time. What makes
//! room in the cache differs a little from run to run.
#![forbid(unsafe_code)]

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tta::prelude::*;
use tta::telemetry::IdSource;
use tta::testing::TestEngine;
use tta::{RouterHandle, Usd};

const QUESTIONS: usize = 10_000;
/// Different questions that there are.
const DIFFERENT: usize = 2_000;
/// Answers that are kept: fewer than there are questions.
const KEPT: u64 = 500;
const IN_FLIGHT: usize = 16;

async fn small_model(question: String, cx: Context) -> tta::Result<String> {
    cx.sleep(Duration::from_millis(80)).await;
    Ok(format!("in short: {question}"))
}

/// One call in fifty hangs.
async fn large_model(question: String, cx: Context) -> tta::Result<String> {
    let hangs = cx.ids().next_fraction() < 0.02;
    cx.sleep(if hangs { Duration::from_secs(60) } else { Duration::from_millis(700) }).await;
    Ok(format!("at length: {question}"))
}

async fn apology(_: String) -> Result<String, String> {
    Ok("that takes too long just now".to_owned())
}

/// Every third question is a hard one.
fn question(number: usize) -> String {
    match number % 3 {
        0 => format!(
            "Compare plan {number} with its alternatives, explain why one is better, and prove it:\n- cost\n- risk"
        ),
        _ => format!("What is {number}?"),
    }
}

/// Questions whose frequency falls with their rank (Zipf's law, exponent 1), in an order that the
/// seed decides.
fn workload(ids: &IdSource) -> Vec<String> {
    let mut sum = 0.0;
    let up_to: Vec<f64> = (1..=DIFFERENT)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    let pick = || up_to.partition_point(|reached| *reached < ids.next_fraction() * sum);
    (0..QUESTIONS).map(|_| question(pick())).collect()
}

fn large() -> Route<String, String> {
    Route::to("large", named("large", with_context(large_model))).cost(Usd::from_micros(3_000)).quality(0.95)
}

/// The models behind a router, and nothing else.
fn models(with_small: bool) -> anyhow::Result<(Workflow<String, String>, RouterHandle)> {
    let small = Route::to("small", with_context(small_model)).cost(Usd::from_micros(200)).quality(0.7).up_to(0.3);
    let routes = if with_small {
        router().route(small).route(large()).by_complexity()
    } else {
        router().route(large()).by_cost()
    };
    let router = routes.named("models").build()?;
    let numbers = router.handle();
    Ok((step(router), numbers))
}

/// Asks all questions; how many were answered.
async fn ask_all(flow: &Workflow<String, String>, cx: &Context) -> usize {
    let questions = stream::iter(workload(&IdSource::seeded(7)));
    flow.for_each(questions, IN_FLIGHT, cx).filter(|(_, answer)| std::future::ready(answer.is_ok())).count().await
}

fn main() -> anyhow::Result<()> {
    let engine = TestEngine::with(|builder| builder.sampling(Sampling::KeepFailed));

    let (alone, all_large) = models(false)?;
    let alone = workflow("large_only", alone);
    anyhow::ensure!(engine.block_on(ask_all(&alone, &engine.context())) == QUESTIONS, "every question was answered");

    let (chosen, numbers) = models(true)?;
    let in_time = Timeout::after(Duration::from_secs(5)).build()?;
    let answers = Cache::named("answers").capacity(KEPT).cost_per_call(Usd::from_micros(3_000)).build()?;
    // The timeout bounds a call; the cache is outside, so that a hit needs no model at all. The
    // apology is outside of the cache: it is not kept.
    let ask = workflow(
        "ask",
        chosen.timeout(in_time).cache(answers.clone(), |question: &String| question.clone()).or_else(apology),
    );
    anyhow::ensure!(engine.block_on(ask_all(&ask, &engine.context())) == QUESTIONS, "every question was answered");

    let (cached, routed, before) = (answers.stats(), numbers.stats(), all_large.stats().cost);
    let expired: u64 = engine
        .telemetry()
        .decision_counts()
        .iter()
        .filter(|count| (count.key.family, count.outcome) == ("timeout", "expired"))
        .map(|count| count.count)
        .sum();
    let less = 1.0 - routed.cost.dollars() / before.dollars();
    let mut out = std::io::stdout().lock();
    let mut say = |line: String| std::io::Write::write_all(&mut out, line.as_bytes());
    say(format!("{QUESTIONS} questions, {DIFFERENT} different ones, {KEPT} answers kept\n\n"))?;
    say(format!("the large model alone         {before}\n"))?;
    say(format!("router, timeout and cache     {}   {:.0} % less\n\n", routed.cost, 100.0 * less))?;
    say(format!(
        "answered from the cache       {:.1} % ({} hits, {} shared, {} misses)\n",
        100.0 * cached.hit_rate(),
        cached.hits,
        cached.shared,
        cached.misses
    ))?;
    for route in &routed.routes {
        say(format!(
            "route {:<8}                {} calls, {}\n",
            route.name,
            route.successes + route.cancelled,
            route.cost
        ))?;
    }
    say(format!("calls that took too long      {expired}\n"))?;

    anyhow::ensure!(cached.hit_rate() >= 0.6, "the cache answers most: {:.3}", cached.hit_rate());
    anyhow::ensure!(less >= 0.4, "what is left costs much less: {less:.3}");
    anyhow::ensure!(expired > 0 && routed.savings > Usd::ZERO, "some calls hung, and the router saved something");
    Ok(())
}
