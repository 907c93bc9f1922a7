//! The instruments of tta.

use super::load::{COUNTER, HELP, HISTOGRAM, KEY, ROUTES, SERIES, Updates, Value};
use crate::steps::recorded;
use tta_telemetry::{Counter, Family, HistogramRecorder, Metric, MetricValue, Telemetry, Unit};

const RECORDS: bool = cfg!(feature = "record");

/// Handles that were looked up once.
pub(super) struct CachedCounter(Telemetry, Vec<Counter>);

/// Looked up for every update.
pub(super) struct CounterWith(Telemetry, Family<Counter>);

/// Handles that were looked up once; values in seconds, or as whole nanoseconds.
pub(super) struct CachedHistogram<const RAW: bool>(Telemetry, Vec<HistogramRecorder>);

/// Looked up for every update.
pub(super) struct HistogramWith(Telemetry, Family<HistogramRecorder>);

fn counter() -> anyhow::Result<(Telemetry, Family<Counter>)> {
    let telemetry = recorded()?;
    let family = telemetry.counter(Metric::named(COUNTER).help(HELP).labels(&[KEY]))?;
    Ok((telemetry, family))
}

fn histogram() -> anyhow::Result<(Telemetry, Family<HistogramRecorder>)> {
    let telemetry = recorded()?;
    let family = telemetry.histogram(Metric::named(HISTOGRAM).help(HELP).unit(Unit::Seconds).labels(&[KEY]))?;
    Ok((telemetry, family))
}

/// What a scrape would find.
fn counted(telemetry: &Telemetry, metric: &str) -> [u64; SERIES] {
    let families = telemetry.collect_metrics();
    let family = families.iter().find(|family| family.name == metric);
    ROUTES.map(|route| match family.and_then(|family| family.value(&[(KEY, route)])) {
        Some(MetricValue::Count(count)) => *count,
        Some(MetricValue::Histogram(histogram)) => histogram.count,
        Some(MetricValue::Number(_)) | None => 0,
    })
}

impl Updates for CachedCounter {
    const RECORDS: bool = RECORDS;

    fn start() -> anyhow::Result<Self> {
        let (telemetry, family) = counter()?;
        let handles = ROUTES.iter().map(|route| family.with(&[route])).collect::<Result<_, _>>()?;
        Ok(Self(telemetry, handles))
    }

    #[inline]
    fn update_each(&self, _: &[Value; SERIES]) {
        self.1.iter().for_each(|counter| counter.add(1));
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        Ok(counted(&self.0, COUNTER))
    }
}

impl Updates for CounterWith {
    const RECORDS: bool = RECORDS;

    fn start() -> anyhow::Result<Self> {
        let (telemetry, family) = counter()?;
        Ok(Self(telemetry, family))
    }

    #[inline]
    fn update_each(&self, _: &[Value; SERIES]) {
        for route in ROUTES {
            // One that fails is missing in the count.
            if let Ok(counter) = self.1.with(&[route]) {
                counter.add(1);
            }
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        Ok(counted(&self.0, COUNTER))
    }
}

impl<const RAW: bool> Updates for CachedHistogram<RAW> {
    const RECORDS: bool = RECORDS;

    fn start() -> anyhow::Result<Self> {
        let (telemetry, family) = histogram()?;
        let handles = ROUTES.iter().map(|route| family.with(&[route])).collect::<Result<_, _>>()?;
        Ok(Self(telemetry, handles))
    }

    #[inline]
    fn update_each(&self, values: &[Value; SERIES]) {
        for (histogram, value) in self.1.iter().zip(values) {
            if RAW {
                histogram.record_raw(value.nanos);
            } else {
                histogram.record(value.seconds);
            }
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        Ok(counted(&self.0, HISTOGRAM))
    }
}

impl Updates for HistogramWith {
    const RECORDS: bool = RECORDS;

    fn start() -> anyhow::Result<Self> {
        let (telemetry, family) = histogram()?;
        Ok(Self(telemetry, family))
    }

    #[inline]
    fn update_each(&self, values: &[Value; SERIES]) {
        for (route, value) in ROUTES.into_iter().zip(values) {
            // One that fails is missing in the count.
            if let Ok(histogram) = self.1.with(&[route]) {
                histogram.record(value.seconds);
            }
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        Ok(counted(&self.0, HISTOGRAM))
    }
}
