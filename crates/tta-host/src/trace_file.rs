//! A sink that appends traces to a file, one JSON line each, and rotates it.
//!
//! Owns writing: opening, appending, rotating, recovering. The format is [`trace_json`]'s, reading
//! is [`read_traces`](crate::read_traces)'s.
//!
//! [`trace_json`]: crate::trace_json

mod append;
mod batch;
mod error;
mod rotate;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tta_telemetry::{Sink, SinkError, Trace};

use crate::siblings::MAX_NUMBER;
use append::AppendFile;
use batch::Batch;
pub use error::TraceFileError;
use error::WriteError;

const DEFAULT_ROTATE_AT_BYTES: u64 = 64 * 1024 * 1024;
const MIN_ROTATE_AT_BYTES: u64 = 4 * 1024;
const DEFAULT_KEEP_FILES: u32 = 5;
/// How often other writers may fill a new file before one puts a line where it has no room.
const ATTEMPTS: u32 = 16;
/// How often a file that others rotate is opened again before one write is given up: enough for
/// several writers with small files on a slow machine, and an end all the same.
const REOPENS: u32 = 1_000;

/// Appends kept traces to a file as JSON lines. See [`trace_json`](crate::trace_json) for the
/// format.
///
/// # Rotation
/// Before a line would take the file past `rotate_at_bytes`, `traces.jsonl` becomes
/// `traces.jsonl.1`, `.1` becomes `.2` and so on; the oldest is deleted. A line is never split over
/// two files; one that is larger than `rotate_at_bytes` has a file of its own.
///
/// # What is on disk, and when
/// A batch is handed to the operating system before `export` returns, with one write per file it
/// goes to. [`Sink::flush`] also waits until the disk has it (`fdatasync`), so what a crash of the
/// machine can take is what came after the last flush; a crash of the process alone takes nothing
/// that was exported.
///
/// # Failures
/// A write that fails (the disk is full) loses its batch, except for the lines that were complete;
/// the next export opens the file anew. Every batch starts on a fresh line: where a full disk or a
/// crash has left half a line behind, that half is closed first, and costs readers no other line.
///
/// # Several writers
/// Any number of sinks in any number of processes may write to one path, with the same settings.
/// Each append and each rotation holds the file's advisory lock (`flock`) and looks first whether
/// the path still names that file, so lines do not interleave and no file is rotated twice. Where
/// the file system has no locks, appends are still single writes at the end of the file, which
/// local file systems do not interleave; rotation by two at once can then lose a file. Off Unix a
/// file that was moved away is noticed only after a failure.
///
/// # Permissions
/// Traces hold what workflows record, so a file that the sink creates is readable by its owner
/// alone (mode 600, on Unix). An existing file keeps its mode.
///
/// # Special files
/// A character device (`/dev/stdout` on a terminal, `/dev/null`) is written to and never rotated.
/// Pipes, sockets and the like are refused.
#[derive(Debug)]
pub struct TraceFileSink {
    path: PathBuf,
    rotate_at_bytes: u64,
    keep_files: u32,
    /// Open between exports; taken out while one runs, and dropped when it fails, which also gives
    /// up the lock.
    file: Option<AppendFile>,
}

/// Settings of a [`TraceFileSink`].
#[derive(Clone, Debug)]
#[must_use]
pub struct TraceFileBuilder {
    path: PathBuf,
    rotate_at_bytes: u64,
    keep_files: u32,
}

impl TraceFileSink {
    /// Starts with the file's path. A relative one is resolved when the file is opened.
    pub fn builder(path: impl Into<PathBuf>) -> TraceFileBuilder {
        TraceFileBuilder { path: path.into(), rotate_at_bytes: DEFAULT_ROTATE_AT_BYTES, keep_files: DEFAULT_KEEP_FILES }
    }

