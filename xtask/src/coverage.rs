//! Line coverage of the library crates, by `cargo tarpaulin`.
//!
//! Traced by ptrace: the LLVM engine needs tools that a plain toolchain does not have. Tarpaulin
//! prints the percentage as its last line and compares it with the threshold itself. Not part of
//! `cargo xtask test`: traced tests are slow.

use crate::process;
use crate::step::{Outcome, StepResult};
use crate::workspace::Workspace;

const LIBRARIES: &[&str] = &["tta-telemetry", "tta-primitives", "tta-host", "tta"];
const THRESHOLD_PERCENT: &str = "80";

/// Files that a library's tests run but that are not part of a library.
const LEFT_OUT: &[&str] =
    &["crates/tta-cli/*", "crates/tta-bench/*", "crates/*/tests/*", "crates/*/benches/*", "examples/*", "xtask/*"];

/// How long one test binary may stay silent; traced code runs many times slower.
const TIMEOUT_S: &str = "600";

pub(crate) fn run() -> StepResult {
    if !process::succeeds(process::cargo().args(["tarpaulin", "--version"])) {
        return Err("cargo-tarpaulin is not installed; run `cargo install cargo-tarpaulin`".into());
    }
    // Instrumented and plain builds would otherwise throw each other's artefacts away.
    let target = Workspace::load()?.target_directory.join("coverage");
    let mut tarpaulin = process::cargo();
    tarpaulin.args(["tarpaulin", "--engine", "ptrace", "--all-features", "--skip-clean"]);
    tarpaulin.args(["--out", "stdout", "--timeout", TIMEOUT_S, "--fail-under", THRESHOLD_PERCENT]);
    tarpaulin.arg("--target-dir").arg(target);
    for library in LIBRARIES {
        tarpaulin.args(["--packages", library]);
    }
    for files in LEFT_OUT {
        tarpaulin.args(["--exclude-files", files]);
    }
    process::run(&mut tarpaulin)?;
    Ok(Outcome::Done)
}
