//! The metrics of the OpenTelemetry SDK, with a reader that exports when it is asked to.

use super::load::{BUCKETS, COUNTER, HISTOGRAM, KEY, ROUTES, SERIES, Updates, Value};
use ::opentelemetry::KeyValue;
use ::opentelemetry::metrics::{Counter, Histogram, MeterProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So long that only a flush exports.
const DAY: Duration = Duration::from_secs(86_400);

/// Takes what the SDK exports: how often every series was updated.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<[u64; SERIES]>>);

/// The SDK, and the attributes of each series, made once.
struct Pipeline {
    provider: SdkMeterProvider,
    counts: Counts,
    attributes: [[KeyValue; 1]; SERIES],
}

pub(super) struct Counted(Pipeline, Counter<u64>);

pub(super) struct Measured(Pipeline, Histogram<f64>);

impl Counts {
    fn set(&self, of: &[&KeyValue], count: u64) {
        let route = of.iter().find(|attribute| attribute.key.as_str() == KEY).map(|attribute| attribute.value.as_str());
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (slot, known) in counts.iter_mut().zip(ROUTES) {
            if route.as_deref() == Some(known) {
                *slot = count;
            }
        }
    }
}

impl PushMetricExporter for Counts {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                    sum.data_points().for_each(|point| self.set(&point.attributes().collect::<Vec<_>>(), point.value()))
                }
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => histogram
                    .data_points()
                    .for_each(|point| self.set(&point.attributes().collect::<Vec<_>>(), point.count())),
                _ => {}
            }
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

impl Pipeline {
    fn start() -> Self {
        let counts = Counts::default();
        let reader = PeriodicReader::builder(counts.clone()).with_interval(DAY).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        Self { provider, counts, attributes: ROUTES.map(|route| [KeyValue::new(KEY, route)]) }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        self.provider.force_flush()?;
        Ok(*self.counts.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Updates for Counted {
    fn start() -> anyhow::Result<Self> {
        let pipeline = Pipeline::start();
        let counter = pipeline.provider.meter("tta-bench").u64_counter(COUNTER).build();
        Ok(Self(pipeline, counter))
    }

    #[inline]
    fn update_each(&self, _: &[Value; SERIES]) {
        for attributes in &self.0.attributes {
            self.1.add(1, attributes);
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        self.0.counted()
    }
}

impl Updates for Measured {
    fn start() -> anyhow::Result<Self> {
        let pipeline = Pipeline::start();
        let meter = pipeline.provider.meter("tta-bench");
        let histogram = meter.f64_histogram(HISTOGRAM).with_boundaries(BUCKETS.to_vec()).build();
        Ok(Self(pipeline, histogram))
    }

    #[inline]
    fn update_each(&self, values: &[Value; SERIES]) {
        for (attributes, value) in self.0.attributes.iter().zip(values) {
            self.1.record(value.seconds, attributes);
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        self.0.counted()
    }
}
