//! The budgets that an engine knows by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Budget;
#[cfg(feature = "config")]
use super::BudgetBuilder;
#[cfg(feature = "config")]
use crate::clock::Clock;
#[cfg(feature = "config")]
use crate::cost::error::CostError;
use crate::model::Name;

/// Read by every run that spends by name; written when the configuration changes.
#[derive(Debug, Default)]
pub(crate) struct BudgetRegistry(ArcSwap<BTreeMap<Name, Budget>>);

impl BudgetRegistry {
    pub(crate) fn get(&self, name: &str) -> Option<Budget> {
        self.0.load().get(name).cloned()
    }

    /// In the order of their names.
    pub(crate) fn all(&self) -> Vec<Budget> {
        self.0.load().values().cloned().collect()
    }

    /// Adds a budget, in the place of the one of its name.
    pub(crate) fn insert(&self, budget: Budget) {
        self.0.rcu(|known| {
            let mut new = BTreeMap::clone(known);
            new.insert(budget.name().clone(), budget.clone());
            Arc::new(new)
        });
    }

    /// Has the budget of this name go by these parameters, but for its period; makes it where there
    /// is none. The one that was made.
    #[cfg(feature = "config")]
    pub(crate) fn set(&self, builder: BudgetBuilder, clock: &Clock) -> Result<Option<Budget>, CostError> {
        builder.check()?;
        if let Some(known) = self.get(builder.name()) {
            known.0.set_terms(builder.terms());
            return Ok(None);
        }
        let budget = builder.clock(clock.clone()).build()?;
        self.insert(budget.clone());
        Ok(Some(budget))
    }
}
