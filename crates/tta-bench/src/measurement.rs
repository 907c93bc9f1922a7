//! What one measurement is given and what it yields.

use serde::{Deserialize, Serialize};

/// How much to measure, and with which instruments.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Number of measured bursts.
    pub bursts: u32,
    /// Reads the allocator's counters, in the process whose allocator has some.
    pub count: Option<fn() -> AllocationCount>,
}

/// The allocator's counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllocationCount {
    /// Calls that allocated or reallocated, by all threads.
    pub calls: u64,
    /// Bytes those calls asked for.
    pub bytes: u64,
    /// Bytes that are allocated now.
    pub live_bytes: u64,
}

/// The result of one case in one process. Every figure is per operation: a span, or a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Wall-clock time on the calling threads: the median over the bursts.
    pub caller_ns: f64,
    /// CPU time of the whole process, background threads and shutdown included: the mean.
    pub cpu_ns: f64,
    /// Allocations while a burst ran, where one thread calls; counting process only.
    pub caller_allocations: Option<f64>,
    /// Allocations by all threads until shutdown; counting process only.
    pub allocations: Option<f64>,
    /// Bytes asked for by all threads until shutdown; counting process only.
    pub allocated_bytes: Option<f64>,
    /// How far apart the cores were, in nanoseconds for a round trip of a cache line: the longer of
    /// before and after. 0 where nothing crosses.
    pub round_trip_ns: f64,
    /// Operations that were measured.
    pub operations: u64,
    /// Spans that were to be kept and did not reach the consumer, or were to be dropped and did.
    pub misplaced: u64,
}

impl Plan {
    /// Bursts to run before those that are measured: enough for pools and queues of the size of the
    /// peers' to have been used from end to end.
    #[must_use]
    pub fn warm_up_bursts(&self) -> u32 {
        (self.bursts / 6).max(20)
    }

    /// The allocator's counters, or zeros.
    #[must_use]
    pub fn count(&self) -> AllocationCount {
        self.count.map_or_else(AllocationCount::default, |count| count())
    }
}

/// The middle value, or the mean of the two in the middle; 0 if there is none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or(0.0);
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|i| values.get(i)).copied().unwrap_or(0.0);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value_or_the_mean_of_the_two() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }
}
