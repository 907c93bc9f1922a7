//! The generic cell rate algorithm, in its virtual scheduling form.
//!
//! Source: ATM Forum, *Traffic Management Specification 4.0* (af-tm-0056.000, 1996), section 4.4.2;
//! ITU-T I.371, annex A. One number is kept, the theoretical arrival time (TAT): when the next
//! call would arrive if all came evenly spaced. With the interval `T` between two calls and the
//! tolerance `tau = (burst - 1) * T`, a call at `now` is over the limit when `now < TAT - tau`;
//! otherwise it is admitted and `TAT = max(TAT, now) + T`.
//!
//! Worked example, one call per second, burst 2, so `T = 1 s` and `tau = 1 s`; TAT starts at 0:
//! ```text
//! now   TAT - tau   admitted   TAT afterwards
//! 10 s    -1 s        yes         11 s
//! 10 s    10 s        yes         12 s       the burst of two
//! 10 s    11 s        no          12 s       retry in 1 s
//! 11 s    11 s        yes         13 s
//! ```
//! In any closed span of time `D` no more than `burst + D / T` calls are admitted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tta_telemetry::Clock;

/// Moments and intervals are whole sixteenths of a nanosecond: fine enough for the rounding of an
/// interval to cost 0.006 % at a million calls a second, coarse enough for 36 years in 64 bits.
const PER_NANO: u64 = 16;

/// A moment on a clock, in sixteenths of a nanosecond from the clock's own zero.
pub(crate) type Moment = u64;

/// The parameters of the algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    interval: u64,
    tolerance: u64,
}

/// One change of a theoretical arrival time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(super) from: Moment,
    pub(super) to: Moment,
    /// How long after `now` the call is within the limit, in sixteenths of a nanosecond.
    pub(super) wait: u64,
}

/// The moment it is on a clock.
#[inline]
pub(super) fn now(clock: &Clock) -> Moment {
    clock.nanos_between(0, clock.ticks()).saturating_mul(PER_NANO)
}

/// A duration in sixteenths of a nanosecond.
pub(super) fn units(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).saturating_mul(PER_NANO)
}

/// Sixteenths of a nanosecond as a duration, rounded up.
pub(super) fn duration(units: u64) -> Duration {
    Duration::from_nanos(units.div_ceil(PER_NANO))
}

impl Quota {
    /// `count` calls per `period`, rounded down to the next representable rate.
    pub(super) fn new(count: u32, period: Duration, burst: u32) -> Self {
        let interval = (period.as_nanos() * u128::from(PER_NANO)).div_ceil(u128::from(count.max(1)));
        Self::every(u64::try_from(interval).unwrap_or(u64::MAX), burst)
    }

    /// `rate` calls per second, likewise.
    pub(super) fn per_second(rate: f64, burst: u32) -> Self {
        // What is not a rate is refused by the builder; a conversion saturates.
        Self::every(((1e9 * PER_NANO as f64) / rate).ceil() as u64, burst)
    }

    fn every(interval: u64, burst: u32) -> Self {
        Self { interval, tolerance: interval.saturating_mul(u64::from(burst.saturating_sub(1))) }
    }

    /// The time between two calls.
    #[cfg(test)]
    pub(super) fn interval(self) -> Duration {
        duration(self.interval)
    }

    /// The time after which a limit that was not used admits a whole burst again.
    pub(super) fn refill(self) -> Duration {
        duration(self.tolerance.saturating_add(self.interval))
    }

    /// What admitting a call would come to.
    #[inline]
    pub(super) fn step(self, tat: Moment, now: Moment) -> Step {
        let wait = tat.saturating_sub(self.tolerance).saturating_sub(now);
        Step { from: tat, to: tat.max(now).saturating_add(self.interval), wait }
    }

    /// Admits a call that has to wait for `longest` at most. Otherwise nothing changes, and the
    /// wait is returned.
    ///
    /// A load, and an exchange that other threads can only delay by being admitted themselves.
    #[inline]
    pub(super) fn take(self, tat: &AtomicU64, now: Moment, longest: u64) -> Result<Step, u64> {
        let mut seen = tat.load(Ordering::Relaxed);
        loop {
            let step = self.step(seen, now);
            if step.wait > longest {
                return Err(step.wait);
            }
            // The one number is all that threads share here: nothing else is published with it.
            match tat.compare_exchange_weak(seen, step.to, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(step),
                Err(changed) => seen = changed,
            }
        }
    }
}

