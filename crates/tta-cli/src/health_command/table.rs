//! What `/health` or `/health/full` says, in 80 columns.

use serde_json::Value;
use tta::telemetry::format::{clip, wrap};

const COLUMNS: usize = 80;
const INDENT: usize = 4;
/// Columns of a component's name.
const MOST_NAME: usize = 40;

/// The whole, the components with the worst first, and the rest in a line each.
pub(super) fn write(body: &Value) -> String {
    let health = body.get("health").unwrap_or(body);
    let details = &health["details"];
    let mut text = String::new();
    push_wrapped(&mut text, &whole(&word(&health["status"]), word(&health["message"])), 0);
    push_wrapped(&mut text, &process(body, details), 0);
    let mut components: Vec<(&str, &Value)> =
        details["components"].as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
    components.sort_by_key(|(name, component)| (rank(component), *name));
    let widest = components.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).clamp(9, MOST_NAME);
    if !components.is_empty() {
        text.push_str(format!("\n{:widest$}  {:9}  {:20}\n", "component", "status", "since").trim_end_matches(' '));
    }
    for (name, component) in components {
        let (name, since) = (clip(name, MOST_NAME), moment(&component["since"]));
        let line = format!("{name:widest$}  {:9}  {since}", word(&component["status"]));
        text.push_str(line.trim_end());
        text.push('\n');
        if let Some(reason) = component["reason"].as_str() {
            push_wrapped(&mut text, reason, INDENT);
        }
    }
    let rest = [sampling(&body["sampling"]), metrics(&body["metrics"]), storage(&body["storage"])];
    for (place, line) in rest.into_iter().flatten().enumerate() {
        text.push_str(if place == 0 { "\n" } else { "" });
        push_wrapped(&mut text, &line, 0);
    }
    text
}

/// A message about what is wrong begins with the status itself.
fn whole(status: &str, message: String) -> String {
    let is_said = message.strip_prefix(status).is_some_and(|rest| rest.starts_with(':'));
    if is_said { message } else { format!("{status}: {message}") }
}

fn rank(component: &Value) -> u8 {
    match component["status"].as_str() {
        Some("unhealthy") => 0,
        Some("degraded") => 1,
        Some("healthy") => 3,
        _ => 2,
    }
}

fn push_wrapped(text: &mut String, line: &str, indent: usize) {
    for line in wrap(line, COLUMNS - indent) {
        text.push_str(&" ".repeat(indent));
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Text of a server, which may hold what moves a terminal's cursor.
fn word(value: &Value) -> String {
    clip(value.as_str().unwrap_or("?"), 2_000)
}

fn process(body: &Value, details: &Value) -> String {
    let system = &body["system"];
    let mut parts = Vec::new();
    if let Some(name) = system["service_name"].as_str() {
        parts.push(clip(&format!("{name} {}", system["service_version"].as_str().unwrap_or_default()), 60));
    }
    if let Some(environment) = details["environment"].as_str() {
        parts.push(clip(environment, 20));
    }
    parts.push(format!("up {}", uptime(details["uptime_seconds"].as_f64().unwrap_or(0.0))));
    if let Some(readiness) = details["readiness"].as_str() {
        parts.push(clip(readiness, 20));
    }
    parts.push(format!("metrics {}", word(&details["metrics_collector"])));
    let traces = if details["tracing_available"] == true { "available" } else { "unavailable" };
    parts.push(format!("tracing {traces}"));
    parts.join(", ")
}

fn uptime(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// To the second.
fn moment(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let whole = text.split_once('.').map(|(whole, _)| format!("{whole}Z"));
    clip(&whole.unwrap_or_else(|| text.to_owned()), 20)
}

fn sampling(sampling: &Value) -> Option<String> {
    let rate = sampling["sampling_rate"].as_f64()?;
    let mut line = format!("sampling: {:.4} of traces by chance", rate);
    if sampling["enabled"] != true {
        line = "sampling: no traces are kept".to_owned();
    }
    if let (Some(least), Some(most)) = (sampling["adaptive_min_rate"].as_f64(), sampling["adaptive_max_rate"].as_f64())
    {
        line.push_str(&format!(", adaptive {least} to {most}"));
    }
    let (kept, dropped) = (number(&sampling["traces_kept"]), number(&sampling["traces_dropped"]));
    Some(format!("{line}; {kept} kept, {dropped} dropped"))
}

fn metrics(metrics: &Value) -> Option<String> {
    metrics.as_object()?;
    if metrics["enabled"] != true {
        return Some("metrics: nothing is counted".to_owned());
    }
    let cardinality = &metrics["cardinality"];
    Some(format!(
        "metrics: {} primitives, {} executions, {} errors; {} label values, {} beyond the limit",
        number(&metrics["total_primitives"]),
        number(&metrics["total_executions"]),
        number(&metrics["total_errors"]),
        number(&cardinality["total_labels"]),
        number(&cardinality["dropped_labels"]),
    ))
}

fn storage(storage: &Value) -> Option<String> {
    let kind = storage["kind"].as_str()?;
    if kind == "none" {
        return Some("storage: none".to_owned());
    }
    let mut line = format!(
        "storage: {}, {} traces, {} bytes",
        clip(kind, 20),
        number(&storage["traces"]),
        number(&storage["bytes"])
    );
    if let Some(most) = storage["capacity_bytes"].as_u64() {
        line.push_str(&format!(" of at most {most}"));
    }
    if let Some(free) = storage["free_disk_bytes"].as_u64() {
        line.push_str(&format!(", {free} bytes free"));
    }
    Some(line)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}
