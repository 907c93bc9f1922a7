//! How many traces each rule, or sampler of the program, decided about.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::model::RuleName;

/// Names that are counted apart; decisions by further ones are counted together.
const MOST_NAMES: usize = 1_000;

/// Counts by name. Written in the background, once for each such decision, so a lock will do.
#[derive(Debug, Default)]
pub(crate) struct ByRule(Mutex<RuleDecisions>);

/// What was decided by rules and samplers, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RuleDecisions {
    /// As the reason they are (`rule:<name>`): kept and dropped.
    pub(crate) named: BTreeMap<String, [u64; 2]>,
    /// Those beyond the 1,000th name.
    pub(crate) others: [u64; 2],
}

impl ByRule {
    #[cold]
    pub(crate) fn note(&self, name: RuleName, keep: bool) {
        let RuleDecisions { named, others } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = crate::model::DecisionReason::Rule(name);
        let counts = if let Some(counts) = named.get_mut(reason.as_str()) {
            counts
        } else if named.len() < MOST_NAMES {
            named.entry(reason.to_string()).or_default()
        } else {
            others
        };
        let [kept, dropped] = counts;
        *(if keep { kept } else { dropped }) += 1;
    }

    pub(crate) fn read(&self) -> RuleDecisions {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_apart_up_to_a_thousand_and_together_beyond() {
        let counts = ByRule::default();
        for number in 0..MOST_NAMES + 5 {
            counts.note(format!("r{number}").parse().unwrap(), number % 2 == 0);
        }
        counts.note("r0".parse().unwrap(), false);
        let read = counts.read();
        assert_eq!(read.named.len(), MOST_NAMES);
        assert_eq!((read.named["rule:r0"], read.named["rule:r1"], read.others), ([1, 1], [0, 1], [3, 2]));
    }
}
