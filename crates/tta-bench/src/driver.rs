//! Builds and starts the processes that measure, and hands what they print to the report.
//!
//! Does not measure anything itself.

use crate::arguments::Arguments;
use crate::document::{self, Origin};
use crate::export;
use crate::ingest;
use crate::jobs::{Job, groups};
use crate::machine;
use crate::measurement::Measurement;
use crate::push;
use crate::redis;
use crate::report::{self, Sections};
use crate::rounds::{self, Group};
use crate::scrape;
use anyhow::Context as _;
use serde::de::DeserializeOwned;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The binaries that run single cases.
pub(crate) struct Runners {
    pub(crate) glibc: PathBuf,
    pub(crate) mimalloc: PathBuf,
    pub(crate) counting: PathBuf,
}

pub(crate) fn drive(arguments: &Arguments) -> anyhow::Result<()> {
    let runners = Runners::build()?;
    let moment = format!("{}, load average {} when it began", machine::date(), machine::load_average());
    let mut measured = Vec::new();
    for mut jobs in groups() {
        jobs.retain(|job| arguments.wants(&job.name()));
        if !jobs.is_empty() {
            measured.push(Group::measure(arguments, &runners, &jobs)?);
        }
    }
    let sections = Sections {
        redis: redis::measure(arguments, &runners.glibc)?,
        ingest: ingest::measure(arguments, &runners.glibc)?,
        export: export::measure(arguments, &runners.glibc)?,
        push: push::measure(arguments, &runners.glibc)?,
        scrape: scrape::measure(arguments, &runners)?,
    };
    let is_any = !measured.is_empty() || !sections.is_empty();
    anyhow::ensure!(is_any, "no case has {:?} in its name", arguments.filter);
    rounds::measure_strays_again(arguments, &runners, &mut measured)?;

    let outcomes: Vec<_> = measured.into_iter().flat_map(|group| group.outcomes).collect();
    let text = report::render(arguments, &moment, &outcomes, &sections);
    write!(std::io::stdout().lock(), "{text}")?;
    if arguments.write || arguments.is_full() {
        let path = report_path();
        let old = std::fs::read_to_string(&path).ok().filter(|_| !arguments.is_full());
        let command = report::command(arguments);
        let origin = Origin { command: &command, moment: &moment, filter: arguments.filter.as_deref() };
        let text = old.map_or(text.clone(), |old| document::merge(&old, &text, &origin));
        std::fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Runs one job in a process of its own.
pub(crate) fn measure(arguments: &Arguments, runner: &Path, job: &Job) -> anyhow::Result<Measurement> {
    let twin = job.is_compiled_out().then(|| compiled_out(runner)).flatten();
    run_case(arguments, twin.as_deref().unwrap_or(runner), &job.name())
}

/// Runs the case of this name in a process of its own, which prints a `T`.
pub(crate) fn run_case<T: DeserializeOwned>(arguments: &Arguments, runner: &Path, name: &str) -> anyhow::Result<T> {
    let mut command = Command::new(runner);
    command.args(["--case", name, "--json"]).args(arguments.quick.then_some("--quick"));
    let output = command.output().with_context(|| format!("cannot run {}", runner.display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "case `{name}` failed: {errors}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("case `{name}` printed no result"))
}

/// Runs all these cases in turn, round by round: what each has printed.
pub(crate) fn take_turns<T: DeserializeOwned>(
    arguments: &Arguments,
    runner: &Path,
    names: &[String],
) -> anyhow::Result<Vec<Vec<T>>> {
    let mut readings: Vec<Vec<T>> = names.iter().map(|_| Vec::new()).collect();
    for _ in 0..arguments.rounds() {
        for (name, readings) in names.iter().zip(&mut readings) {
            writeln!(std::io::stderr().lock(), "{name}").ok();
            readings.push(run_case(arguments, runner, name)?);
        }
    }
    Ok(readings)
}

/// The same binary without the recorder, in a target directory of its own: a crate cannot be built
/// with two sets of features in one.
fn compiled_out(runner: &Path) -> Option<PathBuf> {
    let target = runner.parent()?.parent()?;
    Some(target.join("compiled-out").join("release").join(runner.file_name()?))
}

impl Runners {
    /// Under cargo the other binaries are built if they are missing or older than their source;
    /// otherwise they are taken as they lie beside this one.
    fn build() -> anyhow::Result<Self> {
        let glibc = std::env::current_exe()?;
        if let Some(cargo) = std::env::var_os("CARGO") {
            let build = |target: Option<PathBuf>, more: &[&str]| {
                let mut command = Command::new(&cargo);
                command.args(["build", "--quiet", "--release", "--package", "tta-bench", "--bins"]).args(more);
                command.args(target.iter().flat_map(|target| [OsStr::new("--target-dir"), target.as_os_str()]));
                anyhow::ensure!(command.status()?.success(), "cannot build the other binaries");
                anyhow::Ok(())
            };
            // The profile's directory lies in the target directory.
            let target = glibc.parent().and_then(Path::parent);
            build(target.map(Path::to_path_buf), &[])?;
            build(target.map(|target| target.join("compiled-out")), &["--no-default-features"])?;
        }
        let beside = |name: &str| {
            let path = glibc.with_file_name(name);
            anyhow::ensure!(
                path.exists(),
                "`{name}` is missing: build it with `cargo build --release -p tta-bench --bins`"
            );
            Ok(path)
        };
        Ok(Self { mimalloc: beside("tta-bench-mimalloc")?, counting: beside("tta-bench-counting")?, glibc })
    }
}

/// `docs/performance.md` of the workspace, or of the current directory when not run by cargo.
fn report_path() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = package.as_deref().and_then(Path::parent).and_then(Path::parent);
    root.unwrap_or(Path::new(".")).join("docs/performance.md")
}
