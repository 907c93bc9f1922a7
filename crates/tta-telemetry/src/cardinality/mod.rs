//! How many values labels may have, and how many series metrics.
//!
//! Whatever names, users and models arrive, what is kept of them is bounded. Owns which label
//! values are known (`keys`), which combinations of them a metric has (`series`), and what is said
//! of both (`report`). Does not own the metrics. Values are looked up when an instrument is
//! resolved, not when it is used.

mod keys;
mod report;
mod series;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use keys::LabelKey;
pub use report::{CardinalityLevel, CardinalityStats, CardinalitySubject, CardinalityWarning, MetricSeries};
pub use series::{SeriesError, SeriesSet};

use crate::limits::LimitError;
use crate::model::Name;
use crate::redaction::SharedRedactor;
use series::SeriesCount;

/// Label keys that one limiter knows; values of further ones are all `{key}_other`.
const MAX_KEYS: usize = 256;
/// Bytes of a label key or value that is kept; longer values count as beyond the limit.
const MAX_TEXT_BYTES: usize = 1_024;
/// Metrics whose series one limiter counts; further ones are limited but not reported.
const MAX_METRICS: usize = 10_000;

/// The bounds of label values and series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardinalityLimits {
    /// Distinct values of each label key, beside those that stand for the rest. Default 100; at
    /// least 1.
    pub max_label_values: usize,
    /// Combinations of label values of each metric, beside the one that stands for the rest.
    /// Default 1,000; at least 1.
    pub max_series_per_metric: usize,
    /// Whether values beyond the limit are told apart a little: into the 16 classes
    /// `{key}_hash_00000000` to `{key}_hash_0000000f`, by the first hex digit of the value's MD5.
    /// Otherwise all of them are `{key}_other`. Default true.
    pub hash_high_cardinality: bool,
}

impl Default for CardinalityLimits {
    fn default() -> Self {
        Self { max_label_values: 100, max_series_per_metric: 1_000, hash_high_cardinality: true }
    }
}

impl CardinalityLimits {
    /// Checks every range.
    ///
    /// # Errors
    /// The first field that is outside its range.
    pub fn check(&self) -> Result<(), LimitError> {
        let fields =
            [("max_label_values", self.max_label_values), ("max_series_per_metric", self.max_series_per_metric)];
        match fields.into_iter().find(|(_, given)| *given == 0) {
            Some((field, given)) => Err(LimitError { field, given: given.to_string(), accepted: "at least 1" }),
            None => Ok(()),
        }
    }
}

/// Keeps the values of every label key, and the series of every metric, below a limit.
///
/// The first `max_label_values` values of a key stay as they are; each further one becomes one of
/// at most 16 others (see [`CardinalityLimits`]) and is counted. Known values stay known. A known
/// value costs two look-ups and a further one a hash, both under read locks and without an
/// allocation; nothing grows once the limits are reached.
///
/// Secrets are no label values: what looks like one, by its key or by itself, becomes a hash
/// ([`Redactor::redact_name`](crate::Redactor::redact_name)) when it is first met.
///
/// A handle: clones share everything. It reports health as `cardinality`: degraded while a key or a
/// metric is at its limit, healthy again when [`set_limits`](LabelLimiter::set_limits) raises it.
///
/// ```
/// use tta_telemetry::{CardinalityLimits, LabelLimiter};
/// let limits = CardinalityLimits { max_label_values: 2, ..CardinalityLimits::default() };
/// let limiter = LabelLimiter::new(limits)?;
/// let users: Vec<_> = ["ada", "bob", "eve", "ada"].map(|user| limiter.label("user", user)).into();
/// assert_eq!(users, ["ada", "bob", "user_hash_0000000f", "ada"]);
/// assert_eq!(limiter.stats().dropped_labels["user"], 1);
/// # Ok::<(), tta_telemetry::LimitError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LabelLimiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// For values that are met for the first time.
    redactor: SharedRedactor,
    limits: RwLock<CardinalityLimits>,
    keys: RwLock<HashMap<Name, Arc<LabelKey>>>,
    refused_keys: AtomicU64,
    metrics: Mutex<Vec<std::sync::Weak<SeriesCount>>>,
}

