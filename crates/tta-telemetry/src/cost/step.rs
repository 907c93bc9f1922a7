//! Where a primitive enters what it spends and saves, found once and kept.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::account::CostAccount;
use super::entry::Charge;
use super::ledger::CostLedger;
use crate::model::Name;

/// Users whose accounts are kept; those of further ones are looked up for every charge.
const MOST_USERS: usize = 1_000;

/// Where a primitive enters what it spends and saves: into the metrics by workflow, primitive, type
/// and category, and into the [report](crate::Telemetry::cost_report) by category, workflow, model
/// and user. Got from [`Telemetry::cost_account`](crate::Telemetry::cost_account), once.
///
/// ```
/// use tta_telemetry::{Charge, CostPlace, Telemetry, Usd};
/// let telemetry = Telemetry::builder().build()?;
/// let place = CostPlace { workflow: "orders", name: "ask", kind: "lambda", category: "llm", ..CostPlace::default() };
/// let account = telemetry.cost_account(&place); // once
/// if let Some(account) = &account {
///     account.record_for(Some("ada"), &Charge::priced(Usd::from_micros(300))); // often
/// }
/// # #[cfg(feature = "record")]
/// assert_eq!(telemetry.cost_report().by_user[0].name, "ada");
/// # Ok::<(), tta_telemetry::BuildError>(())
/// ```
#[derive(Debug)]
pub struct StepCost {
    series: Arc<CostAccount>,
    /// Of nobody in particular.
    account: Arc<CostAccount>,
    ledger: CostLedger,
    /// Category, workflow and model.
    key: [Name; 3],
    users: RwLock<HashMap<Name, Arc<CostAccount>>>,
}

impl StepCost {
    /// `key`: category, workflow and model.
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) fn new(series: Arc<CostAccount>, ledger: CostLedger, key: [Name; 3], user: Name) -> Self {
        let [category, workflow, model] = key.clone();
        let account = ledger.account(category, workflow, model, user);
        Self { series, account, ledger, key, users: RwLock::default() }
    }

    /// Enters one call for the user of the place it was looked up for. About ten nanoseconds.
    #[inline]
    pub fn record(&self, charge: &Charge) {
        self.series.record(charge);
        self.account.record(charge);
    }

    /// Enters one call for a user; `None` is as [`record`](StepCost::record). For a user who was
    /// met before about fifty nanoseconds.
    #[inline]
    pub fn record_for(&self, user: Option<&str>, charge: &Charge) {
        match user {
            None => self.record(charge),
            Some(user) => {
                self.series.record(charge);
                self.record_user(user, charge);
            }
        }
    }

    fn record_user(&self, user: &str, charge: &Charge) {
        {
            let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(account) = users.get(user) {
                return account.record(charge);
            }
        }
        let [category, workflow, model] = self.key.clone();
        let name = Name::from(user.to_owned());
        let account = self.ledger.account(category, workflow, model, name.clone());
        account.record(charge);
        // One that is `other` is looked up again, so that every such entry is counted.
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        if users.len() < MOST_USERS && *account.user() == name {
            users.insert(name, account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::CostReport;
    use super::*;
    use crate::money::Usd;

    fn cost(ledger: &CostLedger) -> StepCost {
        let name = Name::from_static;
        let series = Arc::new(CostAccount::new(["w", "s", "k", "c"].map(name)));
        StepCost::new(series, ledger.clone(), ["llm", "w", "small"].map(name), name(""))
    }

    fn by_user(report: &CostReport) -> Vec<(&str, u64)> {
        report.by_user.iter().map(|line| (line.name.as_str(), line.totals.cost.nanos())).collect()
    }

    #[test]
    fn charges_are_entered_for_their_user_and_in_the_series() {
        let ledger = CostLedger::new();
        let cost = cost(&ledger);
        for (user, nanos) in [(Some("ada"), 1), (None, 10), (Some("bob"), 100), (Some("ada"), 1_000)] {
            cost.record_for(user, &Charge::priced(Usd::from_nanos(nanos)));
        }
        let report = ledger.report();
        assert_eq!(by_user(&report), [("ada", 1_001), ("bob", 100), ("", 10)]);
        assert_eq!((cost.series.read().cost, report.total_cost()), (Usd::from_nanos(1_111), Usd::from_nanos(1_111)));
        assert_eq!((report.by_model[0].name.as_str(), cost.users.read().unwrap().len()), ("small", 2));
    }

    #[test]
    fn users_without_end_are_bounded_and_every_cent_is_counted() {
        let ledger = CostLedger::new();
        let cost = cost(&ledger);
        for user in 0..3_000 {
            cost.record_for(Some(&format!("user {user}")), &Charge::priced(Usd::from_nanos(1)));
        }
        let report = ledger.report();
        // Nobody in particular is a user, too.
        assert_eq!((report.total_cost(), report.by_user.len()), (Usd::from_nanos(3_000), 1_000));
        assert_eq!((cost.users.read().unwrap().len(), report.overflow.users), (999, 2_001));
    }
}
