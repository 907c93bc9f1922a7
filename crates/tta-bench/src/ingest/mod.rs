//! Spans of other processes, taken by OTLP over HTTP: by `tta serve` and by another collector in Rust;
//! and what the Python SDK pays to send them. What a span costs inside, benches of the crates measure.
//!
//! Each measurement is a process of its own that sends, to a server that is another one.

mod load;
pub(crate) mod process;
pub(crate) mod request;
mod sdk;
mod section;
pub(crate) mod wire;

use crate::arguments::Arguments;
use crate::group::{GroupCase, middle_of};
use crate::measurement::Plan;
use anyhow::Context as _;
use process::Server;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

pub(crate) use section::render;

/// The packages of Python, in the versions that are quoted.
const PACKAGES: [&str; 3] =
    ["rotel==0.0.1a15", "opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2"];
/// Spans a second that are to be taken.
const TO_TAKE: u64 = 300_000;

/// Who takes spans, or sends them.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// In the table, and after `ingest/` the name to run it by.
    name: &'static str,
    /// What is measured, as a sentence of the report.
    about: &'static str,
    run: fn(&Plan) -> anyhow::Result<Reading>,
    /// Whether it is of the packages.
    is_peer: bool,
}

/// In the order in which they take turns.
const CASES: &[Case] = &[
    Case {
        name: "tta serve",
        about: "the binary with the preset of production, which keeps 5 % of ordinary traces. Memory \
            is full of traces that wait before the measurement begins, so that each further span is \
            paid for by deciding about an older one; at the end the server says that all are decided \
            about.",
        run: |plan| load::measure(Server::tta()?, plan, None),
        is_peer: false,
    },
    Case {
        name: "tta serve, at 300000/s",
        about: "the same, sent no faster than so many spans a second.",
        run: |plan| load::measure(Server::tta()?, plan, Some(TO_TAKE)),
        is_peer: false,
    },
    Case {
        name: "rotel",
        about: "Rotel, a collector in Rust, with its blackhole exporter: it decodes all spans, puts \
            them into batches and drops them. It counts nothing, assembles no traces and decides \
            nothing.",
        run: |plan| load::measure(Server::rotel()?, plan, None),
        is_peer: true,
    },
    Case {
        name: "Python SDK",
        about: "one Python process that records the same spans and sends them in batches of 512 by its \
            OTLP exporter over HTTP, to `tta serve`; nothing else is sent.",
        run: sdk::measure,
        is_peer: true,
    },
];

/// What one process has measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Spans that were accepted in a second of the wall clock.
    per_second: f64,
    /// Microseconds of CPU that a span took in the server, its kernel's included: seconds a million.
    server_cpu: f64,
    /// The same in the sender, probes included.
    sender_cpu: f64,
    /// The most memory that the server had.
    peak_mib: f64,
    /// Of a hundred spans sent, so many were not accepted.
    refused_percent: f64,
    /// Of a hundred such requests one took longer.
    health_p99_ms: Option<f64>,
    metrics_p99_ms: Option<f64>,
    sampling_p99_ms: Option<f64>,
}

/// One row for each case that was wanted and could be.
pub(crate) struct Outcome {
    rows: Vec<(Case, Reading)>,
    /// Why there are no peers, if there are none.
    skipped: Option<String>,
}

impl GroupCase for Case {
    const GROUP: &'static str = "ingest";
    const CASES: &'static [Self] = CASES;
    type Reading = Reading;

    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, plan: &Plan) -> anyhow::Result<Reading> {
        (self.run)(plan)
    }
}

/// All wanted cases in turn, round by round; nothing if none is wanted.
pub(crate) fn measure(arguments: &Arguments, runner: &Path) -> anyhow::Result<Option<Outcome>> {
    let mut cases = Case::wanted(arguments);
    if cases.is_empty() {
        return Ok(None);
    }
    build_server(runner)?;
    let installed = if cases.iter().any(|case| case.is_peer) { install() } else { Ok(()) };
    let skipped = installed.err().map(|error| format!("{error:#}"));
    if let Some(reason) = &skipped {
        writeln!(std::io::stderr().lock(), "ingest: peers skipped: {reason}").ok();
        cases.retain(|case| !case.is_peer);
    }
    let rows = Case::take_turns(cases, arguments, runner)?;
    Ok(Some(Outcome { rows, skipped }))
}

/// Under cargo the server is built if it is missing or older than its source; otherwise it is taken
/// as it lies beside this binary.
pub(crate) fn build_server(runner: &Path) -> anyhow::Result<()> {
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--release", "--package", "tta-cli", "--bin", process::TTA]);
        let target = runner.parent().and_then(Path::parent);
        command.args(target.into_iter().flat_map(|target| ["--target-dir".as_ref(), target.as_os_str()]));
        anyhow::ensure!(command.status()?.success(), "cannot build `{}`", process::TTA);
    }
    let server = runner.with_file_name(process::TTA);
    anyhow::ensure!(server.exists(), "`tta` is missing: build it with `cargo build --release -p tta-cli`");
    Ok(())
}

/// Makes the virtual environment with the peers, if it is not there.
fn install() -> anyhow::Result<()> {
    let directory = process::environment()?;
    let python = directory.join("bin").join("python");
    let run = |command: &mut Command| {
        let output = command.output().context("python3 is not installed")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().last().unwrap_or_default().to_owned();
        anyhow::ensure!(output.status.success(), "the packages cannot be installed: {last}");
        anyhow::Ok(())
    };
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&directory))?;
    }
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES))?;
    process::rotel_program().map(drop).context("rotel's package has no program for this machine")
}

middle_of!(Reading { per_second, server_cpu, sender_cpu, peak_mib, refused_percent } some { health_p99_ms, metrics_p99_ms, sampling_p99_ms });