impl Default for LabelLimiter {
    fn default() -> Self {
        Self::within(CardinalityLimits::default())
    }
}

impl LabelLimiter {
    /// One that knows no value yet.
    ///
    /// # Errors
    /// The first limit that is outside its range.
    pub fn new(limits: CardinalityLimits) -> Result<Self, LimitError> {
        limits.check()?;
        Ok(Self::within(limits))
    }

    fn within(limits: CardinalityLimits) -> Self {
        Self(Arc::new(Shared {
            redactor: SharedRedactor::default(),
            limits: RwLock::new(limits),
            keys: RwLock::default(),
            refused_keys: AtomicU64::new(0),
            metrics: Mutex::default(),
        }))
    }

    /// The limits now.
    #[must_use]
    pub fn limits(&self) -> CardinalityLimits {
        *self.0.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other limits from now on. What is known stays known: under a lower limit nothing is added,
    /// under a higher one values that stood for others before may get series of their own.
    ///
    /// # Errors
    /// The first limit that is outside its range; the limits are then as they were.
    pub fn set_limits(&self, limits: CardinalityLimits) -> Result<(), LimitError> {
        limits.check()?;
        *self.0.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
        Ok(())
    }

    /// What a value of a label is recorded as: itself, or what stands for it.
    #[must_use]
    pub fn label(&self, key: &str, value: &str) -> Name {
        match self.key(key) {
            Some(key) => key.limit(value, &self.limits(), &self.0.redactor),
            None => Name::from(format!("{key}_other")),
        }
    }

    /// The redactor of the engine whose labels these are, and through which its values go.
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) fn redactor(&self) -> &SharedRedactor {
        &self.0.redactor
    }

