//! Programs of other languages, where `cargo xtask interop` has put what they need.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Says why a test has nothing to do, once, and fails in CI, where everything is there.
fn skipped(what: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what} is not installed; `cargo xtask interop` does it");
    eprintln!("skipped: {what} is not installed; `cargo xtask interop` does it");
}

/// What was installed below the target directory, or one that that is in.
fn installed(name: &str) -> Option<PathBuf> {
    let below = |directory: &Path| directory.join("interop").join(name);
    let is_whole = |directory: &PathBuf| directory.join("installed").is_file();
    Path::new(env!("CARGO_TARGET_TMPDIR")).ancestors().map(below).find(is_whole)
}

/// A file beside the programs.
pub(crate) fn program(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/programs").join(path)
}

fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    // What SDKs would take from the environment of whoever runs the tests.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_lowercase();
        if text.starts_with("otel_") || text.ends_with("_proxy") || text.starts_with("python") {
            command.env_remove(name);
        }
    }
    command
}

/// Python with the SDK and schemathesis.
pub(crate) fn python() -> Option<Command> {
    let Some(directory) = installed("python") else {
        skipped("the Python SDK");
        return None;
    };
    Some(command(directory.join("bin/python")))
}

/// One of the programs in Python.
pub(crate) fn python_program(name: &str) -> Option<Command> {
    let mut command = python()?;
    command.arg("-B").arg(program("python").join(name));
    Some(command)
}

/// The program in JavaScript.
pub(crate) fn node_program(name: &str) -> Option<Command> {
    let Some(directory) = installed("node") else {
        skipped("the Node SDK");
        return None;
    };
    let mut command = command("node");
    command.arg(program("node").join(name)).arg(directory.join("node_modules"));
    Some(command)
}

/// What a program printed, once it has gone well and said nothing else.
pub(crate) fn printed(output: Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.is_empty(), "{}: {err}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
