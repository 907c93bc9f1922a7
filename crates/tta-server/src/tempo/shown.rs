//! Attributes of the spans that a search shows.
//!
//! Grafana makes a column of each key, of the type of one of its values, and takes only single values of that
//! type into it. So only keys that were asked for are shown, as Tempo does; what is no single value is shown
//! as text, and so is a key whose values are of several types in one reply.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use tta_telemetry::store::{StoredTrace, TagFilter};
use tta_telemetry::{SpanRecord, Value};

use super::traceql::{attribute, is_service};
use crate::api::views::value::{AnyValue, base64};

/// A key and its value, as OTLP/JSON writes them.
#[derive(serde::Serialize)]
pub(super) struct KeyValue<'a> {
    key: Cow<'a, str>,
    value: Shown<'a>,
}

#[derive(Debug, PartialEq)]
enum Shown<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
}

/// Types of columns: whole numbers and others share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Text,
    Bool,
    Number,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Text(text) => map.serialize_entry("stringValue", text)?,
            Self::Bool(value) => map.serialize_entry("boolValue", value)?,
            Self::Int(value) => map.serialize_entry("intValue", &value.to_string())?,
            Self::Double(value) => map.serialize_entry("doubleValue", value)?,
        }
        map.end()
    }
}

impl<'a> Shown<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::I64(value) => Self::Int(*value),
            Value::F64(value) if value.is_finite() => Self::Double(*value),
            Value::Str(text) => Self::Text(text.as_ref().into()),
            Value::Bytes(bytes) => Self::Text(base64(bytes).into()),
            Value::Empty => Self::Text("".into()),
            Value::F64(value) => Self::Text(value.to_string().into()),
            other => Self::Text(serde_json::to_string(&AnyValue(other)).unwrap_or_default().into()),
        }
    }

    const fn column(&self) -> Column {
        match self {
            Self::Text(_) => Column::Text,
            Self::Bool(_) => Column::Bool,
            Self::Int(_) | Self::Double(_) => Column::Number,
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Double(value) => value.to_string(),
        }
    }
}

impl<'a> KeyValue<'a> {
    /// What a span, or the process that recorded it, has of what was asked for.
    pub(super) fn of(tag: &TagFilter, span: &'a SpanRecord, trace: &'a StoredTrace) -> Option<Self> {
        let value = match is_service(tag.scope, &tag.key) {
            true => Shown::Text(trace.service_of(span).as_str().into()),
            false => Shown::of(&attribute(tag.scope, &tag.key, span)?.value),
        };
        Some(Self { key: Cow::Owned(tag.key.clone()), value })
    }
}

/// Makes text of the values of keys that have several types.
pub(super) fn settle(all: Vec<&mut KeyValue<'_>>) {
    let mut columns: HashMap<String, Option<Column>> = HashMap::new();
    for shown in &all {
        let column = shown.value.column();
        let known = columns.entry(shown.key.clone().into_owned()).or_insert(Some(column));
        *known = known.filter(|known| *known == column);
    }
    for shown in all {
        if columns.get(shown.key.as_ref()).is_some_and(Option::is_none) {
            shown.value = Shown::Text(shown.value.to_text().into());
        }
    }
}
