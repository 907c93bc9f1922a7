//! Trees of files, and running the command in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory of files, and another one beside it for what the command writes.
pub(crate) struct Tree {
    root: TempDir,
    beside: TempDir,
}

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Tree {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Self {
        let tree = Self { root: tempfile::tempdir().unwrap(), beside: tempfile::tempdir().unwrap() };
        for (path, bytes) in files {
            tree.write(path, bytes);
        }
        tree
    }

    /// Ten files to analyse, three of which fail; and two that are no business of the command.
    pub(crate) fn mixed() -> Self {
        let long = "The garden is behind the house. Nobody has been there since the winter. ".repeat(30);
        Self::new(&[
            (".git/HEAD", b"ref: refs/heads/main"),
            (".gitignore", b"ignored/\n"),
            ("binary.bin", b"\x7fELF\x02\x01\x01\0\0\0"),
            ("de.txt", "Der Garten liegt hinter dem Haus. Niemand war seit dem Winter dort.".as_bytes()),
            ("empty.txt", b""),
            ("en.txt", b"The garden is behind the house. Nobody has been there since the winter."),
            ("fr.txt", "Le jardin se trouve derrière la maison. Personne n'y est allé depuis l'hiver.".as_bytes()),
            ("ignored/skipped.txt", b"Nobody reads this."),
            ("latin1.txt", b"Un caf\xe9 noir, s'il vous pla\xeet."),
            ("long.txt", long.as_bytes()),
            ("nested/deep/note.md", b"# A note\n\nIt lies deep below the root, and is found there.\n"),
            ("zh.txt", "花园在房子后面。从冬天起就没有人去过那里。".as_bytes()),
        ])
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    /// A path outside of the tree.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.beside.path().join(name)
    }

    /// The command, to be run in the tree. What a user has configured for git stays out of it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tta"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env("HOME", self.beside.path()).env_remove("XDG_CONFIG_HOME");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    /// Runs `demo --json` with further arguments, and reads what it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let ran = self.run(&[&["demo", "--json"], arguments].concat());
        (ran.code, serde_json::from_str(&ran.out).unwrap())
    }
}

/// An output whose reader has gone.
pub(crate) fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The traces of a file, one on each line.
pub(crate) fn traces(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many spans the traces have.
pub(crate) fn spans(traces: &[Value]) -> usize {
    traces.iter().map(|trace| trace["spans"].as_array().unwrap().len()).sum()
}

/// A step's `(runs, errors)` in the JSON object.
pub(crate) fn step(document: &Value, name: &str) -> (u64, u64) {
    let steps = document["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}: {document}"));
    (step["runs"].as_u64().unwrap(), step["errors"].as_u64().unwrap())
}
