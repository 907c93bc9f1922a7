//! What can go wrong when a trace file is opened, and when it is written to.
//!
//! Messages hold the operating system's reason, because a sink's last error is kept as text.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use tta_telemetry::TraceId;

use crate::trace_json::{MAX_LINE_BYTES, TraceJsonError};

/// Why a trace file cannot be opened for writing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TraceFileError {
    /// A setting is outside its range.
    #[error("setting `{setting}` is {given}, accepted is {accepted}")]
    Setting {
        /// The method of [`TraceFileBuilder`](crate::TraceFileBuilder).
        setting: &'static str,
        /// The value given.
        given: u64,
        /// The accepted range, in words.
        accepted: &'static str,
    },
    /// The path is empty, is a root, or ends in `..`.
    #[error("cannot open trace file `{path}`: the path names no file")]
    NoFileName {
        /// The path given.
        path: PathBuf,
    },
    /// The parent directory is missing; it is not created.
    #[error("cannot open trace file `{path}`: there is no directory `{directory}`")]
    NoDirectory {
        /// The file.
        path: PathBuf,
        /// What is missing.
        directory: PathBuf,
    },
    /// The path names a directory.
    #[error("cannot open trace file `{path}`: it is a directory, accepted is a file")]
    IsDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The path names a pipe, a socket or a block device.
    #[error("cannot open trace file `{path}`: accepted is a regular file or a character device")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error("cannot open trace file `{path}` for reading and appending: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
}

/// Why a batch, or a part of it, was not written.
#[derive(Debug, Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Open(#[from] TraceFileError),
    #[error("trace file `{path}` was replaced again and again while it was being opened")]
    KeepsMoving { path: PathBuf },
    #[error("cannot read the end of trace file `{path}`: {source}")]
    Inspect { path: PathBuf, source: io::Error },
    #[error("cannot write {bytes} bytes to trace file `{path}`: {source}")]
    Write { path: PathBuf, bytes: usize, source: io::Error },
    #[error("cannot write trace file `{path}` through to the disk: {source}")]
    Sync { path: PathBuf, source: io::Error },
    #[error("cannot list the rotated files of `{path}`: {source}")]
    List { path: PathBuf, source: io::Error },
    #[error("cannot rotate trace file `{from}` to `{to}`: {source}")]
    Rotate { from: PathBuf, to: PathBuf, source: io::Error },
    #[error("cannot delete the oldest trace file `{path}`: {source}")]
    Delete { path: PathBuf, source: io::Error },
    #[error(
        "trace {trace_id} takes {bytes} bytes, accepted is at most {MAX_LINE_BYTES}; the rest of its batch was written"
    )]
    TooLong { trace_id: TraceId, bytes: usize },
    #[error("trace {trace_id} has no JSON form: {source}; the rest of its batch was written")]
    Encode { trace_id: TraceId, source: TraceJsonError },
}
