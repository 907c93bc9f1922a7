//! The crate `prometheus`.

use super::load::{BUCKETS, COUNTER, HELP, HISTOGRAM, KEY, ROUTES, SERIES, Updates, Value};
use ::prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts};

/// `with_label_values` for every update.
pub(super) struct CounterVec(IntCounterVec);

/// What it returned once.
pub(super) struct CachedCounter(Vec<IntCounter>);

/// `with_label_values` for every update.
pub(super) struct LookedUpHistogram(HistogramVec);

/// What it returned once.
pub(super) struct CachedHistogram(Vec<Histogram>);

impl Updates for CounterVec {
    fn start() -> anyhow::Result<Self> {
        Ok(Self(IntCounterVec::new(Opts::new(COUNTER, HELP), &[KEY])?))
    }

    #[inline]
    fn update_each(&self, _: &[Value; SERIES]) {
        for route in ROUTES {
            self.0.with_label_values(&[route]).inc();
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        Ok(ROUTES.map(|route| self.0.with_label_values(&[route]).get()))
    }
}

impl Updates for CachedCounter {
    fn start() -> anyhow::Result<Self> {
        let CounterVec(family) = CounterVec::start()?;
        Ok(Self(ROUTES.iter().map(|route| family.with_label_values(&[route])).collect()))
    }

    #[inline]
    fn update_each(&self, _: &[Value; SERIES]) {
        self.0.iter().for_each(IntCounter::inc);
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        super::in_order(self.0.iter().map(IntCounter::get))
    }
}

impl Updates for LookedUpHistogram {
    fn start() -> anyhow::Result<Self> {
        let options = HistogramOpts::new(HISTOGRAM, HELP).buckets(BUCKETS.to_vec());
        Ok(Self(HistogramVec::new(options, &[KEY])?))
    }

    #[inline]
    fn update_each(&self, values: &[Value; SERIES]) {
        for (route, value) in ROUTES.into_iter().zip(values) {
            self.0.with_label_values(&[route]).observe(value.seconds);
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        Ok(ROUTES.map(|route| self.0.with_label_values(&[route]).get_sample_count()))
    }
}

impl Updates for CachedHistogram {
    fn start() -> anyhow::Result<Self> {
        let LookedUpHistogram(family) = LookedUpHistogram::start()?;
        Ok(Self(ROUTES.iter().map(|route| family.with_label_values(&[route])).collect()))
    }

    #[inline]
    fn update_each(&self, values: &[Value; SERIES]) {
        for (histogram, value) in self.0.iter().zip(values) {
            histogram.observe(value.seconds);
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        super::in_order(self.0.iter().map(Histogram::get_sample_count))
    }
}
