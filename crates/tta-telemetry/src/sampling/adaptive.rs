//! A rate that follows the overhead of telemetry.
//!
//! Owns the rule by which the rate moves. Does not own measuring the overhead, or a clock: both are
//! told to it.

use std::time::Duration;

use super::error::{SamplingError, first_of};
use super::rate::Rate;

/// Above this share of the target the rate falls, below the other it rises.
const TOO_HIGH: f64 = 1.2;
const TOO_LOW: f64 = 0.8;
const DOWN: f64 = 0.8;
const UP: f64 = 1.2;

/// What an [`AdaptiveController`] is built from.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveConfig {
    /// The rate to start from. Default 0.1; between the other two.
    pub default_rate: f64,
    /// The rate is not lowered below this. Default 0.01; 0 to 1, not above the next.
    pub adaptive_min_rate: f64,
    /// The rate is not raised above this. Default 1; 0 to 1.
    pub adaptive_max_rate: f64,
    /// The share of the process's CPU time that telemetry should take. Default 0.02; 0 to 1.
    pub adaptive_target_overhead: f64,
    /// How long overhead is collected before the rate moves. Default 60 s; at least 1 s.
    pub adjustment_interval: Duration,
}

impl Default for AdaptiveConfig {
    fn default() -> Self {
        Self {
            default_rate: 0.1,
            adaptive_min_rate: 0.01,
            adaptive_max_rate: 1.0,
            adaptive_target_overhead: 0.02,
            adjustment_interval: Duration::from_secs(60),
        }
    }
}

impl AdaptiveConfig {
    /// Everything that is outside its range, in the order of the fields.
    #[must_use]
    pub fn problems(&self) -> Vec<SamplingError> {
        let (min, max) = (self.adaptive_min_rate, self.adaptive_max_rate);
        let share = |field, value: f64| Rate::named(field, value).err();
        let mut problems: Vec<_> = [
            share("default_rate", self.default_rate),
            share("adaptive_min_rate", min),
            share("adaptive_max_rate", max),
        ]
        .into_iter()
        .flatten()
        .collect();
        // Relations are told only of values that mean something by themselves.
        if problems.is_empty() {
            if min > max {
                let accepted = format!("at most adaptive_max_rate, which is {max}");
                problems.push(SamplingError::new("adaptive_min_rate", &min, accepted));
            } else if !(min..=max).contains(&self.default_rate) {
                let accepted = format!("adaptive_min_rate to adaptive_max_rate, which is {min} to {max}");
                problems.push(SamplingError::new("default_rate", &self.default_rate, accepted));
            }
        }
        problems.extend(share("adaptive_target_overhead", self.adaptive_target_overhead));
        if self.adjustment_interval < Duration::from_secs(1) {
            let given = self.adjustment_interval.as_secs_f64();
            problems.push(SamplingError::new("adjustment_interval_seconds", &given, "at least 1"));
        }
        problems
    }
}

/// What an [`AdaptiveController`] is at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveStats {
    /// The rate now.
    pub current_rate: f64,
    /// The least it may be.
    pub min_rate: f64,
    /// The most it may be.
    pub max_rate: f64,
    /// The overhead it aims at.
    pub target_overhead: f64,
    /// Traces decided about.
    pub total_decisions: u64,
    /// Those of them that are kept.
    pub sampled: u64,
    /// `sampled / total_decisions`; 0 before the first.
    pub actual_sample_rate: f64,
    /// Measurements that were not numbers, infinite or negative, and not counted.
    pub refused_samples: u64,
}

/// Moves the rate of sampling so that telemetry's overhead stays near its target.
///
/// Once per interval: when the mean overhead was above 1.2 times the target the rate falls to 0.8 of
/// itself, below 0.8 times the target it rises to 1.2 of itself, within its bounds; otherwise, and
/// without measurements, it stays.
///
/// ```
/// use std::time::Duration;
/// use tta_telemetry::sampling::{AdaptiveConfig, AdaptiveController};
///
/// let mut controller = AdaptiveController::new(AdaptiveConfig::default(), 0)?;
/// controller.observe(0.05);
/// assert_eq!(controller.advance(Duration::from_secs(59).as_nanos() as u64), None);
/// let rate = controller.advance(Duration::from_secs(60).as_nanos() as u64);
/// assert_eq!(rate.map(|rate| rate.get()), Some(0.1 * 0.8));
/// # Ok::<(), tta_telemetry::sampling::SamplingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AdaptiveController {
    config: AdaptiveConfig,
    rate: f64,
    sum: CompensatedSum,
    samples: u64,
    refused: u64,
    interval_start_ns: u64,
}

