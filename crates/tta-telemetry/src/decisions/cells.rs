//! The counts of decisions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{DecisionKey, MAX_OUTCOMES};
use crate::metrics::CounterArray;
use crate::model::Name;
use crate::redaction::Redactor;

/// Keys that are counted apart; further ones are counted together, per family, as `other`.
const MAX_KEYS: usize = 1_000;

/// The counts of one key, resolved once when a primitive first meets an engine.
#[derive(Debug)]
pub struct DecisionCells {
    key: DecisionKey,
    outcomes: &'static [&'static str],
    order: u64,
    counts: CounterArray<MAX_OUTCOMES>,
}

impl DecisionCells {
    fn new(key: DecisionKey, outcomes: &'static [&'static str], order: u64) -> Self {
        debug_assert!(outcomes.len() <= MAX_OUTCOMES, "{} has too many outcomes", key.family);
        Self { key, outcomes, order, counts: CounterArray::default() }
    }

    /// Where these decisions are made.
    #[must_use]
    pub fn key(&self) -> &DecisionKey {
        &self.key
    }

    /// Counts a decision, by its place in the family's outcomes. Takes a few nanoseconds and never
    /// blocks. A place beyond [`MAX_OUTCOMES`] is ignored.
    #[inline]
    pub fn count(&self, outcome: usize) {
        self.counts.add(outcome, 1);
    }
}

/// How often one outcome was decided, over every run since the engine's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionCount {
    /// Where.
    pub key: DecisionKey,
    /// What.
    pub outcome: &'static str,
    /// How often.
    pub count: u64,
}

#[derive(Debug, Default)]
pub(crate) struct DecisionRegistry {
    known: Mutex<HashMap<DecisionKey, Arc<DecisionCells>>>,
    overflow: AtomicU64,
}

impl DecisionRegistry {
    pub(crate) fn resolve(&self, key: &DecisionKey, outcomes: &'static [&'static str]) -> Arc<DecisionCells> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cells) = known.get(key) {
            return Arc::clone(cells);
        }
        let mut key = key.clone();
        if known.len() >= MAX_KEYS {
            self.overflow.fetch_add(1, Ordering::Relaxed);
            let other = Name::from_static("other");
            key = DecisionKey { workflow: other.clone(), primitive: other.clone(), subject: other, ..key };
        }
        let order = known.len() as u64;
        known.entry(key.clone()).or_insert_with(|| Arc::new(DecisionCells::new(key, outcomes, order))).clone()
    }

    /// How often a key was resolved to `other` because too many exist.
    pub(crate) fn overflow(&self) -> u64 {
        self.overflow.load(Ordering::Relaxed)
    }

    /// Every outcome of every key, those that never happened as 0, in the order in which the keys
    /// were first met.
    pub(crate) fn read(&self, redactor: &Redactor) -> Vec<DecisionCount> {
        let mut known: Vec<_> = self.known.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        known.sort_by_key(|cells| cells.order);
        let read = |cells: &Arc<DecisionCells>| -> Vec<DecisionCount> {
            let key = cells.key.redacted(redactor);
            let counted = cells.outcomes.iter().zip(cells.counts.read());
            counted.map(|(outcome, count)| DecisionCount { key: key.clone(), outcome, count }).collect()
        };
        known.iter().flat_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: &[&str] = &["allowed", "rejected"];

    fn redactor() -> Redactor {
        Redactor::new(&Default::default(), [0; 32])
    }

    fn key(primitive: &str) -> DecisionKey {
        let name = |text: &str| Name::from(text.to_owned());
        DecisionKey { workflow: name("w"), primitive: name(primitive), family: "circuit", subject: name("") }
    }

    #[test]
    fn outcomes_are_counted_apart_and_those_that_never_happened_are_zero() {
        let registry = DecisionRegistry::default();
        registry.resolve(&key("a"), OUTCOMES).count(1);
        registry.resolve(&key("a"), OUTCOMES).count(1);
        registry.resolve(&key("b"), OUTCOMES).count(0);
        let counts: Vec<_> = registry
            .read(&redactor())
            .into_iter()
            .map(|count| (count.key.primitive, count.outcome, count.count))
            .collect();
        let want = [("a", "allowed", 0), ("a", "rejected", 2), ("b", "allowed", 1), ("b", "rejected", 0)];
        assert_eq!(counts, want.map(|(name, outcome, count)| (Name::from(name.to_owned()), outcome, count)));
    }

    #[test]
    fn thousands_of_keys_cannot_grow_the_registry() {
        let registry = DecisionRegistry::default();
        for i in 0..3_000 {
            registry.resolve(&key(&format!("step {i}")), OUTCOMES).count(0);
        }
        let counts = registry.read(&redactor());
        assert_eq!(counts.len(), (MAX_KEYS + 1) * OUTCOMES.len());
        assert_eq!(registry.overflow(), 2_000);
        assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), 3_000);
    }
}
