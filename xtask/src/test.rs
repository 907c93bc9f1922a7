//! What CI runs: the steps of `cargo xtask test`, in order.
//!
//! The comparisons with peers (`tta-bench`) are left out of every step: they pull in the peers
//! and are re-run by hand.

use std::path::Path;
use std::process::ExitCode;

use crate::step::{Outcome, Step, StepResult, run_all, skip};
use crate::workspace::Workspace;
use crate::{docs, instructions, interop, packages, process, tidy, toolchain};

const STEPS: &[Step] = &[
    Step { name: "packages", run: packages::install_missing },
    Step { name: "senders of other languages", run: interop::run },
    Step { name: "toolchain", run: toolchain::check },
    Step { name: "format", run: format },
    Step { name: "tidy", run: tidy::run },
    Step { name: "clippy", run: clippy },
    Step { name: "tests", run: tests },
    Step { name: "documentation tests", run: documentation_tests },
    Step { name: "tests with telemetry compiled out", run: compiled_out },
    Step { name: "loom models", run: loom },
    Step { name: "documentation", run: documentation },
    Step { name: "generated documents", run: docs::check },
    Step { name: "examples", run: examples },
    Step { name: "instruction counts", run: instructions::run },
    Step { name: "licences, bans and sources of dependencies", run: deny },
];

/// Every package but the comparisons with peers.
const WORKSPACE: [&str; 3] = ["--workspace", "--exclude", "tta-bench"];

const LOOM_MODELS: &str = "crates/tta-telemetry/tests/loom.rs";

pub(crate) fn run() -> ExitCode {
    run_all(STEPS)
}

fn cargo(arguments: &[&str]) -> StepResult {
    process::run(process::cargo().args(arguments)).map(|()| Outcome::Done)
}

fn format() -> StepResult {
    cargo(&["fmt", "--all", "--check"])
}

fn clippy() -> StepResult {
    let [workspace, exclude, excluded] = WORKSPACE;
    cargo(&["clippy", workspace, exclude, excluded, "--all-targets", "--", "-D", "warnings"])
}

fn tests() -> StepResult {
    if process::succeeds(process::cargo().args(["nextest", "--version"])) {
        process::run(process::cargo().args(["nextest", "run", "--no-fail-fast"]).args(WORKSPACE))?;
    } else {
        let targets = ["--lib", "--bins", "--tests"];
        process::run(process::cargo().args(["test", "--no-fail-fast"]).args(WORKSPACE).args(targets))?;
    }
    Ok(Outcome::Done)
}

fn documentation_tests() -> StepResult {
    process::run(process::cargo().args(["test", "--doc"]).args(WORKSPACE))?;
    Ok(Outcome::Done)
}

fn compiled_out() -> StepResult {
    cargo(&["test", "-p", "tta-primitives", "-p", "tta-telemetry", "--no-default-features"])?;
    // What stands above them must build without the recorder as well.
    let above = ["--no-default-features", "--features", "axum,host,redis,reqwest,tower,tracing"];
    process::run(process::cargo().args(["check", "-p", "tta", "--lib"]).args(above))?;
    Ok(Outcome::Done)
}

fn loom() -> StepResult {
    if !Path::new(LOOM_MODELS).exists() {
        return skip(format!("{LOOM_MODELS} does not exist"));
    }
    let workspace = Workspace::load()?;
    process::run(
        process::cargo()
            .args(["test", "-p", "tta-telemetry", "--release", "--test", "loom"])
            .env("RUSTFLAGS", process::flags_with("RUSTFLAGS", "--cfg loom"))
            .env("CARGO_TARGET_DIR", workspace.target_directory.join("loom")),
    )?;
    Ok(Outcome::Done)
}

fn documentation() -> StepResult {
    process::run(
        process::cargo()
            .args(["doc", "--no-deps"])
            .args(WORKSPACE)
            .env("RUSTDOCFLAGS", process::flags_with("RUSTDOCFLAGS", "-D warnings")),
    )?;
    Ok(Outcome::Done)
}

/// Runs every example, also after one has failed, so that one run names all that are broken.
fn examples() -> StepResult {
    let workspace = Workspace::load()?;
    let package = workspace.package("tta-examples").ok_or("there is no package tta-examples")?;
    let mut run_count = 0;
    let mut errors = Vec::new();
    for (kind, flag) in [("bin", "--bin"), ("example", "--example")] {
        for target in package.targets_of_kind(kind) {
            run_count += 1;
            let arguments = ["run", "-p", "tta-examples", flag, &target.name];
            errors.extend(process::run(process::cargo().args(arguments)).err());
        }
    }
    if run_count == 0 {
        return skip("the package tta-examples has no binaries".to_owned());
    }
    println!("{} of {run_count} examples passed", run_count - errors.len());
    if errors.is_empty() { Ok(Outcome::Done) } else { Err(errors.join("\n")) }
}

fn deny() -> StepResult {
    if process::succeeds(process::cargo().args(["deny", "--version"])) {
        cargo(&["deny", "--log-level", "error", "check", "licenses", "bans", "sources"])
    } else {
        skip("cargo-deny is not installed (`cargo install --locked cargo-deny`)".to_owned())
    }
}
