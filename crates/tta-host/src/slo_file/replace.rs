//! Replacing a file by a whole new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::beside;
use super::error::SloFileError;
use crate::siblings;

/// How many files that crashes left behind are passed over.
const ATTEMPTS: u32 = 100;

/// After it the path names a file with these bytes, on the disk; or, on failure, what it did.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), SloFileError> {
    let target = match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(SloFileError::NotAFile { path: path.to_owned() }),
        // The file that a symbolic link names, not the link.
        Ok(_) => fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        Err(_) => path.to_owned(),
    };
    let failed = |step, at: &Path| {
        let at = at.to_owned();
        move |source| SloFileError::Write { path: path.to_owned(), step, at, source }
    };
    let (mut file, fresh) = create_beside(&target).map_err(failed("creating beside it", &target))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("writing", &fresh));
    drop(file);
    let replaced = written.and_then(|()| fs::rename(&fresh, &target).map_err(failed("renaming to it", &fresh)));
    if replaced.is_err() {
        // What cannot be deleted either is a stray file; the error that is told is the first.
        let _ = fs::remove_file(&fresh);
        return replaced;
    }
    sync_directory(siblings::directory(&target));
    Ok(())
}

/// A file that no other save writes to.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    static SAVES: AtomicU32 = AtomicU32::new(0);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..ATTEMPTS {
        let number = SAVES.fetch_add(1, Ordering::Relaxed);
        let fresh = beside(path, format!(".{}.{number}.tmp", std::process::id()));
        match options.open(&fresh) {
            Ok(file) => return Ok((file, fresh)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// So that the new name outlasts a crash of the machine. Where directories cannot be synced the
/// old file may come back, which is whole as well.
fn sync_directory(directory: &Path) {
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}
