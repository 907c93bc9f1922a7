//! Exact numbers about steps, computed from every run before any sampling.
//!
//! Owns the percentile histogram, its windows of time, throughput, and the per-step cells. Recording is a few uncontended stores to
//! cells of the calling thread; reading merges the cells of all threads.

mod buckets;
mod cells;
mod codec;
mod count_window;
mod histogram;
mod percentiles;
mod registry;
mod rolling;
mod throughput;

#[cfg(feature = "record")]
pub(crate) use cells::ShardedCounter;
pub(crate) use cells::{CounterArray, PerThread};
pub use codec::HistogramDecodeError;
pub use histogram::Histogram;
pub use percentiles::Percentiles;
#[cfg(feature = "record")]
pub(crate) use registry::InstrumentRegistry;
pub use registry::{StepInstruments, StepStatistics};
pub use rolling::{RollingHistogram, RollingPercentiles, RollingWindow};
pub use throughput::{ActiveRequest, Throughput, ThroughputStats};
