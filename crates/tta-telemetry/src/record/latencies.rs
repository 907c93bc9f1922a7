//! How long runs take by the exact metrics, for rules that name a quantile.
//!
//! Owns what was last read; does not own the durations, or when they are read (housekeeping, about
//! once a second). Decisions see one reading until the next: what a trace is compared with was known
//! before it is decided about, and depends on all runs, whichever were kept.

use std::collections::HashMap;

use crate::metrics::StepRegistry;
use crate::model::{Name, SpanRecord};
use crate::rules::Quantile;

/// Nanoseconds by name and kind of a root, for each quantile that rules name.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    quantiles: Vec<Quantile>,
    /// As many as the registry has steps at most, which is bounded.
    known: HashMap<[Name; 2], Vec<Option<u64>>>,
}

impl Latencies {
    /// Reads the last five minutes of every workflow.
    pub(super) fn read(quantiles: &[Quantile], steps: &StepRegistry) -> Self {
        let mut known = HashMap::new();
        for (labels, step) in steps.all() {
            let [workflow, name, kind] = &*labels else { continue };
            // The run itself, not one of its steps.
            if workflow != name || name.is_empty() {
                continue;
            }
            let durations = step.last_five_minutes();
            let found = quantiles.iter().map(|quantile| quantile.of(&durations)).collect();
            known.insert([name.clone(), kind.clone()], found);
        }
        Self { quantiles: quantiles.to_vec(), known }
    }

    pub(super) fn of(&self, root: &SpanRecord, quantile: Quantile) -> Option<u64> {
        let place = self.quantiles.iter().position(|known| *known == quantile)?;
        self.known.get(&[root.name.clone(), root.kind.clone()])?.get(place).copied().flatten()
    }
}
