//! States of SLOs in a file: they come back, damage is told and kept, and nothing is half-written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use tta_host::{SloFileError, SloStateFile};
use tta_telemetry::{Slo, SloState, SloStateStore, SloStoreError, SloTracker, SpanStatus};

const START: u64 = 1_800_000_000_000_000_000;

fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("slo.state");
    (directory, path)
}

/// A state with so many failures.
fn state(failures: u64) -> SloState {
    let tracker = SloTracker::new("payments", Slo::named("s").build().unwrap());
    (0..failures).for_each(|_| tracker.record(SpanStatus::Error, 1));
    tracker.state(START)
}

fn names_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn cause(error: &SloStoreError) -> &SloFileError {
    std::error::Error::source(error).unwrap().downcast_ref().unwrap()
}

#[test]
fn what_is_saved_last_is_loaded_and_no_other_file_stays() {
    let (directory, path) = directory();
    let file = SloStateFile::new(&path).unwrap();
    assert_eq!(file.load().unwrap(), [], "nothing was ever saved");
    for failures in 1..4 {
        file.save(&[state(failures), state(failures + 1)]).unwrap();
        assert_eq!(file.load().unwrap(), [state(failures), state(failures + 1)]);
    }
    assert_eq!(SloStateFile::new(&path).unwrap().load().unwrap(), [state(3), state(4)]);
    file.save(&[]).unwrap();
    assert_eq!(file.load().unwrap(), []);
    assert_eq!(names_in(directory.path()), ["slo.state"]);
    assert_eq!(file.path(), path);
    let slash = SloStateFile::new(path.join("")).unwrap();
    assert_eq!((slash.path(), slash.load().unwrap().len()), (path.as_path(), 0));
}

#[test]
fn a_file_that_cannot_be_used_is_told_and_moved_out_of_the_way() {
    let whole = SloState::encode(&[state(7)]);
    let cases: [(&[u8], &str); 5] = [
        (b"", "SLO state, line 1: expected a line, found ``"),
        (b"tta-slo-states 2 1\n", "SLO state has version 2, accepted is version 1"),
        (b"\xff\xfe", "invalid utf-8 sequence of 1 bytes from index 0"),
        (&whole.as_bytes()[..whole.len() / 2], "SLO state, line "),
        (&whole.replace("0 0 7 0 0", "0 0 8 0 0").into_bytes(), "SLO state is damaged: its checksum is "),
    ];
    for (bytes, reason) in cases {
        let (directory, path) = directory();
        let file = SloStateFile::new(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let error = file.load().unwrap_err();
        assert!(matches!(cause(&error), SloFileError::Unusable { .. }), "{error}");
        let text = error.to_string();
        let start = format!("SLO state store failed: cannot use SLO state file `{}`: {reason}", path.display());
        assert!(text.starts_with(&start), "{text}");
        let end = format!("; it was moved to `{}.corrupt`, and counting starts anew", path.display());
        assert!(text.ends_with(&end), "{text}");
        assert_eq!(fs::read(directory.path().join("slo.state.corrupt")).unwrap(), bytes);
        assert_eq!(file.load().unwrap(), [], "the next time there is nothing");
        file.save(&[state(1)]).unwrap();
        assert_eq!(file.load().unwrap(), [state(1)]);
        assert_eq!(names_in(directory.path()), ["slo.state", "slo.state.corrupt"]);
    }
}

#[test]
fn an_unusable_file_that_cannot_be_moved_is_told_with_both_reasons() {
    let (directory, path) = directory();
    fs::write(&path, "x").unwrap();
    fs::create_dir(directory.path().join("slo.state.corrupt")).unwrap();
    let error = SloStateFile::new(&path).unwrap().load().unwrap_err();
    assert!(matches!(cause(&error), SloFileError::Stuck { .. }));
    assert!(error.to_string().contains("found `x`; nor can it be moved to `"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"x");
}

#[test]
fn paths_that_cannot_be_used_are_refused() {
    let (directory, _) = directory();
    for path in ["", "/", "a/.."] {
        let error = SloStateFile::new(path).unwrap_err().to_string();
        assert_eq!(error, format!("cannot use SLO state file `{path}`: the path names no file"));
    }
    let folder = SloStateFile::new(directory.path()).unwrap();
    for error in [folder.load().unwrap_err(), folder.save(&[]).unwrap_err()] {
        assert!(matches!(cause(&error), SloFileError::NotAFile { .. }), "{error}");
    }
    let nowhere = SloStateFile::new(directory.path().join("missing/slo.state")).unwrap();
    assert_eq!(nowhere.load().unwrap(), []);
    let error = nowhere.save(&[state(1)]).unwrap_err().to_string();
    assert!(error.contains("missing/slo.state`: creating beside it `"), "{error}");
    assert!(error.ends_with("No such file or directory (os error 2)"), "{error}");
}

#[test]
fn savers_at_once_leave_one_whole_state() {
    let (directory, path) = directory();
    let file = SloStateFile::new(&path).unwrap();
    file.save(&[state(0)]).unwrap();
    std::thread::scope(|scope| {
        for failures in 1..5 {
            let file = &file;
            scope.spawn(move || (0..20).for_each(|_| file.save(&[state(failures)]).unwrap()));
        }
        scope.spawn(|| {
            for _ in 0..100 {
                assert_eq!(file.load().unwrap().len(), 1);
            }
        });
    });
    let last = file.load().unwrap();
    assert!((1..5).any(|failures| last == [state(failures)]));
    assert_eq!(names_in(directory.path()), ["slo.state"]);
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_and_a_symbolic_link_stays_one() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (directory, path) = directory();
    let real = directory.path().join("real");
    SloStateFile::new(&real).unwrap().save(&[]).unwrap();
    symlink(&real, &path).unwrap();
    let file = SloStateFile::new(&path).unwrap();
    file.save(&[state(2)]).unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert_eq!(SloStateFile::new(&real).unwrap().load().unwrap(), [state(2)]);
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn what_a_crash_left_behind_is_passed_over() {
    let (directory, path) = directory();
    let file = SloStateFile::new(&path).unwrap();
    for number in 0..50 {
        fs::write(directory.path().join(format!("slo.state.{}.{number}.tmp", std::process::id())), "left").unwrap();
    }
    file.save(&[state(5)]).unwrap();
    assert_eq!(file.load().unwrap(), [state(5)]);
    assert_eq!(names_in(directory.path()).len(), 51);
}
