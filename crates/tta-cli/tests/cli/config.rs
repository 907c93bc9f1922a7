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

#[test]
fn the_reference_is_a_table_for_documents_and_a_list_that_fits_a_terminal() {
    let tree = Tree::new(&[]);
    let table = tree.run(&["config", "reference", "--format", "markdown"]).out;
    assert_eq!(tree.run(&["config", "reference"]).out, table, "to a pipe");
    let list = tree.run(&["config", "reference", "--format", "list"]).out;
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    let rate = "tracing.sampling.default_rate\n  The share of ordinary traces that is kept.\n  Accepted: a number from 0 to \
                1.\n  Default: development 1.0, staging 0.2, production 0.05.\n  Takes effect while it runs.\n\n";
    assert!(list.contains(rate), "{list}");
    let rows = table.lines().skip(2).map(|row| row.split('`').nth(1).unwrap()).collect::<Vec<_>>();
    let paths = list.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).collect::<Vec<_>>();
    assert_eq!(paths, rows);
}

#[test]
fn contradictions_are_told_beside_all_else_with_the_file_and_the_variable_that_said_it() {
    let file = b"environment = \"production\"\nsampling.default_rate = 1\n\n[tracing.sampling]\ndefault_rate = 0.5\n";
    let tree = Tree::new(&[("tta.toml", file)]);
    let mut command = tree.command(&["config", "check", "tta.toml"]);
    command.env("TTA_TRACING__MAX_QUEUE_SIZE", "100").env("tta_enabled", "false").env("TTA_SLO", "{}");
    let ran = crate::support::ran(command.output().unwrap());
    let mut told: Vec<&str> = ran.err.lines().collect();
    told.sort_unstable();
    let want = [
        "TTA_TRACING__MAX_QUEUE_SIZE: `tracing.max_queue_size` is 100, accepted is at least `tracing.batch_size`, which \
         is 512 (the preset production)",
        "environment: `TTA_SLO` is a variable for `slo`, accepted is `slo` in a file (`TTA_CONFIG` names it): it is a \
         table or a list, and variables set single values",
        "environment: `tta_enabled` is not a field; did you mean `TTA_ENABLED`?",
        "error: 5 problems in the configuration:",
        "tta.toml:2: `sampling` is not a field; did you mean `tracing.sampling`?",
        "tta.toml:5: `tracing.sampling.default_rate` is 0.5, accepted is at most `tracing.sampling.adaptive_max_rate`, \
         which is 0.2 (the preset production), while `tracing.sampling.adaptive_enabled` is true (the preset production)",
    ];
    assert_eq!((ran.code, told), (Some(1), want.to_vec()));
}
