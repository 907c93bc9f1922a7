//! `tta config`: what is shown can be read back, and what is wrong is told all at once.

use crate::support::Tree;

#[test]
fn what_is_shown_is_a_configuration_again() {
    let tree = Tree::new(&[("tta.toml", b"environment = \"production\"\n[metrics]\nmax_label_values = 50\n")]);
    let shown = tree.run(&["config", "show", "--config", "tta.toml"]);
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""));
    assert!(shown.out.contains("max_label_values = 50") && shown.out.contains("default_rate = 0.05"), "{}", shown.out);
    tree.write("again.toml", shown.out.as_bytes());
    let checked = tree.run(&["config", "check", "again.toml"]);
    assert_eq!((checked.code, checked.out.as_str()), (Some(0), "again.toml: ok\n"));
    assert_eq!(tree.run(&["config", "show", "--config", "again.toml"]).out, shown.out);
    let json = tree.run(&["config", "show", "--config", "tta.toml", "--format", "json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["metrics"]["max_label_values"], 50);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_range_and_the_nearest_name() {
    let tree = Tree::new(&[("tta.toml", b"[tracing.sampling]\ndefalt_rate = 1\nslow_threshold_ms = -5\n")]);
    let ran = tree.run(&["config", "check", "tta.toml"]);
    let want = "error: 2 problems in the configuration:\n\
        tta.toml:2: `tracing.sampling.defalt_rate` is not a field; did you mean `tracing.sampling.default_rate`?\n\
        tta.toml:3: `tracing.sampling.slow_threshold_ms` is -5, accepted is a number of at least 0\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(1), "", want));
    let ran = tree.run(&["config", "check", "missing.toml"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("error: cannot read the configuration `missing.toml`: "), "{}", ran.err);
}

#[test]
fn presets_are_shown_side_by_side_and_alone() {
    let tree = Tree::new(&[]);
    let ran = tree.run(&["config", "presets"]);
    assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "{}", ran.out);
    let row = ran.out.lines().find(|line| line.starts_with("tracing.sampling.default_rate")).unwrap();
    assert_eq!(row.split_whitespace().skip(1).collect::<Vec<_>>(), ["1.0", "0.2", "0.05"]);
    let production = tree.run(&["config", "show", "--preset", "production"]).out;
    assert!(production.contains("environment = \"production\"\n"), "{production}");
}

#[test]
fn schema_and_reference_know_every_field() {
    let tree = Tree::new(&[]);
    let schema: serde_json::Value = serde_json::from_str(&tree.run(&["config", "schema"]).out).unwrap();
    assert_eq!(schema["properties"]["tracing"]["properties"]["batch_size"]["minimum"], 1);
    let reference = tree.run(&["config", "reference"]).out;
    assert!(
        reference.contains("| `tracing.batch_size` | a whole number from 1 to 1000000 | 512 | 512 | 512 |"),
        "{reference}"
    );
}
