//! What can go wrong when a trace file is read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use tta_telemetry::TraceId;

use crate::trace_json::MAX_LINE_BYTES;

/// What a line should have been.
const A_TRACE: &str =
    "a trace is one JSON object on a line, as trace files of tta have it (`version`, `trace_id`, `spans`, ...)";

/// Why a trace, or a file, could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("cannot open trace file `{path}`: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file was opened, and reading it failed.
    #[error("{path}:{line}: cannot read on: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The directory that may hold rotated files cannot be listed.
    #[error("cannot list directory `{directory}` for rotated trace files: {source}")]
    List {
        /// The directory.
        directory: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A line is not a trace.
    #[error("{path}:{line}:{column}: this line is no trace: {message}; {A_TRACE}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The byte in the line, from 1.
        column: usize,
        /// What was wrong, clipped, without control characters.
        message: String,
        /// The file ends in this line; see [`ReadError::is_torn_tail`].
        torn_tail: bool,
    },
    /// A line is longer than any that is written.
    #[error("{path}:{line}:{column}: the line is too long, accepted are at most {MAX_LINE_BYTES} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The first byte too many.
        column: usize,
    },
    /// A text is no prefix of a trace id.
    #[error("`{given}` is not a prefix of a trace id: expected 4 to 32 hexadecimal digits")]
    Prefix {
        /// The text, clipped.
        given: String,
    },
    /// Several traces have the prefix.
    #[error("trace id prefix `{prefix}` is ambiguous: {}", candidates_of(candidates, *has_more))]
    Ambiguous {
        /// The prefix given.
        prefix: String,
        /// Up to 5 of the ids, those in the youngest file first.
        candidates: Vec<TraceId>,
        /// There are others.
        has_more: bool,
    },
}

impl ReadError {
    /// Whether this is about the last line of a file, which has no line break: a writer is in the
    /// middle of it, or never finished it.
    #[must_use]
    pub fn is_torn_tail(&self) -> bool {
        matches!(self, ReadError::Line { torn_tail: true, .. })
    }
}

fn candidates_of(candidates: &[TraceId], has_more: bool) -> String {
    let mut texts: Vec<String> = candidates.iter().map(TraceId::to_string).collect();
    texts.extend(has_more.then(|| "and more".to_owned()));
    texts.join(", ")
}
