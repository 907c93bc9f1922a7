//! Secrets are taken out of a trace once, before any sink or log sees it.
//!
//! Owns what a secret is and what is put in its place: in attributes of spans, events and links
//! (error messages and chains are attributes too), in names of events, which are often messages of
//! logs, in names of spans, and in texts, fields and labels. Keys are never changed. Does not own
//! when: the engine redacts kept traces only, and what leaves it by other ways.
//!
//! A value under a secret key is replaced as a whole; of other values only the secret part is. The
//! place of a secret is marked `[REDACTED]` or `[HASH:0123456789abcdef]`; text inside such a mark
//! is never touched again, so that redacting twice changes nothing.

mod config;
mod counts;
mod error;
mod glob;
mod hash;
mod keys;
mod lists;
mod marks;
mod prefilter;
mod rule;
mod shared;
mod single;
mod sources;
mod values;

use std::borrow::Cow;

pub use config::{Redaction, RedactionBuilder};
pub use counts::RedactionCounts;
pub use error::RedactionError;
pub use rule::{RedactionMode, RedactionRule};
pub use shared::SharedRedactor;
pub use single::RedactedValue;

use crate::model::{Attribute, Name, Trace, Value};
use hash::Hasher;
use marks::{Found, MASK};
use prefilter::Hints;
use sources::Sources;

/// A text is looked at again until nothing is found. What is put in can complete a pattern of the
/// user's; a text that is still not done is masked whole.
const MOST_PASSES: usize = 4;

/// Redacts traces and texts by the rules of a [`Redaction`]. Compiled once, shared by threads.
///
/// ```
/// use tta_telemetry::{Redaction, RedactionMode, Redactor};
///
/// let hashed = Redaction::builder().mode(RedactionMode::Hash).hash_salt(*b"shared by a fleet").build()?;
/// let redactor = Redactor::new(&hashed, [0; 32]);
/// assert_eq!(redactor.redact_text("login: password=hunter2"), "login: password=[HASH:83e40cff98f5ced9]");
/// # Ok::<(), tta_telemetry::RedactionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Redactor {
    rules: Redaction,
    hasher: Hasher,
}

/// What becomes of one attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Untouched,
    Key { dropped: bool },
    Value { dropped: bool },
}

/// A text after redaction.
#[derive(Default)]
struct Redacted {
    /// Nothing when the text stays as it is.
    text: Option<String>,
    drop: bool,
    over_length: bool,
}

impl Redactor {
    /// Redacts by these settings. `random` keys the hashes unless the settings have a salt; it
    /// should differ from engine to engine.
    #[must_use]
    pub fn new(redaction: &Redaction, random: [u8; 32]) -> Self {
        let salt = redaction.settings.salt.as_deref().unwrap_or(&random);
        Self { hasher: Hasher::new(salt), rules: redaction.clone() }
    }

    /// The settings.
    #[must_use]
    pub fn redaction(&self) -> &Redaction {
        &self.rules
    }

    /// Redacts all attributes, names of spans and names of events of a trace, in place; says how many.
    pub fn redact(&self, trace: &mut Trace) -> RedactionCounts {
        let mut counts = RedactionCounts::default();
        if !self.rules.settings.enabled {
            return counts;
        }
        let mut sources = Sources::default();
        for span in &mut trace.spans {
            if let Some(name) = self.redact_name("", &span.name) {
                span.name = Name::from(name);
                counts.values = counts.values.saturating_add(1);
            }
            self.redact_attributes(&mut span.attributes, &mut counts);
            if let Some(received) = &mut span.received {
                self.redact_text_of(&mut received.status_message, &mut counts);
                self.redact_text_of(&mut received.trace_state, &mut counts);
                sources.redact(self, &mut received.source, &mut counts);
            }
            for event in &mut span.events {
                self.redact_event_name(&mut event.name, &mut counts);
                self.redact_attributes(&mut event.attributes, &mut counts);
            }
            for link in &mut span.links {
                self.redact_attributes(&mut link.attributes, &mut counts);
            }
        }
        counts
    }

    fn redact_text_of(&self, text: &mut String, counts: &mut RedactionCounts) {
        if !text.is_empty()
            && self.is_suspicious(text)
            && let Some(redacted) = self.text(text, false).text
        {
            *text = redacted;
            counts.values = counts.values.saturating_add(1);
        }
    }

