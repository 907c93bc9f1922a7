//! How long to wait before an attempt.

use std::time::Duration;

use tta_telemetry::IdSource;

/// How the delay before a retry is spread, so that callers that failed together do not return
/// together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// Anything from zero to the computed delay ("full jitter": Brooker, *Exponential Backoff And
    /// Jitter*, AWS Architecture Blog, 2015).
    #[default]
    Full,
    /// Half of the computed delay, and anything up to it.
    Equal,
    /// The computed delay.
    None,
}

/// `min(initial * base^retry, max)`, then jitter. Never above `max`.
pub(super) fn delay(
    (initial, base, max): (Duration, f64, Duration),
    jitter: Jitter,
    retry: u32,
    ids: &IdSource,
) -> Duration {
    let grown = initial.as_secs_f64() * base.powi(i32::try_from(retry).unwrap_or(i32::MAX));
    let capped = if grown.is_finite() { grown.min(max.as_secs_f64()) } else { max.as_secs_f64() };
    let spread = match jitter {
        Jitter::Full => capped * ids.next_fraction(),
        Jitter::Equal => capped * (0.5 + 0.5 * ids.next_fraction()),
        Jitter::None => capped,
    };
    Duration::try_from_secs_f64(spread).unwrap_or(max).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn delays_grow_by_the_base_up_to_the_maximum() {
        let ids = IdSource::seeded(1);
        let at = |retry| delay((SECOND, 2.0, 60 * SECOND), Jitter::None, retry, &ids).as_secs();
        assert_eq!([at(0), at(1), at(2), at(5), at(6), at(100)], [1, 2, 4, 32, 60, 60]);
    }

    #[test]
    fn jitter_spreads_over_its_range_and_never_exceeds_the_maximum() {
        let ids = IdSource::seeded(2);
        for (jitter, low, high) in [(Jitter::Full, 0.0, 8.0), (Jitter::Equal, 4.0, 8.0)] {
            let delays: Vec<f64> =
                (0..2_000).map(|_| delay((SECOND, 2.0, 8 * SECOND), jitter, 20, &ids).as_secs_f64()).collect();
            let (least, most) = delays.iter().fold((f64::MAX, 0.0_f64), |(l, m), d| (l.min(*d), m.max(*d)));
            let spread = high - low;
            assert!(least >= low && least < low + 0.05 * spread, "{jitter:?} {least}");
            assert!(most <= high && most > high - 0.05 * spread, "{jitter:?} {most}");
        }
    }
}
