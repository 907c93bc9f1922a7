//! Metrics that are read where they are when somebody asks, and how all readings become one.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::catalog::{BuiltIn, Merge};
use super::sample::{MetricFamily, MetricPoint, MetricValue};
use crate::model::Name;
use crate::redaction::SharedRedactor;

/// Something that knows values of tta's own metrics: a circuit its state, a cache its entries.
///
/// It is asked by every scrape, so it must be quick and must not block. One that panics is left out
/// of that scrape and counted
/// ([`RecorderCounters::metric_source_panics`](crate::RecorderCounters::metric_source_panics)).
pub trait MetricSource: Send + Sync + 'static {
    /// Adds what it knows.
    fn collect(&self, out: &mut MetricCollector);
}

/// Takes the values of sources, and makes families of them in which each series is there once.
#[derive(Debug, Default)]
pub struct MetricCollector {
    redactor: SharedRedactor,
    families: BTreeMap<Name, Collected>,
}

#[derive(Debug)]
struct Collected {
    family: MetricFamily,
    merge: Merge,
    /// Where the series of these label values is.
    places: HashMap<Vec<Name>, usize>,
}

impl MetricCollector {
    /// Adds a counter's value: what was counted so far.
    pub fn count(&mut self, metric: &'static BuiltIn, labels: &[&Name], count: u64) {
        self.add_named(metric, labels, MetricValue::Count(count));
    }

    /// Adds a gauge's value, or that of a counter with fractions. One that is infinite or not a
    /// number is left out.
    pub fn number(&mut self, metric: &'static BuiltIn, labels: &[&Name], number: f64) {
        if number.is_finite() {
            self.add_named(metric, labels, MetricValue::Number(number));
        }
    }

    /// What sources call their things by is up to them: no secrets become labels.
    fn add_named(&mut self, metric: &'static BuiltIn, labels: &[&Name], value: MetricValue) {
        let redacted: Vec<Name> = {
            let redactor = self.redactor.current();
            let keyed = metric.labels.iter().zip(labels);
            keyed.map(|(key, label)| redactor.redacted_name(key, (*label).clone())).collect()
        };
        self.add(metric, redacted, value);
    }

    /// One whose labels go through this engine's redactor.
    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) fn of(redactor: &SharedRedactor) -> Self {
        Self { redactor: redactor.clone(), families: BTreeMap::new() }
    }

    #[cfg_attr(not(feature = "record"), allow(dead_code))]
    pub(crate) fn redactor(&self) -> &SharedRedactor {
        &self.redactor
    }

    /// Adds a value; labels are as many as the metric has, and have been redacted.
    pub(crate) fn add(&mut self, metric: &'static BuiltIn, labels: impl IntoIterator<Item = Name>, value: MetricValue) {
        let labels: Vec<Name> = labels.into_iter().collect();
        debug_assert_eq!(labels.len(), metric.labels.len(), "labels of {}", metric.name);
        let collected = self.families.entry(Name::from_static(metric.name)).or_insert_with(|| Collected {
            family: metric.family(),
            merge: metric.merge,
            places: HashMap::new(),
        });
        let points = &mut collected.family.points;
        match collected.places.entry(labels) {
            Entry::Occupied(known) => {
                if let Some(point) = points.get_mut(*known.get()) {
                    merge(&mut point.value, value, collected.merge);
                }
            }
            Entry::Vacant(new) => {
                let keys = metric.labels.iter().map(|key| Name::from_static(key));
                points.push(MetricPoint { labels: keys.zip(new.key().iter().cloned()).collect(), value });
                new.insert(points.len() - 1);
            }
        }
    }

    /// Adds a family as it is; one of that name is replaced.
    pub(crate) fn family(&mut self, family: MetricFamily) {
        let merge = Merge::Sum;
        self.families.insert(family.name.clone(), Collected { family, merge, places: HashMap::new() });
    }

    /// By name, without those that have no series.
    pub(crate) fn finish(self) -> Vec<MetricFamily> {
        let families = self.families.into_values().map(|collected| collected.family);
        families.filter(|family| !family.points.is_empty()).collect()
    }
}

fn merge(into: &mut MetricValue, value: MetricValue, how: Merge) {
    match (into, value) {
        (MetricValue::Count(into), MetricValue::Count(value)) => *into = into.saturating_add(value),
        (MetricValue::Number(into), MetricValue::Number(value)) => {
            *into = match how {
                Merge::Sum => *into + value,
                Merge::Max => into.max(value),
                Merge::Min => into.min(value),
            };
        }
        (MetricValue::Histogram(into), MetricValue::Histogram(value)) if into.limits == value.limits => {
            into.values.merge(&value.values);
            into.count = into.count.saturating_add(value.count);
            into.sum += value.sum;
            into.cumulative.iter_mut().zip(&value.cumulative).for_each(|(into, value)| *into += value);
        }
        (into, value) => debug_assert!(false, "{into:?} and {value:?} are of one series"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog;
    use super::*;

    #[test]
    fn several_sources_of_one_series_make_one_value() {
        let mut out = MetricCollector::default();
        let (a, b) = (Name::from_static("a"), Name::from_static("b"));
        for (name, state, rejected) in [(&a, 0.0, 3), (&b, 1.0, 0), (&a, 2.0, 4)] {
            out.number(&catalog::CIRCUIT_STATE, &[name], state);
            out.count(&catalog::CIRCUIT_REJECTED, &[name], rejected);
            out.number(&catalog::BULKHEAD_ACTIVE, &[name], state);
            out.number(&catalog::RETRY_BUDGET, &[name], state);
        }
        out.number(&catalog::CIRCUIT_STATE, &[&b], f64::NAN);
        let families = out.finish();
        let of = |metric: &str, name: &str| {
            let family = families.iter().find(|family| family.name == metric).unwrap();
            family.value(&[("primitive_name", name)]).unwrap().as_f64()
        };
        let values = |name| {
            ["circuit_state", "circuit_rejected_total", "bulkhead_active", "retry_budget_remaining"]
                .map(|metric| of(metric, name))
        };
        assert_eq!(values("a"), [2.0, 7.0, 2.0, 0.0]);
        assert_eq!(values("b"), [1.0, 0.0, 1.0, 1.0]);
    }
}
