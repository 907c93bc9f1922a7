//! The crate `measured`, whose dense labels are the variants of an enumeration.

use super::load::{BUCKETS, SERIES, Updates, Value};
use ::measured::label::StaticLabelSet;
use ::measured::metric::histogram::Thresholds;
use ::measured::{CounterVec, FixedCardinalityLabel, HistogramVec};
use std::sync::atomic::Ordering;

#[derive(Clone, Copy, Debug, PartialEq, FixedCardinalityLabel)]
#[label(singleton = "route")]
enum Route {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

const ROUTES: [Route; SERIES] = [
    Route::R0,
    Route::R1,
    Route::R2,
    Route::R3,
    Route::R4,
    Route::R5,
    Route::R6,
    Route::R7,
    Route::R8,
    Route::R9,
    Route::R10,
    Route::R11,
    Route::R12,
    Route::R13,
    Route::R14,
    Route::R15,
];

const LIMITS: usize = BUCKETS.len();

pub(super) struct Counters(CounterVec<StaticLabelSet<Route>>);

pub(super) struct Histograms(HistogramVec<StaticLabelSet<Route>, LIMITS>);

impl Updates for Counters {
    fn start() -> anyhow::Result<Self> {
        Ok(Self(CounterVec::dense()))
    }

    #[inline]
    fn update_each(&self, _: &[Value; SERIES]) {
        for route in std::hint::black_box(&ROUTES) {
            self.0.inc(*route);
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        Ok(ROUTES.map(|route| self.0.get_metric(self.0.with_labels(route)).count.load(Ordering::Relaxed)))
    }
}

impl Updates for Histograms {
    fn start() -> anyhow::Result<Self> {
        Ok(Self(HistogramVec::dense_with_metadata(Thresholds::with_buckets(BUCKETS))))
    }

    #[inline]
    fn update_each(&self, values: &[Value; SERIES]) {
        for (route, value) in std::hint::black_box(&ROUTES).iter().zip(values) {
            self.0.observe(*route, value.seconds);
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        Ok(ROUTES.map(|route| {
            let histogram = self.0.get_metric(self.0.with_labels(route));
            let inner = histogram.inner.read();
            inner.buckets.iter().chain([&inner.inf]).map(|bucket| bucket.load(Ordering::Relaxed)).sum()
        }))
    }
}
