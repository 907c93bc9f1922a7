//! Keys and values of attributes, for those who choose among them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use super::matching::for_each_text;
use super::query::TagScope;
use crate::model::{Attribute, SpanRecord, Trace};

/// Spans that are looked at.
pub(super) const MOST_SPANS: usize = 100_000;
/// Names, or values, that are told.
const MOST: usize = 1_000;
/// Bytes of a value that is told.
const MOST_VALUE_BYTES: usize = 1_024;

/// Keys of attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagNames {
    /// Of spans, by name.
    pub span: Vec<String>,
    /// Of the processes that recorded them, by name.
    pub resource: Vec<String>,
    /// There may be more: what is told, or how many spans are looked at (100,000), is bounded.
    pub is_cut: bool,
}

/// Values of an attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagValues {
    /// As text, in order.
    pub values: Vec<String>,
    /// There may be more: what is told, how long it is (1,024 bytes), or how many spans are looked at
    /// (100,000) is bounded.
    pub is_cut: bool,
}

impl TagNames {
    /// The keys in these traces.
    #[must_use]
    pub fn of(parts: &[Arc<Trace>]) -> Self {
        let (mut span, mut resource) = (BTreeSet::new(), BTreeSet::new());
        let mut is_cut = false;
        let mut add = |names: &mut BTreeSet<String>, attributes: &[Attribute]| {
            for attribute in attributes {
                let key = attribute.key.as_str();
                if !names.contains(key) {
                    if names.len() < MOST {
                        names.insert(key.to_owned());
                    } else {
                        is_cut = true;
                    }
                }
            }
        };
        let is_all = for_each_span(parts, |record, resource_attributes| {
            add(&mut span, &record.attributes);
            add(&mut resource, resource_attributes);
        });
        Self { span: span.into_iter().collect(), resource: resource.into_iter().collect(), is_cut: is_cut || !is_all }
    }
}

impl TagValues {
    /// The values of one key in these traces.
    #[must_use]
    pub fn of(parts: &[Arc<Trace>], scope: TagScope, name: &str) -> Self {
        let (mut values, mut is_cut, mut text) = (BTreeSet::new(), false, String::new());
        let mut add = |attributes: &[Attribute]| {
            for attribute in attributes.iter().filter(|attribute| attribute.key.as_str() == name) {
                for_each_text(&attribute.value, &mut |value| {
                    text.clear();
                    let _ = write!(text, "{value}");
                    if !values.contains(&text) {
                        if values.len() < MOST && text.len() <= MOST_VALUE_BYTES {
                            values.insert(text.clone());
                        } else {
                            is_cut = true;
                        }
                    }
                });
            }
        };
        let is_all = for_each_span(parts, |record, resource_attributes| {
            if scope != TagScope::Resource {
                add(&record.attributes);
            }
            if scope != TagScope::Span {
                add(resource_attributes);
            }
        });
        Self { values: values.into_iter().collect(), is_cut: is_cut || !is_all }
    }
}

/// With the attributes of the process that recorded it, unless the span before had the same. Whether
/// all were looked at.
fn for_each_span(parts: &[Arc<Trace>], mut with: impl FnMut(&SpanRecord, &[Attribute])) -> bool {
    let mut left = MOST_SPANS;
    let mut last = std::ptr::null();
    for span in parts.iter().flat_map(|part| &part.spans) {
        if left == 0 {
            return false;
        }
        left -= 1;
        let source = span.received.as_deref().map(|received| &received.source);
        let new = source.filter(|source| Arc::as_ptr(source) != last);
        last = source.map_or(std::ptr::null(), Arc::as_ptr);
        with(span, new.map_or(&[], |source| &source.resource.attributes));
    }
    true
}
