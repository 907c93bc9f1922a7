//! A sink that keeps the last traces in memory, for tests and live views.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Sink, SinkError};
use crate::model::Trace;

/// Traces kept unless said otherwise.
const DEFAULT_CAPACITY: usize = 10_000;

/// Keeps the most recent traces. Clones share them: give one to the engine and read the other.
#[derive(Clone, Debug)]
pub struct MemorySink(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    traces: VecDeque<Arc<Trace>>,
    capacity: usize,
    overwritten: u64,
}

impl Default for MemorySink {
    fn default() -> Self {
        Self::new()
    }
}

impl MemorySink {
    /// Keeps up to 10,000 traces.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// Keeps up to `capacity` traces (at least 1); the oldest give way.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(Kept { traces: VecDeque::new(), capacity: capacity.max(1), overwritten: 0 })))
    }

    /// All kept traces, oldest first.
    #[must_use]
    pub fn traces(&self) -> Vec<Arc<Trace>> {
        self.kept().traces.iter().cloned().collect()
    }

    /// Takes all kept traces out.
    #[must_use]
    pub fn take(&self) -> Vec<Arc<Trace>> {
        self.kept().traces.drain(..).collect()
    }

    /// How many traces had to give way.
    #[must_use]
    pub fn overwritten(&self) -> u64 {
        self.kept().overwritten
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for MemorySink {
    fn name(&self) -> &str {
        "memory"
    }

    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError> {
        let mut kept = self.kept();
        kept.traces.extend(traces.iter().cloned());
        let over = kept.traces.len().saturating_sub(kept.capacity);
        kept.traces.drain(..over);
        kept.overwritten += over as u64;
        Ok(())
    }
}
