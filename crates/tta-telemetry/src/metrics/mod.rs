//! Exact numbers about steps, computed from every run before any sampling.
//!
//! Owns the percentile histogram and the per-step cells. Recording is a few uncontended stores to
//! cells of the calling thread; reading merges the cells of all threads.

mod buckets;
mod cells;
mod histogram;
mod registry;

#[cfg(feature = "record")]
pub(crate) use cells::ShardedCounter;
pub(crate) use cells::{CounterArray, PerThread};
pub use histogram::Histogram;
#[cfg(feature = "record")]
pub(crate) use registry::InstrumentRegistry;
pub use registry::{StepInstruments, StepStatistics};
