//! Exact numbers about steps, computed from every run before any sampling.
//!
//! Owns the percentile histogram, its windows of time, throughput, what is counted of each step,
//! instruments that programs register, the table of tta's own metrics, and reading all of it.
//! Recording is a few uncontended stores to cells of the calling thread; reading merges the cells
//! of all threads. How metrics are written for a scraper is `tta-server`'s.

mod bounds;
mod buckets;
pub mod catalog;
mod cells;
mod codec;
mod count_window;
mod definition;
mod histogram;
mod instruments;
mod meter;
mod percentiles;
mod rolling;
mod sample;
mod source;
mod step;
mod throughput;

#[cfg_attr(not(feature = "record"), allow(unused_imports))]
pub(crate) use cells::{CounterArray, PerThread, ShardedCounter};
pub use codec::HistogramDecodeError;
pub use definition::{Metric, MetricError, MetricKind, Unit};
pub use histogram::Histogram;
#[cfg_attr(not(feature = "record"), allow(unused_imports))]
pub(crate) use instruments::in_billionths;
pub use instruments::{Counter, Family, Gauge, HistogramRecorder};
#[cfg_attr(not(feature = "record"), allow(unused_imports))]
pub(crate) use meter::Meter;
pub(crate) use meter::Registered;
pub use percentiles::Percentiles;
pub use rolling::{RollingHistogram, RollingPercentiles, RollingWindow};
pub use sample::{Exemplar, HistogramValue, MetricFamily, MetricPoint, MetricValue};
pub use source::{MetricCollector, MetricSource};
pub use step::{BasicMetrics, PrimitiveMetrics, StepInstruments, StepStatistics};
#[cfg_attr(not(feature = "record"), allow(unused_imports))]
pub(crate) use step::{StepRegistry, write_steps};
pub use throughput::{ActiveRequest, Throughput, ThroughputStats};
