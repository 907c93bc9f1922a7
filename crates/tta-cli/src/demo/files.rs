//! Which files a demo analyses.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::{DirEntry, WalkBuilder};

use super::FailedFile;
use crate::output::Failure;

/// The files found, in order of their paths, and what could not be looked into.
pub(super) struct Found {
    pub(super) files: Vec<Arc<PathBuf>>,
    pub(super) unreadable: Vec<FailedFile>,
}

/// Finds the files under the given paths, or under the repository around the current directory.
///
/// # Errors
/// A path that does not exist.
pub(super) fn find(paths: &[PathBuf], limit: Option<usize>) -> Result<Found, Failure> {
    let paths = if paths.is_empty() { vec![repository()?] } else { paths.to_vec() };
    for path in &paths {
        path.symlink_metadata()
            .map_err(|error| Failure::new(format!("cannot analyse `{}`: {error}", path.display())))?;
    }
    let limit = limit.unwrap_or(usize::MAX);
    let mut found = Found { files: Vec::new(), unreadable: Vec::new() };
    for path in &paths {
        for entry in walk(path) {
            if found.files.len() >= limit {
                return Ok(found);
            }
            match entry {
                Ok(entry) if is_file(&entry) => found.files.push(Arc::new(entry.into_path())),
                Ok(_) => {}
                Err(error) => found.unreadable.push(unreadable(path, &error)),
            }
        }
    }
    Ok(found)
}

fn walk(path: &Path) -> ignore::Walk {
    WalkBuilder::new(path)
        .hidden(false)
        // A tree that was unpacked rather than cloned has its .gitignore, too.
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .sort_by_file_path(Path::cmp)
        .build()
}

/// Regular files only: a pipe or a device would be read without an end.
fn is_file(entry: &DirEntry) -> bool {
    let given_by_name = entry.depth() == 0;
    match entry.file_type() {
        Some(kind) if kind.is_symlink() && given_by_name => entry.path().is_file(),
        Some(kind) => kind.is_file(),
        None => false,
    }
}

fn unreadable(root: &Path, error: &ignore::Error) -> FailedFile {
    FailedFile { path: root.to_path_buf(), kind: "upstream".to_owned(), message: error.to_string() }
}

/// The nearest directory upwards that holds `.git`, or the current one.
fn repository() -> Result<PathBuf, Failure> {
    let here =
        std::env::current_dir().map_err(|error| Failure::new(format!("cannot tell the current directory: {error}")))?;
    let root = here.ancestors().find(|directory| directory.join(".git").exists()).unwrap_or(&here);
    // A relative path reads better where it can be had.
    Ok(if root == here { PathBuf::from(".") } else { root.to_path_buf() })
}
