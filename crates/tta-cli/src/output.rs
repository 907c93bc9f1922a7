//! Printing: the one place that writes to the terminal.

use std::io::{self, Write};

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reader of our output went away.
    BrokenPipe,
    /// Something to tell the user.
    Message(String),
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }
}

/// Writes to standard output, whole.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
        _ => Failure::Message(format!("cannot write to standard output: {error}")),
    })
}

/// The same for a command whose exit code is its result: it is that also when nobody reads the text.
pub(crate) fn print_if_read(text: &str) -> Result<(), Failure> {
    match print(text) {
        Err(Failure::BrokenPipe) => Ok(()),
        printed => printed,
    }
}

/// Writes an error to standard error.
pub(crate) fn error(message: &str) {
    note(&format!("error: {message}"));
}

/// Writes a line to standard error; nobody is left to tell when that fails. Messages quote names
/// of files, which may hold what moves a terminal's cursor: that is replaced.
pub(crate) fn note(message: &str) {
    let is_safe = |c: char| !c.is_control() || c == '\n';
    let shown: String = message.chars().map(|c| if is_safe(c) { c } else { char::REPLACEMENT_CHARACTER }).collect();
    let _ = writeln!(io::stderr().lock(), "{shown}");
}
