//! A budget's parameters.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::Budget;
use super::book::Book;
use super::period::BudgetPeriod;
use super::shared::{Callback, Shared, Terms, Time};
use super::status::{BudgetAlert, BudgetPolicy};
use crate::clock::Clock;
use crate::cost::error::CostError;
use crate::model::Name;
use crate::money::Usd;

/// Thresholds of one budget.
const MOST_THRESHOLDS: usize = 32;
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);
const LONGEST_PERIOD: Duration = Duration::from_secs(366 * 86_400);

/// Builds a [`Budget`].
#[derive(Clone)]
#[must_use]
pub struct BudgetBuilder {
    name: Name,
    limit: Usd,
    period: BudgetPeriod,
    policy: BudgetPolicy,
    thresholds: Vec<f64>,
    degrade_at: f64,
    clock: Option<Clock>,
    on_threshold: Option<Callback>,
}

impl BudgetBuilder {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            limit: Usd::ZERO,
            period: BudgetPeriod::Forever,
            policy: BudgetPolicy::Warn,
            thresholds: vec![0.5, 0.8, 1.0],
            degrade_at: 0.8,
            clock: None,
            on_threshold: None,
        }
    }

    /// The most that may be spent in each period. No default; above 0.
    pub fn limit(mut self, limit: Usd) -> Self {
        self.limit = limit;
        self
    }

    /// Over what time the limit holds. Default: for ever. Lengths from 1 s to 366 days.
    pub fn period(mut self, period: BudgetPeriod) -> Self {
        self.period = period;
        self
    }

    /// What to do about what does not fit. Default: [`BudgetPolicy::Warn`].
    pub fn policy(mut self, policy: BudgetPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The shares of the limit that are told when so much is *spent*, once per period (in a rolling
    /// period: again when it was less in between). Default 0.5, 0.8 and 1.0; each above 0 and at
    /// most 1, ascending, at most 32, none at all if so wished. Rounded to the nano-dollar.
    pub fn thresholds(mut self, shares: impl IntoIterator<Item = f64>) -> Self {
        // One more than is accepted is enough to refuse it.
        self.thresholds = shares.into_iter().take(MOST_THRESHOLDS + 1).collect();
        self
    }

    /// From which share of the limit, spent or *reserved*, the budget is degraded. Default 0.8;
    /// above 0, at most 1.
    pub fn degrade_at(mut self, share: f64) -> Self {
        self.degrade_at = share;
        self
    }

    /// Is called with every threshold that is reached, on the thread that settles. It must be
    /// quick; it may use the budget. One that panics is counted
    /// ([`BudgetStatus::callback_panics`](super::BudgetStatus::callback_panics)). Default: nobody.
    pub fn on_threshold(mut self, callback: impl Fn(&BudgetAlert) + Send + Sync + 'static) -> Self {
        self.on_threshold = Some(Arc::new(callback));
        self
    }

    /// Whose time decides about periods. Default: the system's, which takes up to 200 ms to
    /// calibrate once in a process, and is not read at all for a budget without a period.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range, or missing.
    pub fn build(self) -> Result<Budget, CostError> {
        self.check()?;
        let terms = self.terms();
        let time = match (self.period, self.clock) {
            (BudgetPeriod::Forever, _) => Time::None,
            (_, Some(clock)) => Time::Given(clock),
            (_, None) => Time::own(),
        };
        Ok(Budget(Arc::new(Shared {
            name: self.name,
            period: self.period,
            time,
            on_threshold: self.on_threshold,
            book: Mutex::new(Book::new(terms.limit.nanos(), terms.parts(), self.period)),
            terms: ArcSwap::from_pointee(terms),
            callback_panics: AtomicU64::new(0),
        })))
    }

    /// What can be changed later. The parameters must have been checked.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            limit: self.limit,
            policy: self.policy,
            thresholds: self.thresholds.clone().into(),
            degrade_at: part_of(self.limit, self.degrade_at),
        }
    }

    #[cfg(feature = "config")]
    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    pub(crate) fn check(&self) -> Result<(), CostError> {
        let what = Name::from(format!("budget `{}`", self.name));
        let is_share = |share: f64| share > 0.0 && share <= 1.0;
        CostError::check(&what, "name", format!("{:?}", self.name), "not empty", !self.name.is_empty())?;
        CostError::check(&what, "limit", self.limit, "above $0.00", self.limit > Usd::ZERO)?;
        if let Some(length) = self.period.length() {
            let in_range = (SHORTEST_PERIOD..=LONGEST_PERIOD).contains(&length);
            CostError::check(&what, "period", format!("{length:?}"), "1 s to 366 days", in_range)?;
        }
        let given = || format!("{:?}", self.thresholds);
        let few = self.thresholds.len() <= MOST_THRESHOLDS;
        CostError::check(&what, "thresholds", self.thresholds.len(), "at most 32 of them", few)?;
        let shares = self.thresholds.iter().copied().all(is_share);
        CostError::check(&what, "thresholds", given(), "each above 0, at most 1", shares)?;
        let ascending = self.thresholds.is_sorted_by(|a, b| a < b);
        CostError::check(&what, "thresholds", given(), "ascending, each once", ascending)?;
        CostError::check(&what, "degrade_at", self.degrade_at, "above 0, at most 1", is_share(self.degrade_at))
    }
}

impl Terms {
    /// The thresholds as amounts.
    pub(super) fn parts(&self) -> Box<[u64]> {
        self.thresholds.iter().map(|share| part_of(self.limit, *share).nanos()).collect()
    }
}

/// A share of an amount, at least a nano-dollar, at most all of it.
fn part_of(amount: Usd, share: f64) -> Usd {
    let nanos = (amount.nanos() as f64 * share).round() as u64;
    // Not by `f64`, which cannot tell apart the largest amounts.
    Usd::from_nanos(if share >= 1.0 { amount.nanos() } else { nanos.clamp(1, amount.nanos()) })
}

impl fmt::Debug for BudgetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, limit, period, policy, thresholds, degrade_at, .. } = self;
        let mut builder = f.debug_struct("BudgetBuilder");
        builder.field("name", name).field("limit", limit).field("period", period).field("policy", policy);
        builder.field("thresholds", thresholds).field("degrade_at", degrade_at).finish_non_exhaustive()
    }
}
