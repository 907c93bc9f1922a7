//! Rules about `unsafe` and documentation: what the root of each crate declares, and where
//! `unsafe` may be written.

use super::Problem;
use super::files::{SourceFile, code_of, has_word};
use crate::workspace::Workspace;

/// The one package with `unsafe`, and the one module of it.
const UNSAFE_PACKAGE: &str = "tta-telemetry";
const UNSAFE_MODULE: &str = "crates/tta-telemetry/src/record";

/// Packages whose users read their documentation.
const LIBRARIES: &[&str] = &["tta-telemetry", "tta-primitives", "tta-host", "tta-redis", "tta"];

pub(super) fn roots_forbid_unsafe_code(workspace: &Workspace, files: &[SourceFile]) -> Vec<Problem> {
    roots(workspace, files)
        .filter(|(package, _)| *package != UNSAFE_PACKAGE)
        .filter_map(|(_, root)| require(root, "forbid-unsafe", "#![forbid(unsafe_code)]"))
        .collect()
}

pub(super) fn libraries_deny_missing_docs(workspace: &Workspace, files: &[SourceFile]) -> Vec<Problem> {
    roots(workspace, files)
        .filter(|(package, _)| LIBRARIES.contains(package))
        .filter_map(|(_, root)| require(root, "missing-docs", "#![deny(missing_docs)]"))
        .collect()
}

/// `src/lib.rs` and `src/main.rs` of every package. Further binaries are covered by the rule on
/// the word itself.
fn roots<'a>(workspace: &'a Workspace, files: &'a [SourceFile]) -> impl Iterator<Item = (&'a str, &'a SourceFile)> {
    workspace.packages.iter().flat_map(move |package| {
        let sources = package.targets.iter().map(|target| target.source.as_str());
        sources
            .filter(|source| source.ends_with("src/lib.rs") || source.ends_with("src/main.rs"))
            .filter_map(|source| files.iter().find(|file| file.path == source))
            .map(|file| (package.name.as_str(), file))
    })
}

fn require(root: &SourceFile, rule: &'static str, attribute: &str) -> Option<Problem> {
    let is_present = root.text.lines().any(|line| code_of(line).trim() == attribute);
    (!is_present).then(|| root.problem(1, rule, format!("a crate of this kind has `{attribute}`")))
}

/// Integration tests and benches are left to the `unsafe_code` lint, which is denied for all.
pub(super) fn unsafe_stays_in_its_module(file: &SourceFile) -> Vec<Problem> {
    let module = file.path.strip_prefix(UNSAFE_MODULE);
    if !file.is_module() || module.is_some_and(|rest| rest.starts_with(['/', '.'])) {
        return Vec::new();
    }
    let message = format!("`unsafe` is for {UNSAFE_MODULE} alone");
    file.lines()
        .filter(|(_, line)| has_word(&code_of(line), "unsafe"))
        .map(|(number, _)| file.problem(number, "unsafe", message.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Package, Target};

    fn workspace(name: &str) -> Workspace {
        let source = format!("crates/{name}/src/lib.rs");
        let target = Target { name: name.to_owned(), kind: "lib".to_owned(), source };
        let package = Package {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            rust_version: None,
            dependencies: Vec::new(),
            targets: vec![target],
        };
        Workspace { target_directory: "target".into(), packages: vec![package] }
    }

    #[test]
    fn a_crate_that_does_not_forbid_unsafe_code_is_reported_except_the_one_that_has_it() {
        let bare = [SourceFile::new("crates/tta/src/lib.rs", "//! A.\n//#![forbid(unsafe_code)]\n")];
        assert_eq!(roots_forbid_unsafe_code(&workspace("tta"), &bare).len(), 1);
        let good = [SourceFile::new("crates/tta/src/lib.rs", "//! A.\n#![forbid(unsafe_code)]\n")];
        assert!(roots_forbid_unsafe_code(&workspace("tta"), &good).is_empty());
        let engine = [SourceFile::new("crates/tta-telemetry/src/lib.rs", "//! A.\n")];
        assert!(roots_forbid_unsafe_code(&workspace("tta-telemetry"), &engine).is_empty());
    }

    #[test]
    fn a_library_without_the_lint_on_documentation_is_reported_and_a_binary_is_not() {
        let bare = [SourceFile::new("crates/tta/src/lib.rs", "//! A.\n")];
        assert_eq!(libraries_deny_missing_docs(&workspace("tta"), &bare).len(), 1);
        let good = [SourceFile::new("crates/tta/src/lib.rs", "#![deny(missing_docs)] // why\n")];
        assert!(libraries_deny_missing_docs(&workspace("tta"), &good).is_empty());
        let other = [SourceFile::new("crates/tta-cli/src/lib.rs", "//! A.\n")];
        assert!(libraries_deny_missing_docs(&workspace("tta-cli"), &other).is_empty());
    }

    #[test]
    fn unsafe_is_reported_outside_its_module_and_the_name_of_the_lint_is_not() {
        let count = |path, text| unsafe_stays_in_its_module(&SourceFile::new(path, text)).len();
        let code = "    let a = unsafe { read(b) };\n";
        assert_eq!(count("crates/tta-telemetry/src/lib.rs", code), 1);
        assert_eq!(count("crates/tta-telemetry/src/recorder.rs", code), 1);
        assert_eq!(count("crates/tta-telemetry/src/record/ring.rs", code), 0);
        assert_eq!(count("crates/tta-telemetry/src/record.rs", code), 0);
        assert_eq!(count("crates/tta/src/lib.rs", "#![forbid(unsafe_code)] // unsafe\n"), 0);
    }
}
