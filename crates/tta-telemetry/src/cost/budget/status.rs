//! What a budget does when it runs out, and how it stands.

use std::fmt;
use std::time::Duration;

use crate::model::Name;
use crate::money::Usd;

/// What a budget does about what does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BudgetPolicy {
    /// Tells, by the callback and the health report; admits everything.
    #[default]
    Warn,
    /// Says [`Budget::is_degraded`](super::Budget::is_degraded) to those who can choose a cheaper
    /// way; admits everything.
    Degrade,
    /// The same, and refuses what does not fit.
    Reject,
}

impl BudgetPolicy {
    /// The stable string: `warn`, `degrade`, `reject`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            BudgetPolicy::Warn => "warn",
            BudgetPolicy::Degrade => "degrade",
            BudgetPolicy::Reject => "reject",
        }
    }
}

/// How much of a budget is taken: spent or reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetState {
    /// Less than [`BudgetBuilder::degrade_at`](super::BudgetBuilder::degrade_at).
    #[default]
    Normal,
    /// At least that.
    Degraded,
    /// All of it.
    Exhausted,
}

impl BudgetState {
    /// The stable string: `normal`, `degraded`, `exhausted`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            BudgetState::Normal => "normal",
            BudgetState::Degraded => "degraded",
            BudgetState::Exhausted => "exhausted",
        }
    }
}

impl fmt::Display for BudgetPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for BudgetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a budget stands, read at once.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BudgetStatus {
    /// The most that may be spent in a period.
    pub limit: Usd,
    /// Spent in this period.
    pub spent: Usd,
    /// Reserved by runs under way.
    pub reserved: Usd,
    /// Left: limit less both; nothing when they exceed it.
    pub remaining: Usd,
    /// Spent of the limit: 0 to 1, and above 1 when more was spent.
    pub used_fraction: f64,
    /// How much is taken.
    pub state: BudgetState,
    /// Reservations refused in this period; for rolling and endless periods, since the start.
    pub refused: u64,
    /// Callbacks that panicked, since the start.
    pub callback_panics: u64,
    /// When the next period begins, for periods that begin at once.
    pub resets_in: Option<Duration>,
}

/// A threshold that was reached.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BudgetAlert {
    /// The budget.
    pub budget: Name,
    /// The threshold: this share of the limit.
    pub threshold: f64,
    /// The limit.
    pub limit: Usd,
    /// What is spent in this period.
    pub spent: Usd,
    /// What the budget does when nothing is left.
    pub policy: BudgetPolicy,
}
