//! Changing the configuration, and what is remembered of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::Value;
use tta_telemetry::config::{Config, ConfigChange, ConfigUpdate};

use super::Shared;
use super::audit::{Actor, AuditLog, ConfigAudit};
use super::etag::IfMatch;
use super::origin::{Leaves, leaves};
use super::problems::Refusal;
use super::views::ConfigBody;

/// What is remembered of changes since the start.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    pub(super) audit: AuditLog,
    pub(super) callback_panics: u64,
    pub(super) refused: u64,
    /// What was wanted by patches, and what was in effect then: fields that wait for a restart differ. It
    /// ends with the next change that is made otherwise.
    wanted: Option<Wanted>,
    /// What waits for a restart since the last change that was made otherwise.
    foreign_waiting: Vec<ConfigChange>,
    /// The values that patches set.
    patched: Leaves,
}

#[derive(Debug)]
struct Wanted {
    in_effect: Arc<Config>,
    config: Config,
}

impl Remembered {
    /// What patches want, as far as this still is in effect.
    fn wanted<'a>(&'a self, in_effect: &'a Config) -> &'a Config {
        let wanted = self.wanted.as_ref().filter(|wanted| std::ptr::eq(&*wanted.in_effect, in_effect));
        wanted.map_or(in_effect, |wanted| &wanted.config)
    }

    /// What waits for a restart, with what is in effect and what is wanted.
    pub(super) fn waiting(&self, in_effect: &Config) -> BTreeMap<String, (Option<Value>, Option<Value>)> {
        let foreign = self.foreign_waiting.iter().cloned();
        let mut waiting: BTreeMap<_, _> = foreign.map(|ConfigChange { path, old, new }| (path, (old, new))).collect();
        let wanted = self.wanted(in_effect);
        let (have, want) = (leaves(in_effect.to_masked_json()), leaves(wanted.to_masked_json()));
        for path in have.keys().chain(want.keys()) {
            let (old, new) = (have.get(path), want.get(path));
            if old != new {
                waiting.insert(path.clone(), (old.cloned(), new.cloned()));
            }
        }
        waiting
    }

    /// Whether a patch set this value.
    pub(super) fn is_patched(&self, path: &str, value: &Value) -> bool {
        self.patched.get(path) == Some(value)
    }

    /// A change that was made otherwise takes the place of what patches wanted.
    pub(super) fn note_foreign(&mut self, actor: Actor, update: &ConfigUpdate, at_unix_ns: u64) -> Option<ConfigAudit> {
        self.wanted = None;
        self.patched.clear();
        let waiting = update.changed.iter().filter(|change| waits(&update.needs_restart, &change.path));
        self.foreign_waiting = waiting.cloned().collect();
        let is_change = !update.changed.is_empty();
        is_change.then(|| self.audit.push(actor, update, at_unix_ns))
    }

    /// What a patch changed, but for what waited before.
    fn note_patch(
        &mut self,
        actor: Actor,
        (before, config): (&Config, Config),
        (mut update, in_effect): (ConfigUpdate, Arc<Config>),
        at_unix_ns: u64,
    ) -> (ConfigUpdate, Option<ConfigAudit>) {
        // By what was wanted before: what waits since an earlier patch is not changed again.
        let secrets = std::mem::take(&mut update.changed).into_iter().filter(is_secret);
        update.changed = differences(before, &config).chain(secrets).collect();
        update.needs_restart.retain(|path| update.changed.iter().any(|change| waits(&[path], &change.path)));
        for ConfigChange { path, new, .. } in &update.changed {
            match new {
                Some(value) => self.patched.insert(path.clone(), value.clone()),
                None => self.patched.remove(path),
            };
        }
        self.wanted = Some(Wanted { in_effect, config });
        let is_change = !update.changed.is_empty();
        let audit = is_change.then(|| self.audit.push(actor, &update, at_unix_ns));
        (update, audit)
    }
}

/// What differs, by path, but for secrets.
fn differences(before: &Config, config: &Config) -> impl Iterator<Item = ConfigChange> {
    let (mut old, mut new) = (leaves(before.to_json()), leaves(config.to_json()));
    let same: Vec<String> =
        old.iter().filter(|(path, value)| new.get(*path) == Some(*value)).map(|(path, _)| path.clone()).collect();
    for path in same {
        old.remove(&path);
        new.remove(&path);
    }
    let paths: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
    paths.into_iter().map(move |path| ConfigChange { old: old.remove(&path), new: new.remove(&path), path })
}

