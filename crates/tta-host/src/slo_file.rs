//! The state of SLOs in a file, so that error budgets survive a restart.
//!
//! Owns reading and replacing the file. The text is [`SloState`]'s, and when to save is decided by
//! whoever holds the trackers.

mod error;
mod replace;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tta_telemetry::{SloState, SloStateStore, SloStoreError};

pub use error::SloFileError;

/// Some thousand trackers with every bucket filled.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Keeps the state of SLOs in one file.
///
/// ```
/// use tta_host::SloStateFile;
/// use tta_telemetry::{Slo, SloSet, SloStateStore, SpanStatus};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("slo.state");
/// let file = SloStateFile::new(&path)?;
/// let now_unix_ns = 1_800_000_000_000_000_000;
/// let slos = SloSet::new("payments").with(Slo::named("availability").build()?)?;
/// slos.record(SpanStatus::Error, 1_000_000);
/// file.save(&slos.states(now_unix_ns))?;
///
/// let after_restart = SloSet::new("payments").with(Slo::named("availability").build()?)?;
/// assert!(after_restart.restore(&file.load()?).is_empty());
/// assert_eq!(after_restart.statuses(now_unix_ns)[0].totals.failed, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is on disk, and when
/// A save writes a new file beside the old one, waits until the disk has it, and gives it the old
/// one's name: whatever happens meanwhile, the path names a whole state, the old one or the new. A
/// crash during a save can leave a file `<name>.<process>.<number>.tmp` behind, which nobody reads.
/// Through a symbolic link the file it names is replaced, not the link.
///
/// # Failures
/// A file that is not there is no states. One that cannot be understood (damaged, or written by a
/// later version) is an error that says why; it is moved to `<name>.corrupt`, so that the next save
/// does not destroy it, and counting starts anew. A save that fails leaves the old file.
///
/// # Several writers
/// Any number of savers may use one path; the last save is what is kept, whole. Processes that
/// count apart need a file each.
///
/// # Permissions
/// The file is readable by its owner alone (mode 600, on Unix).
#[derive(Clone, Debug)]
pub struct SloStateFile {
    path: PathBuf,
}

impl SloStateFile {
    /// Uses the file at this path; a relative one is resolved now. Nothing is opened or created
    /// before the first load or save, and directories never are.
    ///
    /// # Errors
    /// The path names no file, or the working directory is gone.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, SloFileError> {
        let path = path.into();
        if path.file_name().is_none() {
            return Err(SloFileError::NoFileName { path });
        }
        let path = std::path::absolute(&path).map_err(|source| SloFileError::Read { path, source })?;
        // Without a slash at the end, which would make files beside it files within it.
        Ok(Self { path: path.components().collect() })
    }

    /// Where the states are, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self) -> Result<Option<Vec<u8>>, SloFileError> {
        let path = || self.path.clone();
        let failed = |source| SloFileError::Read { path: path(), source };
        // Looked at before it is opened: opening a pipe waits for somebody to write to it.
        match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(SloFileError::NotAFile { path: path() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
        let mut bytes = Vec::new();
        let file = File::open(&self.path).map_err(failed)?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }

    /// Keeps a file that cannot be used out of the way of the next save.
    fn set_aside(&self, reason: String) -> SloFileError {
        let aside = beside(&self.path, ".corrupt");
        match fs::rename(&self.path, &aside) {
            Ok(()) => SloFileError::Unusable { path: self.path.clone(), reason, aside },
            Err(source) => SloFileError::Stuck { path: self.path.clone(), reason, aside, source },
        }
    }
}

impl SloStateStore for SloStateFile {
    fn load(&self) -> Result<Vec<SloState>, SloStoreError> {
        let Some(bytes) = self.read().map_err(SloStoreError::new)? else { return Ok(Vec::new()) };
        let unusable = |reason| SloStoreError::new(self.set_aside(reason));
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(unusable(format!("it is larger than {MAX_FILE_BYTES} bytes")));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| unusable(error.to_string()))?;
        SloState::decode(text).map_err(|error| unusable(error.to_string()))
    }

    fn save(&self, states: &[SloState]) -> Result<(), SloStoreError> {
        let text = SloState::encode(states);
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(SloStoreError::new(SloFileError::TooLarge { path: self.path.clone(), bytes: text.len() }));
        }
        replace::replace(&self.path, text.as_bytes()).map_err(SloStoreError::new)
    }
}

/// The path with something after its name.
fn beside(path: &Path, suffix: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
