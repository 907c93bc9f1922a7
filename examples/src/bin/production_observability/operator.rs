//! What an operator asks the program, and what the answers say.

// What is not there in JSON is null, and then the check of it fails.
#![allow(clippy::indexing_slicing)]

use std::fmt::Write;

use anyhow::{Context as _, ensure};
use serde_json::Value as Json;
use tta::Telemetry;
use tta::telemetry::{Health, HealthStatus};

use crate::program::{DURING_OUTAGE, ONE_FAILS_IN, ONE_IS_SLOW_IN, PRICE, QUESTIONS, USERS};

/// Asks over HTTP, as `curl` would.
pub(crate) struct Operator {
    client: reqwest::Client,
    home: String,
}

/// What the metrics say of the workflow: exact, whatever is kept of traces.
pub(crate) struct Runs {
    total: u64,
    failed: u64,
    /// Longer than a second.
    slow: u64,
}

impl Operator {
    pub(crate) fn new(home: String) -> anyhow::Result<Self> {
        Ok(Self { client: reqwest::Client::builder().no_proxy().build()?, home })
    }

    async fn text(&self, path: &str) -> anyhow::Result<String> {
        let answer = self.client.get(format!("{}/observability{path}", self.home)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    async fn json(&self, path: &str) -> anyhow::Result<Json> {
        Ok(serde_json::from_str(&self.text(path).await?)?)
    }

    pub(crate) async fn metrics(&self, said: &mut String) -> anyhow::Result<Runs> {
        let page = self.text("/metrics").await?;
        let answer = |name: &str, more: &str| sum(&page, name, &["primitive_name=\"answer\"", more]);
        let within = answer("primitive_duration_seconds_bucket", "le=\"1\"");
        let total = answer("primitive_duration_seconds_count", "");
        let runs =
            Runs { total, failed: answer("primitive_requests_total", "status=\"failure\""), slow: total - within };
        let users = lines(&page, "questions_total", &[]).count() as u64;
        let questions = sum(&page, "questions_total", &[]);
        writeln!(said, "\nGET /metrics")?;
        writeln!(said, "  answer     {} runs, {} failed, {} longer than 1 s", runs.total, runs.failed, runs.slow)?;
        writeln!(said, "  by user    {USERS} users in {users} series, which add up to {questions} questions")?;
        ensure!(runs.total == questions, "{questions} questions in {} runs", runs.total);
        ensure!(runs.total > QUESTIONS + DURING_OUTAGE, "{} runs", runs.total);
        ensure!(runs.failed >= QUESTIONS / ONE_FAILS_IN + DURING_OUTAGE, "{} failed", runs.failed);
        ensure!(runs.slow >= QUESTIONS / ONE_IS_SLOW_IN, "{} were slow", runs.slow);
        // 100 values, 16 classes of all others.
        ensure!(users <= 116, "{users} series");
        Ok(runs)
    }

    pub(crate) async fn sampling(&self, said: &mut String, runs: &Runs) -> anyhow::Result<()> {
        let sampling = self.json("/api/v1/sampling").await?;
        let decided = |decision: &str, reason: &str| -> u64 {
            let all = sampling["decisions"].as_array().into_iter().flatten();
            let these = all.filter(|one| one["decision"] == decision && (reason.is_empty() || one["reason"] == reason));
            these.filter_map(|one| one["count"].as_u64()).sum()
        };
        let [errors, slow] = ["tail_error", "tail_slow"].map(|reason| decided("sample", reason));
        let (kept, dropped) = (decided("sample", ""), decided("drop", ""));
        let by_chance = kept - errors - slow;
        let share = by_chance as f64 / (by_chance + dropped) as f64;
        let rate = sampling["rate"].as_f64().context("a rate")?;
        writeln!(said, "\nGET /api/v1/sampling")?;
        writeln!(said, "  failed     {errors} of {} kept", runs.failed)?;
        writeln!(said, "  slow       {slow} of {} kept", runs.slow)?;
        let all = by_chance + dropped;
        writeln!(
            said,
            "  ordinary   {by_chance} of {all} kept: {:.1} % at a rate of {:.0} %",
            100.0 * share,
            100.0 * rate
        )?;
        ensure!(kept + dropped == runs.total, "every run was decided about: {kept} + {dropped}");
        ensure!(errors == runs.failed, "{errors} of {} failed ones were kept", runs.failed);
        // A failed run may have been slow as well; it is kept as a failed one.
        ensure!(slow <= runs.slow && runs.slow <= slow + errors, "{slow} of {} slow ones were kept", runs.slow);
        ensure!((rate - 0.05).abs() < 1e-9 && (0.025..0.08).contains(&share), "{share} at {rate}");
        Ok(())
    }

    pub(crate) async fn traces(&self, said: &mut String, runs: &Runs) -> anyhow::Result<()> {
        let failed = self.list("class=failed").await?;
        let all = self.list("service=answers").await?;
        let stands_for: f64 = all.iter().filter_map(|trace| trace["adjusted_count"].as_f64()).sum();
        let off = 100.0 * (stands_for / runs.total as f64 - 1.0).abs();
        writeln!(said, "\nGET /api/v1/traces")?;
        writeln!(said, "  kept       {} traces, which stand for {stands_for:.0} runs ({off:.1} % off)", all.len())?;
        let slowest = self.list("reason=tail_slow").await?;
        let id = slowest.first().and_then(|trace| trace["trace_id"].as_str()).context("a slow trace")?;
        let trace = self.json(&format!("/api/v1/traces/{id}")).await?;
        writeln!(said, "  a slow one {id}")?;
        let spans = trace["spans"].as_array().context("spans")?;
        for span in spans {
            let ms = span["duration_ns"].as_u64().unwrap_or_default() / 1_000_000;
            writeln!(said, "    {:<24} {ms:>5} ms", span["name"].as_str().unwrap_or_default())?;
        }
        let longest = |name: &str| {
            spans.iter().any(|span| span["name"] == name && span["duration_ns"].as_u64() >= Some(1_000_000_000))
        };
        ensure!(longest("answer") && longest("model"), "the slow step is in the trace: {trace}");
        ensure!(failed.len() as u64 == runs.failed, "{} failed traces are stored", failed.len());
        ensure!(off < 40.0, "{} traces stand for {stands_for} runs", all.len());
        Ok(())
    }

    /// All traces that a query finds.
    async fn list(&self, query: &str) -> anyhow::Result<Vec<Json>> {
        let page = self.json(&format!("/api/v1/traces?limit=1000&{query}")).await?;
        ensure!(page["next_cursor"].is_null(), "more than a page of {query}");
        page["traces"].as_array().cloned().context("traces")
    }

    pub(crate) async fn objective(&self, said: &mut String, runs: &Runs) -> anyhow::Result<()> {
        let slo = self.json("/api/v1/slo").await?;
        let answered = &slo["objectives"][0];
        let number = |key: &str| answered[key].as_f64().with_context(|| format!("`{key}`"));
        let count = |key: &str| answered["totals"][key].as_u64().with_context(|| format!("`{key}`"));
        let (bad, total, slow) = (count("bad")?, count("total")?, count("slow")?);
        let (compliance, left) = (number("compliance")?, number("error_budget_remaining")?);
        writeln!(said, "\nGET /api/v1/slo")?;
        writeln!(
            said,
            "  answered   {:.2} % answered within 500 ms, {:.0} % wanted",
            100.0 * compliance,
            100.0 * number("target")?
        )?;
        writeln!(said, "             {bad} of {total} were not; {:.0} % of the error budget is left", 100.0 * left)?;
        ensure!((total, count("failed")?) == (runs.total, runs.failed), "every run is judged: {answered}");
        ensure!(slow >= runs.slow.saturating_sub(runs.failed) && bad <= runs.failed + slow, "{answered}");
        ensure!((compliance - (1.0 - bad as f64 / total as f64)).abs() < 1e-9, "{answered}");
        ensure!((left - (1.0 - (1.0 - compliance) / 0.05)).abs() < 1e-6, "{answered}");
        Ok(())
    }

    pub(crate) async fn cost(&self, said: &mut String, runs: &Runs) -> anyhow::Result<()> {
        let cost = self.json("/api/v1/cost").await?;
        let nanos = |of: &Json| of["cost"]["nano_usd"].as_u64().unwrap_or_default();
        let total = &cost["total"];
        let entries = total["entries"].as_u64().context("entries")?;
        let users = cost["by_user"].as_array().context("users")?;
        let dollars = total["cost"]["usd"].as_str().context("dollars")?;
        writeln!(said, "\nGET /api/v1/cost")?;
        writeln!(said, "  total      {dollars} USD for {entries} answers, each to its user")?;
        ensure!(entries == runs.total - runs.failed, "every answer has its price: {entries}");
        ensure!(nanos(total) == entries * PRICE.nanos(), "{total}");
        ensure!(users.iter().map(nanos).sum::<u64>() == nanos(total), "users add up to the total");
        Ok(())
    }
}

/// Before, during and after.
pub(crate) fn dependency(said: &mut String, seen: &[Option<Health>; 3]) -> anyhow::Result<()> {
    writeln!(said, "\nhealth of circuit:index")?;
    let wanted =
        [("before", HealthStatus::Healthy), ("outage", HealthStatus::Degraded), ("after", HealthStatus::Healthy)];
    for (health, (when, wanted)) in seen.iter().zip(wanted) {
        let health = health.as_ref().context("the circuit is asked")?;
        let (status, reason) = (health.status, shown(health, 57));
        writeln!(said, "{}", format!("  {when:<10} {:<9} {reason}", status.as_str()).trim_end())?;
        ensure!(status == wanted, "{when}: {status:?} {reason}");
    }
    Ok(())
}

/// Why, in so many columns.
fn shown(health: &Health, columns: usize) -> String {
    health.reason.as_deref().unwrap_or_default().chars().take(columns).collect()
}

/// Everything at the end.
pub(crate) fn full_status(said: &mut String, telemetry: &Telemetry) -> anyhow::Result<()> {
    let report = telemetry.health();
    writeln!(said, "\nfull status: {}", report.status.as_str())?;
    for component in &report.components {
        let reason = shown(&component.health, 44);
        let line = format!("  {:<23} {:<9} {reason}", component.name, component.health.status.as_str());
        writeln!(said, "{}", line.trim_end())?;
    }
    // More users than series: that is said, and nothing else is wrong.
    let wrong: Vec<_> = report.components.iter().filter(|one| one.health.status != HealthStatus::Healthy).collect();
    ensure!(wrong.iter().all(|one| one.name == *"cardinality"), "{wrong:?}");
    ensure!(report.component("cardinality").is_some_and(|health| health.reason.is_some()), "{report:?}");
    ensure!(report.component("trace-store").is_some_and(|health| health.last_success_unix_ns.is_some()), "{report:?}");
    Ok(())
}

/// The lines of a metric with all of these labels.
fn lines<'p>(page: &'p str, name: &'p str, labels: &'p [&str]) -> impl Iterator<Item = &'p str> {
    let of_it =
        page.lines().filter(move |line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    of_it.filter(move |line| labels.iter().all(|label| line.contains(label)))
}

/// Their values added up.
fn sum(page: &str, name: &str, labels: &[&str]) -> u64 {
    let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
    lines(page, name, labels).filter_map(value).sum::<f64>() as u64
}
