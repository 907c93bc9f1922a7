//! A kept trace whose attributes may be changed, and nothing else of it.

use crate::limits::Limits;
use crate::model::{Attribute, Name, SpanRecord, Trace, Value, ValueRef};

/// A kept trace in the hands of a [`TraceProcessor`](super::TraceProcessor).
///
/// Ids, times, status and the decision stand; attributes of spans and events may change within the
/// engine's limits.
#[derive(Debug)]
pub struct TraceEdit<'a> {
    trace: &'a mut Trace,
    most_attributes: usize,
    most_bytes: usize,
    refused: u64,
}

impl<'a> TraceEdit<'a> {
    /// Opens a trace for editing.
    pub fn new(trace: &'a mut Trace, limits: &Limits) -> Self {
        let most_attributes = usize::from(limits.attributes_per_span);
        Self { trace, most_attributes, most_bytes: limits.attribute_bytes as usize, refused: 0 }
    }

    /// The trace as it is.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        self.trace
    }

    /// The spans as they are, each at its index.
    #[must_use]
    pub fn spans(&self) -> &[SpanRecord] {
        &self.trace.spans
    }

    /// Sets an attribute of the span at this index; texts are cut at the limit of values. `false`
    /// when there is no such span, or no room for one more attribute: that is counted.
    pub fn set<'v>(&mut self, span: usize, key: impl Into<Name>, value: impl Into<ValueRef<'v>>) -> bool {
        let (key, value) = (key.into(), cut(value.into().to_value(), self.most_bytes));
        let most = self.most_attributes;
        let Some(attributes) = self.trace.spans.get_mut(span).map(|span| &mut span.attributes) else {
            self.refused += 1;
            return false;
        };
        if let Some(present) = attributes.iter_mut().find(|attribute| attribute.key == key) {
            present.value = value;
            return true;
        }
        if attributes.len() >= most {
            self.refused += 1;
            return false;
        }
        attributes.push(Attribute { key, value });
        true
    }

    /// Takes an attribute of the span at this index away; what it was.
    pub fn remove(&mut self, span: usize, key: &str) -> Option<Value> {
        let attributes = &mut self.trace.spans.get_mut(span)?.attributes;
        let index = attributes.iter().position(|attribute| attribute.key == *key)?;
        Some(attributes.remove(index).value)
    }

    /// Shows every attribute of every span and of its events and links, whose value may be changed;
    /// those for which the answer is `false` are taken away.
    pub fn retain(&mut self, mut keep: impl FnMut(&Name, &mut Value) -> bool) {
        let most = self.most_bytes;
        let mut visit = |attributes: &mut Vec<Attribute>| {
            attributes.retain_mut(|attribute| {
                let is_kept = keep(&attribute.key, &mut attribute.value);
                let value = std::mem::replace(&mut attribute.value, Value::Bool(false));
                attribute.value = cut(value, most);
                is_kept
            });
        };
        for span in &mut self.trace.spans {
            visit(&mut span.attributes);
            span.events.iter_mut().for_each(|event| visit(&mut event.attributes));
            span.links.iter_mut().for_each(|link| visit(&mut link.attributes));
        }
    }

    /// Attributes that found no span or no room.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}

/// Texts within the limit, cut at a character. Values that hold others came within the limits of
/// what is received, and stay.
fn cut(value: Value, most_bytes: usize) -> Value {
    let end = |text: &str| text.floor_char_boundary(most_bytes.min(text.len()));
    match value {
        Value::Str(text) if text.len() > most_bytes => {
            let mut text = text.into_owned();
            text.truncate(end(&text));
            Value::Str(text.into())
        }
        Value::List(mut texts) => {
            // As for one value: the limit is on the list as a whole.
            let mut room = most_bytes;
            texts.retain_mut(|text| {
                text.truncate(text.floor_char_boundary(room.min(text.len())));
                room -= text.len();
                !text.is_empty()
            });
            Value::List(texts)
        }
        other => other,
    }
}
