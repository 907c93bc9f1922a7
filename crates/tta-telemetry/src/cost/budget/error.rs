//! The error of what a budget has no money for.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::model::Name;
use crate::money::Usd;

/// A hard budget has not enough left.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("budget `{name}` has no {estimate} left: {spent} of {limit} spent, {reserved} reserved{}", Resets(*resets_in))]
#[non_exhaustive]
pub struct BudgetExceeded {
    /// The budget.
    pub name: Name,
    /// What was asked for.
    pub estimate: Usd,
    /// The budget's limit.
    pub limit: Usd,
    /// What is spent in this period.
    pub spent: Usd,
    /// What runs under way have reserved.
    pub reserved: Usd,
    /// When the next period begins, for periods that begin at once.
    pub resets_in: Option<Duration>,
}

struct Resets(Option<Duration>);

impl fmt::Display for Resets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |left| write!(f, ", next period in {} s", left.as_secs_f64().ceil()))
    }
}
