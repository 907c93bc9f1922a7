//! Moving files one number up.
//!
//! The caller holds the lock of the current file, and all writers wait for that lock until the
//! current file has its new name, which it gets last. A crash in between leaves a gap among the
//! numbers; the next rotation fills it.

use std::fs;
use std::io;
use std::path::Path;

use super::error::WriteError;
use crate::siblings::{numbers, rotated};

/// Makes the current file number 1, keeping `keep` files besides.
///
/// Worked example, `keep` 4, with `.1 .2 .4 .7` there: `.7` is above 4 and is deleted; 3 is the
/// first gap, so `.2` becomes `.3`, `.1` becomes `.2`, the current file becomes `.1`. Without a gap
/// `.4` would have been deleted to make one.
pub(super) fn rotate(path: &Path, keep: u32) -> Result<(), WriteError> {
    let present = numbers(path).map_err(|source| WriteError::List { path: path.to_owned(), source })?;
    let gap = (1..=keep).find(|number| !present.contains(number)).unwrap_or(keep);
    let has_no_gap = present.contains(&gap);
    for number in present.into_iter().filter(|number| *number > keep || (has_no_gap && *number == keep)) {
        let oldest = rotated(path, number);
        unless_gone(fs::remove_file(&oldest)).map_err(|source| WriteError::Delete { path: oldest, source })?;
    }
    for number in (1..gap).rev() {
        shift(&rotated(path, number), &rotated(path, number + 1))?;
    }
    shift(path, &rotated(path, 1))
}

fn shift(from: &Path, to: &Path) -> Result<(), WriteError> {
    let renamed = unless_gone(fs::rename(from, to));
    renamed.map_err(|source| WriteError::Rotate { from: from.to_owned(), to: to.to_owned(), source })
}

/// Somebody who deletes a trace file by hand does not stop rotation.
fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_rotation(keep: u32, before: &[&str]) -> Vec<(String, String)> {
        let directory = tempfile::tempdir().unwrap();
        for name in before {
            fs::write(directory.path().join(name), name).unwrap();
        }
        rotate(&directory.path().join("t"), keep).unwrap();
        let mut after: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
            .collect();
        after.sort();
        after
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, was)| ((*name).to_owned(), (*was).to_owned())).collect()
    }

    #[test]
    fn every_file_moves_one_up_and_the_oldest_goes() {
        assert_eq!(after_rotation(2, &["t", "t.1", "t.2"]), pairs(&[("t.1", "t"), ("t.2", "t.1")]));
        assert_eq!(after_rotation(1, &["t", "t.1"]), pairs(&[("t.1", "t")]));
        assert_eq!(after_rotation(3, &["t"]), pairs(&[("t.1", "t")]));
    }

    #[test]
    fn a_gap_is_filled_before_anything_is_deleted() {
        let after = after_rotation(4, &["t", "t.1", "t.2", "t.4", "t.7"]);
        assert_eq!(after, pairs(&[("t.1", "t"), ("t.2", "t.1"), ("t.3", "t.2"), ("t.4", "t.4")]));
    }

    #[test]
    fn files_above_a_lowered_setting_are_deleted_and_foreign_names_stay() {
        let after = after_rotation(1, &["t", "t.1", "t.2", "t.3", "t.2024", "t.1.gz", "u.1"]);
        let expected = [("t.1", "t"), ("t.1.gz", "t.1.gz"), ("t.2024", "t.2024"), ("u.1", "u.1")];
        assert_eq!(after, pairs(&expected));
    }

    #[test]
    fn a_file_that_cannot_move_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t");
        fs::write(&path, "kept").unwrap();
        fs::create_dir(directory.path().join("t.1")).unwrap();
        let error = rotate(&path, 1).unwrap_err().to_string();
        assert!(error.starts_with("cannot delete the oldest trace file `"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
    }
}
