//! Which file a path names, and in which state, as far as that shows from outside.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

/// Two are equal when the file is the same and was not written in between. Changes within the
/// resolution of the file system's times (some milliseconds) that keep the length do not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    File {
        length: u64,
        modified: Option<SystemTime>,
        identity: Identity,
    },
    /// It cannot be looked at.
    Unknown(ErrorKind),
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(file) => {
                Stamp::File { length: file.len(), modified: file.modified().ok(), identity: Identity::of(&file) }
            }
            Err(error) => Stamp::Unknown(error.kind()),
        }
    }
}

/// Device, number, and when anything about it, such as who may read it, was changed.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    number: u64,
    changed: (i64, i64),
}

#[cfg(unix)]
impl Identity {
    fn of(file: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: file.dev(), number: file.ino(), changed: (file.ctime(), file.ctime_nsec()) }
    }
}

/// Nothing that is known everywhere else.
#[cfg(not(unix))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity;

#[cfg(not(unix))]
impl Identity {
    fn of(_: &Metadata) -> Self {
        Self
    }
}
