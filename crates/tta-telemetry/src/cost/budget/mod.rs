//! A bound on what is spent, enforced before it is.
//!
//! A run reserves what it expects to cost and settles what it did cost. `book` is the sum of both,
//! without clock and locks; `period` when a sum starts afresh; `config` the parameters; `reservation`
//! what a run holds; `registry` finds budgets of an engine by their names; this file puts them behind one lock, so that admission is one step.

mod book;
mod config;
mod error;
mod period;
mod registry;
mod reservation;
mod shared;
mod status;

use std::fmt;
use std::sync::Arc;

pub use config::BudgetBuilder;
pub use error::BudgetExceeded;
pub use period::BudgetPeriod;
pub use reservation::Reservation;
pub use status::{BudgetAlert, BudgetPolicy, BudgetState, BudgetStatus};

use self::shared::{Shared, Terms};
use crate::health::HealthComponent;
use crate::model::Name;
use crate::money::Usd;
pub(crate) use registry::BudgetRegistry;

/// A bound on what may be spent, for ever or in each period. Clones are the same budget; share one
/// between everything that spends from it.
///
/// ```
/// use tta_telemetry::{Budget, BudgetPeriod, BudgetPolicy, Usd};
/// let budget = Budget::named("llm").limit(Usd::from_dollars(1.0)?).policy(BudgetPolicy::Reject).build()?;
/// let run = budget.try_reserve(Usd::from_dollars(0.7)?)?;
/// assert!(budget.try_reserve(Usd::from_dollars(0.4)?).is_err());
/// run.settle(Usd::from_dollars(0.5)?);
/// assert_eq!(budget.status().remaining, Usd::from_dollars(0.5)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What a hard budget guarantees
/// With [`BudgetPolicy::Reject`], at every admission what is spent in the period, what is reserved
/// and the new estimate together do not exceed the limit, however many threads reserve at once.
/// So as long as no run costs more than it reserved, the limit is never exceeded; otherwise it is
/// by no more than what the runs admitted cost above their estimates. An estimate of nothing is
/// admitted as long as something is left, and bounds nothing: estimate high.
///
/// # Periods
/// What is reserved when a period ends stays reserved in the next, and is charged to the period
/// in which it is settled. A clock that goes back does not reopen a period that is over; when it
/// goes back by more than a whole period, the period is the clock's, and what was spent stays spent.
#[derive(Clone)]
pub struct Budget(Arc<Shared>);

impl Budget {
    /// Starts a budget of this name, by which errors and health call it.
    /// [`BudgetBuilder::limit`] has no default.
    pub fn named(name: impl Into<Name>) -> BudgetBuilder {
        BudgetBuilder::new(name.into())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.0.name
    }

    /// Reserves what a run is expected to cost. Takes one short lock.
    ///
    /// # Errors
    /// With [`BudgetPolicy::Reject`], when it does not fit, or nothing is left.
    pub fn try_reserve(&self, estimate: Usd) -> Result<Reservation, BudgetExceeded> {
        self.0.reserve(estimate, None)?;
        Ok(Reservation::new(Arc::clone(&self.0), estimate))
    }

    /// The same at a given time, in nanoseconds since the Unix epoch, instead of the clock's: for
    /// replays, which then give every call its time ([`Reservation::settle_at`],
    /// [`Budget::status_at`]).
    ///
    /// # Errors
    /// As [`Budget::try_reserve`].
    pub fn try_reserve_at(&self, estimate: Usd, now_unix_ns: u64) -> Result<Reservation, BudgetExceeded> {
        self.0.reserve(estimate, Some(now_unix_ns))?;
        Ok(Reservation::new(Arc::clone(&self.0), estimate))
    }

    /// Charges what was spent without a reservation, whatever the limit: the money is gone.
    pub fn charge(&self, cost: Usd) {
        self.0.settle(Usd::ZERO, cost, None);
    }

    /// How it stands now, read at once.
    #[must_use]
    pub fn status(&self) -> BudgetStatus {
        self.0.status(None)
    }

    /// How it stands at a given time, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn status_at(&self, now_unix_ns: u64) -> BudgetStatus {
        self.0.status(Some(now_unix_ns))
    }

    /// Whether to take the cheap way: what is spent and reserved has reached
    /// [`BudgetBuilder::degrade_at`]. Never with [`BudgetPolicy::Warn`].
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.0.terms.load().policy != BudgetPolicy::Warn && self.0.status(None).state >= BudgetState::Degraded
    }

    /// This budget in the health report, as `budget:<name>`; for
    /// [`Telemetry::watch_health`](crate::Telemetry::watch_health), which does not keep it alive:
    /// the budget does.
    #[must_use]
    pub fn health_component(&self) -> Arc<dyn HealthComponent> {
        self.0.clone()
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { name, period, terms, .. } = &*self.0;
        let Terms { limit, policy, .. } = &**terms.load();
        let mut budget = f.debug_struct("Budget");
        budget.field("name", name).field("limit", limit).field("period", period).field("policy", policy);
        budget.finish_non_exhaustive()
    }
}
