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
    put(&target, bytes).map_err(|(step, at, source)| SloFileError::Write { path: path.to_owned(), step, at, source })
}

/// What was being done to which file when it failed, and why.
type Failure = (&'static str, PathBuf, io::Error);

fn put(target: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let (mut file, fresh) =
        create_beside(target).map_err(|source| ("creating beside it", target.to_owned(), source))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    let replaced = match written {
        Ok(()) => fs::rename(&fresh, target).map_err(|source| ("renaming to it", fresh.clone(), source)),
        Err(source) => Err(("writing", fresh.clone(), source)),
    };
    match replaced {
        Ok(()) => sync_directory(siblings::directory(target)),
        // What cannot be deleted either is a stray file; the error that is told is the first.
        Err(_) => drop(fs::remove_file(&fresh)),
    }
    replaced
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_that_fails_half_way_leaves_nothing_beside_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("slo.state");
        fs::create_dir(&target).unwrap();
        let (step, at, source) = put(&target, b"new").unwrap_err();
        assert_eq!((step, source.kind()), ("renaming to it", io::ErrorKind::IsADirectory));
        assert!(at.extension().is_some_and(|extension| extension == "tmp"), "{at:?}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
