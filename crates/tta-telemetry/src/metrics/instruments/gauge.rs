//! Gauges.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Cells, FamilyCells, Instrument, Refused};
use crate::metrics::definition::MetricKind;
use crate::metrics::sample::MetricValue;

/// Holds a value that goes up and down, in one series: the last one that was set.
///
/// Cheap to clone; clones hold the same value. Threads that write one gauge share its cell.
#[derive(Clone, Debug)]
pub struct Gauge(Cells<GaugeSeries>);

#[derive(Debug)]
pub(crate) struct GaugeSeries {
    bits: AtomicU64,
    refused: Arc<Refused>,
}

impl Gauge {
    /// Replaces the value. Something infinite or not a number is not set, and counted in
    /// [`RecorderCounters::measurements_refused`](crate::RecorderCounters::measurements_refused).
    #[inline]
    pub fn set(&self, value: f64) {
        let Some(series) = &self.0 else { return };
        if value.is_finite() {
            series.bits.store(value.to_bits(), Ordering::Relaxed);
        } else {
            series.refused.count(value);
        }
    }

    /// Adds to the value; below zero takes away. What would make it infinite or not a number is
    /// refused as by [`Gauge::set`].
    #[inline]
    pub fn add(&self, value: f64) {
        let Some(series) = &self.0 else { return };
        let added = |bits: u64| Some(f64::from_bits(bits) + value).filter(|sum| sum.is_finite()).map(f64::to_bits);
        if series.bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, added).is_err() {
            series.refused.count(value);
        }
    }
}

impl Instrument for Gauge {
    type Series = GaugeSeries;

    const KIND: MetricKind = MetricKind::Gauge;

    fn series(metric: &FamilyCells<Self>) -> GaugeSeries {
        GaugeSeries { bits: AtomicU64::new(0.0_f64.to_bits()), refused: Arc::clone(&metric.refused) }
    }

    fn handle(series: Option<Arc<GaugeSeries>>) -> Self {
        Self(series)
    }

    fn read(series: &GaugeSeries) -> MetricValue {
        MetricValue::Number(f64::from_bits(series.bits.load(Ordering::Relaxed)))
    }
}
