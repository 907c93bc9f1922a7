//! Where values come from, as far as that can be told from what they are.

use std::collections::BTreeMap;

use serde_json::Value;
use tta_telemetry::config::Config;

use super::change::Remembered;

/// Values by path.
pub(super) type Leaves = BTreeMap<String, Value>;

/// The values of a tree, by path. A list is one value; a table with nothing in it has none.
pub(super) fn leaves(tree: Value) -> Leaves {
    let mut found = Leaves::new();
    collect(String::new(), tree, &mut found);
    found
}

fn collect(path: String, value: Value, found: &mut Leaves) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                collect(path, value, found);
            }
        }
        leaf => {
            found.insert(path, leaf);
        }
    }
}

/// By path: `patch` when a patch set it; `preset` when it is as the preset has it, whoever says so;
/// `file_or_environment` when it is as these say now; `start` when it is as the engine was started, and
/// file and environment say something else by now, or nobody knows what they say.
pub(super) fn origins(
    in_effect: &Config,
    base: Option<&Config>,
    remembered: &Remembered,
) -> BTreeMap<String, &'static str> {
    let preset = leaves(in_effect.environment.config().to_masked_json());
    let base = base.map(|base| leaves(base.to_masked_json()));
    let origin = |path: &String, value: &Value| {
        if remembered.is_patched(path, value) {
            "patch"
        } else if preset.get(path) == Some(value) {
            "preset"
        } else if base.as_ref().is_some_and(|base| base.get(path) == Some(value)) {
            "file_or_environment"
        } else {
            "start"
        }
    };
    leaves(in_effect.to_masked_json()).iter().map(|(path, value)| (path.clone(), origin(path, value))).collect()
}
