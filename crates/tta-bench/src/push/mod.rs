//! Metrics pushed by OTLP and by Prometheus remote write: how long one request takes, and how many series
//! can be sent in a second; by tta and by OpenTelemetry's SDK with its exporter.
//!
//! Each measurement is a process of its own, and so is its receiver. What a scrape costs is `scrape`.

mod load;
mod ours;
mod prometheus;
mod sdk;
mod section;

use crate::arguments::Arguments;
use crate::group::{GroupCase, middle_of};
use crate::measurement::Plan;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tta_otlp::export::PushFormat;

pub(crate) use section::render;

/// Who pushes, and where to.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// In the table, and after `push/` the name to run it by.
    name: &'static str,
    /// What is measured, as a sentence of the report.
    about: &'static str,
    run: fn(&Plan) -> anyhow::Result<Reading>,
    /// Whether it needs a program that may be missing.
    needs_prometheus: bool,
}

/// Series in a request, as configured by default.
const BATCH: usize = load::REQUEST_SERIES;

/// In the order in which they take turns.
const CASES: &[Case] = &[
    Case {
        name: "tta, OTLP",
        about: "`MetricsPush`, to a receiver that reads each request to its end and answers.",
        run: |plan| load::measure(|size| ours::Ours::start(PushFormat::Otlp, size, BATCH, ours::receiver()?), plan),
        needs_prometheus: false,
    },
    Case {
        name: "tta, remote write",
        about: "the same by Prometheus remote write 1.0, to the same receiver. A histogram is a series for \
            each bucket, its sum and its count.",
        run: |plan| {
            load::measure(|size| ours::Ours::start(PushFormat::RemoteWrite, size, BATCH, ours::receiver()?), plan)
        },
        needs_prometheus: false,
    },
    Case {
        name: "tta, Prometheus",
        about: "the same by remote write to a Prometheus, which stores all of it.",
        run: |plan| {
            load::measure(|size| ours::Ours::start(PushFormat::RemoteWrite, size, BATCH, prometheus::start()?), plan)
        },
        needs_prometheus: true,
    },
    Case {
        name: "tta, OTLP at once",
        about: "the first, but with all series in one request (`metrics.batch_size` = 100000), as the next one sends them.",
        run: |plan| load::measure(|size| ours::Ours::start(PushFormat::Otlp, size, 100_000, ours::receiver()?), plan),
        needs_prometheus: false,
    },
    Case {
        name: "opentelemetry-otlp",
        about: "the SDK's periodic reader, told to flush, with its exporter of OTLP and the blocking client of \
            reqwest, to the receiver; it sends all series in one request.",
        run: |plan| load::measure(sdk::Sdk::start, plan),
        needs_prometheus: false,
    },
];

/// What one process has measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Milliseconds of a push that is one request of [`load::REQUEST_SERIES`] series.
    p50_ms: f64,
    p99_ms: f64,
    /// Series of a push of many requests.
    series: f64,
    /// Series sent in a second by such pushes, without a pause between them.
    per_second: f64,
    /// Microseconds of CPU of the whole process for each of them.
    cpu_us: f64,
}

/// One row for each case that was wanted and could be.
pub(crate) struct Outcome {
    rows: Vec<(Case, Reading)>,
    has_prometheus: bool,
}

impl GroupCase for Case {
    const GROUP: &'static str = "push";
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
    let has_prometheus = prometheus::version().is_some();
    cases.retain(|case| has_prometheus || !case.needs_prometheus);
    let rows = Case::take_turns(cases, arguments, runner)?;
    Ok(Some(Outcome { rows, has_prometheus }))
}

middle_of!(Reading { p50_ms, p99_ms, series, per_second, cpu_us });
