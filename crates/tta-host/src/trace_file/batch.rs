//! A batch of traces as the bytes to append, handed out in whole lines.

use std::sync::Arc;

use tta_telemetry::Trace;

use super::error::WriteError;
use crate::trace_json::{MAX_LINE_BYTES, append_json};

/// Lines waiting to be written.
#[derive(Debug)]
pub(super) struct Batch {
    /// A line break, then the lines, each with its own. So the byte before any line is a line
    /// break, and starting on a fresh line is starting one byte earlier.
    bytes: Vec<u8>,
    /// The first byte of the first waiting line.
    start: usize,
    /// One past the line break of every line.
    ends: Vec<usize>,
    /// How many lines were taken.
    taken: usize,
    refused: Option<WriteError>,
}

impl Batch {
    pub(super) fn encode(traces: &[Arc<Trace>]) -> Self {
        let mut batch = Self { bytes: vec![b'\n'], start: 1, ends: Vec::new(), taken: 0, refused: None };
        for trace in traces {
            let trace_id = trace.trace_id;
            let before = batch.bytes.len();
            if let Err(source) = append_json(trace, &mut batch.bytes) {
                batch.refused = Some(WriteError::Encode { trace_id, source });
                continue;
            }
            let bytes = batch.bytes.len() - before;
            if bytes > MAX_LINE_BYTES {
                // No reader would take it back.
                batch.bytes.truncate(before);
                batch.refused = Some(WriteError::TooLong { trace_id, bytes });
                continue;
            }
            batch.bytes.push(b'\n');
            batch.ends.push(batch.bytes.len());
        }
        batch
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.ends.len()
    }

    /// Why the last of the traces that are in no line is in none.
    pub(super) fn refused(self) -> Option<WriteError> {
        self.refused
    }

    /// The next lines, as many as have room; `None` if none has, unless one is taken anyway.
    /// `in_line`: a line break comes first, because the file ends in the middle of a line.
    pub(super) fn take(&mut self, room_bytes: u64, at_least_one: bool, in_line: bool) -> Option<&[u8]> {
        let start = self.start - usize::from(in_line);
        let waiting = self.ends.get(self.taken..)?;
        let fitting = waiting.partition_point(|end| (end - start) as u64 <= room_bytes);
        let count = fitting.max(usize::from(at_least_one));
        let end = *waiting.get(count.checked_sub(1)?)?;
        self.taken += count;
        self.start = end;
        self.bytes.get(start..end)
    }
}
