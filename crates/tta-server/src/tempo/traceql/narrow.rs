//! What of a query a store can find by itself, so that few traces have to be looked at.

use std::time::Duration;

use tta_telemetry::SpanStatus;
use tta_telemetry::store::{TagFilter, TagScope, TraceQuery};

use super::Search;
use super::condition::{Compare, Condition, Expr, Field, Test};

/// Conditions on attributes that a store takes.
const MOST_TAGS: usize = 16;

/// Puts what all must hold into the query as far as it goes there, and what is left beside it.
pub(super) fn put(search: &mut Search, expr: Expr) {
    match expr {
        Expr::All(all) => all.into_iter().for_each(|one| put(search, one)),
        Expr::Any(mut any) if any.len() == 1 => any.drain(..).for_each(|one| put(search, one)),
        Expr::Is(condition) if narrow(&mut search.query, &condition) => {}
        other => search.rest.push(other),
    }
}

/// Whether the query says it now.
fn narrow(query: &mut TraceQuery, condition: &Condition) -> bool {
    match (&condition.field, &condition.test) {
        (Field::Attribute(TagScope::Any | TagScope::Resource, key), Test::Equals(name)) if key == "service.name" => {
            set(&mut query.service, name)
        }
        (Field::Attribute(scope, key), Test::Equals(_) | Test::Exists) if query.tags.len() < MOST_TAGS => {
            let value = match &condition.test {
                Test::Equals(value) => Some(value.clone()),
                _ => None,
            };
            query.tags.push(TagFilter { scope: *scope, key: key.clone(), value });
            true
        }
        (Field::Name, Test::Equals(name)) => set(&mut query.operation, name),
        (Field::Kind, Test::Equals(kind)) => set(&mut query.kind, kind),
        (Field::Status, Test::Equals(text)) => {
            let status = if text == "error" { SpanStatus::Error } else { SpanStatus::Ok };
            *query.status.get_or_insert(status) == status
        }
        (Field::Duration, test) => within(&mut query.min_span_duration, &mut query.max_span_duration, test),
        (Field::TraceDuration, test) => within(&mut query.min_duration, &mut query.max_duration, test),
        _ => false,
    }
}

fn set(slot: &mut Option<String>, value: &str) -> bool {
    slot.get_or_insert_with(|| value.to_owned()) == value
}

/// Narrows a range, unless nothing would be left of it: a store does not take such a range.
fn within(min: &mut Option<Duration>, max: &mut Option<Duration>, test: &Test) -> bool {
    let ns = |ns: f64| Duration::from_nanos(ns as u64);
    let (least, most) = match test {
        Test::Compares(Compare::Equal, length) => (Some(ns(*length)), Some(ns(*length))),
        Test::Compares(Compare::Greater, length) => (Some(ns(*length).saturating_add(ns(1.0))), None),
        Test::Compares(Compare::AtLeast, length) => (Some(ns(*length)), None),
        Test::Compares(Compare::AtMost, length) => (None, Some(ns(*length))),
        Test::Compares(Compare::Less, length) if *length >= 1.0 => (None, Some(ns(*length - 1.0))),
        _ => return false,
    };
    let least = (*min).max(least);
    let most = match (*max, most) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        return false;
    }
    (*min, *max) = (least, most);
    true
}
