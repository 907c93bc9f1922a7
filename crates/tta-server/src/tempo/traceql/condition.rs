//! Conditions on spans, and whether they hold.
//!
//! Owns what a condition means. Does not own how it is written.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use tta_telemetry::store::{StoredTrace, TagScope};
use tta_telemetry::{Attribute, SpanRecord, SpanStatus, Value};

use crate::api::views::span::status_message;

/// Of a regular expression, compiled.
const MOST_PATTERN_BYTES: usize = 256 * 1024;

/// Conditions, put together.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Every one of them; of none it is always so.
    All(Vec<Expr>),
    /// One of them at least.
    Any(Vec<Expr>),
    /// This one.
    Is(Condition),
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What is looked at.
    pub field: Field,
    /// What must hold of it.
    pub test: Test,
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The attribute under a key. `service.name`, unless it is asked of the span alone, is the service that
    /// recorded it.
    Attribute(TagScope, String),
    /// The span's name.
    Name,
    /// Its kind; `internal` is also every span of our own.
    Kind,
    /// How it ended; success is `ok` and `unset` alike.
    Status,
    /// What it says of its failure.
    StatusMessage,
    /// How long it took.
    Duration,
    /// How long the trace took.
    TraceDuration,
    /// The name of the trace's root.
    RootName,
    /// The service of the trace's root.
    RootService,
}

/// What must hold of it. Where it is not there, only [`Missing`](Self::Missing) does.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It, or an element of it, is this text.
    Equals(String),
    /// Neither it nor an element of it is.
    Differs(String),
    /// It, or an element of it, matches from its beginning to its end.
    Matches(Pattern),
    /// Neither it nor an element of it does.
    DiffersFrom(Pattern),
    /// It is a number, in this order to another.
    Compares(Compare, f64),
    /// It is a duration, in this order to another in nanoseconds.
    Lasts(Compare, u64),
    /// It is there.
    Exists,
    /// It is not.
    Missing,
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// A regular expression for a whole text.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    whole: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    /// `None` of what is no regular expression, or too large a one.
    pub(super) fn new(text: String) -> Option<Self> {
        let build = |text: &str| RegexBuilder::new(text).size_limit(MOST_PATTERN_BYTES).build().ok();
        // By itself, too: `a)|(b` would become one in parentheses.
        build(&text)?;
        let whole = build(&format!("^(?:{text})$"))?;
        Some(Self { text, whole })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
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
    Text(&'a str),
    /// Two names of the same.
    Either(&'a str, &'a str),
    Duration(u64),
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
            (found, Test::Equals(text)) => found.any_text(&mut |given| given == text),
            (found, Test::Differs(text)) => !found.any_text(&mut |given| given == text),
            (found, Test::Matches(pattern)) => found.any_text(&mut |text| pattern.whole.is_match(text)),
            (found, Test::DiffersFrom(pattern)) => !found.any_text(&mut |text| pattern.whole.is_match(text)),
            (found, Test::Compares(compare, number)) => {
                found.number().and_then(|found| found.partial_cmp(number)).is_some_and(|order| compare.holds(order))
            }
            (found, Test::Lasts(compare, ns)) => {
                matches!(found, Found::Duration(found) if compare.holds(found.cmp(ns)))
            }
        }
    }
}

impl Field {
    fn of<'a>(&self, span: &'a SpanRecord, trace: &'a StoredTrace) -> Found<'a> {
        match self {
            Self::Attribute(scope, key) if is_service(*scope, key) => Found::Text(trace.service_of(span).as_str()),
            Self::Attribute(scope, key) => {
                attribute(*scope, key, span).map_or(Found::Nothing, |found| Found::Value(&found.value))
            }
            Self::Name => Found::Text(span.name.as_str()),
            // As a search by kind has it: every span of our own is internal, too.
            Self::Kind if span.received.is_none() => Found::Either(span.kind.as_str(), "internal"),
            Self::Kind => Found::Text(span.kind.as_str()),
            // OpenTelemetry's `ok` and `unset` are success alike.
            Self::Status if span.status == SpanStatus::Ok => Found::Either("ok", "unset"),
            Self::Status => Found::Text(span.status.as_str()),
            Self::StatusMessage => Found::Text(status_message(span)),
            Self::Duration => Found::Duration(span.duration_ns),
            Self::TraceDuration => Found::Duration(trace.duration_ns()),
            Self::RootName => trace.root().map_or(Found::Nothing, |root| Found::Text(root.name.as_str())),
            Self::RootService => {
                trace.root().map_or(Found::Nothing, |root| Found::Text(trace.service_of(root).as_str()))
            }
        }
    }
}

impl Found<'_> {
    /// Whether it holds of the text, or of that of an element.
    fn any_text(&self, holds: &mut impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Nothing | Self::Duration(_) => false,
            Self::Text(text) => holds(text),
            Self::Either(one, other) => holds(one) || holds(other),
            Self::Value(Value::Str(text)) => holds(text),
            Self::Value(Value::List(texts)) => texts.iter().any(|text| holds(text)),
            Self::Value(Value::Array(values)) => values.iter().any(|value| holds(&value.to_string())),
            Self::Value(other) => holds(&other.to_string()),
        }
    }

    const fn number(&self) -> Option<f64> {
        match self {
            Self::Value(Value::I64(number)) => Some(*number as f64),
            Self::Value(Value::F64(number)) => Some(*number),
            _ => None,
        }
    }
}

/// Whether it is the service that recorded a span, which has a name even where no attribute says it.
pub(in crate::tempo) fn is_service(scope: TagScope, key: &str) -> bool {
    scope != TagScope::Span && key == "service.name"
}

/// The span's own, then those of the process that recorded it. The last of a key is the one that counts.
pub(in crate::tempo) fn attribute<'a>(scope: TagScope, key: &str, span: &'a SpanRecord) -> Option<&'a Attribute> {
    let own = (scope != TagScope::Resource).then_some(span.attributes.as_slice());
    let received = span.received.as_deref().filter(|_| scope != TagScope::Span);
    let resource = received.map(|received| received.source.resource.attributes.as_slice());
    let last = |attributes: &'a [Attribute]| attributes.iter().rev().find(|has| has.key.as_str() == key);
    own.into_iter().chain(resource).find_map(last)
}
