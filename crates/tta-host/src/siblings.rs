//! The names of rotated files: `traces.jsonl.1` is the youngest beside `traces.jsonl`.
//!
//! Owns the naming and the listing; moves and opens nothing.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The highest number that counts as a rotated file.
pub(crate) const MAX_NUMBER: u32 = 1_000;

/// The rotated file with this number.
pub(crate) fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// The numbers for which a rotated file exists. There may be gaps.
pub(crate) fn numbers(path: &Path) -> io::Result<BTreeSet<u32>> {
    let Some(name) = path.file_name() else { return Ok(BTreeSet::new()) };
    let prefix = [name.as_encoded_bytes(), b"."].concat();
    let mut numbers = BTreeSet::new();
    for entry in directory(path).read_dir()? {
        let name = entry?.file_name();
        numbers.extend(name.as_encoded_bytes().strip_prefix(prefix.as_slice()).and_then(number));
    }
    Ok(numbers)
}

/// The directory a file is in.
pub(crate) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A number as [`rotated`] writes it: no sign, no leading zero.
fn number(suffix: &[u8]) -> Option<u32> {
    let starts_right = suffix.first().is_some_and(|byte| (b'1'..=b'9').contains(byte));
    let number = std::str::from_utf8(suffix).ok().filter(|_| starts_right)?.parse().ok()?;
    (number <= MAX_NUMBER).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_as_written_by_rotation_count_as_rotated_files() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["1", "3", "10", "1000", "1001", "0", "01", "+2", "2x", "", "1.gz", "99999999999"];
        for name in names.map(|suffix| format!("t.jsonl.{suffix}")).iter().map(String::as_str).chain(["t.jsonl", "4"]) {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let path = directory.path().join("t.jsonl");
        assert_eq!(numbers(&path).unwrap(), BTreeSet::from([1, 3, 10, 1_000]));
        assert_eq!(rotated(&path, 3), directory.path().join("t.jsonl.3"));
    }

    #[test]
    fn a_bare_name_is_in_the_current_directory() {
        assert_eq!(directory(Path::new("t.jsonl")), Path::new("."));
        assert_eq!(directory(Path::new("a/t.jsonl")), Path::new("a"));
    }
}
