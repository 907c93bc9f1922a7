//! What of a query a store can find by itself, so that few traces have to be looked at.

use std::time::Duration;

use tta_telemetry::SpanStatus;
use tta_telemetry::store::{TagFilter, TagScope, TraceQuery};

use super::Search;
use super::condition::{Compare, Condition, Expr, Field, Test, is_service};

/// Puts what all must hold into the query as far as it goes there, and what is left beside it.
pub(super) fn put(search: &mut Search, expr: Expr) {
    match expr {
        Expr::All(all) => all.into_iter().for_each(|one| put(search, one)),
        Expr::Any(mut any) if any.len() == 1 => any.drain(..).for_each(|one| put(search, one)),
        Expr::Is(condition) => {
            let mut query = search.query.clone();
            let says_all = narrow(&mut query, &condition);
            // More conditions, longer keys, empty names and ranges in which nothing is: no store takes them.
            let is_taken = query.check().is_ok();
            if is_taken {
                search.query = query;
            }
            if !(is_taken && says_all) {
                search.rest.push(Expr::Is(condition));
            }
        }
        other @ Expr::Any(_) => search.rest.push(other),
    }
}

/// Whether the query says all of it now.
fn narrow(query: &mut TraceQuery, condition: &Condition) -> bool {
    match (&condition.field, &condition.test) {
        (Field::Attribute(scope, key), Test::Equals(name)) if is_service(*scope, key) => set(&mut query.service, name),
        // Every span has one.
        (Field::Attribute(scope, key), Test::Exists) if is_service(*scope, key) => true,
        (Field::Attribute(scope, key), Test::Equals(_) | Test::Exists) => {
            let value = match &condition.test {
                Test::Equals(value) => Some(value.clone()),
                _ => None,
            };
            // For a store, a span's own and one of its process that have the same key are both meant. Here the
            // span's own is, so that what is found has to be looked at again.
            let says_all = *scope != TagScope::Any || value.is_none();
            query.tags.push(TagFilter { scope: *scope, key: key.clone(), value });
            says_all
        }
        (Field::Name, Test::Equals(name)) => set(&mut query.operation, name),
        (Field::Kind, Test::Equals(kind)) => set(&mut query.kind, kind),
        (Field::Status, Test::Equals(text)) => {
            let status = if text == "error" { SpanStatus::Error } else { SpanStatus::Ok };
            *query.status.get_or_insert(status) == status
        }
        (Field::Duration, Test::Lasts(compare, ns)) => {
            within(&mut query.min_span_duration, &mut query.max_span_duration, *compare, *ns)
        }
        (Field::TraceDuration, Test::Lasts(compare, ns)) => {
            within(&mut query.min_duration, &mut query.max_duration, *compare, *ns)
        }
        _ => false,
    }
}

fn set(slot: &mut Option<String>, value: &str) -> bool {
    slot.get_or_insert_with(|| value.to_owned()) == value
}

/// Narrows a range, perhaps until nothing is left of it.
fn within(min: &mut Option<Duration>, max: &mut Option<Duration>, compare: Compare, ns: u64) -> bool {
    const NANOSECOND: Duration = Duration::from_nanos(1);
    let length = Duration::from_nanos(ns);
    let (least, most) = match compare {
        Compare::Equal => (Some(length), Some(length)),
        Compare::Greater => (Some(length.saturating_add(NANOSECOND)), None),
        Compare::AtLeast => (Some(length), None),
        Compare::AtMost => (None, Some(length)),
        Compare::Less => match length.checked_sub(NANOSECOND) {
            Some(most) => (None, Some(most)),
            None => return false,
        },
    };
    *min = (*min).max(least);
    *max = [*max, most].into_iter().flatten().min();
    true
}
