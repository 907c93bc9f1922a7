//! The crate `metrics`, with the recorder of its Prometheus exporter for the whole process.

use super::load::{BUCKETS, COUNTER, HISTOGRAM, KEY, ROUTES, SERIES, Updates, Value, counts_in};
use ::metrics::{counter, histogram};
use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

/// What the facade's recorder is read through.
struct Recorder(PrometheusHandle);

/// The macro for every update.
pub(super) struct CounterMacro(Recorder);

/// What the macro returned once.
pub(super) struct CachedCounter(Recorder, Vec<::metrics::Counter>);

/// The macro for every update.
pub(super) struct HistogramMacro(Recorder);

/// What the macro returned once.
pub(super) struct CachedHistogram(Recorder, Vec<::metrics::Histogram>);

impl Recorder {
    /// A process has one, whatever is measured in it.
    fn install() -> anyhow::Result<Self> {
        static INSTALLED: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let install = || PrometheusBuilder::new().set_buckets(&BUCKETS).ok()?.install_recorder().ok();
        let handle = INSTALLED.get_or_init(install).clone();
        Ok(Self(handle.context("the exporter's recorder cannot be installed")?))
    }

    /// What the exporter does from time to time, with every sample since the last time.
    fn settle(&self) {
        self.0.run_upkeep();
    }

    fn counted(&self, sample: &str) -> anyhow::Result<[u64; SERIES]> {
        counts_in(&self.0.render(), sample)
    }
}

impl Updates for CounterMacro {
    fn start() -> anyhow::Result<Self> {
        Ok(Self(Recorder::install()?))
    }

    #[inline]
    fn update_each(&self, _: &[Value; SERIES]) {
        for route in ROUTES {
            counter!(COUNTER, KEY => route).increment(1);
        }
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        self.0.counted(COUNTER)
    }
}

impl Updates for CachedCounter {
    fn start() -> anyhow::Result<Self> {
        let recorder = Recorder::install()?;
        let handles = ROUTES.iter().map(|route| counter!(COUNTER, KEY => *route)).collect();
        Ok(Self(recorder, handles))
    }

    #[inline]
    fn update_each(&self, _: &[Value; SERIES]) {
        self.1.iter().for_each(|counter| counter.increment(1));
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        self.0.counted(COUNTER)
    }
}

/// The count of a histogram, in the exporter's text.
const COUNT: &str = "bench_latency_seconds_count";

impl Updates for HistogramMacro {
    fn start() -> anyhow::Result<Self> {
        Ok(Self(Recorder::install()?))
    }

    #[inline]
    fn update_each(&self, values: &[Value; SERIES]) {
        for (route, value) in ROUTES.into_iter().zip(values) {
            histogram!(HISTOGRAM, KEY => route).record(value.seconds);
        }
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        self.0.counted(COUNT)
    }
}

impl Updates for CachedHistogram {
    fn start() -> anyhow::Result<Self> {
        let recorder = Recorder::install()?;
        let handles = ROUTES.iter().map(|route| histogram!(HISTOGRAM, KEY => *route)).collect();
        Ok(Self(recorder, handles))
    }

    #[inline]
    fn update_each(&self, values: &[Value; SERIES]) {
        for (histogram, value) in self.1.iter().zip(values) {
            histogram.record(value.seconds);
        }
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        self.0.counted(COUNT)
    }
}
