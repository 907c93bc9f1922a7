//! Files that are no text, devices, full disks, readers that go away.

use std::process::Stdio;

use crate::support::{Tree, ran};

#[test]
fn a_reader_that_goes_away_ends_the_command_without_a_word() {
    let tree = Tree::mixed();
    for arguments in [&["demo"][..], &["demo", "--json"], &["demo", "--graph"], &["demo", "--trace", "slowest"]] {
        let mut command = tree.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = ran(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::fs::{self, File};
    use std::os::unix::ffi::OsStrExt;

    use serde_json::json;

    use super::*;
    use crate::support::step;

    #[test]
    fn a_file_that_opens_and_cannot_be_read_fails_in_the_step_that_reads() {
        let tree = Tree::mixed();
        let (code, document) = tree.json(&["/proc/self/mem", "en.txt"]);
        assert_eq!((code, step(&document, "read")), (Some(0), (2, 1)));
        let message = "Input/output error (os error 5)";
        let failure = json!({ "path": "/proc/self/mem", "kind": "upstream", "message": message });
        assert_eq!(document["failures"], json!([failure]));
        // One attempt: trying again would not help.
        assert_eq!(document["spans_recorded"], 14 + 3);
    }

    #[test]
    fn a_file_that_claims_to_be_empty_is_read_to_its_end() {
        let (code, document) = Tree::new(&[]).json(&["/proc/self/status"]);
        assert_eq!((code, document["succeeded"].as_u64()), (Some(0), Some(1)));
    }

    #[test]
    fn devices_and_broken_links_are_refused_where_they_are_given() {
        let tree = Tree::mixed();
        let (code, document) = tree.json(&["/dev/zero"]);
        let message = "not a regular file: accepted are files and directories";
        let failure = json!({ "path": "/dev/zero", "kind": "invalid_input", "message": message });
        assert_eq!((code, &document["failures"]), (Some(1), &json!([failure])));
        assert_eq!(document["steps"], json!([]));
        std::os::unix::fs::symlink("nowhere", tree.path().join("broken")).unwrap();
        let ran = tree.run(&["demo", "broken"]);
        let message = "error: cannot analyse `broken`: No such file or directory (os error 2)\n";
        assert_eq!((ran.code, ran.err.as_str()), (Some(2), message));
        // Met in a directory it is passed by.
        assert_eq!(tree.json(&[]).1["files"], 10);
    }

    #[test]
    fn names_that_are_no_text_are_shown_as_well_as_they_can_be() {
        let tree = Tree::new(&[]);
        fs::write(tree.path().join(OsStr::from_bytes(b"caf\xe9")), b"").unwrap();
        fs::write(tree.path().join("line\nbreak \u{1b}[31m"), b"").unwrap();
        let (code, document) = tree.json(&[]);
        assert_eq!(code, Some(1));
        let paths: Vec<_> = document["failures"].as_array().unwrap().iter().map(|failed| &failed["path"]).collect();
        assert_eq!(paths, ["./caf\u{fffd}", "./line\nbreak \u{1b}[31m"]);
        let ran = tree.run(&["demo"]);
        assert!(ran.out.contains("\n  ./caf\u{fffd}: document is blank"), "{}", ran.out);
        assert!(ran.out.contains("\n  ./line break [31m: "), "{}", ran.out);
        assert!(!ran.out.contains('\u{1b}'), "{:?}", ran.out);
        let ran = tree.run(&["demo", "gone\u{1b}[31m"]);
        assert!(ran.err.starts_with("error: cannot analyse `gone\u{fffd}[31m`: "), "{:?}", ran.err);
    }

    #[test]
    fn a_full_disk_under_standard_output_is_an_error() {
        let tree = Tree::mixed();
        for arguments in [&["demo"][..], &["demo", "--json"], &["demo", "--graph"]] {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let output = tree.command(arguments).stdout(full).output().unwrap();
            let message = "error: cannot write to standard output: No space left on device (os error 28)\n";
            let ran = ran(output);
            assert_eq!((ran.code, ran.err.as_str()), (Some(2), message), "{arguments:?}");
        }
    }

    #[test]
    fn a_full_disk_under_the_traces_is_an_error_after_the_results() {
        let tree = Tree::mixed();
        for arguments in [&["demo", "--traces", "/dev/full"][..], &["demo", "--json", "--traces", "/dev/full"]] {
            let ran = tree.run(arguments);
            assert!(ran.out.contains("7 of 10 files analysed") || ran.out.contains("\"succeeded\": 7"), "{}", ran.out);
            assert!(ran.err.starts_with("error: 10 traces did not reach `trace_file`: "), "{}", ran.err);
            assert!(
                ran.err.ends_with("trace file `/dev/full`: No space left on device (os error 28)\n"),
                "{}",
                ran.err
            );
            assert_eq!(ran.code, Some(2));
        }
    }
}
