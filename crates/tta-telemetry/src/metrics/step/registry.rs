//! The steps an engine has met, each with its labels and cells.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::super::bounds::Bounds;
use super::read::{Combined, StepStatistics};
use super::{PrimitiveMetrics, StepInstruments};
use crate::cardinality::{LabelLimiter, SeriesSet};
use crate::clock::Clock;
use crate::cost::CostTotals;
use crate::metrics::catalog;
use crate::metrics::definition::LATENCY_BUCKETS;
use crate::model::Name;
use crate::redaction::SharedRedactor;
use crate::slo::SloRegistry;

/// The steps that one engine has met.
#[derive(Debug)]
pub(crate) struct StepRegistry {
    clock: Clock,
    redactor: SharedRedactor,
    series: SeriesSet<StepInstruments>,
    bounds: Arc<Bounds>,
    /// Of those named primitives that have others.
    own_bounds: BTreeMap<Name, Arc<Bounds>>,
    /// Workflow, name and kind by number, which begin at 1.
    numbered: RwLock<Vec<[Name; 3]>>,
}

/// What takes the steps beyond the limit.
const OTHER: Name = Name::from_static("other");

impl StepRegistry {
    /// `buckets`: limits in seconds for primitives of a name, checked.
    pub(crate) fn new(clock: Clock, limiter: &LabelLimiter, buckets: &BTreeMap<Name, Vec<f64>>) -> Self {
        let bounds = |limits: &[f64]| Arc::new(Bounds::new(limits, 1e-9));
        Self {
            clock,
            redactor: limiter.redactor().clone(),
            series: SeriesSet::new(limiter, catalog::DURATION.name, catalog::DURATION.labels),
            bounds: bounds(&LATENCY_BUCKETS),
            own_bounds: buckets.iter().map(|(name, limits)| (name.clone(), bounds(limits))).collect(),
            numbered: RwLock::default(),
        }
    }

    pub(crate) fn resolve(&self, workflow: &str, name: &str, kind: &str, slos: &SloRegistry) -> Arc<StepInstruments> {
        let is_new = Cell::new(false);
        let make = || {
            is_new.set(true);
            let bounds = self.own_bounds.get(name).unwrap_or(&self.bounds);
            StepInstruments::new(self.next_number([workflow, name, kind]), self.clock.clone(), Arc::clone(bounds))
        };
        match self.series.resolve(&[workflow, name, kind], make) {
            Ok(step) => {
                // After it can be found, so that objectives configured meanwhile miss none.
                if is_new.get() {
                    slos.attach(&self.label(1, name), &step);
                    self.name_overflow(&step);
                }
                step
            }
            // There are as many values as keys.
            Err(error) => {
                debug_assert!(false, "{error}");
                Arc::new(make())
            }
        }
    }

    /// A label without secrets, whether or not there is room for it.
    fn label(&self, place: usize, value: &str) -> Name {
        let key = catalog::DURATION.labels.get(place).copied().unwrap_or_default();
        self.redactor.current().redacted_name(key, Name::from(value.to_owned()))
    }

    /// Numbers a step that is being made.
    fn next_number(&self, labels: [&str; 3]) -> u32 {
        let mut numbered = self.numbered.write().unwrap_or_else(PoisonError::into_inner);
        let [workflow, name, kind] = labels;
        numbered.push([self.label(0, workflow), self.label(1, name), self.label(2, kind)]);
        u32::try_from(numbered.len()).unwrap_or(0)
    }

    /// Steps beyond the limit have one number: it must not pass for the first of them.
    fn name_overflow(&self, step: &Arc<StepInstruments>) {
        let own = self
            .series
            .read()
            .iter()
            .any(|(labels, known)| Arc::ptr_eq(known, step) && labels.iter().any(|label| *label != OTHER));
        let mut numbered = self.numbered.write().unwrap_or_else(PoisonError::into_inner);
        let place = (step.number() as usize).checked_sub(1);
        if let Some(labels) = place.and_then(|place| numbered.get_mut(place)).filter(|_| !own) {
            *labels = [OTHER; 3];
        }
    }

    /// Workflow, name and kind of the step with this number.
    pub(crate) fn labels(&self, number: u32) -> Option<[Name; 3]> {
        let place = (number as usize).checked_sub(1)?;
        self.numbered.read().unwrap_or_else(PoisonError::into_inner).get(place).cloned()
    }

    /// The step of this workflow, name and kind, if it was met.
    pub(crate) fn find(&self, labels: &[Name; 3]) -> Option<Arc<StepInstruments>> {
        self.series.find(labels)
    }

    /// Every step with its workflow, name and kind, in the order in which they were met.
    pub(crate) fn all(&self) -> Vec<(Arc<[Name]>, Arc<StepInstruments>)> {
        self.series.read()
    }

    /// Ends what is over in every step's windows.
    pub(crate) fn fold(&self) {
        self.series.read().iter().for_each(|(_, step)| step.fold());
    }

    /// How often a step was resolved to `other` because too many exist.
    pub(crate) fn overflow(&self) -> u64 {
        self.series.overflow()
    }

    /// In the order in which the steps were first met.
    pub(crate) fn statistics(&self) -> Vec<StepStatistics> {
        let read = |(labels, step): (Arc<[Name]>, Arc<StepInstruments>)| {
            let totals = step.totals();
            let mut labels = labels.iter().cloned();
            let mut label = || labels.next().unwrap_or(Name::from_static(""));
            StepStatistics {
                workflow: label(),
                name: label(),
                kind: label(),
                success: totals.success,
                failure: totals.failure,
                cancelled: totals.cancelled,
                durations: totals.values,
            }
        };
        self.series.read().into_iter().map(read).collect()
    }

    /// The steps that are asked for by name, together under each name.
    pub(crate) fn metrics(
        &self,
        wanted: impl Fn(&str) -> bool,
        slos: impl Fn(&str) -> Vec<crate::slo::SloStatus>,
        cost: impl Fn(&str) -> CostTotals,
    ) -> Vec<PrimitiveMetrics> {
        let mut combined: BTreeMap<&str, Combined> = BTreeMap::new();
        let steps = self.series.read();
        for (labels, step) in &steps {
            let Some(name) = labels.get(1).map(Name::as_str).filter(|name| wanted(name)) else { continue };
            let mut read = step.read(true);
            for (kind, _) in &mut read.errors {
                *kind = self.redactor.current().redacted_name("error_type", kind.clone());
            }
            combined.entry(name).or_default().add(read);
        }
        let finish =
            |(name, combined): (&str, Combined)| combined.finish(Name::from(name.to_owned()), slos(name), cost(name));
        combined.into_iter().map(finish).collect()
    }
}
