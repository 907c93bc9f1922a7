//! What a run holds of a budget.

use std::fmt;
use std::sync::Arc;

use super::shared::Shared;
use crate::money::Usd;

/// Money set aside for a run. [`Reservation::settle`] it with what the run cost.
///
/// Dropped without, its estimate is charged: a run that was cancelled, or panicked, may have spent
/// it, and a budget that holds does not hope. When nothing was spent, [`Reservation::release`] it.
#[must_use = "a reservation that is dropped charges its estimate"]
pub struct Reservation {
    /// Taken by whatever ends it.
    budget: Option<Arc<Shared>>,
    estimate: Usd,
}

impl Reservation {
    pub(super) fn new(budget: Arc<Shared>, estimate: Usd) -> Self {
        Self { budget: Some(budget), estimate }
    }

    /// What was set aside.
    #[must_use]
    pub fn estimate(&self) -> Usd {
        self.estimate
    }

    /// Charges what the run cost, more or less than the estimate, and frees the rest.
    pub fn settle(mut self, actual: Usd) {
        self.end(actual, None);
    }

    /// The same at a given time, in nanoseconds since the Unix epoch, instead of the clock's.
    pub fn settle_at(mut self, actual: Usd, now_unix_ns: u64) {
        self.end(actual, Some(now_unix_ns));
    }

    /// Gives it all back: nothing was spent.
    pub fn release(self) {
        self.settle(Usd::ZERO);
    }

    fn end(&mut self, actual: Usd, now_unix_ns: Option<u64>) {
        if let Some(budget) = self.budget.take() {
            budget.settle(self.estimate, actual, now_unix_ns);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.end(self.estimate, None);
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let budget = self.budget.as_ref().map(|budget| &budget.name);
        f.debug_struct("Reservation").field("budget", &budget).field("estimate", &self.estimate).finish()
    }
}
