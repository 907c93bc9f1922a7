//! Finding an entry's account, with a bound on everything that entries name.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::account::CostAccount;
use super::entry::{Charge, CostEntry};
use super::error::CostError;
use super::report::{CostOverflow, CostReport, CostTotals, Sums, lines};
use crate::model::Name;

/// What takes the values beyond a bound.
const OTHER: Name = Name::from_static("other");
/// Longer names are cut, so that a name cannot be a megabyte.
const MAX_NAME_BYTES: usize = 256;

/// What runs cost and what was saved, exactly, by category, workflow, model and user. Cheap to
/// clone; clones are the same ledger.
///
/// Each dimension keeps 1,000 values apart ([`CostLedgerBuilder::max_values`]), in the order in
/// which they came; the rest is `other`, and counted. Names are cut at 256 bytes. The sums of every
/// dimension are exact whatever arrives.
///
/// ```
/// use tta_telemetry::{Charge, CostEntry, CostLedger, SavingsSource, Usd};
/// let ledger = CostLedger::new();
/// // What is recorded often, through its account:
/// let account = ledger.account("llm", "summarise", "small-1", "u-7");
/// account.record(&Charge::priced(Usd::from_micros(300)));
/// // What is not:
/// ledger.record(CostEntry::saved("llm", SavingsSource::Caching, Usd::from_micros(100)).workflow("summarise"));
/// ledger.record(CostEntry::unpriced("llm").model("brand-new"));
///
/// let report = ledger.report();
/// assert_eq!((report.total_cost(), report.total_savings()), (Usd::from_micros(300), Usd::from_micros(100)));
/// assert_eq!((report.savings_rate(), report.total.unpriced), (0.25, 1));
/// assert_eq!(report.by_workflow[0].name, "summarise");
/// ```
#[derive(Clone, Debug)]
pub struct CostLedger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max_values: usize,
    max_combinations: usize,
    known: RwLock<Known>,
    /// By dimension; the last one is combinations.
    overflowed: [AtomicU64; 5],
    overflow: Arc<Overflow>,
}

#[derive(Debug, Default)]
struct Known {
    /// By dimension.
    values: [HashSet<Name>; 4],
    accounts: HashMap<[Name; 4], Arc<CostAccount>>,
}

/// The sums of entries whose combination has no account.
#[derive(Debug, Default)]
pub(super) struct Overflow(Mutex<[Sums; 4]>);

impl Overflow {
    #[cold]
    pub(super) fn record(&self, key: &[Name; 4], charge: &Charge) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (sums, name) in sums.iter_mut().zip(key) {
            sums.entry(name.clone()).or_default().add(charge);
        }
    }
}

/// Builds a [`CostLedger`].
#[derive(Clone, Debug)]
#[must_use]
pub struct CostLedgerBuilder {
    max_values: usize,
    max_combinations: usize,
}

impl CostLedgerBuilder {
    /// How many values each dimension keeps apart. Default 1,000; 1 to 100,000.
    pub fn max_values(mut self, values: usize) -> Self {
        self.max_values = values;
        self
    }

    /// How many combinations of category, workflow, model and user have cells of their own, of
    /// about 1.3 KiB and 128 bytes for each thread. Default 4,096; 1 to 1,000,000. Entries of further
    /// ones are counted as exactly in every dimension, only that recording them takes a lock.
    pub fn max_combinations(mut self, combinations: usize) -> Self {
        self.max_combinations = combinations;
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn build(self) -> Result<CostLedger, CostError> {
        let what = Name::from_static("cost ledger");
        let (values, combinations) = (self.max_values, self.max_combinations);
        CostError::check(&what, "max_values", values, "1 to 100000", (1..=100_000).contains(&values))?;
        let in_range = (1..=1_000_000).contains(&combinations);
        CostError::check(&what, "max_combinations", combinations, "1 to 1000000", in_range)?;
        Ok(CostLedger::with(values, combinations))
    }
}

impl Default for CostLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl CostLedger {
    const MAX_VALUES: usize = 1_000;
    const MAX_COMBINATIONS: usize = 4_096;

    /// An empty ledger with the default bounds.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Self::MAX_VALUES, Self::MAX_COMBINATIONS)
    }

    /// A ledger with other bounds.
    pub fn builder() -> CostLedgerBuilder {
        CostLedgerBuilder { max_values: Self::MAX_VALUES, max_combinations: Self::MAX_COMBINATIONS }
    }

    fn with(max_values: usize, max_combinations: usize) -> Self {
        Self(Arc::new(Inner {
            max_values,
            max_combinations,
            known: RwLock::default(),
            overflowed: Default::default(),
            overflow: Arc::default(),
        }))
    }

