//! Where kept traces go: the `Sink` trait and the bounded queue and thread behind each.
//!
//! A sink is called on a thread of its own, so it may block; a slow one loses traces, counted,
//! and delays nobody else.

mod memory;
mod queue;
mod text;
mod worker;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

pub use memory::MemorySink;
pub use text::TextSink;
pub use worker::SinkStatus;
#[cfg_attr(not(feature = "record"), allow(unused_imports))]
pub(crate) use worker::{ExportTimes, PACE, SinkWorker};

use crate::model::Trace;

/// A destination of kept traces.
///
/// Each sink of an engine has its own thread and bounded queue; the engine never waits for it,
/// except in [`Telemetry::flush`](crate::Telemetry::flush) and shutdown, and there not beyond the
/// deadline.
pub trait Sink: Send + 'static {
    /// A short stable name, for counters and reports.
    fn name(&self) -> &str;

    /// Takes a batch, at least one trace.
    ///
    /// # Errors
    /// The batch counts as lost; the sink is called again with the next one. A panic counts as an
    /// error.
    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError>;

    /// Writes out whatever is buffered.
    ///
    /// # Errors
    /// Counted, and reported by the flush that asked.
    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Why a sink could not take a batch.
#[derive(Debug)]
pub struct SinkError(Box<dyn Error + Send + Sync>);

impl SinkError {
    /// Wraps any error or message.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sink failed: {}", self.0)
    }
}

impl Error for SinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
