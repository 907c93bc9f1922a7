//! Every line of a trace file and of its rotated siblings.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::lines::Line;
use super::{ReadError, open, unreadable};
use crate::siblings;

/// Shows every line to `visit`, from the current file to the oldest, until it breaks.
///
/// Files that are rotated meanwhile are seen twice rather than not at all: rotation only moves a
/// file to a higher number, the highest first, and what comes next is the lowest number above the
/// last, as it is then.
pub(super) fn scan(path: &Path, mut visit: impl FnMut(&Path, &Line<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
    let mut missing = match scan_file(path, &mut visit) {
        Ok(ControlFlow::Break(())) => return Ok(()),
        Ok(ControlFlow::Continue(())) => None,
        Err(error) if is_not_found(&error) => Some(error),
        Err(error) => return Err(error),
    };
    let mut last = 0;
    while let Some((number, sibling)) = next_sibling(path, last)? {
        last = number;
        match scan_file(&sibling, &mut visit) {
            Ok(ControlFlow::Break(())) => return Ok(()),
            Ok(ControlFlow::Continue(())) => missing = None,
            // It has moved on, and is met again under its next number.
            Err(error) if is_not_found(&error) => {}
            Err(error) => return Err(error),
        }
    }
    missing.map_or(Ok(()), Err)
}

fn scan_file(
    path: &Path,
    visit: &mut impl FnMut(&Path, &Line<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, ReadError> {
    let mut lines = open(path)?;
    loop {
        match lines.next_line() {
            Ok(None) => return Ok(ControlFlow::Continue(())),
            Ok(Some(line)) if visit(path, &line).is_break() => return Ok(ControlFlow::Break(())),
            Ok(Some(_)) => {}
            Err(source) => return Err(unreadable(path, &lines, source)),
        }
    }
}

/// The rotated file with the lowest number above `last`.
fn next_sibling(path: &Path, last: u32) -> Result<Option<(u32, PathBuf)>, ReadError> {
    // Asked for by name before the directory is listed: a listing may miss a file that is renamed
    // meanwhile. What is not at this number has already moved, and moves no more in this rotation.
    let next = siblings::rotated(path, last + 1);
    if last < siblings::MAX_NUMBER && next.exists() {
        return Ok(Some((last + 1, next)));
    }
    let numbers = match siblings::numbers(path) {
        // The file itself is missing too then, and that is what is reported.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ReadError::List { directory: siblings::directory(path).to_owned(), source }),
        Ok(numbers) => numbers,
    };
    Ok(numbers.range(last + 1..).next().map(|number| (*number, siblings::rotated(path, *number))))
}

fn is_not_found(error: &ReadError) -> bool {
    matches!(error, ReadError::Open { source, .. } if source.kind() == io::ErrorKind::NotFound)
}
