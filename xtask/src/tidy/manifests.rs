//! Rules about `Cargo.toml`: lints and versions are written once, in the workspace's manifest.
//!
//! Reads the part of TOML that manifests use: tables, `key = value`, arrays over several lines.

use super::Problem;
use super::files::SourceFile;
use crate::workspace::Workspace;

/// One `key = value` of a manifest.
struct Entry {
    /// The header of its table, as written.
    table: String,
    key: String,
    /// Without white space, so that it can be searched.
    value: String,
    line: usize,
}

/// A dependency with everything written about it.
struct Dependency {
    name: String,
    specification: String,
    line: usize,
}

pub(super) fn inherit_from_the_workspace(workspace: &Workspace, files: &[SourceFile]) -> Vec<Problem> {
    let manifests = workspace.packages.iter().map(|package| package.manifest.as_str());
    let members = manifests.filter_map(|path| files.iter().find(|file| file.path == path));
    let mut problems: Vec<Problem> = members.flat_map(check_member).collect();
    problems.extend(files.iter().filter(|file| file.path == "Cargo.toml").flat_map(check_root));
    problems
}

fn check_member(file: &SourceFile) -> Vec<Problem> {
    let entries = entries(&file.text);
    let mut problems = Vec::new();
    let inherits_lints =
        entries.iter().any(|entry| entry.table == "lints" && entry.key == "workspace" && entry.value == "true");
    if !inherits_lints {
        let message = "lints come from the workspace: `[lints]`, `workspace = true`".to_owned();
        problems.push(file.problem(1, "workspace-lints", message));
    }
    for dependency in dependencies(&entries, false) {
        if !dependency.specification.contains("workspace=true") {
            let message =
                format!("{} is not `workspace = true`: versions are in the workspace's table", dependency.name);
            problems.push(file.problem(dependency.line, "workspace-dependency", message));
        }
    }
    problems
}

fn check_root(file: &SourceFile) -> Vec<Problem> {
    dependencies(&entries(&file.text), true)
        .into_iter()
        .filter(|dependency| !dependency.specification.contains("default-features=false"))
        .map(|dependency| {
            let message =
                format!("{} has no `default-features = false`: each crate turns on what it needs", dependency.name);
            file.problem(dependency.line, "default-features", message)
        })
        .collect()
}

/// The line on which a dependency is declared, or the first.
pub(super) fn line_of(manifest: &str, dependency: &str) -> usize {
    let entries = entries(manifest);
    let of_member = dependencies(&entries, false);
    of_member.iter().find(|found| found.name == dependency).map_or(1, |found| found.line)
}

/// The dependencies of a member's tables or, if `of_workspace`, of the workspace's table. One
/// that is spread over several entries (`a.workspace = true`, or a table of its own) is put
/// together again.
fn dependencies(entries: &[Entry], of_workspace: bool) -> Vec<Dependency> {
    let mut dependencies: Vec<Dependency> = Vec::new();
    let mut last_table = "";
    for entry in entries {
        let Some((name, specification)) = dependency_part(entry, of_workspace) else {
            continue;
        };
        match dependencies.last_mut() {
            Some(last) if last.name == name && last_table == entry.table => {
                last.specification.push(',');
                last.specification.push_str(&specification);
            }
            _ => dependencies.push(Dependency { name, specification, line: entry.line }),
        }
        last_table = &entry.table;
    }
    dependencies
}

/// The dependency an entry speaks of, and what it says.
fn dependency_part(entry: &Entry, of_workspace: bool) -> Option<(String, String)> {
    let table = if of_workspace {
        entry.table.strip_prefix("workspace.")?
    } else if entry.table.starts_with("workspace.") {
        return None;
    } else {
        &entry.table
    };
    let (before, name) = table.rsplit_once("dependencies")?;
    if !(before.is_empty() || before.ends_with(['.', '-'])) {
        return None;
    }
    if let Some(name) = name.strip_prefix('.') {
        return Some((name.to_owned(), format!("{}={}", entry.key, entry.value)));
    }
    match entry.key.split_once('.') {
        Some((name, setting)) => Some((name.to_owned(), format!("{setting}={}", entry.value))),
        None => Some((entry.key.clone(), entry.value.clone())),
    }
}

fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut table = String::new();
    let mut open_brackets = 0;
    for (index, line) in text.lines().enumerate() {
        let line = without_comment(line).trim();
        if open_brackets > 0 {
            if let Some(last) = entries.last_mut() {
                last.value.extend(line.split_whitespace());
            }
        } else if line.starts_with('[') {
            table = line.trim_matches(['[', ']']).to_owned();
            continue;
        } else if let Some((key, value)) = line.split_once('=') {
            entries.push(Entry {
                table: table.clone(),
                key: key.trim().to_owned(),
                value: value.split_whitespace().collect(),
                line: index + 1,
            });
        } else {
            continue;
        }
        open_brackets += line.matches(['[', '{']).count();
        open_brackets = open_brackets.saturating_sub(line.matches([']', '}']).count());
    }
    entries
}

/// A `#` inside quotes is not a comment.
fn without_comment(line: &str) -> &str {
    let mut in_string = false;
    let is_start = |character| {
        in_string ^= character == '"';
        character == '#' && !in_string
    };
    line.split(is_start).next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
[package]
name = \"a\"
description = \"not a # comment\"

[lints]
workspace = true # the table

[features]
record = [\"dep:b\"]

[dependencies]
b.workspace = true
c = { workspace = true, features = [
    \"d\",
] }

[dependencies.e]
features = [\"f\"]
workspace = true

[target.\"cfg(loom)\".dependencies]
loom.workspace = true
";

    fn rules_and_lines(problems: &[Problem]) -> Vec<(&str, usize)> {
        problems.iter().map(|problem| (problem.rule, problem.line)).collect()
    }

    #[test]
    fn a_member_that_inherits_everything_is_fine() {
        let file = SourceFile::new("crates/a/Cargo.toml", GOOD);
        assert_eq!(check_member(&file), []);
    }

    #[test]
    fn a_version_of_its_own_is_reported_in_every_kind_of_table() {
        for (table, expected_line) in [("[dependencies]\nx = \"1\"", 4), ("[dev-dependencies.x]\nversion = \"1\"", 4)] {
            let file = SourceFile::new("Cargo.toml", &format!("[lints]\nworkspace = true\n{table}\n"));
            assert_eq!(rules_and_lines(&check_member(&file)), [("workspace-dependency", expected_line)]);
        }
        let target = GOOD.replace("loom.workspace = true", "loom = \"0.7\"");
        let file = SourceFile::new("crates/a/Cargo.toml", &target);
        assert_eq!(rules_and_lines(&check_member(&file)), [("workspace-dependency", 22)]);
    }

    #[test]
    fn a_member_with_lints_of_its_own_is_reported() {
        let file = SourceFile::new("crates/a/Cargo.toml", "[lints.rust]\nunsafe_code = \"allow\"\n");
        assert_eq!(rules_and_lines(&check_member(&file)), [("workspace-lints", 1)]);
    }

    #[test]
    fn a_dependency_of_the_workspace_with_its_default_features_is_reported() {
        let text = "[workspace.dependencies]\n\
                    a = { version = \"1\", default-features = false }\n\
                    b = \"1\"\n";
        let problems = check_root(&SourceFile::new("Cargo.toml", text));
        assert_eq!(rules_and_lines(&problems), [("default-features", 3)]);
    }

    #[test]
    fn the_line_of_a_dependency_is_found() {
        assert_eq!(line_of(GOOD, "c"), 13);
        assert_eq!(line_of(GOOD, "absent"), 1);
    }
}
