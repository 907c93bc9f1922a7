//! The fields of an event on their way into a line, without secrets.
//!
//! Owns which value of `tracing` becomes which kind of field, and that none is written before it was
//! redacted: values by their keys and by what they are, messages as text. How they are written is up
//! to `line`.

use std::error::Error;
use std::fmt::{self, Debug};

use tracing_core::Metadata;
use tracing_core::field::{Field, Visit};
use tta_telemetry::{RedactedValue, Redactor, Value, ValueRef};

use super::line::{Line, MAX_LINE_BYTES, MAX_MESSAGE_BYTES, MAX_TARGET_BYTES};
use crate::text;

/// Takes an event's fields.
pub(super) struct Fields<'a> {
    line: &'a mut Line,
    redactor: &'a Redactor,
}

impl<'a> Fields<'a> {
    pub(super) fn new(line: &'a mut Line, redactor: &'a Redactor, metadata: &Metadata<'_>) -> Self {
        line.is_log = metadata.target() == "log";
        Self { line, redactor }
    }

    /// What is too long to be looked at is masked, which cuts it.
    fn note_length(&mut self, text: &str) {
        let redaction = self.redactor.redaction();
        self.line.is_truncated |= redaction.enabled() && text.len() > redaction.scan_bytes();
    }

    fn message(&mut self, message: &str) {
        self.note_length(message);
        self.line.message(&self.redactor.redact_text(message));
    }

    fn text(&mut self, key: &str, text: &str, is_formatted: bool) {
        self.note_length(text);
        match self.redactor.redact_value(key, ValueRef::Str(text)) {
            RedactedValue::Untouched => self.line.text_field(key, text, is_formatted),
            RedactedValue::Replaced(value) => self.line.text_field(key, &value.to_string(), is_formatted),
            RedactedValue::Dropped => {}
        }
    }

    fn formatted(&mut self, key: &str, value: fmt::Arguments<'_>) {
        let mut scratch = std::mem::take(&mut self.line.scratch);
        scratch.clear();
        self.line.is_truncated |= text::append(&mut scratch, value, MAX_LINE_BYTES);
        if key == "message" {
            self.message(&scratch);
        } else {
            self.text(key, &scratch, true);
        }
        self.line.scratch = scratch;
    }

    /// A number or a truth value, which stays one unless it is a secret.
    fn plain(&mut self, key: &str, value: ValueRef<'_>, shown: impl fmt::Display) {
        match self.redactor.redact_value(key, value) {
            RedactedValue::Untouched => self.line.plain_field(key, shown),
            RedactedValue::Replaced(value) => self.line.text_field(key, &value.to_string(), true),
            RedactedValue::Dropped => {}
        }
    }

    fn causes(&mut self, key: &str, causes: &[String]) {
        let texts: Vec<&str> = causes.iter().map(String::as_str).collect();
        match self.redactor.redact_value(key, ValueRef::List(&texts)) {
            RedactedValue::Untouched => self.line.list_field(key, causes),
            RedactedValue::Replaced(Value::List(causes)) => self.line.list_field(key, &causes),
            RedactedValue::Replaced(value) => self.line.text_field(key, &value.to_string(), true),
            RedactedValue::Dropped => {}
        }
    }

    /// Whether a field was only there to describe a record of the `log` crate.
    fn is_of_log(&mut self, key: &str, value: Option<&str>) -> bool {
        if !self.line.is_log || !key.starts_with("log.") {
            return false;
        }
        if let ("log.target", Some(target)) = (key, value) {
            text::push_clipped(&mut self.line.log_target, &self.redactor.redact_text(target), MAX_TARGET_BYTES);
        }
        true
    }
}

impl Visit for Fields<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name(), ValueRef::Bool(value), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if !self.is_of_log(field.name(), None) {
            self.plain(field.name(), ValueRef::I64(value), value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if !self.is_of_log(field.name(), None) {
            // Beyond are no numbers of cards; the key is looked at all the same.
            self.plain(field.name(), ValueRef::I64(i64::try_from(value).unwrap_or(i64::MAX)), value);
        }
    }

    // Few readers of JSON know numbers of this size.
    fn record_i128(&mut self, field: &Field, value: i128) {
        self.formatted(field.name(), format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.formatted(field.name(), format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no numbers that are not finite.
        if value.is_finite() {
            self.plain(field.name(), ValueRef::F64(value), format_args!("{value:?}"));
        } else {
            self.text(field.name(), &value.to_string(), true);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message(value),
            key if self.is_of_log(key, Some(value)) => {}
            key => self.text(key, value, false),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.formatted(field.name(), format_args!("{value}"));
        let causes = text::causes(value, MAX_MESSAGE_BYTES);
        if !causes.is_empty() {
            self.causes(&[field.name(), ".chain"].concat(), &causes);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.formatted(field.name(), format_args!("{value:?}"));
    }
}
