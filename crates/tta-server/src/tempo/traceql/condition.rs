//! Conditions on spans, and whether they hold.
//!
//! Owns what a condition means. Does not own how it is written.

use std::borrow::Cow;
use std::cmp::Ordering;

use regex::Regex;
use tta_telemetry::store::{StoredTrace, TagScope};
use tta_telemetry::{Attribute, SpanRecord, SpanStatus, Value};

use crate::api::views::span::status_message;

/// Conditions, put together.
#[derive(Clone, Debug)]
pub(in crate::tempo) enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Is(Condition),
}

/// One condition.
#[derive(Clone, Debug)]
pub(in crate::tempo) struct Condition {
    pub(super) field: Field,
    pub(super) test: Test,
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tempo) enum Field {
    Attribute(TagScope, String),
    Name,
    Kind,
    Status,
    StatusMessage,
    Duration,
    TraceDuration,
    RootName,
    RootService,
}

/// What must hold of it. Where it is not there, only [`Missing`](Self::Missing) does.
#[derive(Clone, Debug)]
pub(in crate::tempo) enum Test {
    Equals(String),
    Differs(String),
    /// From its beginning to its end.
    Matches(Regex),
    DiffersFrom(Regex),
    Compares(Compare, f64),
    Exists,
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tempo) enum Compare {
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Compare {
    const fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

/// What a field holds of a span.
enum Found<'a> {
    Nothing,
    Text(Cow<'a, str>),
    Number(f64),
    Value(&'a Value),
}

impl Expr {
    pub(in crate::tempo) fn holds(&self, span: &SpanRecord, trace: &StoredTrace) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.holds(span, trace)),
            Self::Any(any) => any.iter().any(|one| one.holds(span, trace)),
            Self::Is(condition) => condition.holds(span, trace),
        }
    }

    /// Calls with every attribute that is looked at.
    pub(super) fn each_attribute(&self, with: &mut impl FnMut(TagScope, &str)) {
        match self {
            Self::All(list) | Self::Any(list) => list.iter().for_each(|one| one.each_attribute(with)),
            Self::Is(Condition { field: Field::Attribute(scope, key), .. }) => with(*scope, key),
            Self::Is(_) => {}
        }
    }
}

impl Condition {
    fn holds(&self, span: &SpanRecord, trace: &StoredTrace) -> bool {
        match (self.field.of(span, trace), &self.test) {
            (Found::Nothing, test) => matches!(test, Test::Missing),
            (_, Test::Exists) => true,
            (_, Test::Missing) => false,
            (found, Test::Equals(text)) => self.is_equal(&found, span, text),
            (found, Test::Differs(text)) => !self.is_equal(&found, span, text),
            (found, Test::Matches(pattern)) => found.any_text(&mut |text| pattern.is_match(text)),
            (found, Test::DiffersFrom(pattern)) => !found.any_text(&mut |text| pattern.is_match(text)),
            (found, Test::Compares(compare, number)) => {
                found.number().and_then(|found| found.partial_cmp(number)).is_some_and(|order| compare.holds(order))
            }
        }
    }

    fn is_equal(&self, found: &Found<'_>, span: &SpanRecord, text: &str) -> bool {
        match self.field {
            // As a search by kind has it: every span of our own is internal, too.
            Field::Kind if span.received.is_none() && text == "internal" => true,
            Field::Status => is_status(span, text),
            _ => found.any_text(&mut |given| given == text),
        }
    }
}

/// OpenTelemetry's `ok` and `unset` are success alike.
fn is_status(span: &SpanRecord, text: &str) -> bool {
    match text {
        "error" => span.status == SpanStatus::Error,
        _ => span.status == SpanStatus::Ok,
    }
}

impl Field {
    fn of<'a>(&self, span: &'a SpanRecord, trace: &'a StoredTrace) -> Found<'a> {
        let text = |text: &'a str| Found::Text(Cow::Borrowed(text));
        match self {
            Self::Attribute(scope, key) => match attribute(*scope, key, span) {
                Some(found) => Found::Value(&found.value),
                None if *scope != TagScope::Span && key == "service.name" => text(trace.service_of(span).as_str()),
                None => Found::Nothing,
            },
            Self::Name => text(span.name.as_str()),
            Self::Kind => text(span.kind.as_str()),
            Self::Status => text(if span.status == SpanStatus::Error { "error" } else { "unset" }),
            Self::StatusMessage => text(status_message(span)),
            Self::Duration => Found::Number(span.duration_ns as f64),
            Self::TraceDuration => Found::Number(trace.duration_ns() as f64),
            Self::RootName => trace.root().map_or(Found::Nothing, |root| text(root.name.as_str())),
            Self::RootService => trace.root().map_or(Found::Nothing, |root| text(trace.service_of(root).as_str())),
        }
    }
}

impl Found<'_> {
    /// Whether it holds of the text, or of that of an element.
    fn any_text(&self, holds: &mut impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Nothing => false,
            Self::Text(text) => holds(text),
            Self::Number(number) => holds(&number.to_string()),
            Self::Value(Value::Str(text)) => holds(text),
            Self::Value(Value::List(texts)) => texts.iter().any(|text| holds(text)),
            Self::Value(Value::Array(values)) => values.iter().any(|value| holds(&value.to_string())),
            Self::Value(other) => holds(&other.to_string()),
        }
    }

    const fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Value(Value::I64(number)) => Some(*number as f64),
            Self::Value(Value::F64(number)) => Some(*number),
            _ => None,
        }
    }
}

/// The span's own, then those of the process that recorded it. The last of a key is the one that counts.
pub(in crate::tempo) fn attribute<'a>(scope: TagScope, key: &str, span: &'a SpanRecord) -> Option<&'a Attribute> {
    let own = (scope != TagScope::Resource).then_some(span.attributes.as_slice());
    let received = span.received.as_deref().filter(|_| scope != TagScope::Span);
    let resource = received.map(|received| received.source.resource.attributes.as_slice());
    let last = |attributes: &'a [Attribute]| attributes.iter().rev().find(|has| has.key.as_str() == key);
    own.into_iter().chain(resource).find_map(last)
}
