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
use crate::driver;
use crate::ingest;
use crate::measurement::{Plan, median};
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

impl Case {
    pub(crate) fn full_name(&self) -> String {
        format!("export/{}", self.name)
    }

    /// Measures it in this process.
    pub(crate) fn run(&self, plan: &Plan) -> anyhow::Result<Reading> {
        (self.run)(plan)
    }
}

pub(crate) fn find(name: &str) -> Option<Case> {
    CASES.iter().find(|case| case.full_name() == name).copied()
}

/// All wanted cases in turn, round by round; nothing if none is wanted.
pub(crate) fn measure(arguments: &Arguments, runner: &Path) -> anyhow::Result<Option<Outcome>> {
    let cases: Vec<Case> = CASES.iter().filter(|case| arguments.wants(&case.full_name())).copied().collect();
    if cases.is_empty() {
        return Ok(None);
    }
    ingest::build_server(runner)?;
    let names: Vec<String> = cases.iter().map(Case::full_name).collect();
    let readings = driver::take_turns::<Reading>(arguments, runner, &names)?;
    let rows = cases.into_iter().zip(readings).map(|(case, readings)| (case, Reading::middle(&readings)));
    Ok(Some(Outcome(rows.collect())))
}

impl Reading {
    /// Each figure's median.
    fn middle(readings: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| median(readings.iter().map(figure));
        let optional = |figure: fn(&Self) -> Option<f64>| {
            let figures: Vec<f64> = readings.iter().filter_map(figure).collect();
            (!figures.is_empty()).then(|| median(figures))
        };
        Self {
            hand_p50_us: middle(|reading| reading.hand_p50_us),
            hand_p99_us: middle(|reading| reading.hand_p99_us),
            full_p99_us: middle(|reading| reading.full_p99_us),
            taken_p50_ms: optional(|reading| reading.taken_p50_ms),
            taken_p99_ms: optional(|reading| reading.taken_p99_ms),
            per_second: middle(|reading| reading.per_second),
            lost_percent: middle(|reading| reading.lost_percent),
            cpu_us: middle(|reading| reading.cpu_us),
            memory_mib: middle(|reading| reading.memory_mib),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_found_by_their_full_names() {
        for case in CASES {
            assert_eq!(find(&case.full_name()).unwrap().name, case.name);
        }
        assert!(find("export/").is_none());
    }

    #[test]
    fn the_rounds_of_a_case_are_summed_up_figure_by_figure() {
        let reading = |hand_p99_us, taken_p99_ms, memory_mib| Reading {
            hand_p50_us: 1.0,
            hand_p99_us,
            full_p99_us: 2.0,
            taken_p50_ms: taken_p99_ms,
            taken_p99_ms,
            per_second: 3.0,
            lost_percent: 0.0,
            cpu_us: 4.0,
            memory_mib,
        };
        let readings = [reading(3.0, Some(7.0), 1.0), reading(1.0, None, 3.0), reading(2.0, Some(8.0), 2.0)];
        assert_eq!(Reading::middle(&readings), reading(2.0, Some(7.5), 2.0));
    }
}
