//! What the engine's metrics know of a route: times, errors, money.
//!
//! Counts of decisions derive from the decisions. These are of one engine and workflow each; what a
//! router's handle tells (see `ledger`) is of all together.

use std::sync::Arc;

use tta_telemetry::{Charge, CostPlace, Counter, HistogramRecorder, Name, SavingsSource, StepCost, Usd, catalog};

use crate::context::Context;
use crate::error::ErrorKind;

/// The category of what routers enter into the cost report.
const CATEGORY: &str = "router";

/// A route's instruments in one engine and workflow.
#[derive(Debug)]
pub(super) struct RouteMetrics {
    pub(super) seconds: HistogramRecorder,
    /// Where a route of this router has a price.
    money: Option<Money>,
    router: Name,
    route: Name,
}

#[derive(Debug)]
struct Money {
    cost: Counter,
    savings: Counter,
    account: Arc<StepCost>,
}

impl Money {
    fn find(router: &str, labels: [&str; 2], cx: &Context) -> Option<Self> {
        let place = CostPlace {
            workflow: cx.workflow_name(),
            name: router,
            kind: "router",
            category: CATEGORY,
            ..CostPlace::default()
        };
        let counter = |metric| cx.telemetry().built_in_counter(metric).with(&labels).ok();
        Some(Self {
            cost: counter(&catalog::ROUTER_COST)?,
            savings: counter(&catalog::ROUTER_SAVINGS)?,
            account: cx.telemetry().cost_account(&place)?,
        })
    }
}

impl RouteMetrics {
    /// `None` in an engine that records nothing.
    #[cold]
    pub(super) fn find(router: &Name, route: &Name, has_costs: bool, cx: &Context) -> Option<Arc<Self>> {
        let telemetry = cx.telemetry();
        if !telemetry.is_enabled() {
            return None;
        }
        let labels = [router.as_str(), route.as_str()];
        let seconds = telemetry.built_in_histogram(&catalog::ROUTER_EXECUTION).with(&labels).ok()?;
        let money = if has_costs { Money::find(router, labels, cx) } else { None };
        Some(Arc::new(Self { seconds, money, router: router.clone(), route: route.clone() }))
    }

    /// A call has ended that cost this and saved that.
    #[inline]
    pub(super) fn charge(&self, cost: Usd, saved: Usd, cx: &Context) {
        let Some(money) = &self.money else { return };
        money.cost.add(cost.nanos());
        let mut charge = Charge::priced(cost);
        if saved > Usd::ZERO {
            money.savings.add(saved.nanos());
            charge = charge.saving(SavingsSource::Routing, saved);
        }
        money.account.record_for(cx.user_id(), &charge);
    }

    /// A call has failed. Kinds are few, so a look-up beside an error does.
    #[cold]
    pub(super) fn failed(&self, kind: ErrorKind, cx: &Context) {
        let errors = cx.telemetry().built_in_counter(&catalog::ROUTER_ERRORS);
        if let Ok(errors) = errors.with(&[&self.router, &self.route, kind.as_str()]) {
            errors.add(1);
        }
    }
}
