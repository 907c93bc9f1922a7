//! Opening: what is refused and how it is said, and who may read what is written.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use support::{export, numbers_in};
use tta_host::{TraceFileError, TraceFileSink, trace_files};

fn error_at(path: impl AsRef<Path>) -> TraceFileError {
    TraceFileSink::builder(path.as_ref()).open().unwrap_err()
}

fn mode_of(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_missing_directory_is_named_and_not_created() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let path = missing.join("t.jsonl");
    let expected =
        format!("cannot open trace file `{}`: there is no directory `{}`", path.display(), missing.display());
    assert_eq!(error_at(&path).to_string(), expected);
    assert!(!missing.exists());
}

#[test]
fn a_directory_is_no_trace_file() {
    let directory = tempfile::tempdir().unwrap();
    let expected =
        format!("cannot open trace file `{}`: it is a directory, accepted is a file", directory.path().display());
    assert_eq!(error_at(directory.path()).to_string(), expected);
}

#[test]
fn a_path_without_a_file_name_is_refused() {
    for path in ["", "/", "somewhere/.."] {
        let error = error_at(path);
        assert!(matches!(error, TraceFileError::NoFileName { .. }), "{error}");
        assert_eq!(error.to_string(), format!("cannot open trace file `{path}`: the path names no file"));
    }
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_a_reader() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let error = error_at(&socket);
    assert!(error.to_string().ends_with(": accepted is a regular file or a character device"), "{error}");
}

#[test]
fn a_file_below_a_file_is_refused_with_the_reason_of_the_operating_system() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let path = file.join("t.jsonl");
    let error = error_at(&path);
    let TraceFileError::Open { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::NotADirectory);
    assert!(error.to_string().starts_with(&format!("cannot open trace file `{}` for ", path.display())), "{error}");
}

// Not even root may create files there.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_is_not_writable_is_refused_with_the_path() {
    let error = error_at("/sys/t.jsonl");
    let TraceFileError::Open { source, .. } = &error else { panic!("{error}") };
    let kinds = [std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::ReadOnlyFilesystem];
    assert!(kinds.contains(&source.kind()), "{source}");
    assert!(error.to_string().contains("`/sys/t.jsonl`"), "{error}");
}

#[test]
fn every_file_that_the_sink_creates_is_readable_by_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    let mut sink = TraceFileSink::builder(&path).rotate_at_bytes(4_096).open().unwrap();
    export(&mut sink, 1..=3, 3_000);
    let files = trace_files(&path).unwrap();
    assert_eq!(files.iter().map(mode_of).collect::<Vec<_>>(), [0o600, 0o600, 0o600]);
}

#[test]
fn an_existing_file_keeps_its_mode_and_its_traces() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.jsonl");
    export(&mut TraceFileSink::builder(&path).open().unwrap(), [1], 10);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    export(&mut TraceFileSink::builder(&path).open().unwrap(), [2], 10);
    assert_eq!((mode_of(&path), numbers_in(&path)), (0o640, vec![1, 2]));
}

#[test]
fn a_link_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (path, target) = (directory.path().join("t.jsonl"), directory.path().join("target"));
    symlink(&target, &path).unwrap();
    export(&mut TraceFileSink::builder(&path).open().unwrap(), [1], 10);
    assert_eq!(numbers_in(&target), [1]);
}
