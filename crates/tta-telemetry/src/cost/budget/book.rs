//! What is spent and what is reserved: a budget without clock, names and locks.

use super::period::{BudgetPeriod, Window};

/// Amounts in nano-dollars. Sums are `u128`, so that giving back takes away exactly what was added.
#[derive(Debug)]
pub(super) struct Book {
    limit: u128,
    /// Ascending, none above the limit.
    thresholds: Box<[u64]>,
    window: Window,
    reserved: u128,
    /// A bit for each threshold that was told in this period.
    told: u32,
    refused: u64,
}

impl Book {
    /// At most 32 thresholds.
    pub(super) fn new(limit: u64, thresholds: Box<[u64]>, period: BudgetPeriod) -> Self {
        Self { limit: limit.into(), thresholds, window: Window::new(period), reserved: 0, told: 0, refused: 0 }
    }

    /// Goes by another limit, whose thresholds are told anew if they were not reached.
    #[cfg(feature = "config")]
    pub(super) fn set_limit(&mut self, limit: u64, thresholds: Box<[u64]>) {
        (self.limit, self.thresholds) = (limit.into(), thresholds);
        self.told &= self.reached();
    }

    /// Moves to the period of `now_ns`.
    pub(super) fn advance(&mut self, now_ns: u64) {
        if self.window.advance(now_ns) {
            (self.told, self.refused) = (0, 0);
        } else if self.told != 0 {
            // Of a rolling period: money that has left it can come again.
            self.told &= self.reached();
        }
    }

    /// Reserves, if it fits or is to be admitted anyway.
    pub(super) fn reserve(&mut self, estimate: u64, is_hard: bool) -> bool {
        let taken = self.taken();
        if is_hard && (taken >= self.limit || taken + u128::from(estimate) > self.limit) {
            self.refused = self.refused.saturating_add(1);
            return false;
        }
        self.reserved += u128::from(estimate);
        true
    }

    /// Turns what was reserved into what was spent. The thresholds reached by it that were not
    /// told in this period, as bits.
    pub(super) fn settle(&mut self, estimate: u64, actual: u64) -> u32 {
        self.reserved = self.reserved.saturating_sub(estimate.into());
        self.window.add(actual);
        let news = self.reached() & !self.told;
        self.told |= news;
        news
    }

    fn reached(&self) -> u32 {
        let spent = self.window.spent();
        let reached = self.thresholds.iter().take_while(|threshold| u128::from(**threshold) <= spent).count();
        // Thresholds ascend, so those that are reached are the lowest bits.
        u32::try_from((1_u64 << reached) - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn spent(&self) -> u128 {
        self.window.spent()
    }

    pub(super) fn reserved(&self) -> u128 {
        self.reserved
    }

    pub(super) fn taken(&self) -> u128 {
        self.window.spent() + self.reserved
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn end_ns(&self) -> Option<u64> {
        self.window.end_ns()
    }
}
