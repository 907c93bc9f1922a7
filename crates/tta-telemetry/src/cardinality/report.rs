//! What is said of labels and series: statistics, warnings, health.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};

use super::LabelLimiter;
use super::keys::LabelKey;
use crate::health::{Health, HealthComponent};
use crate::model::Name;

/// The label that names a step.
const PRIMITIVE_NAME: &str = "primitive_name";
/// Warnings that a health reason tells one by one.
const MAX_TOLD: usize = 5;

/// What a [`LabelLimiter`] knows and has left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardinalityStats {
    /// By label key, how many values are known; those that stand for others are not among them.
    pub label_cardinality: BTreeMap<Name, u64>,
    /// By label key, how often a value was beyond the limit; keys of which none was are left out.
    pub dropped_labels: BTreeMap<Name, u64>,
    /// The limit now.
    pub max_label_values: u64,
    /// Whether values beyond the limit are classed by hash.
    pub hash_high_cardinality: bool,
    /// Known values of all keys together.
    pub total_labels: u64,
    /// Known values of the label `primitive_name`.
    pub unique_primitives: u64,
}

/// The series of one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSeries {
    /// The metric.
    pub metric: Name,
    /// Its series, without the one that takes the rest.
    pub series: u64,
    /// How often labels were resolved to the one that takes the rest.
    pub overflow: u64,
}

/// What is close to its limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CardinalitySubject {
    /// The values of a label key.
    Label(Name),
    /// The series of a metric.
    Metric(Name),
}

/// How close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CardinalityLevel {
    /// At 80 % of the limit or above.
    Near,
    /// At the limit: what is new from now on is not told apart.
    Full,
}

/// Something that is at 80 % of its limit or above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardinalityWarning {
    /// What.
    pub subject: CardinalitySubject,
    /// How close.
    pub level: CardinalityLevel,
    /// How many there are.
    pub used: u64,
    /// How many there may be.
    pub limit: u64,
}

impl CardinalityWarning {
    fn of(subject: CardinalitySubject, used: u64, limit: u64) -> Option<Self> {
        let level = if used >= limit {
            CardinalityLevel::Full
        } else if used.saturating_mul(5) >= limit.saturating_mul(4) {
            CardinalityLevel::Near
        } else {
            return None;
        };
        Some(Self { subject, level, used, limit })
    }
}

impl fmt::Display for CardinalityWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name, what) = match &self.subject {
            CardinalitySubject::Label(name) => ("label", name, "values"),
            CardinalitySubject::Metric(name) => ("metric", name, "series"),
        };
        match self.level {
            CardinalityLevel::Near => write!(f, "{kind} `{name}` has {} of at most {} {what}", self.used, self.limit),
            CardinalityLevel::Full => write!(f, "{kind} `{name}` has all of at most {} {what}", self.limit),
        }
    }
}

impl LabelLimiter {
    fn known_keys(&self) -> Vec<Arc<LabelKey>> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// What is known and what was left out.
    #[must_use]
    pub fn stats(&self) -> CardinalityStats {
        let (keys, limits) = (self.known_keys(), self.limits());
        let label_cardinality: BTreeMap<_, _> =
            keys.iter().map(|key| (key.name().clone(), key.known() as u64)).filter(|(_, known)| *known > 0).collect();
        let dropped = keys.iter().map(|key| (key.name().clone(), key.dropped()));
        CardinalityStats {
            dropped_labels: dropped.filter(|(_, dropped)| *dropped > 0).collect(),
            max_label_values: limits.max_label_values as u64,
            hash_high_cardinality: limits.hash_high_cardinality,
            total_labels: label_cardinality.values().sum(),
            unique_primitives: label_cardinality.get(PRIMITIVE_NAME).copied().unwrap_or(0),
            label_cardinality,
        }
    }

    /// The metrics and their series, by name.
    #[must_use]
    pub fn series(&self) -> Vec<MetricSeries> {
        let metrics = self.0.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = metrics.iter().filter_map(Weak::upgrade).map(|count| MetricSeries {
            metric: count.metric.clone(),
            series: count.series.load(Ordering::Relaxed) as u64,
            overflow: count.overflow.load(Ordering::Relaxed),
        });
        let mut series: Vec<_> = counted.collect();
        series.sort_by(|a, b| a.metric.cmp(&b.metric));
        series
    }

