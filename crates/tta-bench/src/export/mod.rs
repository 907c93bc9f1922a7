//! Spans sent on by OTLP over HTTP: what it costs to hand over a batch of them, to a collector that is
//! well, to one that is slow and to none at all; by tta and by OpenTelemetry's SDK with its exporter.
//!
//! Each measurement is a process of its own, and so is its collector. Taking spans is `ingest`, pushing
//! metrics `push`.

mod collector;
mod load;
mod ours;
mod sdk;
mod section;
mod spans;

use crate::arguments::Arguments;
use crate::group::{GroupCase, middle_of};
use crate::ingest;
use crate::measurement::Plan;
use collector::State;
use serde::{Deserialize, Serialize};
use std::path::Path;

pub(crate) use section::render;

/// Who sends, and to which collector.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// In the table, and after `export/` the name to run it by.
    name: &'static str,
    /// What is measured, as a sentence of the report.
    about: &'static str,
    run: fn(&Plan) -> anyhow::Result<Reading>,
}

/// In the order in which they take turns.
const CASES: &[Case] = &[
    Case {
        name: "tta, healthy",
        about: "`OtlpSink::export`, which encodes the batch and puts it in the queue; the collector is \
            `tta serve`. On an engine it is called by the sink's own thread: no workflow waits for it. \
            While the queue is full and the collector takes what it gets, it waits for room, at most 20 ms.",
        run: |plan| load::measure(&mut ours::Ours::start(State::Healthy)?, plan),
    },
    Case {
        name: "tta, slow",
        about: "the same, to a receiver that answers each request after 200 ms and does nothing else.",
        run: |plan| load::measure(&mut ours::Ours::start(State::Slow)?, plan),
    },
    Case {
        name: "tta, dead",
        about: "the same, to a port at which nobody listens.",
        run: |plan| load::measure(&mut ours::Ours::start(State::Dead)?, plan),
    },
    Case {
        name: "opentelemetry-otlp, healthy",
        about: "`on_end` of the SDK's batch processor for each span, which puts it in a queue; its thread \
            encodes and sends one batch after the other, with the blocking client of reqwest.",
        run: |plan| load::measure(&mut sdk::Sdk::start(State::Healthy)?, plan),
    },
    Case {
        name: "opentelemetry-otlp, slow",
        about: "the same, to the receiver that answers after 200 ms.",
        run: |plan| load::measure(&mut sdk::Sdk::start(State::Slow)?, plan),
    },
    Case {
        name: "opentelemetry-otlp, dead",
        about: "the same, to the port at which nobody listens; it does not try again.",
        run: |plan| load::measure(&mut sdk::Sdk::start(State::Dead)?, plan),
    },
];

/// What one process has measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Microseconds for handing over a batch, at a steady pace.
    hand_p50_us: f64,
    hand_p99_us: f64,
    /// The same without a pause between batches.
    full_p99_us: f64,
    /// Milliseconds from handing over a batch until the collector has said that it has taken it.
    taken_p50_ms: Option<f64>,
    taken_p99_ms: Option<f64>,
    /// Spans a second that the collector has taken, without a pause between batches.
    per_second: f64,
    /// Of a hundred spans handed over meanwhile, so many were dropped.
    lost_percent: f64,
    /// Microseconds of CPU of the whole process for a span handed over meanwhile.
    cpu_us: f64,
    /// What the process had at most above what it had before it exported.
    memory_mib: f64,
}

/// One row for each case that was wanted.
pub(crate) struct Outcome(Vec<(Case, Reading)>);

impl GroupCase for Case {
    const GROUP: &'static str = "export";
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
    let cases = Case::wanted(arguments);
    if cases.is_empty() {
        return Ok(None);
    }
    ingest::build_server(runner)?;
    let rows = Case::take_turns(cases, arguments, runner)?;
    Ok(Some(Outcome(rows)))
}

middle_of!(Reading { hand_p50_us, hand_p99_us, full_p99_us, per_second, lost_percent, cpu_us, memory_mib } some { taken_p50_ms, taken_p99_ms });
