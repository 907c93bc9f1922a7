//! What is entered into the ledger.

use std::fmt;

use crate::model::Name;
use crate::money::Usd;

/// What kept money from being spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SavingsSource {
    /// A cache answered instead of the call.
    Caching,
    /// A cheaper route was taken.
    Routing,
    /// Anything else.
    Other,
}

impl SavingsSource {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Caching, Self::Routing, Self::Other];

    /// The stable string: `caching`, `routing`, `other`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SavingsSource::Caching => "caching",
            SavingsSource::Routing => "routing",
            SavingsSource::Other => "other",
        }
    }
}

impl fmt::Display for SavingsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The money side of one call: what it cost, if that is known, and what was saved by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    pub(super) price: Option<Usd>,
    pub(super) savings: [Usd; SavingsSource::ALL.len()],
}

impl Charge {
    const NO_SAVINGS: [Usd; SavingsSource::ALL.len()] = [Usd::ZERO; SavingsSource::ALL.len()];

    /// A call of a known price; `Usd::ZERO` is one.
    #[must_use]
    pub const fn priced(cost: Usd) -> Self {
        Self { price: Some(cost), savings: Self::NO_SAVINGS }
    }

    /// A call that cost something, nobody knows what: counted apart.
    #[must_use]
    pub const fn unpriced() -> Self {
        Self { price: None, savings: Self::NO_SAVINGS }
    }

    /// A call that was not made, as a cache's hit: it cost nothing and saved this.
    #[must_use]
    pub fn saved(source: SavingsSource, amount: Usd) -> Self {
        Self::priced(Usd::ZERO).saving(source, amount)
    }

    /// What it cost; `None` when nobody knows.
    #[must_use]
    pub const fn cost(&self) -> Option<Usd> {
        self.price
    }

    /// The same, and this was saved as well.
    #[must_use]
    pub fn saving(mut self, source: SavingsSource, amount: Usd) -> Self {
        if let Some(saved) = self.savings.get_mut(source as usize) {
            *saved += amount;
        }
        self
    }
}

/// One entry of the ledger: who it is for, and its [`Charge`]. What is not said is the empty name.
///
/// ```
/// use tta_telemetry::{CostEntry, SavingsSource, Usd};
/// let call = CostEntry::priced("llm", Usd::from_micros(2_100)).workflow("summarise").model("small-1").user("u-7");
/// let routed = call.clone().saving(SavingsSource::Routing, Usd::from_micros(900));
/// assert_ne!(call, routed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an entry counts once it is recorded"]
pub struct CostEntry {
    /// Category, workflow, model, user.
    pub(super) key: [Name; 4],
    pub(super) charge: Charge,
}

impl CostEntry {
    /// An entry for a charge made up before.
    pub fn new(category: impl Into<Name>, charge: Charge) -> Self {
        let unsaid = || Name::from_static("");
        Self { key: [category.into(), unsaid(), unsaid(), unsaid()], charge }
    }

    /// A call of a known price.
    pub fn priced(category: impl Into<Name>, cost: Usd) -> Self {
        Self::new(category, Charge::priced(cost))
    }

    /// A call that cost something, nobody knows what.
    pub fn unpriced(category: impl Into<Name>) -> Self {
        Self::new(category, Charge::unpriced())
    }

    /// A call that was not made, and what that saved.
    pub fn saved(category: impl Into<Name>, source: SavingsSource, amount: Usd) -> Self {
        Self::new(category, Charge::saved(source, amount))
    }

    /// The workflow it is for.
    pub fn workflow(mut self, workflow: impl Into<Name>) -> Self {
        self.key[1] = workflow.into();
        self
    }

    /// The model that was called.
    pub fn model(mut self, model: impl Into<Name>) -> Self {
        self.key[2] = model.into();
        self
    }

    /// The user it was done for.
    pub fn user(mut self, user: impl Into<Name>) -> Self {
        self.key[3] = user.into();
        self
    }

    /// The same, and this was saved as well.
    pub fn saving(mut self, source: SavingsSource, amount: Usd) -> Self {
        self.charge = self.charge.saving(source, amount);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn savings_of_one_source_add_up_and_sources_stay_apart() {
        let charge = Charge::priced(Usd::from_nanos(5))
            .saving(SavingsSource::Routing, Usd::from_nanos(1))
            .saving(SavingsSource::Routing, Usd::from_nanos(2))
            .saving(SavingsSource::Other, Usd::from_nanos(7));
        assert_eq!(charge.savings.map(Usd::nanos), [0, 3, 7]);
        assert_eq!(charge.price, Some(Usd::from_nanos(5)));
        assert_eq!(Charge::saved(SavingsSource::Caching, Usd::from_nanos(4)).price, Some(Usd::ZERO));
        assert_eq!(Charge::unpriced().price, None);
        assert_eq!(SavingsSource::ALL.map(SavingsSource::as_str), ["caching", "routing", "other"]);
    }
}
