//! What kept traces say about all of them, with how sure that is.
//!
//! Owns the sums of Horvitz and Thompson and the intervals around them. Does not own the weights:
//! they come with the decisions.
//!
//! A kept trace of weight `w` and value `y` adds `w * y` to the estimated total and `w * (w - 1) * y^2`
//! to its estimated variance: with probability `p = 1 / w`, `(1 - p) / p^2 * y^2` is expected of it
//! (Horvitz and Thompson, 1952). Traces are chosen independently of each other, so variances add up.
//!
//! An interval of 1.96 standard deviations to both sides is too short above: an unlucky sample shows
//! too small a total and with it too small a variance. How fast the estimated variance goes with the
//! estimated total is known (`b`, their covariance over the variance, to which a kept trace adds
//! `w * (w - 1)^2 * y^3`), so the interval is where
//! `(total - estimate)^2 = z^2 * (variance + b * (total - estimate))`: Wilson's idea, for sums. Of
//! counts at one small rate it is the score interval of Poisson's distribution.
//!
//! The variance is itself an estimate, a rough one where few traces of great weight make most of it.
//! `z` is therefore Student's, with as many degrees of freedom as the estimated variance of the
//! variance says (`2 * variance^2` over it, to which a kept trace adds `w * (w - 1)^3 * y^4`;
//! Satterthwaite, 1946). With many like traces that is the normal distribution's.

use std::time::Duration;

/// Two-sided 95 % of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;
/// Fewer degrees of freedom are not believed: the expansion below does not hold there.
const FEWEST_FREEDOMS: f64 = 3.0;

/// Two-sided 95 % of Student's distribution, by the first terms of its expansion around the normal
/// one: within 1 % from 5 degrees of freedom on.
fn student(freedoms: f64) -> f64 {
    let nu = freedoms.max(FEWEST_FREEDOMS);
    Z + (Z.powi(3) + Z) / (4.0 * nu) + (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / (96.0 * nu * nu)
}

/// How an estimate spreads, as far as its kept traces tell.
#[derive(Clone, Copy)]
struct Spread {
    variance: f64,
    /// Of the estimate and its estimated variance.
    covariance: f64,
    /// Of the estimated variance.
    of_variance: f64,
}

/// An estimate of something about all traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate; unbiased for counts and sums.
    pub value: f64,
    /// Its estimated variance; 0 where every trace was kept.
    pub variance: f64,
    /// A 95 % confidence interval. `None` when nothing was kept: of what chance leaves out whole,
    /// nothing can be said.
    pub interval: Option<(f64, f64)>,
    /// Kept traces that it is made of. Below about 100 the interval is a rough one.
    pub kept: u64,
}

impl Estimate {
    /// The same per second of this time. `None` for no time.
    #[must_use]
    pub fn per_second(&self, over: Duration) -> Option<Self> {
        let seconds = over.as_secs_f64();
        (seconds > 0.0).then(|| Self {
            value: self.value / seconds,
            variance: self.variance / (seconds * seconds),
            interval: self.interval.map(|(low, high)| (low / seconds, high / seconds)),
            kept: self.kept,
        })
    }

    /// The standard error.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        self.variance.sqrt()
    }

    /// The interval lies within `least..=most`.
    fn new(kept: u64, value: f64, spread: Spread, least: f64, most: f64) -> Self {
        let variance = spread.variance.max(0.0);
        let (slope, z) = if variance > 0.0 {
            let freedoms = 2.0 * variance * variance / spread.of_variance.max(f64::MIN_POSITIVE);
            (spread.covariance / variance, student(freedoms))
        } else {
            (0.0, Z)
        };
        let middle = value + z * z * slope / 2.0;
        let half = z * (variance + z * z * slope * slope / 4.0).sqrt();
        let interval = (kept > 0).then(|| ((middle - half).clamp(least, most), (middle + half).clamp(least, most)));
        Self { value, variance, interval, kept }
    }
}

/// Adds up kept traces of one stratum: their weights and a value of each (a duration, a cost, 1 for
/// those that have some property).
///
/// ```
/// use tta_telemetry::sampling::Estimator;
///
/// let mut durations = Estimator::default();
/// for _ in 0..400 {
///     durations.add(Some(10.0), 0.5);
/// }
/// durations.add(None, 9.0);
/// assert_eq!((durations.count().value, durations.sum().value), (4_000.0, 2_000.0));
/// let (low, high) = durations.count().interval.expect("some were kept");
/// assert!(low > 3_640.0 && high < 4_420.0);
/// assert_eq!((durations.unknown_count(), durations.unknown_sum()), (1, 9.0));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimator {
    kept: u64,
    /// Sums of `y` and `w * y`, for `y` = 1 and the value.
    certain: [f64; 2],
    total: [f64; 2],
    /// Sums of `w * (w - 1) * y^k`, for k = 0, 1, 2.
    second: [f64; 3],
    /// Sums of `w * (w - 1)^2 * y^k`, for k = 0 to 3.
    third: [f64; 4],
    /// Sums of `w * (w - 1)^3 * y^k`, for k = 0 to 4.
    fourth: [f64; 5],
    is_signed: bool,
    unknown: u64,
    unknown_sum: f64,
    refused: u64,
}

