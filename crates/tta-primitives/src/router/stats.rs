//! What a router says about itself while it runs.

use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{Name, Usd};

use super::history::{Entry, RouteOutcome, RoutingDecision};
use super::ledger::{Account, Ledger};
use super::reason::RouteReason;

/// A router's numbers and last decisions, readable while it runs. Made by
/// [`Router::handle`](crate::Router::handle); cheap to clone, and knows nothing of types.
#[derive(Clone, Debug)]
pub struct RouterHandle(pub(super) Arc<Ledger>);

/// A router's numbers since it was built, over every workflow and engine that it is used in.
///
/// Each number is exact; a call that ends while they are read may be in one and not yet in another.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RouterStats {
    /// The router's name.
    pub name: Name,
    /// Its routes, in the order given.
    pub routes: Vec<RouteStats>,
    /// What the calls of all routes cost.
    pub cost: Usd,
    /// What they would have cost more, had the dearest eligible route answered. Only for inputs
    /// that a route answered; what was spent on them before, on routes that failed, is taken off.
    pub savings: Usd,
    /// The savings' share of what all would have cost: from 0 to 1, and 0 when nothing was spent.
    pub savings_rate: f64,
    /// Inputs for which no route could be chosen.
    pub unroutable: u64,
    /// Decisions that the history left out because it was being written or read.
    pub skipped_history: u64,
}

/// One route's numbers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RouteStats {
    /// The route's name.
    pub name: Name,
    /// How often it was chosen, for each reason that it ever was.
    pub chosen: Vec<(RouteReason, u64)>,
    /// Calls that answered.
    pub successes: u64,
    /// Calls that failed otherwise than by being refused.
    pub failures: u64,
    /// Calls that were not done: rate limited, circuit open, bulkhead full.
    pub refusals: u64,
    /// Calls that were dropped or told to stop.
    pub cancelled: u64,
    /// What its calls cost: all but those that were refused.
    pub cost: Usd,
    /// What it saved.
    pub savings: Usd,
    /// Its latency at the router's percentile over the last 30 to 60 seconds; `None` while too
    /// little is known, and when the router does not measure it.
    pub latency: Option<Duration>,
}

impl RouterHandle {
    /// The router's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.0.name
    }

    /// All numbers.
    #[must_use]
    pub fn stats(&self) -> RouterStats {
        let routes: Vec<RouteStats> = self.0.routes().iter().map(|route| read(route, &self.0)).collect();
        let cost: Usd = routes.iter().map(|route| route.cost).sum();
        let savings: Usd = routes.iter().map(|route| route.savings).sum();
        let whole = (cost + savings).dollars();
        RouterStats {
            name: self.0.name.clone(),
            routes,
            cost,
            savings,
            savings_rate: if whole > 0.0 { savings.dollars() / whole } else { 0.0 },
            unroutable: self.0.unroutable(),
            skipped_history: self.0.history.skipped(),
        }
    }

    /// The last decisions, oldest first: as many as
    /// [`RouterBuilder::history`](crate::RouterBuilder::history) says.
    #[must_use]
    pub fn history(&self) -> Vec<RoutingDecision> {
        let routes = self.0.routes();
        let decision = |entry: Entry| {
            let Entry { route, reason, outcome, ended, trace_id } = entry;
            let ended_unix_ns = self.0.unix_ns(ended);
            let route = routes.get(route)?.name.clone();
            Some(RoutingDecision { route, reason, outcome, ended_unix_ns, trace_id })
        };
        self.0.history.read().into_iter().filter_map(decision).collect()
    }
}

impl RouteStats {
    /// How often it was chosen, for whatever reason.
    #[must_use]
    pub fn times_chosen(&self) -> u64 {
        self.chosen.iter().map(|(_, count)| count).sum()
    }
}

impl RouterStats {
    /// One route's numbers, by its name.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<&RouteStats> {
        self.routes.iter().find(|route| route.name.as_str() == name)
    }
}

fn read(route: &Account, ledger: &Ledger) -> RouteStats {
    RouteStats {
        name: route.name.clone(),
        chosen: route.chosen().collect(),
        successes: route.count(RouteOutcome::Succeeded),
        failures: route.count(RouteOutcome::Failed),
        refusals: route.count(RouteOutcome::Refused),
        cancelled: route.count(RouteOutcome::Cancelled),
        cost: route.spent(),
        savings: route.saved(),
        latency: route.recent_latency(ledger),
    }
}
