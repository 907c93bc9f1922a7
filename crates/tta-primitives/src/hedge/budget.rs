//! A bound on the load that hedging adds.

use std::sync::atomic::{AtomicU64, Ordering};

/// Hedges are counted in thousandths.
const ONE: u64 = 1_000;
/// Hedges that may be saved up, and that there are at the start.
const SAVED: u64 = 10 * ONE;

/// Every call earns its share of a hedge, every hedge takes one: over any number of calls at most
/// their share and ten are hedged. Time plays no part, so engines with any clocks can share it.
#[derive(Debug)]
pub(super) struct Budget {
    share: u64,
    balance: AtomicU64,
}

impl Budget {
    /// `share`: hedges per call.
    pub(super) fn new(share: f64) -> Self {
        Self { share: (share * ONE as f64).round() as u64, balance: AtomicU64::new(SAVED) }
    }

    /// A call was made.
    #[inline]
    pub(super) fn earn(&self) {
        // Almost always full: then a load is all.
        let more = |balance: u64| (balance < SAVED).then_some((balance + self.share).min(SAVED));
        let _ = self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Takes a hedge out, if there is one.
    pub(super) fn spend(&self) -> bool {
        let less = |balance: u64| balance.checked_sub(ONE);
        self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_are_there_at_the_start_and_then_calls_earn_their_share() {
        let budget = Budget::new(0.1);
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
        let hedged = (0..1_000).filter(|_| {
            budget.earn();
            budget.spend()
        });
        assert_eq!(hedged.count(), 100);
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10, "no more are saved up");
    }

    #[test]
    fn threads_together_spend_no_more_than_there_is() {
        let budget = Budget::new(0.5);
        let spent = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        budget.earn();
                        spent.fetch_add(u64::from(budget.spend()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert!(spent.into_inner() <= 4_000 / 2 + 10);
    }
}