    /// Where the traces go, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that the path names now, open and locked.
    fn current(&mut self) -> Result<AppendFile, WriteError> {
        for _ in 0..REOPENS {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => AppendFile::open(&self.path)?,
            };
            file.lock();
            if file.is_at(&self.path) {
                return Ok(file);
            }
            // Another process rotated it; what this one wrote to it should be as safe as the rest.
            self.sync(&mut file)?;
        }
        Err(WriteError::KeepsMoving { path: self.path.clone() })
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), WriteError> {
        let mut rotations = 0;
        while !batch.is_empty() {
            let mut file = self.current()?;
            let end = file.end().map_err(|source| WriteError::Inspect { path: self.path.clone(), source })?;
            let room = match self.rotate_at_bytes {
                0 => u64::MAX,
                _ if !file.is_regular() => u64::MAX,
                limit => limit.saturating_sub(end.bytes),
            };
            // A line without room in an empty file has room nowhere. The rest is so that this ends.
            let at_least_one = end.bytes == 0 || rotations == ATTEMPTS;
            let Some(lines) = batch.take(room, at_least_one, end.in_line) else {
                self.sync(&mut file)?;
                rotate::rotate(&self.path, self.keep_files)?;
                rotations += 1;
                continue;
            };
            rotations = 0;
            let bytes = lines.len();
            file.append(lines).map_err(|source| WriteError::Write { path: self.path.clone(), bytes, source })?;
            file.unlock();
            self.file = Some(file);
        }
        Ok(())
    }

    fn sync(&self, file: &mut AppendFile) -> Result<(), WriteError> {
        file.sync().map_err(|source| WriteError::Sync { path: self.path.clone(), source })
    }
}

impl Sink for TraceFileSink {
    fn name(&self) -> &str {
        "trace_file"
    }

    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError> {
        let mut batch = Batch::encode(traces);
        self.write(&mut batch).map_err(SinkError::new)?;
        batch.refused().map_or(Ok(()), |error| Err(SinkError::new(error)))
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        self.sync(&mut file).map_err(SinkError::new)?;
        self.file = Some(file);
        Ok(())
    }
}

impl TraceFileBuilder {
    /// Size in bytes past which the file is rotated. Default 64 MiB; 0 never rotates; otherwise at
    /// least 4 KiB.
    pub fn rotate_at_bytes(mut self, bytes: u64) -> Self {
        self.rotate_at_bytes = bytes;
        self
    }

    /// How many rotated files are kept beside the current one. Default 5; 1 to 1,000; 0 is refused.
    /// Those with higher numbers, left from a higher setting, are deleted at the next rotation.
    pub fn keep_files(mut self, files: u32) -> Self {
        self.keep_files = files;
        self
    }

    /// Checks the settings and opens the file, creating it if need be. Traces that are in it stay.
    ///
    /// # Errors
    /// A setting outside its range; a path that names no file, or a directory, or something else
    /// that is not a file; a parent directory that does not exist (it is not created); or the
    /// operating system's refusal.
    pub fn open(self) -> Result<TraceFileSink, TraceFileError> {
        let Self { path, rotate_at_bytes, keep_files } = self;
        if rotate_at_bytes != 0 && rotate_at_bytes < MIN_ROTATE_AT_BYTES {
            let accepted = "0 (never) or at least 4096";
            return Err(TraceFileError::Setting { setting: "rotate_at_bytes", given: rotate_at_bytes, accepted });
        }
        if !(1..=MAX_NUMBER).contains(&keep_files) {
            let given = keep_files.into();
            return Err(TraceFileError::Setting { setting: "keep_files", given, accepted: "1 to 1000" });
        }
        if path.file_name().is_none() {
            return Err(TraceFileError::NoFileName { path });
        }
        // The working directory may change before the next rotation.
        let path = std::path::absolute(&path).map_err(|source| TraceFileError::Open { path, source })?;
        let file = Some(AppendFile::open(&path)?);
        Ok(TraceFileSink { path, rotate_at_bytes, keep_files, file })
    }
}

#[cfg(test)]
mod tests;
