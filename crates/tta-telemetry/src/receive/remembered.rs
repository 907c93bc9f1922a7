//! What was decided about the latest traces, for spans that come later.

use hashbrown::HashMap;

use crate::id::TraceId;
use crate::sampling::TailDecision;

/// A bounded memory of decisions: two generations, of which the older is forgotten as a whole when
/// the younger is full. So it holds the latest half of its bound at least.
#[derive(Debug)]
pub(super) struct Remembered {
    most: usize,
    young: HashMap<TraceId, TailDecision>,
    old: HashMap<TraceId, TailDecision>,
}

impl Remembered {
    pub(super) fn new(most: usize) -> Self {
        Self { most, young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn add(&mut self, trace: TraceId, decision: TailDecision) {
        if self.most == 0 {
            return;
        }
        if self.young.len() >= self.most.div_ceil(2) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(trace, decision);
    }

    pub(super) fn get(&self, trace: TraceId) -> Option<TailDecision> {
        self.young.get(&trace).or_else(|| self.old.get(&trace)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DecisionReason, SamplingDecision};

    #[test]
    fn the_latest_half_is_always_there_and_never_more_than_the_bound() {
        let decision = |rate| TailDecision {
            decision: SamplingDecision { keep: true, rate, reason: DecisionReason::TailError, sampler: "tail" },
            adjusted_count: Some(1.0),
            is_excluded: false,
        };
        let id = |number: u32| TraceId::new(number.into()).unwrap();
        let mut remembered = Remembered::new(10);
        for number in 1..=1_000_u32 {
            remembered.add(id(number), decision(f64::from(number)));
            let there = |number: &u32| remembered.get(id(*number)).is_some();
            assert!((number.saturating_sub(4).max(1)..=number).all(|number| there(&number)));
            assert!((1..=number).filter(there).count() <= 10);
        }
        assert_eq!(remembered.get(id(1_000)).map(|known| known.decision.rate), Some(1_000.0));
        let mut none = Remembered::new(0);
        none.add(id(1), decision(1.0));
        assert_eq!(none.get(id(1)), None);
    }
}
