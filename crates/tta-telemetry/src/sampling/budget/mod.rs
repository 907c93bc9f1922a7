//! A bound on how much is kept per second, that does not bias what is estimated from it.
//!
//! Owns the thresholds of the window under way and what they dropped. Does not own a clock, or the
//! decision: that takes the threshold as one more stage of consistent sampling.

mod config;
mod load;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

pub use self::config::RateBudgetConfig;
use self::load::{Offers, Reading, What};
use super::error::{SamplingError, first_of};
use super::head::Selection;
use super::threshold::Threshold;
use crate::metrics::ShardedCounter;

/// Which of a budget's two bounds holds for a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BudgetClass {
    /// Left to chance, at its start or by a rule's rate.
    Ordinary,
    /// Kept whole as long as that is bearable: failed, slow, cancelled, kept by a rule, forced.
    Exempt,
}

/// What a [`RateBudget`] did since its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateBudgetStats {
    /// The most that is kept now of traces left to chance, as a probability.
    pub ordinary_probability: f64,
    /// The same of those that are kept whole otherwise: 1 unless there are too many even of them.
    pub exempt_probability: f64,
    /// Traces left to chance that it was told of, kept or not.
    pub ordinary_offered: u64,
    /// Traces of the other kind that it was told of.
    pub exempt_offered: u64,
    /// Traces that chance had kept and the budget dropped.
    pub ordinary_dropped: u64,
    /// Failed, slow and other exempt traces that the budget dropped.
    pub exempt_dropped: u64,
    /// Windows in which traces left to chance were held back.
    pub ordinary_limited_windows: u64,
    /// Windows in which even exempt ones were.
    pub exempt_limited_windows: u64,
}

/// Bounds kept traces and bytes per second by a threshold for each window.
///
/// The threshold is made of what was offered in the window before, so it is soft by one window: a
/// sudden burst passes until the window ends. No trace's own luck has a part in it and every kept
/// trace carries the weight of the threshold it was held to, so estimates stay unbiased.
///
/// ```
/// use tta_telemetry::sampling::{BudgetClass, RateBudget, RateBudgetConfig, Selection, Threshold};
///
/// let config = RateBudgetConfig { max_traces_per_second: Some(10.0), ..RateBudgetConfig::default() };
/// let budget = RateBudget::new(config, 0)?;
/// for _ in 0..1_000 {
///     budget.offer(BudgetClass::Ordinary, Selection::Threshold(Threshold::ALWAYS), 500);
/// }
/// budget.advance(1_000_000_000);
/// assert!((budget.stats().ordinary_probability - 0.01).abs() < 0.0001);
/// assert_eq!(budget.stats().exempt_probability, 1.0);
/// # Ok::<(), tta_telemetry::sampling::SamplingError>(())
/// ```
#[derive(Debug)]
pub struct RateBudget {
    config: RateBudgetConfig,
    ordinary: Share,
    exempt: Share,
    window: Mutex<Window>,
}

/// One class of traces.
#[derive(Debug, Default)]
struct Share {
    threshold: AtomicU64,
    offers: Offers,
    dropped: ShardedCounter,
    limited_windows: AtomicU64,
}

#[derive(Debug)]
struct Window {
    start_ns: u64,
    ordinary: Reading,
    exempt: Reading,
}

impl RateBudget {
    /// Starts its first window, which holds nothing back, at `now_ns` of a monotonic clock.
    ///
    /// # Errors
    /// The first of [`RateBudgetConfig::problems`].
    pub fn new(config: RateBudgetConfig, now_ns: u64) -> Result<Self, SamplingError> {
        first_of(config.problems())?;
        let window = Window { start_ns: now_ns, ordinary: Reading::nothing(), exempt: Reading::nothing() };
        Ok(Self { config, ordinary: Share::default(), exempt: Share::default(), window: Mutex::new(window) })
    }

    /// Tells of one trace and how likely it is kept without a budget; the threshold it is held to.
    /// To be told of every trace, kept or not, that could be kept.
    pub fn offer(&self, class: BudgetClass, selection: Selection, bytes: u64) -> Threshold {
        let share = self.share(class);
        share.offers.add(selection, bytes);
        share.threshold()
    }

    /// Counts a trace that would have been kept but for the budget.
    pub fn note_dropped(&self, class: BudgetClass) {
        self.share(class).dropped.add(1);
    }

    /// Ends the window when it is over, and makes the thresholds of the next. To be called about as
    /// often as windows end, from one place; whether the window has ended.
    ///
    /// A clock that has jumped ahead makes the load seem smaller for one window; one that has gone
    /// back starts the window afresh.
    pub fn advance(&self, now_ns: u64) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(elapsed_ns) = now_ns.checked_sub(window.start_ns) else {
            window.start_ns = now_ns;
            return false;
        };
        if u128::from(elapsed_ns) < self.config.window.as_nanos() {
            return false;
        }
        let seconds = elapsed_ns as f64 / 1e9;
        let (ordinary, exempt) = (self.ordinary.offers.read(), self.exempt.offers.read());
        self.ordinary.hold(self.probability(&ordinary, &window.ordinary, seconds));
        self.exempt.hold(self.probability(&exempt, &window.exempt, seconds * self.config.exempt_factor));
        *window = Window { start_ns: now_ns, ordinary, exempt };
        true
    }

    /// The share that keeps within both limits.
    fn probability(&self, now: &Reading, before: &Reading, limit_seconds: f64) -> f64 {
        let limits =
            [(What::Traces, self.config.max_traces_per_second), (What::Bytes, self.config.max_bytes_per_second)];
        let within = |(what, limit): (What, Option<f64>)| {
            limit.map_or(1.0, |limit| now.since(before, what).probability_for(limit * limit_seconds))
        };
        limits.map(within).into_iter().fold(1.0, f64::min)
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> RateBudgetStats {
        RateBudgetStats {
            ordinary_probability: self.ordinary.threshold().probability(),
            exempt_probability: self.exempt.threshold().probability(),
            ordinary_offered: self.ordinary.offers.read().total(),
            exempt_offered: self.exempt.offers.read().total(),
            ordinary_dropped: self.ordinary.dropped.get(),
            exempt_dropped: self.exempt.dropped.get(),
            ordinary_limited_windows: self.ordinary.limited_windows.load(Ordering::Relaxed),
            exempt_limited_windows: self.exempt.limited_windows.load(Ordering::Relaxed),
        }
    }

    const fn share(&self, class: BudgetClass) -> &Share {
        match class {
            BudgetClass::Ordinary => &self.ordinary,
            BudgetClass::Exempt => &self.exempt,
        }
    }
}

impl Share {
    fn threshold(&self) -> Threshold {
        Threshold::new(self.threshold.load(Ordering::Relaxed)).unwrap_or(Threshold::ALWAYS)
    }

    fn hold(&self, probability: f64) {
        let threshold = Threshold::of_rate(probability);
        self.threshold.store(threshold.get(), Ordering::Relaxed);
        if threshold > Threshold::ALWAYS {
            self.limited_windows.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
