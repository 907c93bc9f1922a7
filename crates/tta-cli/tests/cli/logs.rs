//! `--log-level` and `--log-format`: what happens in the runs, with the ids of their traces.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Tree, traces};

fn lines(err: &str) -> Vec<Value> {
    err.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_line_carries_the_ids_of_a_span_that_is_in_the_traces() {
    let tree = Tree::mixed();
    let file = tree.beside("traces.jsonl");
    let ran = tree.run(&["demo", "--json", "--log-format", "json", "--traces", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0));
    serde_json::from_str::<Value>(&ran.out).expect("the log goes elsewhere");
    let lines = lines(&ran.err);
    let levels = lines.iter().map(|line| line["level"].as_str().unwrap());
    let count = |wanted: &str| levels.clone().filter(|level| *level == wanted).count();
    assert_eq!((lines.len(), count("INFO"), count("WARN")), (10, 7, 3));
    let spans: BTreeMap<String, (String, String)> = traces(&file)
        .iter()
        .flat_map(|trace| {
            let correlation = &trace["spans"][0]["attributes"]["correlation.id"];
            let ids = (trace["trace_id"].to_string(), correlation.to_string());
            trace["spans"].as_array().unwrap().iter().map(move |span| (span["span_id"].to_string(), ids.clone()))
        })
        .collect();
    for line in &lines {
        let ids = (line["trace_id"].to_string(), line["correlation_id"].to_string());
        assert_eq!(spans.get(&line["span_id"].to_string()), Some(&ids), "{line}");
    }
    let refused = lines.iter().find(|line| line["fields"]["document.path"] == "./binary.bin").unwrap();
    assert_eq!((&refused["message"], &refused["fields"]["document.refused"]), (&"refused".into(), &"binary".into()));
}

#[test]
fn the_level_decides_what_is_logged_and_without_either_option_nothing_is() {
    let tree = Tree::mixed();
    let log = |options: &[&str]| tree.run(&[&["demo", "--json"], options].concat()).err;
    assert_eq!(log(&[]), "");
    assert_eq!(log(&["--log-level", "off"]), "");
    assert_eq!(log(&["--log-level", "error"]), "");
    let warnings = log(&["--log-level", "warn"]);
    assert_eq!(warnings.lines().count(), 3);
    assert!(warnings.lines().all(|line| line.contains("  WARN tta::demo::workflow: refused document.path=./")));
    assert!(warnings.lines().all(|line| line.contains(" trace_id=") && line.contains(" correlation_id=")));
    assert_eq!(log(&["--log-level", "off,tta::demo=info"]).lines().count(), 10);
}

#[test]
fn a_wrong_level_or_format_is_refused_with_what_is_accepted() {
    let tree = Tree::new(&[]);
    let refused = |option: &str, value: &str| {
        let ran = tree.run(&["demo", option, value]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
        ran.err
    };
    assert!(refused("--log-level", "inof").contains("`inof` is not a level, accepted are off, error, warn, info,"));
    assert!(refused("--log-format", "yaml").contains("log format `yaml` is not known, accepted are text and json"));
}
