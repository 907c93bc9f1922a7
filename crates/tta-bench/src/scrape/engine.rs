//! An engine with a thousand series and more, as a process has that has run for a while.

use crate::durations::log_normal;
use anyhow::Context as _;
use std::sync::Arc;
use tta_telemetry::{
    MetricFamily, MetricValue, Name, Sampling, SpanStatus, StepInstruments, Telemetry, TelemetryBuilder,
};

pub(super) const STEPS: usize = 60;

/// Executions of each step before anything is measured.
const EXECUTIONS: usize = 200;

/// One execution in so many fails.
const FAILS_EVERY: usize = 50;

pub(super) struct Engine {
    pub(super) telemetry: Telemetry,
    pub(super) steps: Vec<Arc<StepInstruments>>,
    /// Multiples of a step's median.
    multiples: Vec<f64>,
}

impl Engine {
    pub(super) fn start(builder: TelemetryBuilder) -> anyhow::Result<Self> {
        let telemetry = builder.sampling(Sampling::KeepNone).build()?;
        Ok(Self { telemetry, steps: Vec::with_capacity(STEPS), multiples: log_normal(1_024) })
    }

    /// An engine whose steps have been executed for a while.
    pub(super) fn with_steps() -> anyhow::Result<Self> {
        let mut engine = Self::start(Telemetry::builder())?;
        engine.make_steps()?;
        engine.execute(EXECUTIONS);
        Ok(engine)
    }

    pub(super) fn make_steps(&mut self) -> anyhow::Result<()> {
        let (workflow, kind) = (Name::from_static("checkout"), Name::from_static("lambda"));
        for number in 0..STEPS {
            let name = Name::from(format!("step-{number:02}"));
            let step = self.telemetry.instruments(&workflow, &name, &kind);
            self.steps.push(step.context("the recorder is compiled out")?);
        }
        Ok(())
    }

    /// Executes every step so often.
    pub(super) fn execute(&self, times: usize) {
        for turn in 0..times {
            for (number, step) in self.steps.iter().enumerate() {
                let failed = (turn + number) % FAILS_EVERY == 0;
                let status = if failed { SpanStatus::Error } else { SpanStatus::Ok };
                step.record(self.duration_ns(turn, number), status, self.telemetry.clock().ticks());
                if failed {
                    step.count_error("timeout");
                }
            }
        }
    }

    /// The medians of the steps lie between 0.1 ms and 0.4 s.
    #[inline]
    pub(super) fn duration_ns(&self, turn: usize, step: usize) -> u64 {
        let multiple = self.multiples.get((turn * 61 + step) % 1_024).copied().unwrap_or(1.0);
        (1e5 * 1.15_f64.powi(step as i32) * multiple) as u64
    }
}

/// How many lines a page in Prometheus' format has for these, comments apart.
pub(super) fn series(families: &[MetricFamily]) -> u64 {
    let lines = families.iter().flat_map(|family| &family.points).map(|point| match &point.value {
        // One for each limit and for infinity, and the count and the sum.
        MetricValue::Histogram(histogram) => histogram.limits.len() as u64 + 3,
        MetricValue::Count(_) | MetricValue::Number(_) => 1,
    });
    lines.sum()
}
