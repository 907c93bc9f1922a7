//! The table of rules, compared with the components that there are.

use std::collections::BTreeSet;
use std::path::Path;

use tta_telemetry::Telemetry;
use tta_telemetry::sampling::{IsolatedProcessor, TraceEdit, TraceProcessor};
use tta_telemetry::store::MemoryTraceStore;

const RULES: &str = include_str!("../../../src/health/rules.md");

/// The names in the table, with `<name>` for what differs.
fn rows() -> BTreeSet<String> {
    let rows = RULES.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name.to_owned()).collect()
}

/// `circuit:payments` and `circuit:{}` are `circuit:<name>`.
fn kind(name: &str) -> String {
    name.split_once(':').map_or(name.to_owned(), |(kind, _)| format!("{kind}:<name>"))
}

fn sources(directory: &Path, all: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            all.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The texts in the functions that name components, of all crates; not of their tests.
fn named_in_code() -> BTreeSet<String> {
    let mut all = Vec::new();
    for directory in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap() {
        let source = directory.unwrap().path().join("src");
        if source.is_dir() {
            sources(&source, &mut all);
        }
    }
    let mut names = BTreeSet::new();
    for text in &all {
        let text = text.split("\n#[cfg(test)]").next().unwrap();
        for component in text.split("impl HealthComponent for ").skip(1) {
            let name = component.split("fn name(&self)").nth(1).and_then(|rest| rest.split("fn health").next());
            names.extend(name.unwrap().split('"').nth(1).map(kind));
        }
    }
    names
}

struct Nothing;

impl TraceProcessor for Nothing {
    fn name(&self) -> &str {
        "nothing"
    }

    fn process(&self, _: &mut TraceEdit<'_>) {}
}

#[test]
fn every_component_has_its_row_and_every_row_its_component() {
    let store = MemoryTraceStore::new("shop");
    let builder = Telemetry::builder().trace_store(store).processor(IsolatedProcessor::new(Nothing));
    let health = builder.by_hand().build().unwrap().health();
    let mut known: BTreeSet<String> = health.components.iter().map(|component| kind(component.name.as_str())).collect();
    assert!(known.len() >= 8, "{known:?}");
    let in_code = named_in_code();
    for found in ["otlp", "config", "circuit:<name>", "redis:<name>"] {
        assert!(in_code.contains(found), "{found} was not found: {in_code:?}");
    }
    known.extend(in_code);
    assert_eq!(rows(), known);
}

#[test]
fn the_rules_say_of_every_row_when_it_is_what_and_when_it_is_well_again() {
    let rows: Vec<&str> = RULES.lines().filter(|line| line.starts_with("| `")).collect();
    for row in &rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() == 5 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
    }
    assert_eq!(rows.len(), self::rows().len());
}
