//! What the engine's metrics know of attempts that were of no use.

use std::sync::Arc;

use tta_telemetry::{Charge, CostPlace, Counter, Name, StepCost, Usd, catalog};

use crate::context::Context;

/// The category of what hedges enter into the cost report.
const CATEGORY: &str = "hedge";

/// Where a hedged step's waste is entered, in one engine and workflow.
#[derive(Debug)]
pub(super) struct HedgeMetrics {
    waste: Counter,
    account: Arc<StepCost>,
}

impl HedgeMetrics {
    /// `None` in an engine that records nothing.
    #[cold]
    pub(super) fn find(step: &Name, kind: &str, cx: &Context) -> Option<Arc<Self>> {
        let place =
            CostPlace { workflow: cx.workflow_name(), name: step, kind, category: CATEGORY, ..CostPlace::default() };
        let account = cx.telemetry().cost_account(&place)?;
        let waste = cx.telemetry().built_in_counter(&catalog::HEDGE_WASTE).with(&[step]).ok()?;
        Some(Arc::new(Self { waste, account }))
    }

    pub(super) fn wasted(&self, cost: Usd, cx: &Context) {
        self.waste.add(cost.nanos());
        self.account.record_for(cx.user_id(), &Charge::priced(cost));
    }
}
