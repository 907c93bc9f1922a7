//! Where lines go.
//!
//! Owns that each line is written whole, and that a writer that fails or panics does no harm.

use std::cell::Cell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use crate::counters::Count;

thread_local! {
    static IS_WRITING: Cell<bool> = const { Cell::new(false) };
}

/// Takes lines from any thread.
pub(super) struct Writer {
    sink: Mutex<Sink>,
    counters: LoggingCounters,
}

struct Sink {
    write: Box<dyn Write + Send>,
    /// The last line may have been written in part.
    is_broken: bool,
}

/// Reads what became of the lines of a [`Logging`](super::Logging). Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LoggingCounters(Arc<Cells>);

#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) written: Count,
    pub(super) truncated: Count,
    pub(super) failed: Count,
    pub(super) recursive: Count,
}

/// What became of the lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoggingCounts {
    /// Lines that the writer took.
    pub written_lines: u64,
    /// Of those, lines that were cut because they were too long.
    pub truncated_lines: u64,
    /// Lines that the writer refused, or panicked at.
    pub failed_lines: u64,
    /// Lines that the writer itself wanted to log while it wrote one; they are dropped.
    pub recursive_lines: u64,
}

impl LoggingCounters {
    /// The counts as they are now.
    #[must_use]
    pub fn read(&self) -> LoggingCounts {
        LoggingCounts {
            written_lines: self.0.written.get(),
            truncated_lines: self.0.truncated.get(),
            failed_lines: self.0.failed.get(),
            recursive_lines: self.0.recursive.get(),
        }
    }
}

impl Writer {
    pub(super) fn new(write: Box<dyn Write + Send>) -> Self {
        Self { sink: Mutex::new(Sink { write, is_broken: false }), counters: LoggingCounters::default() }
    }

    pub(super) fn counters(&self) -> &LoggingCounters {
        &self.counters
    }

    /// Whether this thread is writing a line: what is logged meanwhile comes from the writer.
    pub(super) fn is_busy_here(&self) -> bool {
        let is_writing = IS_WRITING.try_with(Cell::get).unwrap_or(true);
        if is_writing {
            self.counters.0.recursive.add();
        }
        is_writing
    }

    /// Writes a line, which ends in a line break.
    pub(super) fn write(&self, line: &[u8], is_truncated: bool) {
        let _ = IS_WRITING.try_with(|is_writing| is_writing.set(true));
        let is_written = self.sink.lock().unwrap_or_else(PoisonError::into_inner).write(line);
        let _ = IS_WRITING.try_with(|is_writing| is_writing.set(false));
        let cells = &self.counters.0;
        if !is_written {
            return cells.failed.add();
        }
        cells.written.add();
        if is_truncated {
            cells.truncated.add();
        }
    }
}

impl Sink {
    fn write(&mut self, line: &[u8]) -> bool {
        let Self { write, is_broken } = self;
        // A writer that panicked is used again: what it does then is up to it.
        let written = catch_unwind(AssertUnwindSafe(|| {
            if *is_broken {
                write.write_all(b"\n")?;
            }
            write.write_all(line)?;
            write.flush()
        }));
        let is_written = matches!(&written, Ok(Ok(())));
        // What was thrown may panic as well when it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(written)));
        self.is_broken = !is_written;
        is_written
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("counters", &self.counters).finish_non_exhaustive()
    }
}