fn is_secret(change: &ConfigChange) -> bool {
    let is_masked =
        |value: &Option<Value>| value.as_ref().and_then(Value::as_str) == Some(tta_telemetry::config::SHOWN_SECRET);
    is_masked(&change.old) || is_masked(&change.new)
}

/// Whether a field is one of these or in one of them.
fn waits(needs_restart: &[&str], path: &str) -> bool {
    let is_in = |whole: &&str| path.strip_prefix(*whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    needs_restart.iter().any(is_in)
}

impl Shared {
    /// What is shown of what is in effect.
    pub(super) fn show(&self) -> Result<ConfigBody, Refusal> {
        // Before the lock: it may take its time.
        let base = self.base.as_ref().and_then(|base| base().ok());
        let _turn = self.turn();
        let in_effect = self.telemetry.config().ok_or(Refusal::NoConfig)?;
        Ok(self.body(&in_effect, base.as_ref(), Vec::new()))
    }

    fn body(&self, in_effect: &Config, base: Option<&Config>, changed: Vec<ConfigChange>) -> ConfigBody {
        let remembered = self.remembered();
        let etag = self.key.tag(remembered.wanted(in_effect));
        ConfigBody::new(etag, in_effect, base, &remembered, changed)
    }

    /// Applies a patch, whole.
    pub(super) fn change(&self, patch: &Value, if_match: &IfMatch, actor: Actor) -> Result<ConfigBody, Refusal> {
        let base = self.base.as_ref().map(|base| base());
        if let (true, Some(Err(error))) = (has_null(patch), &base) {
            return Err(Refusal::NoBase(tta_telemetry::format::clip(&error.to_string(), 500)));
        }
        let base = base.and_then(Result::ok);
        let (body, audit) = {
            let _turn = self.turn();
            let mut made = None;
            let (update, in_effect) = self.telemetry.update_with(|in_effect| {
                let in_effect = in_effect.ok_or(Refusal::NoConfig)?;
                let remembered = self.remembered();
                let before = remembered.wanted(in_effect);
                if !if_match.accepts(&self.key.tag(before)) {
                    return Err(Refusal::Changed);
                }
                let preset;
                let base = match &base {
                    Some(base) => base,
                    None => {
                        preset = before.environment.config();
                        &preset
                    }
                };
                let config = before.patched_over(base, "patch", patch)?;
                made = Some((before.clone(), config.clone()));
                Ok(config)
            })?;
            // The closure has run, or there was an error.
            let Some((before, config)) = made else { return Err(Refusal::NoConfig) };
            let in_effect_now = Arc::clone(&in_effect);
            let (update, audit) =
                self.remembered().note_patch(actor, (&before, config), (update, in_effect), self.now_unix_ns());
            (self.body(&in_effect_now, base.as_ref(), update.changed), audit)
        };
        self.tell(audit);
        Ok(body)
    }

    /// Without a lock: a callback may change something, too.
    pub(super) fn tell(&self, audit: Option<ConfigAudit>) {
        if let (Some(audit), Some(on_change)) = (audit, &self.on_change)
            && catch_unwind(AssertUnwindSafe(|| on_change(&audit))).is_err()
        {
            self.remembered().callback_panics += 1;
        }
    }

    pub(super) fn refuse(&self, refusal: Refusal) -> axum::response::Response {
        self.remembered().refused += 1;
        axum::response::IntoResponse::into_response(refusal)
    }
}

/// Whether anything is to be set back. How deep a value is nested was bounded when it was read.
fn has_null(patch: &Value) -> bool {
    match patch {
        Value::Null => true,
        Value::Object(table) => table.values().any(has_null),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_waits_when_it_or_its_section_does() {
        assert!(waits(&["cost.budgets"], "cost.budgets.day.period"));
        assert!(waits(&["service_name"], "service_name"));
        assert!(!waits(&["service"], "service_name"));
        assert!(!waits(&[], "service_name"));
    }

    #[test]
    fn nulls_are_found_however_deep_but_not_in_lists() {
        assert!(has_null(&json!({ "a": { "b": { "c": null } } })));
        assert!(!has_null(&json!({ "a": [null], "b": 1 })));
    }
}
