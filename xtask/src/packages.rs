//! Debian packages the checks need, in one table, and their installation where that is possible.

use crate::process;
use crate::step::{Outcome, StepResult, skip_unless_ci};

/// A program that comes from a Debian package.
struct Package {
    name: &'static str,
    program: &'static str,
    /// Arguments with which the program succeeds where all of the package is there; none: it suffices
    /// that the program is.
    probe: &'static [&'static str],
    needed_by: &'static str,
}

const PACKAGES: &[Package] = &[
    Package { name: "npm", program: "npm", probe: &[], needed_by: "sending with the Node SDK" },
    Package { name: "prometheus", program: "promtool", probe: &[], needed_by: "scraping with a real Prometheus" },
    Package {
        name: "python3-venv",
        program: "python3",
        probe: &["-c", "import ensurepip, venv"],
        needed_by: "sending with the Python SDK",
    },
    Package { name: "redis-server", program: "redis-server", probe: &[], needed_by: "testing with a real Redis" },
    Package { name: "valgrind", program: "valgrind", probe: &[], needed_by: "counting instructions" },
];

/// Installs what is missing where we are root and have `apt-get`; else says what will be skipped.
pub(crate) fn install_missing() -> StepResult {
    if missing().is_empty() {
        println!("all present: {}", names(PACKAGES.iter()));
        return Ok(Outcome::Done);
    }
    if can_install()
        && let Err(error) = apt_get(&missing())
    {
        println!("{error}");
    }
    let still_missing = missing();
    if still_missing.is_empty() {
        return Ok(Outcome::Done);
    }
    let reasons: Vec<String> =
        still_missing.iter().map(|package| format!("{} needs {}", package.needed_by, package.name)).collect();
    skip_unless_ci(reasons.join("; "))
}

fn missing() -> Vec<&'static Package> {
    PACKAGES.iter().filter(|package| !is_present(package)).collect()
}

fn is_present(package: &Package) -> bool {
    process::is_installed(package.program)
        && (package.probe.is_empty() || process::succeeds(process::command(package.program).args(package.probe)))
}

fn can_install() -> bool {
    let user = process::capture(process::command("id").arg("-u"));
    process::is_installed("apt-get") && user.is_ok_and(|output| output.stdout.trim() == "0")
}

fn apt_get(packages: &[&Package]) -> Result<(), String> {
    let apt_get = || {
        let mut command = process::command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    process::run(apt_get().args(["update", "-q"]))?;
    process::run(
        apt_get()
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(packages.iter().map(|package| package.name)),
    )
}

fn names<'a>(packages: impl Iterator<Item = &'a Package>) -> String {
    packages.map(|package| package.name).collect::<Vec<_>>().join(", ")
}
