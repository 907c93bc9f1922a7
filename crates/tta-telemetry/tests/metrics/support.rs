//! An engine whose time stands still, and short ways to ask it.

use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{
    Clock, ManualClock, MetricFamily, MetricValue, Name, SpanStatus, StepInstruments, Telemetry, TelemetryBuilder,
};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Engine {
    pub(crate) telemetry: Telemetry,
    pub(crate) hand: ManualClock,
}

pub(crate) fn engine() -> Engine {
    engine_with(|builder| builder)
}

pub(crate) fn engine_with(configure: impl FnOnce(TelemetryBuilder) -> TelemetryBuilder) -> Engine {
    let (clock, hand) = Clock::manual();
    let builder = Telemetry::builder().clock(clock).by_hand();
    Engine { telemetry: configure(builder).build().unwrap(), hand }
}

impl Engine {
    pub(crate) fn step(&self, workflow: &'static str, name: &'static str) -> Arc<StepInstruments> {
        let of = Name::from_static;
        self.telemetry.instruments(&of(workflow), &of(name), &of("lambda")).unwrap()
    }

    /// Counts an execution of a step that ends now.
    pub(crate) fn count(&self, step: &StepInstruments, ms: u64, status: SpanStatus) {
        step.record(ms * MS, status, self.telemetry.clock().ticks());
    }

    /// What housekeeping does about once a second.
    pub(crate) fn housekeep(&self) {
        assert!(self.telemetry.flush_blocking(LONG).complete);
    }

    pub(crate) fn family(&self, name: &str) -> MetricFamily {
        let found = self.telemetry.collect_metrics().into_iter().find(|family| family.name == name);
        found.unwrap_or_else(|| panic!("there is no {name}"))
    }

    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let family = self.family(name);
        family.value(labels).unwrap_or_else(|| panic!("{name} has no {labels:?}: {family:#?}")).as_f64()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.telemetry.collect_metrics().iter().any(|family| family.name == name)
    }
}

/// Counts and numbers by their labels' values, in order.
pub(crate) fn points(family: &MetricFamily) -> Vec<(String, f64)> {
    let values = |labels: &[(Name, Name)]| labels.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("/");
    family.points.iter().map(|point| (values(&point.labels), point.value.as_f64())).collect()
}

pub(crate) fn histogram(value: &MetricValue) -> &tta_telemetry::HistogramValue {
    match value {
        MetricValue::Histogram(values) => values,
        other => panic!("{other:?} is no histogram"),
    }
}
