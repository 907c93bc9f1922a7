//! `cargo xtask`: every check and test of this repository, with no tool to install first.
//!
//! This file only dispatches. It works from the repository's root, whatever directory it was
//! called from, so every other module uses paths relative to that root.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing what it checks is what this binary is for")]

mod coverage;
mod docs;
mod instructions;
mod interop;
mod packages;
mod process;
mod sanitize;
mod step;
mod test;
mod tidy;
mod toolchain;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use step::{Outcome, StepResult};

const HELP: &str = "\
Usage: cargo xtask <command>

Commands:
  test                    Everything CI runs, step by step, with a summary at the end
  tidy                    House rules that rustc, clippy and rustfmt do not check
  coverage                Line coverage of the library crates; fails under 80 %
  sanitize                Tests under the address and thread sanitizers (needs a nightly)
  instructions [--bless]  Instructions per operation against the recorded counts;
                          --bless records the new ones
  interop                 Installs what tests need to send from Python and Node
  docs [--check]          Writes what is generated in docs/; --check fails when it would change
  help                    This text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let Err(error) = std::env::set_current_dir(root()) {
        eprintln!("error: cannot enter {}: {error}", root().display());
        return ExitCode::FAILURE;
    }
    match arguments.as_slice() {
        ["test"] => test::run(),
        ["tidy"] => finish(tidy::run()),
        ["coverage"] => finish(coverage::run()),
        ["sanitize"] => finish(sanitize::run()),
        ["instructions"] => finish(instructions::run()),
        ["instructions", "--bless"] => finish(instructions::bless()),
        ["interop"] => finish(interop::run()),
        ["docs"] => finish(docs::write()),
        ["docs", "--check"] => finish(docs::check()),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        unknown => {
            eprint!("error: unknown command `{}`\n\n{HELP}", unknown.join(" "));
            ExitCode::from(2)
        }
    }
}

/// The directory above this package. Cargo says at run time where the package is, which stays
/// true when the repository is moved after the build.
fn root() -> PathBuf {
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), PathBuf::from)
}

fn finish(result: StepResult) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Skipped(reason)) => {
            println!("skipped: {reason}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