    /// How often a label key was refused because too many exist; its values are all `{key}_other`.
    #[must_use]
    pub fn refused_keys(&self) -> u64 {
        self.0.refused_keys.load(Ordering::Relaxed)
    }

    /// Label keys and metrics that are at 80 % of their limit or above: the fullest first, then
    /// by name.
    #[must_use]
    pub fn warnings(&self) -> Vec<CardinalityWarning> {
        let limits = self.limits();
        let keys = self.known_keys();
        let labels = keys.iter().filter_map(|key| {
            let subject = CardinalitySubject::Label(key.name().clone());
            CardinalityWarning::of(subject, key.known() as u64, limits.max_label_values as u64)
        });
        let series = self.series();
        let metrics = series.into_iter().filter_map(|metric| {
            let subject = CardinalitySubject::Metric(metric.metric);
            CardinalityWarning::of(subject, metric.series, limits.max_series_per_metric as u64)
        });
        let mut warnings: Vec<_> = labels.chain(metrics).collect();
        warnings.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.subject.cmp(&b.subject)));
        warnings
    }

    /// Bytes that labels hold on the heap; the series of metrics are not among them.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
        let places = keys.capacity() * (size_of::<(Name, Arc<LabelKey>)>() + 1);
        places + keys.values().map(|key| key.heap_bytes()).sum::<usize>()
    }
}

/// Degraded while anything is at its limit; healthy with a reason while anything is near it.
impl HealthComponent for LabelLimiter {
    fn name(&self) -> Name {
        Name::from_static("cardinality")
    }

    fn health(&self) -> Health {
        let warnings = self.warnings();
        let Some(worst) = warnings.iter().map(|warning| warning.level).max() else { return Health::healthy() };
        let mut reason = warnings.iter().take(MAX_TOLD).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if let Some(more) = warnings.len().checked_sub(MAX_TOLD).filter(|more| *more > 0) {
            reason.push_str(&format!(" and {more} more"));
        }
        match worst {
            CardinalityLevel::Full => Health::degraded(reason),
            CardinalityLevel::Near => Health { reason: Some(reason), ..Health::healthy() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cardinality::CardinalityLimits;

    #[test]
    fn a_reason_names_five_and_counts_the_rest() {
        let limits = CardinalityLimits { max_label_values: 1, ..CardinalityLimits::default() };
        let limiter = LabelLimiter::new(limits).unwrap();
        let _ = ["a", "b", "c", "d", "e", "f", "g"].map(|key| limiter.label(key, "x"));
        let reason = limiter.health().reason.unwrap();
        assert!(reason.starts_with("label `a` has all of at most 1 values, label `b`"), "{reason}");
        assert!(reason.ends_with("label `e` has all of at most 1 values and 2 more"), "{reason}");
    }

    #[test]
    fn primitives_are_counted_by_their_label() {
        let limiter = LabelLimiter::new(CardinalityLimits::default()).unwrap();
        let _ = ["a", "b", "a"].map(|name| limiter.label(PRIMITIVE_NAME, name));
        let _ = limiter.label("workflow", "w");
        let stats = limiter.stats();
        assert_eq!((stats.unique_primitives, stats.total_labels, stats.dropped_labels.len()), (2, 3, 0));
    }

    #[test]
    fn the_threshold_is_at_eighty_percent_and_not_below() {
        let level = |used, limit| {
            CardinalityWarning::of(CardinalitySubject::Label("user".into()), used, limit).map(|warning| warning.level)
        };
        assert_eq!(
            (level(79, 100), level(80, 100), level(99, 100)),
            (None, Some(CardinalityLevel::Near), Some(CardinalityLevel::Near))
        );
        assert_eq!((level(100, 100), level(120, 100)), (Some(CardinalityLevel::Full), Some(CardinalityLevel::Full)));
        assert_eq!((level(0, 1), level(1, 1)), (None, Some(CardinalityLevel::Full)));
    }
}
