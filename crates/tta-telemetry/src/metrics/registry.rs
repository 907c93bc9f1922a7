//! The steps an engine has met, each with its cells.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::cells::StepCells;
use super::histogram::Histogram;
use crate::model::{Name, SpanStatus};

/// Steps kept apart; further ones share one entry called `other`.
const MAX_SERIES: usize = 1_000;

/// One step's cells, resolved once when the step first meets an engine.
#[derive(Debug)]
pub struct StepInstruments {
    workflow: Name,
    name: Name,
    kind: Name,
    order: u64,
    cells: StepCells,
}

impl StepInstruments {
    /// Counts one execution. Takes a few nanoseconds and never blocks.
    #[inline]
    pub fn record(&self, duration_ns: u64, status: SpanStatus) {
        self.cells.record(duration_ns, status);
    }
}

/// What an engine has counted of one step, over every run since its start.
#[derive(Clone, Debug, PartialEq)]
pub struct StepStatistics {
    /// The innermost named workflow the step belongs to.
    pub workflow: Name,
    /// The step.
    pub name: Name,
    /// What kind of primitive it is.
    pub kind: Name,
    /// Executions that returned.
    pub success: u64,
    /// Executions that failed or panicked.
    pub failure: u64,
    /// Executions that were cancelled.
    pub cancelled: u64,
    /// How long they took, in nanoseconds.
    pub durations: Histogram,
}

impl StepStatistics {
    /// All executions, however they ended.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.success + self.failure + self.cancelled
    }
}

#[derive(Debug, Default)]
pub(crate) struct InstrumentRegistry {
    steps: Mutex<HashMap<(Name, Name, Name), Arc<StepInstruments>>>,
    overflow: AtomicU64,
}

impl InstrumentRegistry {
    pub(crate) fn resolve(&self, workflow: &Name, name: &Name, kind: &Name) -> Arc<StepInstruments> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (workflow.clone(), name.clone(), kind.clone());
        if let Some(known) = steps.get(&key) {
            return Arc::clone(known);
        }
        if steps.len() >= MAX_SERIES {
            self.overflow.fetch_add(1, Ordering::Relaxed);
            key = ("other".into(), "other".into(), "other".into());
        }
        let order = steps.len() as u64;
        let (workflow, name, kind) = key.clone();
        let make = || Arc::new(StepInstruments { workflow, name, kind, order, cells: StepCells::new() });
        steps.entry(key).or_insert_with(make).clone()
    }

    /// How often a step was resolved to `other` because too many exist.
    pub(crate) fn overflow(&self) -> u64 {
        self.overflow.load(Ordering::Relaxed)
    }

    /// In the order in which the steps were first met.
    pub(crate) fn read(&self) -> Vec<StepStatistics> {
        let mut steps: Vec<_> = self.steps.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        steps.sort_by_key(|step| step.order);
        let read = |step: &Arc<StepInstruments>| {
            let totals = step.cells.read();
            StepStatistics {
                workflow: step.workflow.clone(),
                name: step.name.clone(),
                kind: step.kind.clone(),
                success: totals.success,
                failure: totals.failure,
                cancelled: totals.cancelled,
                durations: totals.durations,
            }
        };
        steps.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_step_resolves_to_the_same_cells() {
        let registry = InstrumentRegistry::default();
        let (w, n, k) = ("w".into(), "n".into(), "lambda".into());
        registry.resolve(&w, &n, &k).record(10, SpanStatus::Ok);
        registry.resolve(&w, &n, &k).record(20, SpanStatus::Error);
        let steps = registry.read();
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].runs(), steps[0].failure), (2, 1));
    }

    #[test]
    fn a_million_names_cannot_grow_the_registry() {
        let registry = InstrumentRegistry::default();
        for i in 0..5_000 {
            registry.resolve(&"w".into(), &Name::from(format!("step {i}")), &"lambda".into()).record(1, SpanStatus::Ok);
        }
        let steps = registry.read();
        assert_eq!(steps.len(), MAX_SERIES + 1);
        assert_eq!(registry.overflow(), 4_000);
        let other = steps.iter().find(|step| step.name == "other").unwrap();
        assert_eq!(other.runs(), 4_000);
    }
}
