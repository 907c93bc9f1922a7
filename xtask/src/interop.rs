//! Senders of other languages, which the tests of `tta serve` run: what they need, installed.
//!
//! Into `interop/` below the target directory: a virtual environment of Python and a `node_modules`,
//! of the versions that the files beside those programs pin. What is there already, of the same
//! versions, stays as it is. The tests look for the file `installed`, written last.

use std::path::{Path, PathBuf};

use crate::process;
use crate::step::{Outcome, StepResult, skip_unless_ci};
use crate::workspace::Workspace;

const PROGRAMS: &str = "crates/tta-cli/tests/serve/programs";
const MARK: &str = "installed";

/// Packages of one language, and where they go.
struct Environment {
    name: &'static str,
    /// The files that pin versions, below [`PROGRAMS`].
    pinned: &'static [&'static str],
    install: fn(&Path, &Path) -> Result<(), String>,
}

const ENVIRONMENTS: &[Environment] = &[
    Environment { name: "python", pinned: &["requirements.txt"], install: python },
    Environment { name: "node", pinned: &["package.json", "package-lock.json"], install: node },
];

/// Installs what is missing or of other versions; what cannot be is said in one line each.
pub(crate) fn run() -> StepResult {
    let directory = Workspace::load()?.target_directory.join("interop");
    let failed: Vec<String> =
        ENVIRONMENTS.iter().filter_map(|environment| ensure(environment, &directory).err()).collect();
    if failed.is_empty() { Ok(Outcome::Done) } else { skip_unless_ci(failed.join("; ")) }
}

fn ensure(environment: &Environment, directory: &Path) -> Result<(), String> {
    let Environment { name, pinned, install } = environment;
    let (from, to) = (Path::new(PROGRAMS).join(name), directory.join(name));
    let told = |path: &Path, error: std::io::Error| format!("{name}: {}: {error}", path.display());
    let mut wanted = String::new();
    for file in *pinned {
        let path = from.join(file);
        wanted.push_str(&std::fs::read_to_string(&path).map_err(|error| told(&path, error))?);
    }
    let mark = to.join(MARK);
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        println!("{name}: present");
        return Ok(());
    }
    // Of other versions, or begun and never finished.
    if to.exists() {
        std::fs::remove_dir_all(&to).map_err(|error| told(&to, error))?;
    }
    std::fs::create_dir_all(&to).map_err(|error| told(&to, error))?;
    install(&from, &to).map_err(|error| format!("{name}: {}", error.lines().next().unwrap_or_default()))?;
    std::fs::write(&mark, wanted).map_err(|error| told(&mark, error))
}

fn python(from: &Path, to: &Path) -> Result<(), String> {
    process::run(process::command("python3").args(["-m", "venv"]).arg(to))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--requirement"];
    process::run(process::command(to.join("bin/python")).args(pip).arg(from.join("requirements.txt")))
}

fn node(from: &Path, to: &Path) -> Result<(), String> {
    for file in ["package.json", "package-lock.json"] {
        let to: PathBuf = to.join(file);
        std::fs::copy(from.join(file), &to).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    // None of the packages needs its scripts.
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    process::run(process::command("npm").args(install).current_dir(to))
}
