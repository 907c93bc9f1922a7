//! What the layer could not do, counted.
//!
//! Owns the cells and the handle that reads them. Losses inside a trace are counted by the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Cells {
    pub(crate) unrecorded_spans: Count,
    pub(crate) unfollowed_enters: Count,
}

/// Reads the counts of a [`TracingLayer`](crate::TracingLayer), also after it was given away.
#[derive(Clone, Debug)]
pub struct TracingCounters(pub(crate) Arc<Cells>);

/// What a layer could not do, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TracingCounts {
    /// Spans that were not recorded because too many were open.
    pub unrecorded_spans: u64,
    /// Enters that did not move the thread to the span because too many were under way.
    pub unfollowed_enters: u64,
}

impl TracingCounters {
    /// The counts as they are now.
    #[must_use]
    pub fn read(&self) -> TracingCounts {
        TracingCounts {
            unrecorded_spans: self.0.unrecorded_spans.get(),
            unfollowed_enters: self.0.unfollowed_enters.get(),
        }
    }
}
