//! What a reader of metrics gets: plain data, read in one pass.

use std::sync::Arc;

use super::definition::{MetricKind, Unit};
use super::histogram::Histogram;
use crate::id::{SpanId, TraceId};
use crate::model::Name;

/// All series of one metric, as they were read.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricFamily {
    /// The metric's name; a counter's ends in `_total`.
    pub name: Name,
    /// What it is, in a sentence; may be empty.
    pub help: Name,
    /// How its values behave.
    pub kind: MetricKind,
    /// What they are measured in.
    pub unit: Unit,
    /// One for each combination of labels, each combination once.
    pub points: Vec<MetricPoint>,
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPoint {
    /// Keys and values, in the metric's order. An empty value is the same as no label.
    pub labels: Vec<(Name, Name)>,
    /// Its value.
    pub value: MetricValue,
}

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricValue {
    /// Of a counter that counts things.
    Count(u64),
    /// Of a gauge, or of a counter that adds up what has fractions.
    Number(f64),
    /// Of a histogram.
    Histogram(Box<HistogramValue>),
}

/// The value of a histogram's series. `count`, `cumulative` and `values` are of one reading.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramValue {
    /// The upper limits of the buckets, inclusive, in the metric's unit; one more is without limit.
    pub limits: Arc<[f64]>,
    /// How many values do not exceed each limit.
    pub cumulative: Vec<u64>,
    /// How many values.
    pub count: u64,
    /// Their sum, in the metric's unit.
    pub sum: f64,
    /// The same values in narrow buckets, as multiples of `resolution`.
    pub values: Histogram,
    /// In the metric's unit.
    pub resolution: f64,
    /// For each bucket, the one without limit included, a kept trace that has a value of it. Empty
    /// when there is none at all.
    pub exemplars: Vec<Option<Exemplar>>,
}

/// A value together with the kept trace it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// The trace; it was kept.
    pub trace_id: TraceId,
    /// The span whose value it is.
    pub span_id: SpanId,
    /// In the metric's unit.
    pub value: f64,
    /// When, in nanoseconds since the Unix epoch.
    pub unix_ns: u64,
}

impl MetricFamily {
    /// The value of the series that has these labels, among others.
    #[must_use]
    pub fn value(&self, labels: &[(&str, &str)]) -> Option<&MetricValue> {
        let has = |point: &&MetricPoint| {
            labels.iter().all(|(key, value)| point.labels.iter().any(|(k, v)| k == *key && v == *value))
        };
        self.points.iter().find(has).map(|point| &point.value)
    }
}

impl MetricValue {
    /// A counter's or gauge's value; a histogram's count.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match self {
            MetricValue::Count(count) => *count as f64,
            MetricValue::Number(number) => *number,
            MetricValue::Histogram(values) => values.count as f64,
        }
    }
}
