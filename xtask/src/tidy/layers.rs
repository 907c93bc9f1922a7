//! Rule about the dependencies between crates: the table of the architecture, as data.
//!
//! Only direct dependencies are looked at; what they pull in is their business.

use super::Problem;
use super::files::SourceFile;
use super::manifests;
use crate::workspace::{Package, Workspace};

const RULE: &str = "layers";
const TABLE: &str = "xtask/src/tidy/layers.rs";

/// One crate of the table.
struct Layer {
    name: &'static str,
    may_use: May,
    /// Packages from outside that must not be a normal or build dependency.
    must_never_know: &'static [&'static str],
}

/// Which crates of the workspace a crate may depend on, tests included.
enum May {
    UseOnly(&'static [&'static str]),
    UseAny,
}

/// From the bottom to the top.
const LAYERS: &[Layer] = &[
    Layer {
        name: "tta-telemetry",
        may_use: May::UseOnly(&[]),
        must_never_know: &["tokio", "http", "hyper", "reqwest", "axum", "tonic"],
    },
    Layer {
        name: "tta-primitives",
        may_use: May::UseOnly(&["tta-telemetry"]),
        must_never_know: &["http", "hyper", "reqwest", "axum", "tonic", "prost"],
    },
    Layer {
        name: "tta-host",
        may_use: May::UseOnly(&["tta-telemetry"]),
        must_never_know: &["http", "hyper", "reqwest", "axum", "tonic"],
    },
    Layer {
        name: "tta-otlp",
        may_use: May::UseOnly(&["tta-telemetry"]),
        must_never_know: &["axum", "parquet", "arrow", "object_store", "redis"],
    },
    Layer {
        name: "tta-http",
        may_use: May::UseOnly(&["tta-telemetry", "tta-primitives"]),
        must_never_know: &["tonic", "prost", "opentelemetry-proto", "parquet", "arrow", "object_store", "redis"],
    },
    Layer {
        name: "tta-redis",
        may_use: May::UseOnly(&["tta-telemetry", "tta-primitives"]),
        must_never_know: &["http", "hyper", "reqwest", "axum", "tonic", "prost"],
    },
    Layer {
        name: "tta-tracing",
        may_use: May::UseOnly(&["tta-telemetry", "tta-primitives"]),
        must_never_know: &["http", "hyper", "reqwest", "axum", "tonic", "prost"],
    },
    Layer {
        name: "tta-server",
        may_use: May::UseOnly(&["tta-telemetry", "tta-otlp"]),
        must_never_know: &["reqwest", "parquet", "arrow", "object_store", "redis"],
    },
    Layer {
        name: "tta",
        may_use: May::UseOnly(&[
            "tta-telemetry",
            "tta-primitives",
            "tta-host",
            "tta-otlp",
            "tta-http",
            "tta-redis",
            "tta-tracing",
            "tta-server",
        ]),
        must_never_know: &[],
    },
    Layer { name: "tta-cli", may_use: May::UseOnly(&["tta"]), must_never_know: &[] },
    Layer { name: "tta-examples", may_use: May::UseOnly(&["tta"]), must_never_know: &[] },
    Layer { name: "tta-bench", may_use: May::UseAny, must_never_know: &[] },
    Layer { name: "xtask", may_use: May::UseOnly(&[]), must_never_know: &[] },
];

pub(super) fn depend_only_upwards(workspace: &Workspace, files: &[SourceFile]) -> Vec<Problem> {
    let own: Vec<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    let mut problems = Vec::new();
    for package in &workspace.packages {
        let manifest = files.iter().find(|file| file.path == package.manifest);
        let mut report = |dependency: &str, message: String| {
            let line = manifest.map_or(1, |file| manifests::line_of(&file.text, dependency));
            let path = package.manifest.clone();
            problems.push(Problem { path, line, rule: RULE, message });
        };
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == package.name) else {
            let name = &package.name;
            report(name, format!("the crate {name} has no layer: add it to the table in {TABLE}"));
            continue;
        };
        for (dependency, message) in broken_edges(package, layer, &own) {
            report(dependency, message);
        }
    }
    problems
}

fn broken_edges<'a>(package: &'a Package, layer: &Layer, own: &[&str]) -> Vec<(&'a str, String)> {
    let mut broken = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let is_allowed = match layer.may_use {
            May::UseAny => true,
            // Itself in its tests: how a crate turns on a feature of its own for them.
            May::UseOnly(names) => {
                names.contains(&name) || !own.contains(&name) || (dependency.is_dev && name == layer.name)
            }
        };
        if !is_allowed {
            broken.push((name, format!("{} must not depend on {name}", layer.name)));
        } else if !dependency.is_dev && layer.must_never_know.contains(&name) {
            broken.push((name, format!("{} must never know {name}", layer.name)));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependencies =
            dependencies.iter().map(|&(name, is_dev)| Dependency { name: name.to_owned(), is_dev }).collect();
        Package {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            rust_version: None,
            dependencies,
            targets: Vec::new(),
        }
    }

    fn messages(packages: Vec<Package>) -> Vec<String> {
        let workspace = Workspace { target_directory: "target".into(), packages };
        depend_only_upwards(&workspace, &[]).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn an_edge_downwards_is_reported_also_when_it_is_only_for_tests() {
        let facade = || package("tta", &[]);
        let down = package("tta-telemetry", &[("tta", true)]);
        assert_eq!(messages(vec![facade(), down]), ["tta-telemetry must not depend on tta"]);
        let up = package("tta-cli", &[("tta", false), ("clap", false)]);
        assert!(messages(vec![facade(), up]).is_empty());
        assert!(messages(vec![facade(), package("tta-bench", &[("tta", false)])]).is_empty());
    }

    #[test]
    fn what_a_crate_must_never_know_is_reported_unless_only_its_tests_know_it() {
        let runtime = package("tta-telemetry", &[("tokio", false)]);
        assert_eq!(messages(vec![runtime]), ["tta-telemetry must never know tokio"]);
        assert!(messages(vec![package("tta-telemetry", &[("tokio", true)])]).is_empty());
        assert!(messages(vec![package("tta-primitives", &[("tokio", false)])]).is_empty());
    }

    #[test]
    fn a_crate_may_be_its_own_dependency_in_tests_to_turn_on_a_feature() {
        assert!(messages(vec![package("tta-primitives", &[("tta-primitives", true)])]).is_empty());
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_told_where_to_go() {
        let expected = "the crate tta-new has no layer: add it to the table in xtask/src/tidy/layers.rs";
        assert_eq!(messages(vec![package("tta-new", &[])]), [expected]);
    }
}
