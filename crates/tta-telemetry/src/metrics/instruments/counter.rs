//! Counters.

use std::sync::Arc;

use super::{Cells, FamilyCells, Instrument, Refused};
use crate::metrics::cells::ShardedCounter;
use crate::metrics::definition::{Metric, MetricKind, Unit};
use crate::metrics::sample::MetricValue;

/// Counts something that only grows, in one series.
///
/// Cheap to clone; clones count together. Counting takes under 2 ns, and threads do not slow each
/// other down. A handle of an engine that records nothing counts nothing.
#[derive(Clone, Debug)]
pub struct Counter(Cells<CounterSeries>);

#[derive(Debug)]
pub(crate) struct CounterSeries {
    count: ShardedCounter,
    /// What one counted unit is worth: 1, or a billionth of a dollar or second.
    scale: f64,
    refused: Arc<Refused>,
}

impl Counter {
    /// Adds some, in whole units: things, bytes, or billionths of a second or dollar where the
    /// metric's unit is one of these.
    #[inline]
    pub fn add(&self, units: u64) {
        if let Some(series) = &self.0 {
            series.count.add(units);
        }
    }

    /// Adds an amount in the metric's unit: seconds, dollars. Something negative, infinite or not a
    /// number is not added, and counted in
    /// [`RecorderCounters::measurements_refused`](crate::RecorderCounters::measurements_refused).
    #[inline]
    pub fn add_value(&self, value: f64) {
        let Some(series) = &self.0 else { return };
        let units = (value / series.scale).round();
        if (0.0..i64::MAX as f64).contains(&units) {
            series.count.add(units as u64);
        } else {
            series.refused.count(value);
        }
    }
}

impl Instrument for Counter {
    type Series = CounterSeries;

    const KIND: MetricKind = MetricKind::Counter;

    fn series(metric: &FamilyCells<Self>) -> CounterSeries {
        let scale = scale_of(&metric.metric);
        CounterSeries { count: ShardedCounter::default(), scale, refused: Arc::clone(&metric.refused) }
    }

    fn handle(series: Option<Arc<CounterSeries>>) -> Self {
        Self(series)
    }

    fn read(series: &CounterSeries) -> MetricValue {
        let units = series.count.get();
        if series.scale.to_bits() == 1.0_f64.to_bits() {
            MetricValue::Count(units)
        } else {
            MetricValue::Number(in_billionths(units))
        }
    }
}

fn scale_of(metric: &Metric) -> f64 {
    match metric.unit {
        Unit::Seconds | Unit::Dollars | Unit::Ratio => 1e-9,
        Unit::None | Unit::Bytes => 1.0,
    }
}

/// The number nearest to so many billionths. Dividing is exact to the last digit where multiplying
/// by 1e-9, which is no binary fraction, is not.
pub(crate) fn in_billionths(units: u64) -> f64 {
    units as f64 / 1e9
}
