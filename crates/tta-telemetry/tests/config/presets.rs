//! The presets, against what the original's were.

use serde_json::Value;
use tta_telemetry::config::{LogLevel, Preset};

/// Fields of the original that nothing reads yet, or that mean something else here.
const NOT_OURS: [&str; 5] = [
    "storage",
    "storage.trace_ttl_days",
    "storage.metric_ttl_days",
    "storage.compression_enabled",
    "storage.compression_level",
];

fn leaves(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(&path, value, found);
            }
        }
        other => found.push((path.to_owned(), other.clone())),
    }
}

#[test]
fn each_preset_sets_what_the_original_did() {
    let original: Value = serde_json::from_str(include_str!("../data/presets.json")).unwrap();
    let mut compared = 0;
    for preset in Preset::ALL {
        let ours = preset.config().to_json();
        let mut fields = Vec::new();
        leaves("", &original[preset.as_str()], &mut fields);
        for (path, want) in fields.iter().filter(|(path, _)| !NOT_OURS.contains(&path.as_str())) {
            let got = ours.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or_else(|| panic!("no {path}"));
            let same = got == want || got.as_f64().is_some_and(|got| Some(got) == want.as_f64());
            assert!(same, "{}: {path} is {got}, was {want}", preset.as_str());
            compared += 1;
        }
    }
    assert_eq!(compared, 3 * 22);
}

#[test]
fn levels_of_log_lines_follow_the_preset() {
    let levels = Preset::ALL.map(|preset| preset.config().logging.level);
    assert_eq!(levels, [LogLevel::Info, LogLevel::Info, LogLevel::Warn]);
}