    /// What a library logs inside a step is an event whose name is the message.
    fn redact_event_name(&self, name: &mut Name, counts: &mut RedactionCounts) {
        if !self.is_suspicious(name) {
            return;
        }
        let redacted = self.text(name, false);
        if let Some(text) = redacted.text {
            *name = Name::from(text);
            counts.values = counts.values.saturating_add(1);
            counts.over_length = counts.over_length.saturating_add(u32::from(redacted.over_length));
        }
    }

    /// Redacts a text that has no key: a line of a log, a message. Where a rule says drop, the part
    /// is masked.
    #[must_use]
    pub fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.rules.settings.enabled {
            return Cow::Borrowed(text);
        }
        self.text(text, false).text.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Redacts the attributes of one owner; those that are dropped leave without a gap.
    pub fn redact_attributes(&self, attributes: &mut Vec<Attribute>, counts: &mut RedactionCounts) {
        if !self.rules.settings.enabled {
            return;
        }
        attributes.retain_mut(|attribute| {
            let dropped = match self.attribute(attribute, counts) {
                Outcome::Untouched => return true,
                Outcome::Key { dropped } => {
                    counts.keys = counts.keys.saturating_add(1);
                    dropped
                }
                Outcome::Value { dropped } => {
                    counts.values = counts.values.saturating_add(1);
                    dropped
                }
            };
            counts.dropped = counts.dropped.saturating_add(u32::from(dropped));
            !dropped
        });
    }

    #[inline]
    fn attribute(&self, attribute: &mut Attribute, counts: &mut RedactionCounts) -> Outcome {
        if let Some(mode) = self.key_mode(&attribute.key) {
            if self.is_allowed(&attribute.key) {
                return Outcome::Untouched;
            }
            if mode == RedactionMode::Drop {
                return Outcome::Key { dropped: true };
            }
            return if self.replace_whole(&mut attribute.value, mode) {
                Outcome::Key { dropped: false }
            } else {
                Outcome::Untouched
            };
        }
        let is_suspicious = match &attribute.value {
            Value::Str(text) => self.is_suspicious(text),
            Value::List(texts) => self.is_list_suspicious(texts.iter().map(String::as_str)),
            Value::I64(value) => self.rules.settings.secret_values && values::is_card_number(*value),
            Value::F64(value) => self.rules.settings.secret_values && is_card_float(*value),
            Value::Bytes(bytes) => str::from_utf8(bytes).is_ok_and(|text| self.is_suspicious(text)),
            Value::Array(_) | Value::Map(_) => return self.nested(&mut attribute.value, counts),
            Value::Bool(_) | Value::Empty => false,
        };
        if is_suspicious { self.value(attribute, counts) } else { Outcome::Untouched }
    }

    /// Redacts values inside of others, with the keys they have there. How deep they may lie is for
    /// those to bound who let them in.
    #[cold]
    fn nested(&self, value: &mut Value, counts: &mut RedactionCounts) -> Outcome {
        let before = counts.total();
        match value {
            Value::Map(entries) => self.redact_attributes(entries, counts),
            Value::Array(values) => {
                let unnamed = |value| Attribute { key: Name::from_static(""), value };
                let mut entries = values.drain(..).map(unnamed).collect();
                self.redact_attributes(&mut entries, counts);
                values.extend(entries.into_iter().map(|entry| entry.value));
            }
            _ => {}
        }
        debug_assert!(before <= counts.total());
        // What was found is counted already.
        Outcome::Untouched
    }

    /// What to do with all values under this key.
    #[inline]
    fn key_mode(&self, key: &str) -> Option<RedactionMode> {
        if let Some((_, mode)) = self.rules.keys.iter().find(|(keys, _)| keys.matches(key)) {
            return Some(*mode);
        }
        (self.rules.settings.secret_keys && keys::is_secret(key)).then_some(self.rules.settings.mode)
    }

    /// Whether the text has to be looked at closely.
    #[inline]
    fn is_suspicious(&self, text: &str) -> bool {
        let settings = &self.rules.settings;
        text.len() > settings.scan_bytes || !self.rules.values.is_empty() || !Hints::of(text).nothing()
    }

    #[cold]
    fn is_allowed(&self, key: &str) -> bool {
        self.rules.allowed.iter().any(|glob| glob.matches(key))
    }