    /// The key, which is met for the first time if there is room; `None` if there is not.
    fn key(&self, key: &str) -> Option<Arc<LabelKey>> {
        let known = self.0.keys.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        if known.is_some() {
            return known;
        }
        let mut keys = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keys.get(key) {
            return Some(Arc::clone(known));
        }
        if keys.len() >= MAX_KEYS || key.len() > MAX_TEXT_BYTES {
            self.0.refused_keys.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let name = Name::from(key.to_owned());
        Some(Arc::clone(keys.entry(name.clone()).or_insert_with(|| Arc::new(LabelKey::new(name)))))
    }

    /// Counts the series of a metric in the reports, as long as they live.
    fn watch(&self, metric: &Arc<SeriesCount>) {
        let mut metrics = self.0.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.retain(|known| known.strong_count() > 0);
        if metrics.len() < MAX_METRICS {
            metrics.push(Arc::downgrade(metric));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{HealthComponent, HealthStatus};

    fn limiter(max_label_values: usize, hash_high_cardinality: bool) -> LabelLimiter {
        let limits = CardinalityLimits { max_label_values, hash_high_cardinality, ..CardinalityLimits::default() };
        LabelLimiter::new(limits).unwrap()
    }

    #[test]
    fn the_defaults_are_the_documented_ones_and_nought_is_refused() {
        let limits = CardinalityLimits::default();
        assert_eq!((limits.max_label_values, limits.max_series_per_metric), (100, 1_000));
        assert!(limits.hash_high_cardinality);
        let none = CardinalityLimits { max_label_values: 0, ..limits };
        let error = LabelLimiter::new(none).unwrap_err();
        assert_eq!(error.to_string(), "limit `max_label_values` is 0, accepted is at least 1");
        let limiter = LabelLimiter::new(limits).unwrap();
        let error = limiter.set_limits(CardinalityLimits { max_series_per_metric: 0, ..limits }).unwrap_err();
        assert_eq!(error.to_string(), "limit `max_series_per_metric` is 0, accepted is at least 1");
        assert_eq!(limiter.limits(), limits);
    }

    #[test]
    fn values_beyond_the_limit_are_classed_by_the_first_digit_of_their_md5() {
        let limiter = limiter(1, true);
        // MD5: "a" 0cc175b9..., "b" 92eb5ffe..., "c" 4a8a08f0..., "hello" 5d41402a...
        let got = ["a", "b", "c", "hello", "a"].map(|value| limiter.label("user", value));
        assert_eq!(got, ["a", "user_hash_00000009", "user_hash_00000004", "user_hash_00000005", "a"]);
        let stats = limiter.stats();
        assert_eq!((stats.label_cardinality["user"], stats.dropped_labels["user"]), (1, 3));
    }

    #[test]
    fn keys_have_limits_of_their_own_and_too_many_keys_share_nothing_but_other() {
        let limiter = limiter(1, true);
        for key in 0..300 {
            let _ = limiter.label(&format!("key {key}"), "first");
        }
        assert_eq!(limiter.label("key 0", "first"), "first");
        assert_eq!(limiter.label("key 299", "first"), "key 299_other");
        assert_eq!(limiter.label(&"k".repeat(2_000), "first").len(), 2_006);
        assert_eq!((limiter.stats().total_labels, limiter.refused_keys()), (256, 46));
    }

    #[test]
    fn a_value_that_is_too_long_is_never_kept() {
        let limiter = limiter(5, false);
        assert_eq!(limiter.label("user", &"x".repeat(1_025)), "user_other");
        assert_eq!(limiter.label("user", &"x".repeat(1_024)).len(), 1_024);
        assert_eq!(limiter.stats().dropped_labels["user"], 1);
    }

    #[test]
    fn limits_that_change_keep_what_is_known() {
        let limiter = limiter(2, false);
        let labels = |values: [&str; 4]| values.map(|value| limiter.label("user", value).to_string());
        assert_eq!(labels(["a", "b", "c", "d"]), ["a", "b", "user_other", "user_other"]);
        limiter.set_limits(CardinalityLimits { max_label_values: 3, ..limiter.limits() }).unwrap();
        assert_eq!(labels(["a", "b", "c", "d"]), ["a", "b", "c", "user_other"]);
        let lower = CardinalityLimits { max_label_values: 1, hash_high_cardinality: true, ..limiter.limits() };
        limiter.set_limits(lower).unwrap();
        assert_eq!(labels(["a", "b", "c", "d"]), ["a", "b", "c", "user_hash_00000008"]);
        assert_eq!(limiter.stats().label_cardinality["user"], 3);
    }

    #[test]
    fn near_the_limit_is_a_warning_at_it_degraded_and_a_higher_limit_heals() {
        let limiter = limiter(10, true);
        assert_eq!(limiter.name(), "cardinality");
        let fill = |upto: usize| (0..upto).for_each(|value| drop(limiter.label("user", &value.to_string())));
        fill(7);
        assert_eq!((limiter.health().status, limiter.health().reason, limiter.warnings().len()), Default::default());
        fill(8);
        assert_eq!(limiter.health().status, HealthStatus::Healthy);
        assert_eq!(limiter.health().reason.unwrap(), "label `user` has 8 of at most 10 values");
        let near = CardinalityWarning {
            subject: CardinalitySubject::Label("user".into()),
            level: CardinalityLevel::Near,
            used: 8,
            limit: 10,
        };
        assert_eq!(limiter.warnings(), [near]);
        fill(10);
        assert_eq!(limiter.health().status, HealthStatus::Degraded);
        assert_eq!(limiter.health().reason.unwrap(), "label `user` has all of at most 10 values");
        limiter.set_limits(CardinalityLimits { max_label_values: 100, ..limiter.limits() }).unwrap();
        assert_eq!((limiter.health().status, limiter.health().reason), (HealthStatus::Healthy, None));
    }

    #[test]
    fn threads_that_race_for_the_last_place_do_not_pass_the_limit() {
        let limiter = limiter(50, true);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let limiter = limiter.clone();
                scope.spawn(move || (0..500).for_each(|i| drop(limiter.label("user", &format!("{}", i * 8 + thread)))));
            }
        });
        let stats = limiter.stats();
        assert_eq!((stats.label_cardinality["user"], stats.dropped_labels["user"]), (50, 3_950));
    }
}