impl Estimator {
    /// Counts a kept trace. Without a weight it is counted apart; with a value that is not a finite
    /// number, or a weight below 1, it is refused, counted.
    pub fn add(&mut self, weight: Option<f64>, value: f64) {
        if !value.is_finite() || weight.is_some_and(|weight| !(weight.is_finite() && weight >= 1.0)) {
            self.refused += 1;
            return;
        }
        let Some(weight) = weight else {
            self.unknown += 1;
            self.unknown_sum += value;
            return;
        };
        self.kept += 1;
        self.is_signed |= value < 0.0;
        let second = weight * (weight - 1.0);
        let third = second * (weight - 1.0);
        add_each(&mut self.certain, powers(1.0, value));
        add_each(&mut self.total, powers(weight, value));
        add_each(&mut self.second, powers(second, value));
        add_each(&mut self.third, powers(third, value));
        add_each(&mut self.fourth, powers(third * (weight - 1.0), value));
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        self.kept += other.kept;
        add_each(&mut self.certain, other.certain);
        add_each(&mut self.total, other.total);
        add_each(&mut self.second, other.second);
        add_each(&mut self.third, other.third);
        add_each(&mut self.fourth, other.fourth);
        self.is_signed |= other.is_signed;
        self.unknown += other.unknown;
        self.unknown_sum += other.unknown_sum;
        self.refused += other.refused;
    }

    /// How many traces there were.
    #[must_use]
    pub fn count(&self) -> Estimate {
        let ([kept, _], [count, _]) = (self.certain, self.total);
        let ([variance, ..], [covariance, ..], [of_variance, ..]) = (self.second, self.third, self.fourth);
        // There were at least those that were kept.
        Estimate::new(self.kept, count, Spread { variance, covariance, of_variance }, kept, f64::INFINITY)
    }

    /// The sum of their values.
    #[must_use]
    pub fn sum(&self) -> Estimate {
        let ([_, kept], [_, sum]) = (self.certain, self.total);
        let ([.., variance], [.., covariance], [.., of_variance]) = (self.second, self.third, self.fourth);
        let least = if self.is_signed { f64::NEG_INFINITY } else { kept };
        Estimate::new(self.kept, sum, Spread { variance, covariance, of_variance }, least, f64::INFINITY)
    }

    /// The mean of their values; of values 0 and 1 the share of ones. `None` when none was kept.
    ///
    /// A ratio of two estimates: its bias is small against its standard error, and its variance that
    /// of `y - mean` (Taylor's linearization), each made larger by twice its share of the weight: the
    /// mean lies too close to the very values it is made of (MacKinnon and White, 1985).
    #[must_use]
    pub fn mean(&self) -> Option<Estimate> {
        let [count, sum] = self.total;
        if count <= 0.0 {
            return None;
        }
        let mean = sum / count;
        let ([s0, s1, s2], [t0, t1, t2, t3]) = (self.second, self.third);
        let [u0, u1, u2, u3, u4] = self.fourth;
        // Of y - mean, multiplied out.
        let squares = s2 - mean * (2.0 * s1 - mean * s0);
        // Weighted once more: w * w * (w - 1) is w * (w - 1)^2 + w * (w - 1).
        let leverage = (t2 - mean * (2.0 * t1 - mean * t0) + squares) / count;
        let spread = Spread {
            variance: (squares + 2.0 * leverage) / count.powi(2),
            covariance: (t3 - mean * (3.0 * t2 - mean * (3.0 * t1 - mean * t0))) / count.powi(3),
            of_variance: (u4 - mean * (4.0 * u3 - mean * (6.0 * u2 - mean * (4.0 * u1 - mean * u0)))) / count.powi(4),
        };
        let (least, most) = if self.is_signed { (f64::NEG_INFINITY, f64::INFINITY) } else { (0.0, f64::INFINITY) };
        Some(Estimate::new(self.kept, mean, spread, least, most))
    }

    /// Kept traces whose weight nobody knows; not part of any estimate.
    #[must_use]
    pub const fn unknown_count(&self) -> u64 {
        self.unknown
    }

    /// The sum of their values.
    #[must_use]
    pub const fn unknown_sum(&self) -> f64 {
        self.unknown_sum
    }