    /// Whether anything changed: a mark is left as it is.
    #[cold]
    fn replace_whole(&self, value: &mut Value, mode: RedactionMode) -> bool {
        let mark = |text: &str| marks::of(text, mode, &self.hasher);
        match value {
            Value::List(texts) => {
                let mut changed = false;
                for text in texts.iter_mut().filter(|text| !marks::is_mark(text)) {
                    *text = mark(text);
                    changed = true;
                }
                changed
            }
            Value::Str(text) if marks::is_mark(text) => false,
            other => {
                let text = mark(&other.to_string());
                *other = Value::Str(Cow::Owned(text));
                true
            }
        }
    }

    /// Looks closely at a value that could hold a secret.
    #[inline(never)]
    fn value(&self, attribute: &mut Attribute, counts: &mut RedactionCounts) -> Outcome {
        let mode = self.rules.settings.mode;
        let (mut changed, mut drop, mut over_length) = (false, false, false);
        let mut apply = |text: &str| {
            let redacted = self.text(text, false);
            changed |= redacted.text.is_some();
            drop |= redacted.drop;
            over_length |= redacted.over_length;
            redacted.text
        };
        let new = match &attribute.value {
            Value::Str(text) => apply(text).map(|text| Value::Str(Cow::Owned(text))),
            Value::List(texts) => {
                let (all, list_changed, list_drop) = self.list(texts, apply);
                changed |= list_changed;
                drop |= list_drop;
                changed.then_some(Value::List(all))
            }
            Value::Bytes(bytes) => apply(&String::from_utf8_lossy(bytes)).map(|text| Value::Str(Cow::Owned(text))),
            // Numbers come here only when they are those of cards.
            number => {
                drop = mode == RedactionMode::Drop;
                Some(Value::Str(Cow::Owned(marks::of(&number.to_string(), mode, &self.hasher))))
            }
        };
        let Some(new) = new.filter(|_| !self.is_allowed(&attribute.key)) else { return Outcome::Untouched };
        attribute.value = new;
        counts.over_length = counts.over_length.saturating_add(u32::from(over_length));
        Outcome::Value { dropped: drop }
    }

    /// Looks at a text until nothing is found in it. `apart`: it is a name, in which different secrets
    /// must stay different.
    fn text(&self, original: &str, apart: bool) -> Redacted {
        let mut redacted = Redacted::default();
        for _ in 0..MOST_PASSES {
            let text = redacted.text.as_deref().unwrap_or(original);
            let (new, drop, over_length) = self.pass(text, apart);
            redacted.drop |= drop;
            redacted.over_length |= over_length;
            match new {
                Some(new) => redacted.text = Some(new),
                None => return redacted,
            }
        }
        redacted.text = Some(MASK.to_owned());
        redacted
    }

    /// Finds everything in a text and replaces it: the new text if there is one, whether the
    /// attribute is to be dropped, and whether the text was cut.
    fn pass(&self, text: &str, apart: bool) -> (Option<String>, bool, bool) {
        let settings = &self.rules.settings;
        let most = settings.scan_bytes;
        // A secret that begins before the cut is found whole.
        let seen = if text.len() > most { marks::prefix(text, most.saturating_mul(2)) } else { text };
        let mut found = Vec::new();
        for (regex, mode) in &self.rules.values {
            marks::of_rule(regex, seen, *mode, &mut found);
        }
        let hints = Hints::of(seen);
        if settings.secret_values && !hints.nothing() {
            let mut parts = Vec::new();
            values::find(seen, hints, |key| self.is_secret_key(key), &mut parts);
            found.extend(parts.into_iter().map(|part| Found { part, mode: settings.mode }));
        }
        let over_length = text.len() > most;
        if over_length {
            let cut = marks::prefix(text, most.saturating_sub(MASK.len())).len();
            found.push(Found { part: cut..text.len(), mode: RedactionMode::Mask });
        }
        if apart {
            found.iter_mut().for_each(|found| found.mode = RedactionMode::Hash);
        }
        let (new, drop) = marks::replace(text, found, &self.hasher);
        (new, drop, over_length)
    }
}

/// Numbers from JSON are often floats.
fn is_card_float(value: f64) -> bool {
    (1e12..1e18).contains(&value) && value.fract() == 0.0 && values::is_card_number(value as i64)
}

#[cfg(test)]
mod tests;
