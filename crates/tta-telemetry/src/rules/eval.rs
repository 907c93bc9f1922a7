//! Whether a condition holds for a finished trace. Allocates nothing, and cannot fail.

use std::cmp::Ordering;
use std::time::Duration;

use super::RuleContext;
use super::ast::{Check, Class, Condition, Literal, Order, Test, TextField};
use crate::model::{SpanRecord, Trace, TraceClass, Value};
use crate::money::Usd;

pub(super) fn holds(condition: &Condition, trace: &Trace, context: &RuleContext<'_>) -> bool {
    match condition {
        Condition::Or(all) => all.iter().any(|one| holds(one, trace, context)),
        Condition::And(all) => all.iter().all(|one| holds(one, trace, context)),
        Condition::Not(inner) => !holds(inner, trace, context),
        Condition::Test(test) => test_holds(test, trace, context),
    }
}

fn test_holds(test: &Test, trace: &Trace, context: &RuleContext<'_>) -> bool {
    match test {
        Test::Handled => trace.spans.iter().any(|span| span.handled),
        Test::Duration(order, ns) => order.holds(duration_ns(trace).cmp(ns)),
        Test::Latency(order, quantile) => context
            .quantile_ns(trace.root(), *quantile)
            .is_some_and(|threshold_ns| order.holds(duration_ns(trace).cmp(&threshold_ns))),
        Test::SpanCount(order, count) => order.holds((trace.spans.len() as u64).cmp(count)),
        Test::Tokens(order, count) => {
            let keys = ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"];
            sum(trace, &keys).is_some_and(|total| compared(*order, total.partial_cmp(&(*count as f64))))
        }
        Test::Cost(order, usd) => sum(trace, &["cost.usd"])
            .and_then(|total| Usd::from_dollars(total).ok())
            .is_some_and(|total| order.holds(total.cmp(usd))),
        Test::Class { negated, any_of, .. } => any_of.contains(&class(trace, context.slow_from())) != *negated,
        Test::Text(TextField::Workflow, check) => trace.root().is_some_and(|root| check.text(root.name.as_str())),
        Test::Text(TextField::ErrorType, check) => any_span(trace, false, "error.type", check),
        Test::Attribute { root, key, check } => any_span(trace, *root, key, check),
    }
}

fn any_span(trace: &Trace, root: bool, key: &str, check: &Check) -> bool {
    let holds = |span: &SpanRecord| span.attribute(key).is_some_and(|value| check.value(value));
    if root { trace.root().is_some_and(holds) } else { trace.spans.iter().any(holds) }
}

/// The root's; without one, from the first start to the last end.
pub(crate) fn duration_ns(trace: &Trace) -> u64 {
    if let Some(root) = trace.root() {
        return root.duration_ns;
    }
    let start = trace.spans.iter().map(|span| span.start_unix_ns).min().unwrap_or(0);
    let end = trace.spans.iter().map(SpanRecord::end_unix_ns).max().unwrap_or(0);
    end.saturating_sub(start)
}

fn class(trace: &Trace, slow: Option<Duration>) -> Class {
    match trace.class {
        TraceClass::Failed => Class::Failed,
        TraceClass::Cancelled => Class::Cancelled,
        TraceClass::Normal if slow.is_some_and(|slow| u128::from(duration_ns(trace)) >= slow.as_nanos()) => Class::Slow,
        TraceClass::Normal => Class::Normal,
    }
}

/// Over all spans; nothing when no span has any.
fn sum(trace: &Trace, keys: &[&str]) -> Option<f64> {
    let values = trace.spans.iter().flat_map(|span| keys.iter().filter_map(|key| span.attribute(key)));
    let numbers = values.filter_map(|value| match value {
        Value::I64(number) => Some(*number as f64),
        Value::F64(number) => Some(*number),
        _ => None,
    });
    numbers.fold(None, |total, number| Some(total.unwrap_or(0.0) + number))
}

/// What cannot be compared (NaN) differs from everything.
fn compared(order: Order, ordering: Option<Ordering>) -> bool {
    ordering.map_or(order == Order::NotEqual, |ordering| order.holds(ordering))
}

impl Check {
    fn value(&self, value: &Value) -> bool {
        match value {
            Value::Str(text) => self.text(text),
            Value::List(texts) => matches!(self, Check::Exists) || texts.iter().any(|text| self.text(text)),
            Value::Array(values) => matches!(self, Check::Exists) || values.iter().any(|value| self.value(value)),
            other => match self {
                Check::Exists => true,
                Check::Compare(order, literal) => literal.compared(*order, other),
                Check::In(literals) => literals.iter().any(|literal| literal.compared(Order::Equal, other)),
                Check::Contains(_) | Check::StartsWith(_) | Check::EndsWith(_) | Check::Matches(_) => false,
            },
        }
    }

    fn text(&self, text: &str) -> bool {
        match self {
            Check::Exists => true,
            Check::Compare(order, literal) => literal.compared_with_text(*order, text),
            Check::Contains(part) => text.contains(part.as_str()),
            Check::StartsWith(part) => text.starts_with(part.as_str()),
            Check::EndsWith(part) => text.ends_with(part.as_str()),
            Check::Matches(pattern) => pattern.0.is_match(text),
            Check::In(literals) => literals.iter().any(|literal| literal.compared_with_text(Order::Equal, text)),
        }
    }
}

impl Literal {
    /// How a number or truth of a span compares with this. Values of other kinds differ.
    fn compared(&self, order: Order, value: &Value) -> bool {
        match (value, self) {
            (Value::Bool(value), Literal::Bool(truth)) => order.holds(value.cmp(truth)),
            (Value::I64(value), Literal::Int(number)) => order.holds(value.cmp(number)),
            (Value::I64(value), Literal::Float(number)) => compared(order, (*value as f64).partial_cmp(number)),
            (Value::F64(value), Literal::Int(number)) => compared(order, value.partial_cmp(&(*number as f64))),
            (Value::F64(value), Literal::Float(number)) => compared(order, value.partial_cmp(number)),
            // `"42"` is what a whole number looks like.
            (Value::I64(value), Literal::Text(text)) => compared(order, text.parse().ok().map(|text| value.cmp(&text))),
            (Value::Bool(value), Literal::Text(text)) => {
                compared(order, text.parse().ok().map(|text| value.cmp(&text)))
            }
            _ => order == Order::NotEqual,
        }
    }

    /// How a text of a span compares with this: as a number, if this is one.
    fn compared_with_text(&self, order: Order, value: &str) -> bool {
        match self {
            Literal::Text(text) => order.holds(value.cmp(text)),
            Literal::Int(number) => match value.parse::<i64>() {
                Ok(value) => order.holds(value.cmp(number)),
                Err(_) => {
                    compared(order, value.parse::<f64>().ok().and_then(|value| value.partial_cmp(&(*number as f64))))
                }
            },
            Literal::Float(number) => {
                compared(order, value.parse::<f64>().ok().and_then(|value| value.partial_cmp(number)))
            }
            Literal::Bool(truth) => {
                let same = value.eq_ignore_ascii_case(if *truth { "true" } else { "false" });
                same == (order == Order::Equal)
            }
        }
    }
}
