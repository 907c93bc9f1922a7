//! What can go wrong with a file of SLO states.
//!
//! Messages hold the operating system's reason, because errors of stores are kept as text.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why states could not be read from a file, or written to it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SloFileError {
    /// The path is empty, is a root, or ends in `..`.
    #[error("cannot use SLO state file `{path}`: the path names no file")]
    NoFileName {
        /// The path given.
        path: PathBuf,
    },
    /// The path names a directory, a pipe, a device or the like.
    #[error("cannot use SLO state file `{path}`: accepted is a regular file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refuses to read it.
    #[error("cannot read SLO state file `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// It was read, and is not what was written, or was written by a later version.
    #[error("cannot use SLO state file `{path}`: {reason}; it was moved to `{aside}`, and counting starts anew")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Where it is now.
        aside: PathBuf,
    },
    /// The same, and it is still where it was: the next save will replace it.
    #[error("cannot use SLO state file `{path}`: {reason}; nor can it be moved to `{aside}`: {source}")]
    Stuck {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Where it should be.
        aside: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The states are more than would be read again.
    #[error("cannot write SLO state file `{path}`: {bytes} bytes of states, accepted are at most 67108864")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What the states take.
        bytes: usize,
    },
    /// The operating system refuses to write it. The old file is as it was.
    #[error("cannot write SLO state file `{path}`: {step} `{at}`: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What was being done.
        step: &'static str,
        /// To which file.
        at: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}
