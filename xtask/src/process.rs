//! Running other programs: cargo with this toolchain, output left where the user can see it.
//!
//! Nothing here decides what a failure means; callers do.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::process::{Command, Stdio};

/// Whether continuous integration is running us: there, what would be skipped is a failure.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// The cargo that started us.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program that reads nothing, and prints no colours where there is no terminal to show them.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    if !std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "never");
    }
    command
}

/// Runs a command with its output passed through, after a line that says what is run.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    println!("$ {}", describe(command));
    let status = command.status().map_err(|error| format!("cannot start `{}`: {error}", describe(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", describe(command))) }
}

/// What a command wrote, once it has succeeded.
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command and keeps its output instead of showing it; on failure the error carries it.
pub(crate) fn capture(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("cannot start `{}`: {error}", describe(command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        Ok(Output { stdout, stderr })
    } else {
        Err(format!("`{}` ended with {}\n{stderr}", describe(command), output.status))
    }
}

/// Whether a command can be started and succeeds; used to ask whether a tool is installed.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Whether a program of this name is on the search path.
pub(crate) fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// A flag variable such as `RUSTFLAGS` with `flags` added to what the user has already set.
pub(crate) fn flags_with(variable: &str, flags: &str) -> String {
    match std::env::var(variable) {
        Ok(present) if !present.trim().is_empty() => format!("{present} {flags}"),
        _ => flags.to_owned(),
    }
}

/// A command as one could type it: the variables set for it, then the program and arguments.
fn describe(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value.filter(|_| name != "CARGO_TERM_COLOR") {
            words.push(format!("{}={}", name.display(), quoted(&value.to_string_lossy())));
        }
    }
    let program = std::path::Path::new(command.get_program());
    words.push(program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned());
    words.extend(command.get_args().map(|argument| quoted(&argument.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains([' ', '*']) { format!("'{word}'") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_described_as_one_would_type_it() {
        let mut command = Command::new("/usr/bin/cargo");
        command.env("RUSTFLAGS", "-D warnings").env("CARGO_TERM_COLOR", "never");
        command.args(["doc", "--no-deps"]);
        assert_eq!(describe(&command), "RUSTFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn a_program_that_does_not_exist_is_neither_installed_nor_runnable() {
        assert!(!is_installed("no-such-program-anywhere"));
        assert!(!succeeds(&mut command("no-such-program-anywhere")));
    }
}
