//! One open trace file: appending, its end, its lock.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::error::TraceFileError;
use crate::siblings;

#[derive(Debug)]
pub(super) struct AppendFile {
    file: File,
    regular: bool,
    /// Written to since it was last put on the disk.
    unsynced: bool,
}

/// Where the next byte goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The file's size.
    pub(super) bytes: u64,
    /// The last line has no line break: its writer crashed or ran out of disk.
    pub(super) in_line: bool,
}

impl AppendFile {
    pub(super) fn open(path: &Path) -> Result<Self, TraceFileError> {
        let refused = |source| TraceFileError::Open { path: path.to_owned(), source };
        // Looked at before it is opened: opening a pipe waits for somebody to read it.
        match fs::metadata(path) {
            Ok(metadata) => check_kind(path, &metadata)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let directory = siblings::directory(path);
                if fs::metadata(directory).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                    return Err(TraceFileError::NoDirectory { path: path.into(), directory: directory.into() });
                }
            }
            Err(error) => return Err(refused(error)),
        }
        let mut options = OpenOptions::new();
        // Read access is for the last byte, and for locks on Windows.
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        check_kind(path, &metadata)?;
        Ok(Self { file, regular: metadata.is_file(), unsynced: false })
    }

    pub(super) fn is_regular(&self) -> bool {
        self.regular
    }

    /// Waits until this is the only writer. Closing the file gives up the lock as well.
    pub(super) fn lock(&self) {
        // Where there are no locks writing goes on without; see `TraceFileSink`, Several writers.
        while self.regular && self.file.lock().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
    }

    pub(super) fn unlock(&self) {
        if self.regular {
            let _ = self.file.unlock();
        }
    }

    /// Whether the path still names this file.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        if !self.regular {
            return true;
        }
        match (fs::metadata(path), self.file.metadata()) {
            (Ok(there), Ok(here)) => is_same_file(&there, &here),
            _ => false,
        }
    }

    pub(super) fn end(&self) -> io::Result<End> {
        // 0 for a device.
        let bytes = self.file.metadata()?.len();
        if bytes == 0 {
            return Ok(End { bytes, in_line: false });
        }
        let mut last = [0];
        // Appending does not use this position.
        (&self.file).seek(SeekFrom::Start(bytes - 1))?;
        (&self.file).read_exact(&mut last)?;
        Ok(End { bytes, in_line: last != *b"\n" })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unsynced = self.regular;
        self.file.write_all(bytes)
    }

    /// Waits until the disk has what was written.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }
}

fn check_kind(path: &Path, metadata: &Metadata) -> Result<(), TraceFileError> {
    if metadata.is_dir() {
        return Err(TraceFileError::IsDirectory { path: path.to_owned() });
    }
    if metadata.is_file() || is_character_device(metadata) {
        return Ok(());
    }
    Err(TraceFileError::NotAFile { path: path.to_owned() })
}

#[cfg(unix)]
fn is_character_device(metadata: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_char_device(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_character_device(_: &Metadata) -> bool {
    false
}

#[cfg(unix)]
fn is_same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

// The standard library has no stable way to tell; a moved file is noticed when writing fails.
#[cfg(not(unix))]
fn is_same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}
