//! Where entries of one combination of category, workflow, model and user go.

use std::sync::{Arc, Mutex, PoisonError};

use super::cell::CostCell;
use super::entry::Charge;
use super::ledger::Overflow;
use super::report::CostTotals;
use crate::metrics::PerThread;
use crate::model::Name;

/// The sums of one combination of category, workflow, model and user: the cheap way to record what
/// is recorded often. Got from [`CostLedger::account`](super::CostLedger::account), once.
#[derive(Debug)]
pub struct CostAccount {
    pub(super) key: [Name; 4],
    sums: Sums,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one, and both are behind an `Arc`")]
enum Sums {
    Own {
        cells: PerThread<CostCell>,
        /// For threads without a cell of their own: they share one, and write it in turn.
        sharers: Mutex<()>,
    },
    /// There are too many combinations: summed up by each dimension, under a lock.
    Shared(Arc<Overflow>),
}

impl CostAccount {
    pub(crate) fn new(key: [Name; 4]) -> Self {
        Self { key, sums: Sums::Own { cells: PerThread::new(), sharers: Mutex::default() } }
    }

    pub(super) fn overflowing(key: [Name; 4], overflow: &Arc<Overflow>) -> Self {
        Self { key, sums: Sums::Shared(Arc::clone(overflow)) }
    }

    /// Enters one call. A few nanoseconds and no lock, unless more than 64 threads record at once
    /// or the ledger has too many combinations.
    #[inline]
    pub fn record(&self, charge: &Charge) {
        match &self.sums {
            Sums::Own { cells, sharers } => match cells.mine() {
                (cell, true) => cell.add(charge),
                (cell, false) => {
                    let _in_turn = sharers.lock().unwrap_or_else(PoisonError::into_inner);
                    cell.add(charge);
                }
            },
            Sums::Shared(overflow) => overflow.record(&self.key, charge),
        }
    }

    /// The category; `other` when there were too many.
    #[must_use]
    pub fn category(&self) -> &Name {
        &self.key[0]
    }

    /// The workflow; `other` when there were too many.
    #[must_use]
    pub fn workflow(&self) -> &Name {
        &self.key[1]
    }

    /// The model; `other` when there were too many.
    #[must_use]
    pub fn model(&self) -> &Name {
        &self.key[2]
    }

    /// The user; `other` when there were too many.
    #[must_use]
    pub fn user(&self) -> &Name {
        &self.key[3]
    }

    /// What was entered into this account's own cells.
    pub(crate) fn read(&self) -> CostTotals {
        let mut totals = CostTotals::default();
        if let Sums::Own { cells, .. } = &self.sums {
            cells.all().for_each(|cell| totals.merge(&cell.read()));
        }
        totals
    }
}
