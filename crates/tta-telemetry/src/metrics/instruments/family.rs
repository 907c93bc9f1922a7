//! The series of one metric that is registered.

use std::fmt;
use std::sync::{Arc, LazyLock};

use super::Refused;
use crate::cardinality::{LabelLimiter, SeriesError, SeriesSet};
use crate::metrics::bounds::Bounds;
use crate::metrics::definition::{LATENCY_BUCKETS, Metric, MetricKind};
use crate::metrics::sample::{MetricFamily, MetricPoint, MetricValue};
use crate::model::Name;

/// Something that values go into.
pub(crate) trait Instrument: Sized {
    type Series: fmt::Debug + Send + Sync + 'static;

    const KIND: MetricKind;

    fn series(metric: &FamilyCells<Self>) -> Self::Series;

    /// `None` for one that does nothing.
    fn handle(series: Option<Arc<Self::Series>>) -> Self;

    fn read(series: &Self::Series) -> MetricValue;
}

/// A metric with its series, one for each combination of label values: got from
/// [`Telemetry::counter`](crate::Telemetry::counter) and the like.
///
/// Cheap to clone. Label values are limited as everywhere
/// ([`CardinalityLimits`](crate::CardinalityLimits)): what is beyond is counted together.
#[expect(private_bounds, reason = "the instruments are those of this crate")]
pub struct Family<I: Instrument>(Option<Arc<FamilyCells<I>>>);

pub(crate) struct FamilyCells<I: Instrument> {
    pub(super) metric: Metric,
    pub(super) bounds: Arc<Bounds>,
    pub(super) refused: Arc<Refused>,
    series: SeriesSet<I::Series>,
}

/// What counters and gauges have in place of bounds.
static NO_BOUNDS: LazyLock<Arc<Bounds>> = LazyLock::new(|| Arc::new(Bounds::new(&[], 1.0)));

impl<I: Instrument> FamilyCells<I> {
    /// The metric must have been checked.
    pub(crate) fn new(metric: Metric, limiter: &LabelLimiter, refused: &Arc<Refused>) -> Self {
        let keys: Vec<&str> = metric.labels.iter().map(Name::as_str).collect();
        let series = SeriesSet::new(limiter, metric.name.clone(), &keys);
        let bounds = match I::KIND {
            MetricKind::Histogram => {
                let limits = metric.buckets.as_deref().unwrap_or(&LATENCY_BUCKETS);
                Arc::new(Bounds::new(limits, metric.resolution_or_default()))
            }
            MetricKind::Counter | MetricKind::Gauge | MetricKind::Info => Arc::clone(&NO_BOUNDS),
        };
        Self { metric, bounds, refused: Arc::clone(refused), series }
    }

    pub(crate) fn metric(&self) -> &Metric {
        &self.metric
    }

    pub(crate) fn read(&self) -> MetricFamily {
        let point = |(values, series): (Arc<[Name]>, Arc<I::Series>)| MetricPoint {
            labels: self.metric.labels.iter().cloned().zip(values.iter().cloned()).collect(),
            value: I::read(&series),
        };
        MetricFamily {
            name: self.metric.name.clone(),
            help: self.metric.help.clone(),
            kind: I::KIND,
            unit: self.metric.unit,
            points: self.series.read().into_iter().map(point).collect(),
        }
    }
}

#[expect(private_bounds, reason = "the instruments are those of this crate")]
impl<I: Instrument> Family<I> {
    pub(crate) fn new(cells: Option<Arc<FamilyCells<I>>>) -> Self {
        Self(cells)
    }

    /// The instrument for these label values, one for each key and in the keys' order. Look it up
    /// once and keep it: this takes some 100 ns.
    ///
    /// # Errors
    /// A number of values that is not the number of keys.
    pub fn with(&self, values: &[&str]) -> Result<I, SeriesError> {
        let Some(cells) = &self.0 else { return Ok(I::handle(None)) };
        cells.series.resolve(values, || I::series(cells)).map(|series| I::handle(Some(series)))
    }

    /// The instrument for label values that are as many as there are keys.
    pub(crate) fn at<const N: usize>(&self, values: [&str; N]) -> I {
        let found = self.with(&values);
        debug_assert!(found.is_ok(), "{found:?}", found = found.as_ref().err());
        found.unwrap_or_else(|_| I::handle(None))
    }
}

impl<I: Instrument> Clone for Family<I> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<I: Instrument> fmt::Debug for Family<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.0.as_ref().map(|cells| &cells.metric);
        f.debug_struct("Family").field("metric", &metric).finish_non_exhaustive()
    }
}