impl AdaptiveController {
    /// Starts at `default_rate`, with its first interval at `now_ns` of a monotonic clock.
    ///
    /// # Errors
    /// The first of [`AdaptiveConfig::problems`].
    pub fn new(config: AdaptiveConfig, now_ns: u64) -> Result<Self, SamplingError> {
        first_of(config.problems())?;
        let rate = config.default_rate;
        let sum = CompensatedSum::default();
        Ok(Self { config, rate, sum, samples: 0, refused: 0, interval_start_ns: now_ns })
    }

    /// The rate now.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Counts one measurement of the overhead in the interval. What is not a number, infinite or
    /// negative (a clock that went back) is not counted.
    pub fn observe(&mut self, overhead: f64) {
        if overhead.is_finite() && overhead >= 0.0 {
            self.sum.add(overhead);
            self.samples += 1;
        } else {
            self.refused += 1;
        }
    }

    /// Moves the rate when the interval is over; `Some` is the rate from now on, changed or not.
    ///
    /// A clock that has jumped ahead ends one interval, however far it jumped; one that has gone
    /// back starts the interval afresh. Either moves the rate by one step at most.
    pub fn advance(&mut self, now_ns: u64) -> Option<Rate> {
        let Some(elapsed_ns) = now_ns.checked_sub(self.interval_start_ns) else {
            self.interval_start_ns = now_ns;
            return None;
        };
        if u128::from(elapsed_ns) < self.config.adjustment_interval.as_nanos() {
            return None;
        }
        self.interval_start_ns = now_ns;
        Some(self.adjust())
    }

    /// Ends the interval now: moves the rate by the measurements since the last time.
    pub fn adjust(&mut self) -> Rate {
        let sum = std::mem::take(&mut self.sum).total();
        let samples = std::mem::take(&mut self.samples);
        if samples > 0 {
            let (mean, target) = (sum / samples as f64, self.config.adaptive_target_overhead);
            if mean > target * TOO_HIGH {
                self.rate = (self.rate * DOWN).max(self.config.adaptive_min_rate);
            } else if mean < target * TOO_LOW {
                self.rate = (self.rate * UP).min(self.config.adaptive_max_rate);
            }
        }
        // Within its bounds, which are rates.
        Rate::new(self.rate).unwrap_or(Rate::ZERO)
    }

    /// Where it stands. The decisions are counted by whoever makes them.
    #[must_use]
    pub fn stats(&self, total_decisions: u64, sampled: u64) -> AdaptiveStats {
        let actual_sample_rate = if total_decisions == 0 { 0.0 } else { sampled as f64 / total_decisions as f64 };
        AdaptiveStats {
            current_rate: self.rate,
            min_rate: self.config.adaptive_min_rate,
            max_rate: self.config.adaptive_max_rate,
            target_overhead: self.config.adaptive_target_overhead,
            total_decisions,
            sampled,
            actual_sample_rate,
            refused_samples: self.refused,
        }
    }
}

/// Neumaier's sum: rounding errors are carried along, so that a mean that lies on the edge of the
/// band falls on the right side of it in whatever order measurements came.
#[derive(Clone, Copy, Debug, Default)]
struct CompensatedSum {
    sum: f64,
    lost: f64,
}

impl CompensatedSum {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let (large, small) = if self.sum.abs() >= value.abs() { (self.sum, value) } else { (value, self.sum) };
        self.lost += (large - sum) + small;
        self.sum = sum;
    }

    fn total(self) -> f64 {
        self.sum + self.lost
    }
}

#[cfg(test)]
#[path = "adaptive_tests.rs"]
mod tests;
