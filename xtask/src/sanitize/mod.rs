//! Tests of the engine and the primitives under the nightly compiler's sanitizers.
//!
//! The address sanitizer works with any nightly. The thread sanitizer needs a standard library
//! built for it, which needs the nightly's `rust-src`. Without that it cannot see the ordering
//! that the standard library's own locks make, and calls what they protect a race; then only
//! reports from the one module with `unsafe` count (see [`reports`]). Not part of
//! `cargo xtask test`, which runs on the stable compiler alone.

mod reports;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::step::{Outcome, StepResult, skip};
use crate::workspace::{Package, Workspace};

const PACKAGES: &[&str] = &["tta-telemetry", "tta-primitives"];
const SANITIZERS: &[&str] = &["address", "thread"];
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs both sanitizers, the second also after the first has failed.
pub(crate) fn run() -> StepResult {
    let Some(toolchain) = nightly() else {
        return skip("the sanitizers need a nightly (`rustup toolchain install nightly`)".to_owned());
    };
    let workspace = Workspace::load()?;
    let has_source = has_standard_library_source(&toolchain);
    if !has_source {
        println!(
            "no rust-src in {toolchain}: the standard library is not instrumented \
             (`rustup component add rust-src --toolchain {toolchain}`)"
        );
    }
    let mut errors = Vec::new();
    for sanitizer in SANITIZERS {
        println!("\n{sanitizer} sanitizer");
        let build = Build { toolchain: &toolchain, sanitizer, has_source, workspace: &workspace };
        match build.test() {
            Ok(()) => println!("{sanitizer} sanitizer: ok"),
            Err(error) => errors.push(format!("{sanitizer} sanitizer: {error}")),
        }
    }
    if errors.is_empty() { Ok(Outcome::Done) } else { Err(errors.join("\n")) }
}

/// The installed nightly, by name.
fn nightly() -> Option<String> {
    let list = process::capture(process::command("rustup").args(["toolchain", "list"])).ok()?;
    list.stdout
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| name.starts_with("nightly"))
        .map(str::to_owned)
}

fn has_standard_library_source(toolchain: &str) -> bool {
    let mut rustc = process::command("rustup");
    rustc.args(["run", toolchain, "rustc", "--print", "sysroot"]);
    process::capture(&mut rustc)
        .is_ok_and(|output| Path::new(output.stdout.trim()).join("lib/rustlib/src/rust/library/Cargo.toml").exists())
}

/// The tests built for one sanitizer.
struct Build<'a> {
    toolchain: &'a str,
    sanitizer: &'a str,
    has_source: bool,
    workspace: &'a Workspace,
}

impl Build<'_> {
    /// Runs the tests of every package, then judges what the thread sanitizer reported.
    fn test(&self) -> Result<(), String> {
        let reports = self.directory().join("reports");
        let only_unsafe_module_counts = self.sanitizer == "thread" && !self.has_source;
        let mut errors = Vec::new();
        for name in PACKAGES {
            let package = self.workspace.package(name).ok_or_else(|| format!("there is no package {name}"))?;
            let mut command = self.command(package)?;
            if only_unsafe_module_counts {
                reports::collect_in(&reports, &mut command)?;
            }
            errors.extend(process::run(&mut command).err());
            if only_unsafe_module_counts {
                errors.extend(reports::judge(&reports).err());
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
    }

    fn command(&self, package: &Package) -> Result<Command, String> {
        let mut command = process::command("rustup");
        command.args(["run", self.toolchain, "cargo", "test", "--no-fail-fast"]);
        // All features: some tests need one.
        command.args(["-p", &package.name, "--target", TARGET, "--all-features", "--lib"]);
        for test in test_targets(package)? {
            command.args(["--test", &test]);
        }
        let mut flags = format!("-Zsanitizer={}", self.sanitizer);
        if self.has_source {
            command.arg("-Zbuild-std");
        } else if self.sanitizer == "thread" {
            // Says that the precompiled standard library may be linked although it is not built
            // for this sanitizer; the compiler refuses the mixture otherwise.
            flags.push_str(" -Cunsafe-allow-abi-mismatch=sanitizer");
        }
        command.env("RUSTFLAGS", process::flags_with("RUSTFLAGS", &flags));
        command.env("CARGO_TARGET_DIR", self.directory());
        Ok(command)
    }

    /// A directory of its own, so that builds with different flags keep what they built.
    fn directory(&self) -> PathBuf {
        self.workspace.target_directory.join(format!("sanitize-{}", self.sanitizer))
    }
}

/// The integration tests that make sense here: those that compare compiler messages do not, since
/// a nightly words them differently.
fn test_targets(package: &Package) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for target in package.targets_of_kind("test") {
        let source = std::fs::read_to_string(&target.source)
            .map_err(|error| format!("cannot read {}: {error}", target.source))?;
        if source.contains("trybuild::") {
            println!("left out: {} (it compares messages of the stable compiler)", target.source);
        } else {
            names.push(target.name.clone());
        }
    }
    Ok(names)
}