/// Undoes an admission that nobody used, if it was the last one: whoever was admitted after it
/// keeps the moment that it was told.
pub(super) fn give_back(tat: &AtomicU64, step: Step) {
    // While ours is in it the number never comes to less than `to`, and it comes back to `to` only
    // when all later admissions were undone: an equal number means that ours is the last.
    let _ = tat.compare_exchange(step.to, step.from, Ordering::Relaxed, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000 * PER_NANO;

    #[test]
    fn the_worked_example_holds() {
        let quota = Quota::per_second(1.0, 2);
        let tat = AtomicU64::new(0);
        let at = |second: u64| {
            let taken = quota.take(&tat, second * SECOND, 0).map(|step| step.to / SECOND);
            taken.map_err(|wait| wait / SECOND)
        };
        assert_eq!([at(10), at(10), at(10), at(11), at(11)], [Ok(11), Ok(12), Err(1), Ok(13), Err(1)]);
    }

    #[test]
    fn rates_are_rounded_down_never_up() {
        assert_eq!(Quota::per_second(1_000_000.0, 1).interval, 16_000);
        assert_eq!(Quota::new(1_000_000, Duration::from_secs(1), 1), Quota::per_second(1_000_000.0, 1));
        assert_eq!(Quota::per_second(3.0, 1).interval, 5_333_333_334);
        assert_eq!(Quota::new(100, Duration::from_secs(60), 1).interval(), Duration::from_millis(600));
        assert_eq!(Quota::new(100, Duration::from_secs(60), 5).refill(), Duration::from_secs(3));
    }

    #[test]
    fn an_unused_admission_is_given_back_only_if_it_was_the_last() {
        let quota = Quota::per_second(1.0, 1);
        let tat = AtomicU64::new(0);
        let first = quota.take(&tat, 0, 0).unwrap();
        let second = quota.take(&tat, 0, 5 * SECOND).unwrap();
        let third = quota.take(&tat, 0, 5 * SECOND).unwrap();
        give_back(&tat, second);
        assert_eq!(tat.load(Ordering::Relaxed), third.to, "the third keeps its moment");
        give_back(&tat, third);
        assert_eq!(tat.load(Ordering::Relaxed), second.to);
        give_back(&tat, second);
        assert_eq!(tat.load(Ordering::Relaxed), first.to);
    }

    proptest! {
        #[test]
        fn any_span_of_time_admits_at_most_the_burst_and_the_rate(
            rate in 0.01_f64..1e6,
            burst in 1_u32..50,
            gaps in prop::collection::vec(0.0_f64..4.0, 1..200),
        ) {
            let quota = Quota::per_second(rate, burst);
            let tat = AtomicU64::new(0);
            let mut now = 0.0;
            let mut admitted: Vec<u64> = Vec::new();
            for gap in gaps {
                now += gap * 1e9 / rate;
                let at = (now as u64) * PER_NANO;
                if quota.take(&tat, at, 0).is_ok() {
                    admitted.push(at);
                }
            }
            for (from, start) in admitted.iter().enumerate() {
                for (to, end) in admitted.iter().enumerate().skip(from) {
                    let most = f64::from(burst) + rate * (end - start) as f64 / SECOND as f64;
                    prop_assert!((to - from + 1) as f64 <= most + 1e-6, "{} in {start}..={end}", to - from + 1);
                }
            }
        }

        #[test]
        fn a_steady_caller_at_the_rate_is_never_refused(
            rate in 0.01_f64..1e6,
            burst in 1_u32..50,
            start in 0_u64..1 << 40,
        ) {
            let quota = Quota::per_second(rate, burst);
            let tat = AtomicU64::new(0);
            let gap = u64::try_from(quota.interval().as_nanos()).unwrap() * PER_NANO;
            for call in 0..500 {
                prop_assert!(quota.take(&tat, start * PER_NANO + call * gap, 0).is_ok(), "call {call}");
            }
        }

        /// What was given back can be used again, and never more than that.
        #[test]
        fn waiters_that_give_up_leave_the_bound_as_it_was(
            burst in 1_u32..5,
            calls in prop::collection::vec((0_u64..3, any::<bool>()), 1..100),
        ) {
            let quota = Quota::per_second(1.0, burst);
            let tat = AtomicU64::new(0);
            let (mut now, mut kept) = (0, Vec::new());
            for (gap, gives_up) in calls {
                now += gap * SECOND / 2;
                if let Ok(step) = quota.take(&tat, now, 3 * SECOND) {
                    if gives_up { give_back(&tat, step) } else { kept.push(now + step.wait) }
                }
            }
            kept.sort_unstable();
            for (from, start) in kept.iter().enumerate() {
                for (to, end) in kept.iter().enumerate().skip(from) {
                    prop_assert!((to - from + 1) as u64 <= u64::from(burst) + (end - start) / SECOND);
                }
            }
        }
    }

    #[test]
    fn many_threads_at_one_moment_admit_exactly_the_burst() {
        let quota = Quota::per_second(10.0, 1_000);
        let tat = AtomicU64::new(0);
        let admitted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mine = (0..500).filter(|_| quota.take(&tat, SECOND, 0).is_ok()).count();
                    admitted.fetch_add(mine as u64, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(admitted.into_inner(), 1_000);
    }
}
