//! House rules that rustc, clippy and rustfmt do not check.
//!
//! Each rule is a function from files to problems, in a file with its kin, with a test that shows
//! it fire. The rules read text line by line, laid out as rustfmt leaves it; they do not parse
//! Rust. What they cannot see, review has to.

mod attributes;
mod files;
mod functions;
mod layers;
mod manifests;
mod modules;
mod words;

use crate::step::{Outcome, StepResult};
use crate::workspace::Workspace;
use files::SourceFile;

/// A broken rule at a place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    path: String,
    line: usize,
    rule: &'static str,
    message: String,
}

/// Looks at one file at a time.
type FileRule = fn(&SourceFile) -> Vec<Problem>;

/// Compares packages with the files they are made of.
type WorkspaceRule = fn(&Workspace, &[SourceFile]) -> Vec<Problem>;

const FILE_RULES: &[FileRule] = &[
    modules::start_with_documentation,
    modules::are_short,
    functions::are_short,
    words::no_ignored_tests,
    words::no_unfinished_work,
    words::no_sleeping_tests,
    words::no_machine_paths,
    attributes::unsafe_stays_in_its_module,
];

const WORKSPACE_RULES: &[WorkspaceRule] = &[
    layers::depend_only_upwards,
    manifests::inherit_from_the_workspace,
    attributes::roots_forbid_unsafe_code,
    attributes::libraries_deny_missing_docs,
];

/// Checks every rule and prints what is wrong as `path:line: rule: message`.
pub(crate) fn run() -> StepResult {
    let workspace = Workspace::load()?;
    let files = files::load()?;
    let mut problems = Vec::new();
    for rule in FILE_RULES {
        problems.extend(files.iter().flat_map(rule));
    }
    for rule in WORKSPACE_RULES {
        problems.extend(rule(&workspace, &files));
    }
    problems.sort();
    for problem in &problems {
        println!("{}:{}: {}: {}", problem.path, problem.line, problem.rule, problem.message);
    }
    println!("tidy: {} files, {} problems", files.len(), problems.len());
    if problems.is_empty() {
        Ok(Outcome::Done)
    } else {
        Err(format!("{} problems against the house rules", problems.len()))
    }
}
