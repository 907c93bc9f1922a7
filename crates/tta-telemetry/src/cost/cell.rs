//! What one thread adds to, readable as a whole.
//!
//! An entry changes several numbers. The cell's version is odd while that happens; a reader that
//! finds it odd, or changed when it is done, reads again (a sequence lock: Boehm, "Can seqlocks get
//! along with programming language memory models?", 2012). The one writer never waits; a reader
//! waits for a few stores at most, or for a writer that was suspended in the midst of them.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::entry::{Charge, SavingsSource};
use super::report::CostTotals;
use crate::money::Usd;

#[derive(Debug, Default)]
pub(super) struct CostCell {
    /// Odd while an entry is being written.
    version: AtomicU64,
    entries: AtomicU64,
    unpriced: AtomicU64,
    cost_nano_usd: AtomicU64,
    savings_nano_usd: [AtomicU64; SavingsSource::ALL.len()],
}

/// Only for the one writer: a load and a store, no locked instruction.
#[inline]
fn add(cell: &AtomicU64, by: u64) {
    cell.store(cell.load(Ordering::Relaxed).saturating_add(by), Ordering::Relaxed);
}

impl CostCell {
    /// Adds an entry. The caller must be the only one that writes this cell now; one that is not
    /// loses counts, nothing worse.
    #[inline]
    pub(super) fn add(&self, charge: &Charge) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        // Whoever sees one of the stores below sees the odd version.
        fence(Ordering::Release);
        add(&self.entries, 1);
        match charge.price {
            Some(cost) => add(&self.cost_nano_usd, cost.nanos()),
            None => add(&self.unpriced, 1),
        }
        for (total, saved) in self.savings_nano_usd.iter().zip(&charge.savings) {
            if *saved > Usd::ZERO {
                add(total, saved.nanos());
            }
        }
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// The sums of whole entries.
    pub(super) fn read(&self) -> CostTotals {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let totals = CostTotals {
                entries: self.entries.load(Ordering::Relaxed),
                unpriced: self.unpriced.load(Ordering::Relaxed),
                cost: Usd::from_nanos(self.cost_nano_usd.load(Ordering::Relaxed)),
                savings: self.savings_nano_usd.each_ref().map(|saved| Usd::from_nanos(saved.load(Ordering::Relaxed))),
            };
            fence(Ordering::Acquire);
            if version.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == version {
                return totals;
            }
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_reader_never_sees_half_an_entry() {
        let (cell, over) = (CostCell::default(), AtomicBool::new(false));
        let charge = Charge::priced(Usd::from_nanos(3)).saving(SavingsSource::Other, Usd::from_nanos(5));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..200_000).for_each(|_| cell.add(&charge));
                over.store(true, Ordering::Relaxed);
            });
            while !over.load(Ordering::Relaxed) {
                let totals = cell.read();
                let saved = totals.savings[2].nanos();
                assert_eq!((totals.cost.nanos(), saved), (3 * totals.entries, 5 * totals.entries));
            }
        });
        assert_eq!(cell.read().entries, 200_000);
    }

    #[test]
    fn sums_stay_at_the_largest_amount() {
        let cell = CostCell::default();
        let all = Usd::from_nanos(u64::MAX);
        for _ in 0..2 {
            cell.add(&Charge::priced(all).saving(SavingsSource::Caching, all));
        }
        let totals = cell.read();
        assert_eq!((totals.cost, totals.savings[0], totals.entries), (all, all, 2));
    }
}
