//! What a rule says, once read.

use std::fmt;

use regex::Regex;

use super::Quantile;
use crate::money::Usd;

/// What a rule does with the traces that it matches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RuleAction {
    /// Keep them all.
    Keep,
    /// Drop them all; they leave the population that is estimated.
    Drop,
    /// Keep this share of them, 0 to 1.
    Rate(f64),
}

impl RuleAction {
    /// Without a sign on zero.
    pub(super) fn normal(self) -> Self {
        match self {
            RuleAction::Rate(rate) => RuleAction::Rate(rate + 0.0),
            other => other,
        }
    }
}

impl fmt::Display for RuleAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuleAction::Keep => f.write_str("keep"),
            RuleAction::Drop => f.write_str("drop"),
            RuleAction::Rate(rate) => write!(f, "rate {rate}"),
        }
    }
}

/// Conditions and how they are joined. `Or` and `And` have at least two.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Or(Vec<Condition>),
    And(Vec<Condition>),
    Not(Box<Condition>),
    Test(Test),
}

/// One question about a trace.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Handled,
    /// In nanoseconds.
    Duration(Order, u64),
    /// Of the workflow's latency.
    Latency(Order, Quantile),
    SpanCount(Order, u64),
    Tokens(Order, u64),
    Cost(Order, Usd),
    /// Any of these; `negated` for `!=`.
    Class {
        negated: bool,
        listed: bool,
        any_of: Vec<Class>,
    },
    Text(TextField, Check),
    Attribute {
        root: bool,
        key: String,
        check: Check,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextField {
    Workflow,
    ErrorType,
}

/// What a value is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Check {
    Exists,
    Compare(Order, Literal),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Matches(Pattern),
    In(Vec<Literal>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What the run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Failed,
    Slow,
    Cancelled,
    Normal,
}

/// A compiled pattern; two are equal when their texts are.
#[derive(Clone, Debug)]
pub(super) struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Order {
    pub(super) const ALL: [Self; 6] =
        [Order::Equal, Order::NotEqual, Order::LessOrEqual, Order::Less, Order::GreaterOrEqual, Order::Greater];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Order::Equal => "==",
            Order::NotEqual => "!=",
            Order::Less => "<",
            Order::LessOrEqual => "<=",
            Order::Greater => ">",
            Order::GreaterOrEqual => ">=",
        }
    }

    /// Whether it only asks for the same or another value.
    pub(super) const fn is_same(self) -> bool {
        matches!(self, Order::Equal | Order::NotEqual)
    }

    pub(super) fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Order::Equal => ordering.is_eq(),
            Order::NotEqual => ordering.is_ne(),
            Order::Less => ordering.is_lt(),
            Order::LessOrEqual => ordering.is_le(),
            Order::Greater => ordering.is_gt(),
            Order::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl Class {
    pub(super) const ALL: [Self; 4] = [Class::Failed, Class::Slow, Class::Cancelled, Class::Normal];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Class::Failed => "failed",
            Class::Slow => "slow",
            Class::Cancelled => "cancelled",
            Class::Normal => "normal",
        }
    }
}

impl TextField {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            TextField::Workflow => "workflow",
            TextField::ErrorType => "error.type",
        }
    }
}

impl Condition {
    /// Adds the attributes that are named.
    pub(super) fn keys<'c>(&'c self, keys: &mut Vec<&'c str>) {
        match self {
            Condition::Or(all) | Condition::And(all) => all.iter().for_each(|one| one.keys(keys)),
            Condition::Not(inner) => inner.keys(keys),
            Condition::Test(Test::Attribute { key, .. }) => keys.push(key),
            Condition::Test(_) => {}
        }
    }

    /// Adds the quantiles that are named.
    pub(super) fn quantiles(&self, quantiles: &mut Vec<Quantile>) {
        match self {
            Condition::Or(all) | Condition::And(all) => all.iter().for_each(|one| one.quantiles(quantiles)),
            Condition::Not(inner) => inner.quantiles(quantiles),
            Condition::Test(Test::Latency(_, quantile)) => quantiles.push(*quantile),
            Condition::Test(_) => {}
        }
    }
}
