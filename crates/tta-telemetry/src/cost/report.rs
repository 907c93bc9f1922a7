//! What the ledger says.

use std::collections::HashMap;

use super::entry::{Charge, SavingsSource};
use crate::model::Name;
use crate::money::Usd;

/// Exact sums over entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostTotals {
    /// How many entries.
    pub entries: u64,
    /// Those of them whose price nobody knew. They are not in `cost`.
    pub unpriced: u64,
    /// What the priced ones cost.
    pub cost: Usd,
    /// What was saved, by [`SavingsSource`].
    pub(super) savings: [Usd; SavingsSource::ALL.len()],
}

impl CostTotals {
    /// What one source saved.
    #[must_use]
    pub fn saved_by(&self, source: SavingsSource) -> Usd {
        self.savings.get(source as usize).copied().unwrap_or_default()
    }

    /// What was saved, all in all.
    #[must_use]
    pub fn savings(&self) -> Usd {
        self.savings.iter().copied().sum()
    }

    /// Cost less savings, in nano-dollars: below zero when more was saved than spent. Saturates.
    #[must_use]
    pub fn net_cost_nano_usd(&self) -> i64 {
        let net = i128::from(self.cost.nanos()) - i128::from(self.savings().nanos());
        i64::try_from(net).unwrap_or(if net < 0 { i64::MIN } else { i64::MAX })
    }

    /// The share that was saved of what it would have cost: savings / (cost + savings), 0 to 1; 0
    /// when there is nothing.
    #[must_use]
    pub fn savings_rate(&self) -> f64 {
        let (cost, savings) = (self.cost.nanos() as f64, self.savings().nanos() as f64);
        if savings > 0.0 { savings / (cost + savings) } else { 0.0 }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.entries = self.entries.saturating_add(other.entries);
        self.unpriced = self.unpriced.saturating_add(other.unpriced);
        self.cost += other.cost;
        self.savings.iter_mut().zip(other.savings).for_each(|(total, saved)| *total += saved);
    }

    pub(super) fn add(&mut self, charge: &Charge) {
        let (cost, unpriced) = (charge.price.unwrap_or_default(), u64::from(charge.price.is_none()));
        self.merge(&Self { entries: 1, unpriced, cost, savings: charge.savings });
    }
}

/// The sums of one category, workflow, model or user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostLine {
    /// Which: empty for entries that did not say, `other` for those beyond the bound.
    pub name: Name,
    /// Its sums.
    pub totals: CostTotals,
}

/// How often a bound of the ledger bit. What was counted elsewhere because of it is in no sum
/// twice and missing from none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostOverflow {
    /// Entries and accounts asked for whose category became `other`.
    pub categories: u64,
    /// Those whose workflow did.
    pub workflows: u64,
    /// Those whose model did.
    pub models: u64,
    /// Those whose user did.
    pub users: u64,
    /// Those without cells of their own, because too many combinations exist: summed up exactly,
    /// under a lock.
    pub combinations: u64,
}

/// What everything cost and what was saved.
///
/// Made from one read of every account, so every entry is in it wholly or not at all: the lines of
/// each dimension add up to the total, to the nano-dollar, also while entries are being made.
/// Lines are ordered dearest first, then by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostReport {
    /// All entries.
    pub total: CostTotals,
    /// By category.
    pub by_category: Vec<CostLine>,
    /// By workflow.
    pub by_workflow: Vec<CostLine>,
    /// By model.
    pub by_model: Vec<CostLine>,
    /// By user.
    pub by_user: Vec<CostLine>,
    /// How often bounds bit.
    pub overflow: CostOverflow,
}

impl CostReport {
    /// The same under other names, given the dimension and the name. Lines that then have the same
    /// one are added up.
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) fn renamed(mut self, rename: impl Fn(&str, Name) -> Name) -> Self {
        let dimensions = [
            ("category", &mut self.by_category),
            ("workflow", &mut self.by_workflow),
            ("model", &mut self.by_model),
            ("user", &mut self.by_user),
        ];
        for (key, named) in dimensions {
            let mut sums = Sums::new();
            for line in std::mem::take(named) {
                sums.entry(rename(key, line.name)).or_default().merge(&line.totals);
            }
            *named = lines(sums);
        }
        self
    }

    /// What the priced entries cost.
    #[must_use]
    pub fn total_cost(&self) -> Usd {
        self.total.cost
    }

    /// What was saved.
    #[must_use]
    pub fn total_savings(&self) -> Usd {
        self.total.savings()
    }

    /// Cost less savings, in nano-dollars; see [`CostTotals::net_cost_nano_usd`].
    #[must_use]
    pub fn net_cost_nano_usd(&self) -> i64 {
        self.total.net_cost_nano_usd()
    }

    /// savings / (cost + savings); see [`CostTotals::savings_rate`].
    #[must_use]
    pub fn savings_rate(&self) -> f64 {
        self.total.savings_rate()
    }
}

/// Sums by name, being made.
pub(super) type Sums = HashMap<Name, CostTotals>;

pub(super) fn lines(sums: Sums) -> Vec<CostLine> {
    let mut lines: Vec<_> = sums.into_iter().map(|(name, totals)| CostLine { name, totals }).collect();
    lines.sort_by(|a, b| b.totals.cost.cmp(&a.totals.cost).then_with(|| a.name.cmp(&b.name)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(cost: u64, saved: u64) -> CostTotals {
        let mut totals = CostTotals::default();
        totals.add(&Charge::priced(Usd::from_nanos(cost)).saving(SavingsSource::Caching, Usd::from_nanos(saved)));
        totals
    }

    #[test]
    fn the_savings_rate_is_a_share_and_nothing_saves_nothing() {
        let rates = [(0, 0), (7, 0), (0, 7), (3, 1)].map(|(cost, saved)| totals(cost, saved).savings_rate());
        assert_eq!(rates, [0.0, 0.0, 1.0, 0.25]);
    }

    #[test]
    fn the_net_cost_may_be_negative_and_saturates() {
        let net = [(5, 2), (2, 5), (u64::MAX, 0), (0, u64::MAX)];
        let net = net.map(|(cost, saved)| totals(cost, saved).net_cost_nano_usd());
        assert_eq!(net, [3, -3, i64::MAX, i64::MIN]);
    }
}
