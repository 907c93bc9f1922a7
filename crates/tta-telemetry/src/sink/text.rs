//! A sink that writes each trace as a tree of text.

use std::io::Write;
use std::sync::Arc;

use super::{Sink, SinkError};
use crate::model::Trace;
use crate::tree::TraceTree;

/// Writes kept traces as text trees (see [`TraceTree`]), one after another.
pub struct TextSink {
    out: Box<dyn Write + Send>,
}

impl TextSink {
    /// Writes to `out`: standard error, a file, a buffer.
    #[must_use]
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { out: Box::new(out) }
    }
}

impl Sink for TextSink {
    fn name(&self) -> &str {
        "text"
    }

    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError> {
        for trace in traces {
            writeln!(self.out, "{}", TraceTree::new(trace)).map_err(SinkError::new)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.out.flush().map_err(SinkError::new)
    }
}