    /// The account of one combination; what is not known is the empty name. Takes a lock: ask once
    /// and keep it.
    #[must_use]
    pub fn account(
        &self,
        category: impl Into<Name>,
        workflow: impl Into<Name>,
        model: impl Into<Name>,
        user: impl Into<Name>,
    ) -> Arc<CostAccount> {
        self.0.account([category.into(), workflow.into(), model.into(), user.into()])
    }

    /// Enters one call. Looks its account up; [`CostLedger::account`] saves that.
    pub fn record(&self, entry: CostEntry) {
        self.0.account(entry.key).record(&entry.charge);
    }

    /// Everything so far, in one consistent read: see [`CostReport`].
    #[must_use]
    pub fn report(&self) -> CostReport {
        let accounts: Vec<_> = {
            let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
            known.accounts.values().cloned().collect()
        };
        // Entries without an account first: they are whole because of the lock. Then each account
        // is read once, and every dimension is made from that one reading.
        let mut sums = self.0.overflow.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut total = CostTotals::default();
        sums[0].values().for_each(|totals| total.merge(totals));
        for account in accounts {
            let read = account.read();
            if read.entries == 0 {
                continue;
            }
            total.merge(&read);
            for (sums, name) in sums.iter_mut().zip(&account.key) {
                sums.entry(name.clone()).or_default().merge(&read);
            }
        }
        let [by_category, by_workflow, by_model, by_user] = sums.map(lines);
        CostReport { total, by_category, by_workflow, by_model, by_user, overflow: self.0.overflow_counts() }
    }
}

impl Inner {
    fn account(&self, key: [Name; 4]) -> Arc<CostAccount> {
        let key = key.map(cut);
        let found = self.find(&self.known.read().unwrap_or_else(PoisonError::into_inner), &key);
        found.unwrap_or_else(|| self.open(&key))
    }

    /// The account, if finding it needs nothing new.
    fn find(&self, known: &Known, key: &[Name; 4]) -> Option<Arc<CostAccount>> {
        let mut placed = [OTHER; 4];
        let mut became_other = [false; 4];
        let slots = placed.iter_mut().zip(&mut became_other);
        for ((placed, became_other), (values, name)) in slots.zip(known.values.iter().zip(key)) {
            if values.contains(name) {
                *placed = name.clone();
            } else {
                *became_other = *name != OTHER;
            }
        }
        let is_full = |values: &HashSet<Name>| values.len() >= self.max_values;
        if known.values.iter().zip(became_other).any(|(values, is_new)| is_new && !is_full(values)) {
            return None;
        }
        let account = match known.accounts.get(&placed) {
            Some(account) => Arc::clone(account),
            None if known.accounts.len() < self.max_combinations => return None,
            None => {
                self.overflowed[4].fetch_add(1, Ordering::Relaxed);
                Arc::new(CostAccount::overflowing(placed, &self.overflow))
            }
        };
        for (count, _) in self.overflowed.iter().zip(became_other).filter(|(_, became_other)| *became_other) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Some(account)
    }

    /// Makes room for what is new in a key, where there is room, and finds its account.
    #[cold]
    fn open(&self, key: &[Name; 4]) -> Arc<CostAccount> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut placed = [OTHER; 4];
        for (placed, (values, name)) in placed.iter_mut().zip(known.values.iter_mut().zip(key)) {
            if *name != OTHER && values.len() < self.max_values {
                values.insert(name.clone());
            }
            if values.contains(name) {
                *placed = name.clone();
            }
        }
        if known.accounts.len() < self.max_combinations {
            let account = || Arc::new(CostAccount::new(placed.clone()));
            known.accounts.entry(placed.clone()).or_insert_with(account);
        }
        // Nothing is new any more.
        self.find(&known, key).unwrap_or_else(|| Arc::new(CostAccount::overflowing(placed, &self.overflow)))
    }

    fn overflow_counts(&self) -> CostOverflow {
        let [categories, workflows, models, users, combinations] =
            self.overflowed.each_ref().map(|count| count.load(Ordering::Relaxed));
        CostOverflow { categories, workflows, models, users, combinations }
    }
}

/// At most [`MAX_NAME_BYTES`] of a name, in whole characters.
fn cut(name: Name) -> Name {
    if name.len() <= MAX_NAME_BYTES {
        return name;
    }
    let end = (0..=MAX_NAME_BYTES).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
    Name::from(name.get(..end).unwrap_or_default().to_owned())
}
