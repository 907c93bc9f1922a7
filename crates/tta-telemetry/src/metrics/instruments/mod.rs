//! What is measured with: counters, gauges, histograms, and families of them by label.
//!
//! Owns the handles and how a value is checked. Handles are resolved once and kept; using one is a
//! few uncontended stores to cells of the calling thread, without a lock or an allocation.

mod counter;
mod family;
mod gauge;
mod histogram;

use std::sync::Arc;

pub use counter::Counter;
#[cfg_attr(not(feature = "record"), allow(unused_imports))]
pub(crate) use counter::in_billionths;
pub use family::Family;
pub(crate) use family::{FamilyCells, Instrument};
pub use gauge::Gauge;
pub use histogram::HistogramRecorder;
pub(crate) use histogram::{BucketedCell, histogram_value};

use super::cells::ShardedCounter;

/// Values that were not taken, by cause. One per engine.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    /// Not a number, or infinite.
    pub(crate) not_finite: ShardedCounter,
    /// Below zero where only growth makes sense, or too large.
    pub(crate) out_of_range: ShardedCounter,
}

impl Refused {
    #[cold]
    fn count(&self, value: f64) {
        if value.is_finite() { self.out_of_range.add(1) } else { self.not_finite.add(1) }
    }
}

/// A handle of an engine that records nothing has none.
type Cells<T> = Option<Arc<T>>;
