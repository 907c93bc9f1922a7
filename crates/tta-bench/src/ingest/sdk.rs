//! The Python SDK, which sends what it records to `tta serve`.

use super::Reading;
use super::process::{Server, environment};
use crate::measurement::Plan;
use serde::Deserialize;
use std::process::Command;

const SCRIPT: &str = include_str!("sdk.py");
const BURSTS_PER_SECOND: f64 = 15.0;

/// What the script prints.
#[derive(Deserialize)]
struct Sent {
    spans: u64,
    seconds: f64,
    cpu_seconds: f64,
}

pub(super) fn measure(plan: &Plan) -> anyhow::Result<Reading> {
    let server = Server::tta()?;
    let mut command = Command::new(environment()?.join("bin").join("python"));
    command.args(["-c", SCRIPT, &format!("http://{}/v1/traces", server.otlp)]);
    command.arg(format!("{}", f64::from(plan.bursts) / BURSTS_PER_SECOND));
    let server_ns = server.cpu_ns()?;
    let output = command.output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sent: Sent = serde_json::from_slice(&output.stdout)?;
    let server_ns = server.cpu_ns()? - server_ns;
    let spans = sent.spans as f64;
    let reading = Reading {
        per_second: spans / sent.seconds,
        server_cpu: server_ns as f64 / 1e3 / spans,
        sender_cpu: sent.cpu_seconds * 1e6 / spans,
        peak_mib: server.peak_bytes()? as f64 / f64::from(1 << 20),
        refused_percent: 0.0,
        health_p99_ms: None,
        metrics_p99_ms: None,
        sampling_p99_ms: None,
    };
    anyhow::ensure!(server.end()?, "the server did not end in order");
    Ok(reading)
}
