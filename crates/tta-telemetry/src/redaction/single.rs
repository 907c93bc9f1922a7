//! One value or one name at a time: fields of logs, attributes of decisions, names, labels.
//!
//! Owns what becomes of a name. What is secret is up to the rest of `redaction`.

use super::lists::Carry;
use super::{MASK, Outcome, RedactionCounts, RedactionMode, Redactor, keys, marks};
use crate::model::{Attribute, Name, Value, ValueRef};

/// What became of one value.
#[derive(Clone, Debug, PartialEq)]
pub enum RedactedValue {
    /// It stays as it is.
    Untouched,
    /// Another value takes its place.
    Replaced(Value),
    /// It is left out.
    Dropped,
}

impl Redactor {
    /// Redacts one value by its key and by what it is.
    ///
    /// ```
    /// use tta_telemetry::{RedactedValue, Redaction, Redactor, Value};
    ///
    /// let redactor = Redactor::new(&Redaction::default(), [7; 32]);
    /// assert_eq!(redactor.redact_value("rows", 3.into()), RedactedValue::Untouched);
    /// let masked = RedactedValue::Replaced(Value::Str("[REDACTED]".into()));
    /// assert_eq!(redactor.redact_value("db.password", "hunter2".into()), masked);
    /// ```
    #[must_use]
    pub fn redact_value(&self, key: &str, value: ValueRef<'_>) -> RedactedValue {
        if !self.rules.settings.enabled {
            return RedactedValue::Untouched;
        }
        let is_plain = match value {
            ValueRef::Str(text) => !self.is_suspicious(text),
            ValueRef::Static(text) => !self.is_suspicious(text),
            ValueRef::List(texts) => !self.is_list_suspicious(texts.iter().copied()),
            ValueRef::Bool(_) => true,
            ValueRef::I64(_) | ValueRef::F64(_) => false,
        };
        if is_plain && self.key_mode(key).is_none() {
            return RedactedValue::Untouched;
        }
        let mut attribute = Attribute { key: Name::from(key.to_owned()), value: value.to_value() };
        match self.attribute(&mut attribute, &mut RedactionCounts::default()) {
            Outcome::Untouched => RedactedValue::Untouched,
            Outcome::Key { dropped: true } | Outcome::Value { dropped: true } => RedactedValue::Dropped,
            Outcome::Key { .. } | Outcome::Value { .. } => RedactedValue::Replaced(attribute.value),
        }
    }

    /// Redacts a name that tells things apart: of a span, a series, a user in a report. `None`: it
    /// stays. Other than text, what is masked or dropped elsewhere becomes a hash here, or the counts
    /// of two users would run together; where the settings have no salt it is one of this engine's.
    ///
    /// `key` is what the name is of, as the key of a label; empty where there is none.
    ///
    /// ```
    /// use tta_telemetry::{Redaction, Redactor};
    ///
    /// let redactor = Redactor::new(&Redaction::default(), [7; 32]);
    /// let [ada, bob] = ["ada@example.com", "bob@example.com"].map(|user| redactor.redact_name("user", user));
    /// assert!(ada.is_some_and(|name| name.starts_with("[HASH:") && Some(name) != bob));
    /// assert_eq!(redactor.redact_name("user", "u-17"), None);
    /// ```
    #[must_use]
    pub fn redact_name(&self, key: &str, name: &str) -> Option<String> {
        if !self.rules.settings.enabled || name.is_empty() {
            return None;
        }
        if self.key_mode(key).is_some() && !self.is_allowed(key) {
            return (!marks::is_mark(name)).then(|| marks::of(name, RedactionMode::Hash, &self.hasher));
        }
        if !self.is_suspicious(name) || self.is_allowed(key) {
            return None;
        }
        let text = self.text(name, true).text?;
        // Given up: all of it, but still told apart.
        Some(if text == MASK { marks::of(name, RedactionMode::Hash, &self.hasher) } else { text })
    }

    /// The same for a name that is kept.
    pub(crate) fn redacted_name(&self, key: &str, name: Name) -> Name {
        self.redact_name(key, &name).map_or(name, Name::from)
    }

    /// Whether a list has to be looked at. What begins a secret that goes on in the next text is
    /// suspicious itself.
    pub(super) fn is_list_suspicious<'t>(&self, mut texts: impl Iterator<Item = &'t str>) -> bool {
        texts.any(|text| self.is_suspicious(text) || text.trim().eq_ignore_ascii_case("bearer"))
    }

    /// Whether a word in a text says that what is beside it is secret.
    pub(super) fn is_secret_key(&self, key: &str) -> bool {
        self.rules.settings.secret_keys && keys::is_secret(key) && !self.is_allowed(key)
    }

    /// The texts of a list, each redacted by `one` or because of those before it; whether the latter
    /// changed anything, and whether what was found drops the attribute.
    pub(super) fn list(
        &self,
        texts: &[String],
        mut one: impl FnMut(&str) -> Option<String>,
    ) -> (Vec<String>, bool, bool) {
        let settings = &self.rules.settings;
        let mut carry = Carry::default();
        let mut changed = false;
        let all = texts
            .iter()
            .map(|text| {
                let is_continued = carry.take(text, |key| self.is_secret_key(key));
                if settings.secret_values && is_continued && !marks::is_mark(text) {
                    changed = true;
                    return marks::of(text, settings.mode, &self.hasher);
                }
                one(text).unwrap_or_else(|| text.clone())
            })
            .collect();
        (all, changed, changed && settings.mode == RedactionMode::Drop)
    }
}
