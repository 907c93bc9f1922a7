//! Who changed what: a bounded list.

use std::collections::VecDeque;
use std::fmt;

use serde_json::Value;
use tta_telemetry::config::{ConfigChange, ConfigUpdate};

use crate::http::{Caller, Scope};

/// Changes that are remembered.
const MOST_ENTRIES: usize = 200;
/// Fields of one change that are remembered.
const MOST_FIELDS: usize = 100;
/// Bytes of a value that are remembered, as JSON.
const MOST_VALUE_BYTES: usize = 256;
/// Characters of a name.
const MOST_NAME: usize = 64;

/// A change of the configuration. Secrets are in none.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConfigAudit {
    /// The how manieth change since the start, from 1.
    pub number: u64,
    /// When, in nanoseconds since the Unix epoch.
    pub at_unix_ns: u64,
    /// What the token of whoever did it allows; `None` for a change that needed none.
    pub scope: Option<Scope>,
    /// Who did it: `admin:2` for the second admin token in the order in which they were given,
    /// `anonymous` where there are no tokens, or what the program said.
    pub by: String,
    /// The fields, by path; at most 100. Long values are cut, and then text.
    pub changed: Vec<ConfigChange>,
    /// Fields beyond these.
    pub more_changed: u64,
    /// Those that take effect at the next start.
    pub needs_restart: Vec<String>,
}

/// One line, for a log.
impl fmt::Display for ConfigAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration changed by {}", self.by)?;
        for (place, change) in self.changed.iter().enumerate() {
            write!(f, "{} {change}", if place == 0 { ":" } else { "," })?;
        }
        if self.more_changed > 0 {
            write!(f, " and {} more", self.more_changed)?;
        }
        if !self.needs_restart.is_empty() {
            write!(f, "; waiting for a restart: {}", self.needs_restart.join(", "))?;
        }
        Ok(())
    }
}

/// Who changes something.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    scope: Option<Scope>,
    name: String,
}

impl Actor {
    pub(super) fn of(caller: Option<Caller>) -> Self {
        let name =
            caller.map_or_else(|| "anonymous".to_owned(), |Caller { scope, number }| format!("{scope}:{number}"));
        Self { scope: caller.map(|caller| caller.scope), name }
    }

    pub(super) fn named(name: &str) -> Self {
        Self { scope: None, name: tta_telemetry::format::clip(name, MOST_NAME) }
    }
}

/// The last changes.
#[derive(Debug, Default)]
pub(super) struct AuditLog {
    entries: VecDeque<ConfigAudit>,
    pub(super) count: u64,
}

impl AuditLog {
    pub(super) fn push(&mut self, actor: Actor, update: &ConfigUpdate, at_unix_ns: u64) -> ConfigAudit {
        self.count += 1;
        let clipped = |value: &Option<Value>| value.as_ref().map(clip);
        let changed = update.changed.iter().take(MOST_FIELDS).map(|change| ConfigChange {
            path: change.path.clone(),
            old: clipped(&change.old),
            new: clipped(&change.new),
        });
        let entry = ConfigAudit {
            number: self.count,
            at_unix_ns,
            scope: actor.scope,
            by: actor.name,
            changed: changed.collect(),
            more_changed: update.changed.len().saturating_sub(MOST_FIELDS) as u64,
            needs_restart: update.needs_restart.iter().map(|path| (*path).to_owned()).collect(),
        };
        if self.entries.len() >= MOST_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(entry.clone());
        entry
    }

    /// Oldest first.
    pub(super) fn entries(&self) -> Vec<ConfigAudit> {
        self.entries.iter().cloned().collect()
    }

    /// Entries that made room for later ones.
    pub(super) fn dropped(&self) -> u64 {
        self.count.saturating_sub(self.entries.len() as u64)
    }
}

fn clip(value: &Value) -> Value {
    let text = match value {
        Value::String(text) if text.len() > MOST_VALUE_BYTES => text.clone(),
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            if text.len() <= MOST_VALUE_BYTES {
                return value.clone();
            }
            text
        }
        other => return other.clone(),
    };
    let end = (0..=MOST_VALUE_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    Value::String(format!("{}…", text.get(..end).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn update(paths: usize, new: &Value) -> ConfigUpdate {
        let change = |n| ConfigChange { path: format!("p{n}"), old: None, new: Some(new.clone()) };
        ConfigUpdate { changed: (0..paths).map(change).collect(), needs_restart: vec!["p0"] }
    }

    #[test]
    fn the_last_are_kept_and_the_others_counted() {
        let mut log = AuditLog::default();
        for n in 0..MOST_ENTRIES as u64 + 3 {
            log.push(Actor::of(None), &update(1, &json!(n)), n);
        }
        let entries = log.entries();
        assert_eq!((entries.len(), log.dropped(), entries[0].number), (MOST_ENTRIES, 3, 4));
        assert_eq!(entries[MOST_ENTRIES - 1].number, MOST_ENTRIES as u64 + 3);
    }

    #[test]
    fn an_entry_is_bounded_and_reads_as_a_line() {
        let mut log = AuditLog::default();
        let long = log.push(Actor::named(&"x".repeat(200)), &update(MOST_FIELDS + 7, &json!("é".repeat(500))), 1);
        assert_eq!((long.changed.len(), long.more_changed), (MOST_FIELDS, 7));
        let value = long.changed[0].new.clone().unwrap();
        assert_eq!(value, json!(format!("{}…", "é".repeat(MOST_VALUE_BYTES / 2))));
        assert!(long.by.chars().count() <= MOST_NAME, "{}", long.by);
        let caller = Caller { scope: Scope::Admin, number: 2 };
        let line = log.push(Actor::of(Some(caller)), &update(2, &json!(0.5)), 1).to_string();
        assert_eq!(
            line,
            "configuration changed by admin:2: p0: nothing -> 0.5, p1: nothing -> 0.5; waiting for a restart: p0"
        );
        assert_eq!(clip(&json!(["a"])), json!(["a"]));
        assert!(clip(&json!(["a".repeat(300)])).as_str().unwrap().starts_with("[\"aaa"));
    }
}
