//! Those who are told when the error budget falls below a share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::config::{Slo, SloError};
use super::status::SloStatus;

/// Callbacks of one tracker.
const MOST: usize = 16;
/// A budget may be overspent a hundred times over before nobody can be told any more.
const LEAST_FRACTION: f64 = -100.0;

pub(super) type Callback = Arc<dyn Fn(&SloStatus) + Send + Sync>;

struct Watch {
    fraction: f64,
    is_below: bool,
    callback: Callback,
}

#[derive(Default)]
pub(super) struct Watches(Vec<Watch>);

impl Watches {
    pub(super) fn add(&mut self, slo: &Slo, fraction: f64, callback: Callback) -> Result<(), SloError> {
        let in_range = (LEAST_FRACTION..=1.0).contains(&fraction);
        SloError::check(slo.name(), "on_budget_below", fraction, "-100 to 1", in_range)?;
        let room = self.0.len() < MOST;
        SloError::check(slo.name(), "budget callbacks", self.0.len() + 1, "at most 16", room)?;
        self.0.push(Watch { fraction, is_below: false, callback });
        Ok(())
    }

    /// Those who are to be told now: the budget was not below their fraction before and is now.
    pub(super) fn crossed(&mut self, remaining: f64) -> Vec<Callback> {
        let mut crossed = Vec::new();
        for watch in &mut self.0 {
            let is_below = remaining < watch.fraction;
            if is_below && !watch.is_below {
                crossed.push(Arc::clone(&watch.callback));
            }
            watch.is_below = is_below;
        }
        crossed
    }
}

impl std::fmt::Debug for Watches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} budget callbacks", self.0.len())
    }
}

/// Tells everyone; how many of them panicked.
pub(super) fn tell(callbacks: &[Callback], status: &SloStatus) -> u64 {
    let told = |callback: &Callback| catch_unwind(AssertUnwindSafe(|| callback(status))).is_err();
    callbacks.iter().map(|callback| u64::from(told(callback))).sum()
}
