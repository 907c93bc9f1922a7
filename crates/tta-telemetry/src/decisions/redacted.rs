//! Decisions without secrets, for those who are told of them and for reports.
//!
//! Owns which parts of a decision can hold text of a user: the names in its key, and attributes.

use super::{Decision, DecisionKey};
use crate::model::{Value, ValueRef};
use crate::redaction::{RedactedValue, Redactor};

impl DecisionKey {
    pub(crate) fn redacted(&self, redactor: &Redactor) -> Self {
        Self {
            workflow: redactor.redacted_name("workflow", self.workflow.clone()),
            primitive: redactor.redacted_name("primitive_name", self.primitive.clone()),
            family: self.family,
            subject: redactor.redacted_name("subject", self.subject.clone()),
        }
    }
}

/// Calls `f` with the decision as it may be told. One without secrets, as most are, is not copied.
pub(super) fn with<R>(decision: &Decision<'_>, redactor: &Redactor, f: impl FnOnce(&Decision<'_>) -> R) -> R {
    let redact = |(key, value): &(&'static str, ValueRef<'_>)| redactor.redact_value(key, *value);
    let key = decision.key.redacted(redactor);
    if key == *decision.key && decision.attributes.iter().all(|one| redact(one) == RedactedValue::Untouched) {
        return f(decision);
    }
    let owned: Vec<(&'static str, Value)> = decision
        .attributes
        .iter()
        .filter_map(|one| match redact(one) {
            RedactedValue::Untouched => Some((one.0, one.1.to_value())),
            RedactedValue::Replaced(value) => Some((one.0, value)),
            RedactedValue::Dropped => None,
        })
        .collect();
    // Lists are lent as slices of texts.
    let texts: Vec<Vec<&str>> = owned
        .iter()
        .map(|(_, value)| match value {
            Value::List(texts) => texts.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        })
        .collect();
    let attributes: Vec<(&'static str, ValueRef<'_>)> = owned
        .iter()
        .zip(&texts)
        .map(|((key, value), texts)| {
            let value = match value {
                Value::Bool(value) => ValueRef::Bool(*value),
                Value::I64(value) => ValueRef::I64(*value),
                Value::F64(value) => ValueRef::F64(*value),
                Value::Str(text) => ValueRef::Str(text),
                Value::List(_) => ValueRef::List(texts),
                // No reference becomes one of these, and what is redacted stays what it was or is a text.
                Value::Bytes(_) | Value::Array(_) | Value::Map(_) | Value::Empty => ValueRef::Static(""),
            };
            (*key, value)
        })
        .collect();
    let Decision { outcome, severity, trace_id, span_id, .. } = *decision;
    f(&Decision { key: &key, outcome, severity, trace_id, span_id, attributes: &attributes })
}
