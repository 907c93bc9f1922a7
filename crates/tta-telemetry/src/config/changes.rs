//! What differs between two configurations, field by field.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::fields::FIELDS;
use super::layers::SHOWN_SECRET;
use super::types::Config;

/// Differences that are told of at most.
const MOST_CHANGES: usize = 1_000;

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigChange {
    /// As `tracing.sampling.default_rate`, or `slo.quick.target`; a list is one field.
    pub path: String,
    /// What was in effect; nothing when the entry is new. Of a secret, only that there was one.
    pub old: Option<Value>,
    /// What is wanted; nothing when the entry is gone.
    pub new: Option<Value>,
}

/// `tracing.sampling.default_rate: 0.1 -> 0.2`.
impl fmt::Display for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(f, "{}: {} -> {}", self.path, show(&self.old), show(&self.new))
    }
}

/// Every field that differs, by path.
pub(super) fn changes(before: &Config, config: &Config) -> Vec<ConfigChange> {
    let [mut old, mut new] = [before, config].map(|config| {
        let mut leaves = BTreeMap::new();
        collect(String::new(), config.to_json(), &mut leaves);
        leaves
    });
    old.retain(|path, value| match new.get(path) {
        Some(same) if same == value => {
            new.remove(path);
            false
        }
        _ => true,
    });
    let mut paths: Vec<String> = old.keys().chain(new.keys()).cloned().collect();
    paths.sort_unstable();
    paths.dedup();
    let change = |path: String| ConfigChange { old: old.remove(&path), new: new.remove(&path), path };
    let mut changes: Vec<_> = paths.into_iter().map(change).collect();
    changes.extend(secrets(before, config));
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes.truncate(MOST_CHANGES);
    changes
}

/// Secrets that differ, without what they are.
fn secrets(before: &Config, config: &Config) -> impl Iterator<Item = ConfigChange> {
    let secrets = FIELDS.iter().filter(|field| field.accepts.is_secret());
    let shown = |value: Value| (!value.is_null()).then(|| Value::from(SHOWN_SECRET));
    let change = move |field: &super::fields::Field| {
        let (old, new) = ((field.write)(before), (field.write)(config));
        (old != new).then(|| ConfigChange { path: field.path.to_owned(), old: shown(old), new: shown(new) })
    };
    secrets.filter_map(change)
}

/// The leaves of a tree, by path.
fn collect(path: String, value: Value, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                collect(path, value, leaves);
            }
        }
        leaf => {
            leaves.insert(path, leaf);
        }
    }
}
