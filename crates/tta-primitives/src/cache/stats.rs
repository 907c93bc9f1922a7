//! What a cache has done, exactly, over all workflows and engines that share it.

use std::sync::atomic::{AtomicU64, Ordering};

use tta_telemetry::Usd;

/// What a cache has done since it was built: [`Cache::stats`](crate::Cache::stats).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Executions and reads that were given a fresh value.
    pub hits: u64,
    /// Those given a stale value while it was made anew.
    pub stale_hits: u64,
    /// Those given a failure that was kept.
    pub negative_hits: u64,
    /// Executions given the result of another that made the same value at that moment.
    pub shared: u64,
    /// Executions that had to run the step after a lookup, and reads that found nothing: nothing
    /// was kept, or it was too old, could not be read, or the store failed.
    pub misses: u64,
    /// Executions without a lookup: the key function failed.
    pub key_failed: u64,
    /// The key function panicked.
    pub key_panicked: u64,
    /// The store had failed so often that it was left alone for a moment. Also counted as misses.
    pub resting: u64,
    /// Misses that ran without single flight because too many flights were under way.
    pub unshared: u64,
    /// Executions that gave up while waiting for another: cancelled, or at their deadline.
    pub gave_up: u64,
    /// Lookups that failed or took too long. Also counted as misses.
    pub get_errors: u64,
    /// Values that were not kept because writing them failed or took too long, or because the store
    /// was left alone for a moment.
    pub put_errors: u64,
    /// Invalidations that failed or took too long.
    pub invalidation_errors: u64,
    /// Entries that could not be read and were deleted. Also counted as misses.
    pub corrupt: u64,
    /// Values larger than all the store may hold.
    pub too_large: u64,
    /// Values that were not kept because they were invalidated while they were being made.
    pub superseded: u64,
    /// Refreshes of stale values that were begun.
    pub refreshes: u64,
    /// Those that failed or took too long.
    pub refresh_failures: u64,
    /// Those that were not begun: too many at once, or no runtime to run them.
    pub refreshes_skipped: u64,
    /// Entries forgotten to make room, where the store tells.
    pub evictions: u64,
    /// Entries that were met after their time, where the store tells.
    pub expired: u64,
    /// Entries there are now, where the store can tell.
    pub entries: Option<u64>,
    /// Bytes of all values there are now, where the store can tell.
    pub bytes: Option<u64>,
    /// The cost of the calls that were not made: [`cost_per_call`](crate::CacheBuilder::cost_per_call)
    /// for each hit, stale hit, negative hit and shared result, less the calls of refreshes.
    pub savings: Usd,
}

impl CacheStats {
    /// The share of lookups that were answered from what was kept, 0 to 1: hits, stale hits and
    /// negative hits among those, misses and shared results. Executions without a lookup and those
    /// that gave up are in neither. 0 when there were none.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        let answered = self.hits + self.stale_hits + self.negative_hits;
        let all = answered + self.misses + self.shared;
        if all == 0 { 0.0 } else { answered as f64 / all as f64 }
    }
}

/// Written by every execution. The hits, which all threads write, have a cache line of their own.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: Line,
    pub(super) stale_hits: AtomicU64,
    pub(super) negative_hits: AtomicU64,
    pub(super) shared: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) key_failed: AtomicU64,
    pub(super) key_panicked: AtomicU64,
    pub(super) resting: AtomicU64,
    pub(super) unshared: AtomicU64,
    pub(super) gave_up: AtomicU64,
    pub(super) get_errors: AtomicU64,
    pub(super) put_errors: AtomicU64,
    pub(super) invalidation_errors: AtomicU64,
    pub(super) corrupt: AtomicU64,
    pub(super) too_large: AtomicU64,
    pub(super) superseded: AtomicU64,
    pub(super) refreshes: AtomicU64,
    pub(super) refresh_failures: AtomicU64,
    pub(super) refreshes_skipped: AtomicU64,
    pub(super) expired: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Line(pub(super) AtomicU64);

#[inline]
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// All but what the store knows.
    pub(super) fn read(&self, cost_per_call: Usd) -> CacheStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut stats = CacheStats {
            hits: get(&self.hits.0),
            stale_hits: get(&self.stale_hits),
            negative_hits: get(&self.negative_hits),
            shared: get(&self.shared),
            misses: get(&self.misses),
            key_failed: get(&self.key_failed),
            key_panicked: get(&self.key_panicked),
            resting: get(&self.resting),
            unshared: get(&self.unshared),
            gave_up: get(&self.gave_up),
            get_errors: get(&self.get_errors),
            put_errors: get(&self.put_errors),
            invalidation_errors: get(&self.invalidation_errors),
            corrupt: get(&self.corrupt),
            too_large: get(&self.too_large),
            superseded: get(&self.superseded),
            refreshes: get(&self.refreshes),
            refresh_failures: get(&self.refresh_failures),
            refreshes_skipped: get(&self.refreshes_skipped),
            expired: get(&self.expired),
            ..CacheStats::default()
        };
        let spared = stats.hits + stats.stale_hits + stats.negative_hits + stats.shared;
        let calls = spared.saturating_sub(stats.refreshes);
        stats.savings = Usd::from_nanos(cost_per_call.nanos().saturating_mul(calls));
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hit_rate_is_of_lookups_and_zero_without_any() {
        assert_eq!(CacheStats::default().hit_rate().to_bits(), 0.0_f64.to_bits());
        let stats = CacheStats { hits: 3, stale_hits: 2, negative_hits: 1, shared: 4, misses: 2, ..Default::default() };
        let others = CacheStats { key_failed: 9, key_panicked: 9, gave_up: 9, resting: 1, ..stats.clone() };
        assert_eq!((stats.hit_rate().to_bits(), others.hit_rate().to_bits()), (0.5_f64.to_bits(), 0.5_f64.to_bits()));
    }

    #[test]
    fn savings_are_the_calls_that_were_not_made_less_those_of_refreshes() {
        let counters = Counters::default();
        (0..5).for_each(|_| count(&counters.hits.0));
        (0..3).for_each(|_| count(&counters.stale_hits));
        (0..2).for_each(|_| count(&counters.refreshes));
        [&counters.shared, &counters.negative_hits, &counters.misses].into_iter().for_each(count);
        assert_eq!(counters.read(Usd::from_micros(10)).savings, Usd::from_micros(80));
        assert_eq!(counters.read(Usd::ZERO).savings, Usd::ZERO);
    }
}
