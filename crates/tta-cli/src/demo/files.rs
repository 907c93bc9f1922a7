//! Which files a demo analyses.
//!
//! Owns the search; reads no file.

use std::collections::HashSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::{DirEntry, WalkBuilder};

use super::FailedFile;
use crate::output::Failure;

/// The files found, in order of the given paths and then by name, and what could not be looked
/// into.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<Arc<PathBuf>>,
    pub(super) unreadable: Vec<FailedFile>,
}

/// Finds at most `limit` files under the given paths, or under the repository around the current
/// directory; none that is in `except`.
///
/// A file that is reached by several of the paths is found once, under the first of them. Links
/// are followed where they are given, not where they are met.
///
/// # Errors
/// A path that does not exist, or cannot be reached.
pub(super) fn find(paths: &[PathBuf], limit: usize, except: &[PathBuf]) -> Result<Found, Failure> {
    let paths = if paths.is_empty() { vec![repository()?] } else { paths.to_vec() };
    let mut search = Search::default();
    search.seen.extend(except.iter().filter_map(|path| path.canonicalize().ok()));
    let roots: Vec<Root<'_>> = paths.iter().map(|path| Root::new(path)).collect::<Result<_, _>>()?;
    for root in &roots {
        for entry in walk(root.given) {
            if search.found.files.len() >= limit {
                return Ok(search.found);
            }
            search.meet(root, entry);
        }
    }
    Ok(search.found)
}

/// A path that was given, and what it is without links.
struct Root<'a> {
    given: &'a Path,
    canonical: PathBuf,
}

impl<'a> Root<'a> {
    fn new(given: &'a Path) -> Result<Self, Failure> {
        match given.canonicalize() {
            Ok(canonical) => Ok(Self { given, canonical }),
            Err(error) => Err(Failure::new(format!("cannot analyse `{}`: {error}", given.display()))),
        }
    }

    /// What a path below is without links: none is followed there.
    fn canonical(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(self.given) {
            Ok(below) if !below.as_os_str().is_empty() => self.canonical.join(below),
            _ => self.canonical.clone(),
        }
    }
}

#[derive(Default)]
struct Search {
    found: Found,
    seen: HashSet<PathBuf>,
}

impl Search {
    fn meet(&mut self, root: &Root<'_>, entry: Result<DirEntry, ignore::Error>) {
        let (path, failure) = match entry {
            Ok(entry) if is_file(&entry) => (entry.into_path(), None),
            Ok(entry) => match refused(&entry) {
                Some(failure) => (entry.into_path(), Some(failure)),
                None => return,
            },
            Err(error) => (path_of(&error).unwrap_or(root.given).to_path_buf(), Some(("upstream", reason(&error)))),
        };
        if !self.seen.insert(root.canonical(&path)) {
            return;
        }
        match failure {
            None => self.found.files.push(Arc::new(path)),
            Some((kind, message)) => self.found.unreadable.push(FailedFile { path, kind: kind.to_owned(), message }),
        }
    }
}

fn walk(path: &Path) -> ignore::Walk {
    WalkBuilder::new(path)
        .hidden(false)
        .ignore(false)
        // A tree that was unpacked rather than cloned has its .gitignore, too.
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .sort_by_file_path(Path::cmp)
        .build()
}

/// Regular files only: a pipe or a device would be read without an end.
fn is_file(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Some(kind) if kind.is_symlink() && is_given(entry) => entry.path().is_file(),
        Some(kind) => kind.is_file(),
        None => false,
    }
}

fn is_given(entry: &DirEntry) -> bool {
    entry.depth() == 0
}

/// Why something that is not a file fails: it was asked for by name. Met in a directory it is
/// passed by.
fn refused(entry: &DirEntry) -> Option<(&'static str, String)> {
    let message = "not a regular file: accepted are files and directories";
    (is_given(entry) && !entry.path().is_dir()).then(|| ("invalid_input", message.to_owned()))
}

/// The path that an error of the walk is about.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithLineNumber { err, .. } | ignore::Error::WithDepth { err, .. } => path_of(err),
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

/// The system's own words, where there are some: what is around them repeats the path.
fn reason(error: &ignore::Error) -> String {
    let Some(error) = error.io_error() else { return error.to_string() };
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// The nearest directory upwards that holds `.git`, or the current one.
fn repository() -> Result<PathBuf, Failure> {
    let here =
        std::env::current_dir().map_err(|error| Failure::new(format!("cannot tell the current directory: {error}")))?;
    let root = here.ancestors().find(|directory| directory.join(".git").exists()).unwrap_or(&here);
    // A relative path reads better where it can be had.
    Ok(if root == here { PathBuf::from(".") } else { root.to_path_buf() })
}

#[cfg(test)]
mod tests;
