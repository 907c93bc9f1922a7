//! Reading trace files: one after the other, or the one trace that is wanted.
//!
//! Owns lines, their errors, and putting a trace back together from its parts. The format of a line
//! is [`trace_json`](crate::trace_json)'s.

mod error;
mod find;
mod lines;
mod merge;
mod scan;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use tta_telemetry::Trace;

use crate::siblings;
use crate::trace_json::{MAX_LINE_BYTES, from_json};
pub use error::ReadError;
pub use find::{find_trace, find_trace_by_prefix};
use lines::{Line, Lines};

const READ_BUFFER_BYTES: usize = 128 * 1024;

/// The traces of one file, in the order in which they were written. See [`read_traces`].
#[derive(Debug)]
#[must_use = "iterators do nothing until they are read"]
pub struct TraceReader {
    path: PathBuf,
    state: State,
    line_bytes: u64,
}

impl TraceReader {
    /// Bytes of the line that the last item is from, with its line break; 0 before the first item,
    /// and of a line that is too long.
    #[must_use]
    pub fn line_bytes(&self) -> u64 {
        self.line_bytes
    }
}

#[derive(Debug)]
enum State {
    Failed(ReadError),
    Reading(Lines<BufReader<File>>),
    Done,
}

/// Reads the traces of one file, a line at a time.
///
/// Blank lines are skipped. A line that is not a trace is an error, and the iterator goes on with
/// the next one; so does a line of more than 64 MiB, which is never held in memory. A last line
/// that somebody is still writing, or never finished, is an error for which
/// [`ReadError::is_torn_tail`] holds. When the file cannot be opened or read, that error is the
/// last item.
///
/// Late parts ([`Trace::late`]) come as traces of their own; [`find_trace`] puts them together.
/// Rotated files are not read; see [`trace_files`].
pub fn read_traces(path: impl Into<PathBuf>) -> TraceReader {
    let path = path.into();
    let state = match open(&path) {
        Ok(lines) => State::Reading(lines),
        Err(error) => State::Failed(error),
    };
    TraceReader { path, state, line_bytes: 0 }
}

/// The files that exist for a path, the current one first, then the rotated ones from young to old.
///
/// # Errors
/// The directory cannot be listed.
pub fn trace_files(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, ReadError> {
    let path = path.as_ref();
    let numbers = siblings::numbers(path)
        .map_err(|source| ReadError::List { directory: siblings::directory(path).to_owned(), source })?;
    let rotated = numbers.into_iter().map(|number| siblings::rotated(path, number));
    Ok(std::iter::once(path.to_owned()).filter(|path| path.exists()).chain(rotated).collect())
}

impl Iterator for TraceReader {
    type Item = Result<Trace, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut lines = match std::mem::replace(&mut self.state, State::Done) {
            State::Failed(error) => return Some(Err(error)),
            State::Reading(lines) => lines,
            State::Done => return None,
        };
        loop {
            let item = match lines.next_line() {
                Ok(None) => return None,
                Ok(Some(line)) if line.is_blank() => continue,
                Ok(Some(line)) => {
                    self.line_bytes = line.bytes.len() as u64 + u64::from(line.has_end);
                    read_line(&self.path, &line)
                }
                Err(source) => return Some(Err(unreadable(&self.path, &lines, source))),
            };
            self.state = State::Reading(lines);
            return Some(item);
        }
    }
}

fn open(path: &Path) -> Result<Lines<BufReader<File>>, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    Ok(Lines::new(BufReader::with_capacity(READ_BUFFER_BYTES, file), MAX_LINE_BYTES))
}

fn unreadable<R: std::io::BufRead>(path: &Path, lines: &Lines<R>, source: std::io::Error) -> ReadError {
    ReadError::Read { path: path.to_owned(), line: lines.number() + 1, source }
}

/// The trace on a line.
fn read_line(path: &Path, line: &Line<'_>) -> Result<Trace, ReadError> {
    let path = || path.to_owned();
    if line.is_too_long {
        return Err(ReadError::TooLong { path: path(), line: line.number, column: MAX_LINE_BYTES + 1 });
    }
    from_json(line.bytes).map_err(|error| ReadError::Line {
        path: path(),
        line: line.number,
        column: error.column(),
        message: error.message().to_owned(),
        torn_tail: !line.has_end,
    })
}