    /// Traces that were refused for their value or weight.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}

/// `factor * value^k` for k from 0 on.
fn powers<const N: usize>(factor: f64, value: f64) -> [f64; N] {
    let mut power = factor;
    std::array::from_fn(|_| {
        let next = power * value;
        std::mem::replace(&mut power, next)
    })
}

fn add_each<const N: usize>(to: &mut [f64; N], by: [f64; N]) {
    to.iter_mut().zip(by).for_each(|(to, by)| *to += by);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_and_variances_are_those_of_horvitz_and_thompson() {
        let mut estimator = Estimator::default();
        for (weight, value) in [(4.0, 3.0), (1.0, 10.0), (2.0, 5.0)] {
            estimator.add(Some(weight), value);
        }
        let (count, sum) = (estimator.count(), estimator.sum());
        assert_eq!((count.value, count.variance, count.kept), (7.0, 12.0 + 2.0, 3));
        assert_eq!((sum.value, sum.variance), (32.0, 12.0 * 9.0 + 2.0 * 25.0));
        assert_eq!(sum.standard_error(), 158_f64.sqrt());
    }

    #[test]
    fn counts_at_a_small_rate_have_the_score_interval_of_poisson() {
        let mut estimator = Estimator::default();
        (0..100).for_each(|_| estimator.add(Some(1e6), 1.0));
        let (low, high) = estimator.count().interval.unwrap();
        // 100 events: 82.2 to 121.6, and a little wider for 200 degrees of freedom.
        assert!((low / 1e6 - 82.13).abs() < 0.02 && (high / 1e6 - 121.76).abs() < 0.02, "{low} {high}");
    }

    #[test]
    fn students_distribution_is_that_of_the_tables() {
        for (freedoms, expected, within) in [(5.0, 2.571, 0.025), (10.0, 2.228, 0.005), (30.0, 2.042, 0.001)] {
            assert!((student(freedoms) - expected).abs() < within, "{freedoms}: {}", student(freedoms));
        }
        assert!((student(1e12) - Z).abs() < 1e-9);
        assert_eq!(student(0.1), student(3.0));
    }

    #[test]
    fn what_is_kept_whole_is_exact_and_what_is_not_kept_has_no_interval() {
        let mut estimator = Estimator::default();
        assert_eq!(estimator.count(), Estimate { value: 0.0, variance: 0.0, interval: None, kept: 0 });
        assert_eq!(estimator.mean(), None);
        estimator.add(Some(1.0), 2.5);
        estimator.add(Some(1.0), 3.5);
        assert_eq!(estimator.count().interval, Some((2.0, 2.0)));
        assert_eq!(estimator.sum().interval, Some((6.0, 6.0)));
        assert_eq!(estimator.mean().unwrap().interval, Some((3.0, 3.0)));
    }

    #[test]
    fn there_were_never_fewer_than_were_kept() {
        let mut estimator = Estimator::default();
        estimator.add(Some(1.001), 7.0);
        assert!(estimator.count().interval.unwrap().0 >= 1.0);
        assert!(estimator.sum().interval.unwrap().0 >= 7.0);
        // Unless values may be negative.
        estimator.add(Some(50.0), -7.0);
        assert!(estimator.sum().interval.unwrap().0 < 0.0);
    }

    #[test]
    fn unknown_weights_are_counted_apart_and_impossible_ones_refused() {
        let mut estimator = Estimator::default();
        estimator.add(None, 5.0);
        for (weight, value) in [(0.5, 1.0), (f64::NAN, 1.0), (f64::INFINITY, 1.0), (2.0, f64::NAN), (-1.0, 1.0)] {
            estimator.add(Some(weight), value);
        }
        estimator.add(None, f64::INFINITY);
        assert_eq!((estimator.unknown_count(), estimator.unknown_sum(), estimator.refused()), (1, 5.0, 6));
        assert_eq!(estimator.count().kept, 0);
    }

    #[test]
    fn merged_estimators_are_the_one_that_counted_everything() {
        let (mut all, mut odd, mut even) = (Estimator::default(), Estimator::default(), Estimator::default());
        for i in 0..100 {
            let (weight, value) = ((i % 7 != 0).then_some(f64::from(1 << (i % 5))), f64::from(i % 11) - 2.0);
            all.add(weight, value);
            if i % 2 == 0 { even.add(weight, value) } else { odd.add(weight, value) }
        }
        odd.add(Some(0.0), 0.0);
        all.add(Some(0.0), 0.0);
        odd.merge(&even);
        assert_eq!(odd, all, "sums of small integers are exact in any order");
    }

    #[test]
    fn rates_are_per_second_and_shares_are_means() {
        let mut failures = Estimator::default();
        (0..1_000).for_each(|i| failures.add(Some(10.0), f64::from(u8::from(i % 20 == 0))));
        let share = failures.mean().unwrap();
        // As for a proportion of 1,000 with 90 % of the variance left.
        let expected = 0.05 * 0.95 / 1_000.0 * 0.9;
        assert!((share.value - 0.05).abs() < 1e-12);
        // Each trace has a thousandth of the weight.
        assert!((share.variance / expected - 1.002).abs() < 1e-9);
        let rate = failures.count().per_second(Duration::from_secs(50)).unwrap();
        assert_eq!((rate.value, rate.variance), (200.0, 1_000.0 * 90.0 / 2_500.0));
        assert_eq!(rate.interval.map(|(low, _)| low * 50.0), failures.count().interval.map(|(low, _)| low));
        assert_eq!(failures.count().per_second(Duration::ZERO), None);
    }
}
