//! Ctrl-C.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Tree, ran, spans, step, traces};

const NOTE: &str = "interrupted: what follows is what was done until then\n";

/// Small files, good or empty, that come first, and more large ones than anybody waits for.
fn endless(small: usize, text: &[u8]) -> Tree {
    let tree = Tree::new(&[]);
    for number in 0..small {
        tree.write(&format!("a/{number}.txt"), text);
    }
    tree.write("z/0", &b"The garden is behind the house, and nobody was there. ".repeat(20_000));
    for number in 1..500 {
        fs::hard_link(tree.path().join("z/0"), tree.path().join(format!("z/{number}"))).unwrap();
    }
    tree
}

fn start(tree: &Tree, traces: &Path) -> Child {
    let traces = traces.to_str().unwrap();
    let mut command = tree.command(&["demo", "--json", "--concurrency", "1", "--traces", traces]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the file has so many lines, or the command has ended too early.
fn wait_for_lines(child: &mut Child, file: &Path, lines: usize) {
    let has = || File::open(file).is_ok_and(|file| BufReader::new(file).lines().count() >= lines);
    while !has() {
        assert_eq!(child.try_wait().unwrap(), None, "ended before it was interrupted");
        std::thread::yield_now();
    }
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn ctrl_c_shows_what_was_done_until_then() {
    let tree = endless(40, b"A few words are enough for this one.");
    let file = tree.beside("traces.jsonl");
    let mut child = start(&tree, &file);
    wait_for_lines(&mut child, &file, 30);
    interrupt(&child);
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (Some(130), NOTE));
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&document["interrupted"], &document["files"], &document["failed"]),
        (&true.into(), &540.into(), &0.into())
    );
    let succeeded = document["succeeded"].as_u64().unwrap();
    assert!((30..540).contains(&succeeded), "{succeeded}");
    assert_eq!(step(&document, "report"), (succeeded, 0));
    let (runs, errors) = step(&document, "analyse");
    // At most one was under way; it was cancelled, which is no error.
    assert!(errors == 0 && (runs == succeeded || runs == succeeded + 1), "{runs} runs, {errors} errors");
    let traces = traces(&file);
    assert_eq!(traces.len() as u64, runs);
    assert_eq!(spans(&traces) as u64, document["spans_recorded"].as_u64().unwrap());
}

#[test]
fn a_second_ctrl_c_ends_a_command_that_cannot_get_rid_of_its_output() {
    // Failures take more room in the object than a pipe has, and nobody reads it.
    let tree = endless(1_000, b"");
    let file = tree.beside("traces.jsonl");
    let mut child = start(&tree, &file);
    wait_for_lines(&mut child, &file, 1_000);
    interrupt(&child);
    let mut note = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut note).unwrap();
    assert_eq!(note, NOTE);
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(serde_json::from_str::<Value>(&out).is_err(), "all of the output was written");
}
