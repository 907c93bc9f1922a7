//! The crate `prometheus-client`.

use super::load::{BUCKETS, COUNTER, HELP, HISTOGRAM, ROUTES, SERIES, Updates, Value, counts_in};
use ::prometheus_client::encoding::{EncodeLabelSet, text};
use ::prometheus_client::metrics::counter::Counter;
use ::prometheus_client::metrics::family::Family;
use ::prometheus_client::metrics::histogram::Histogram;
use ::prometheus_client::registry::Registry;

#[derive(Clone, Copy, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Labels {
    route: &'static str,
}

/// The label sets, made once.
fn labels() -> [Labels; SERIES] {
    ROUTES.map(|route| Labels { route })
}

type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// `get_or_create` for every update.
pub(super) struct CounterFamily(Registry, Family<Labels, Counter>, [Labels; SERIES]);

/// What it returned once.
pub(super) struct CachedCounter(Vec<Counter>);

/// `get_or_create` for every update.
pub(super) struct HistogramFamily(Registry, Histograms, [Labels; SERIES]);

/// What it returned once.
pub(super) struct CachedHistogram(Registry, Vec<Histogram>);

fn counted(registry: &Registry, sample: &str) -> anyhow::Result<[u64; SERIES]> {
    let mut page = String::new();
    text::encode(&mut page, registry)?;
    counts_in(&page, sample)
}

impl Updates for CounterFamily {
    fn start() -> anyhow::Result<Self> {
        let (mut registry, family) = (Registry::default(), Family::default());
        // The library adds the ending.
        registry.register(COUNTER.trim_end_matches("_total"), HELP, family.clone());
        Ok(Self(registry, family, labels()))
    }

    #[inline]
    fn update_each(&self, _: &[Value; SERIES]) {
        for labels in &self.2 {
            self.1.get_or_create(labels).inc();
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        counted(&self.0, COUNTER)
    }
}

impl Updates for CachedCounter {
    fn start() -> anyhow::Result<Self> {
        let CounterFamily(_, family, labels) = CounterFamily::start()?;
        Ok(Self(labels.iter().map(|labels| family.get_or_create_owned(labels)).collect()))
    }

    #[inline]
    fn update_each(&self, _: &[Value; SERIES]) {
        for counter in &self.0 {
            counter.inc();
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        super::in_order(self.0.iter().map(Counter::get))
    }
}

impl Updates for HistogramFamily {
    fn start() -> anyhow::Result<Self> {
        let mut registry = Registry::default();
        let family = Histograms::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register(HISTOGRAM, HELP, family.clone());
        Ok(Self(registry, family, labels()))
    }

    #[inline]
    fn update_each(&self, values: &[Value; SERIES]) {
        for (labels, value) in self.2.iter().zip(values) {
            self.1.get_or_create(labels).observe(value.seconds);
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        counted(&self.0, "bench_latency_seconds_count")
    }
}

impl Updates for CachedHistogram {
    fn start() -> anyhow::Result<Self> {
        let HistogramFamily(registry, family, labels) = HistogramFamily::start()?;
        let handles = labels.iter().map(|labels| family.get_or_create_owned(labels)).collect();
        Ok(Self(registry, handles))
    }

    #[inline]
    fn update_each(&self, values: &[Value; SERIES]) {
        for (histogram, value) in self.1.iter().zip(values) {
            histogram.observe(value.seconds);
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        counted(&self.0, "bench_latency_seconds_count")
    }
}
