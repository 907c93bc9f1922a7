//! The workspace as cargo sees it: packages, their targets and their direct dependencies.
//!
//! Read from `cargo metadata --no-deps`, which needs neither a network nor a lock file. Paths are
//! relative to the repository's root.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process;

pub(crate) struct Workspace {
    /// Where cargo puts what it builds; absolute.
    pub(crate) target_directory: PathBuf,
    pub(crate) packages: Vec<Package>,
}

pub(crate) struct Package {
    pub(crate) name: String,
    /// The package's `Cargo.toml`.
    pub(crate) manifest: String,
    pub(crate) rust_version: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

pub(crate) struct Dependency {
    /// The package's own name, whatever the manifest renames it to.
    pub(crate) name: String,
    /// True for `[dev-dependencies]`: not part of what users of the package build.
    pub(crate) is_dev: bool,
}

pub(crate) struct Target {
    pub(crate) name: String,
    /// `lib`, `bin`, `test`, `bench`, `example`, `custom-build` or a crate type.
    pub(crate) kind: String,
    pub(crate) source: String,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self, String> {
        let output = process::capture(process::cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
        let metadata: Value = serde_json::from_str(&output.stdout)
            .map_err(|error| format!("cannot read the output of `cargo metadata`: {error}"))?;
        let root = PathBuf::from(text(&metadata, "workspace_root"));
        Ok(Self {
            target_directory: PathBuf::from(text(&metadata, "target_directory")),
            packages: list(&metadata, "packages").iter().map(|value| package(value, &root)).collect(),
        })
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    /// The package's targets of one kind.
    pub(crate) fn targets_of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Target> {
        self.targets.iter().filter(move |target| target.kind == kind)
    }
}

fn package(value: &Value, root: &Path) -> Package {
    Package {
        name: text(value, "name"),
        manifest: relative(&text(value, "manifest_path"), root),
        rust_version: value.get("rust_version").and_then(Value::as_str).map(str::to_owned),
        dependencies: list(value, "dependencies")
            .iter()
            .map(|dependency| Dependency { name: text(dependency, "name"), is_dev: text(dependency, "kind") == "dev" })
            .collect(),
        targets: list(value, "targets")
            .iter()
            .map(|target| Target {
                name: text(target, "name"),
                kind: list(target, "kind").first().and_then(Value::as_str).unwrap_or("").to_owned(),
                source: relative(&text(target, "src_path"), root),
            })
            .collect(),
    }
}

fn relative(path: &str, root: &Path) -> String {
    Path::new(path).strip_prefix(root).unwrap_or(Path::new(path)).to_string_lossy().into_owned()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_package_is_found_with_its_binary_and_its_dependency() {
        let workspace = Workspace::load().unwrap();
        let xtask = workspace.package("xtask").unwrap();
        let binaries: Vec<&str> = xtask.targets_of_kind("bin").map(|target| target.source.as_str()).collect();
        assert_eq!(xtask.manifest, "xtask/Cargo.toml");
        assert_eq!(binaries, ["xtask/src/main.rs"]);
        assert!(xtask.dependencies.iter().any(|dependency| dependency.name == "serde_json"));
    }
}
