//! A budget on stored traces: windows by the ends of their roots.

use super::copies;
use crate::model::SpanRecord;
use crate::sampling::budget::{RateBudget, RateBudgetConfig};
use crate::sampling::tail::{FinishedTrace, TailDecision, TailPolicy};

#[derive(Debug)]
pub(super) struct Load {
    config: RateBudgetConfig,
    window_ns: u64,
    /// The budget, and when its window under way began; from the first trace on.
    running: Option<(RateBudget, u64)>,
}

impl Load {
    /// `None` without a limit.
    pub(super) fn new(config: &RateBudgetConfig) -> Option<Self> {
        let is_limited = config.max_traces_per_second.is_some() || config.max_bytes_per_second.is_some();
        let window_ns = u64::try_from(config.window.as_nanos()).unwrap_or(u64::MAX);
        is_limited.then(|| Self { config: config.clone(), window_ns, running: None })
    }

    pub(super) fn decide(
        &mut self,
        tail: &TailPolicy,
        finished: &FinishedTrace,
        root: Option<&SpanRecord>,
        weight: Option<f64>,
    ) -> TailDecision {
        self.advance(root.map_or(0, SpanRecord::end_unix_ns));
        let budget = self.running.as_ref().map(|(budget, _)| budget);
        // Those that are not there any more were offered as well.
        for _ in 1..copies(weight) {
            let _ = tail.decide(finished, budget);
        }
        tail.decide(finished, budget)
    }

    /// Ends windows as they would have ended, also where no trace says so.
    fn advance(&mut self, now_ns: u64) {
        let Some((budget, start_ns)) = &mut self.running else {
            self.running = RateBudget::new(self.config.clone(), now_ns).ok().map(|budget| (budget, now_ns));
            return;
        };
        let passed = now_ns.saturating_sub(*start_ns);
        if passed < self.window_ns {
            return;
        }
        *start_ns = start_ns.saturating_add(self.window_ns);
        budget.advance(*start_ns);
        // Nothing came in those between: the last of them lets everything through.
        let idle = (passed / self.window_ns).saturating_sub(1);
        if idle > 0 {
            *start_ns = start_ns.saturating_add(idle.saturating_mul(self.window_ns));
            budget.advance(*start_ns);
        }
    }
}
