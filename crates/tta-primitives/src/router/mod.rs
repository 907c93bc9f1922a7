//! One of several routes does the work, chosen by a strategy.
//!
//! The builder is in `config`, what it checks and works out in `plan`, the choice in `strategy`
//! (with `complexity` and `weights`), what is counted in `ledger`, read through `stats`, with
//! `history`, and for the engine in `metrics`; `run` takes the chosen route, and the next one when it fails. This file owns the type.

mod complexity;
mod config;
mod error;
mod history;
mod ledger;
mod metrics;
mod plan;
mod reason;
mod route;
mod run;
mod stats;
mod strategy;
mod weights;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::Name;

pub use complexity::complexity;
pub use config::RouterBuilder;
pub use error::RouterError;
pub use history::{RouteOutcome, RoutingDecision};
pub use reason::{RouteChoice, RouteReason};
pub use route::Route;
pub use stats::{RouteStats, RouterHandle, RouterStats};

use crate::decide::Decisions;
use crate::node::{Node, StepMeta};
use crate::per_engine::PerEngine;
use crate::policy::PolicyError;
use config::Predicate;
use ledger::{Ledger, Opening};
use metrics::RouteMetrics;
use reason::Verdict;
use strategy::Plan;

/// Latency that a failed call counts as having had, at least.
const FAILURE_LATENCY: Duration = Duration::from_secs(30);

/// One of several routes does the work. Made by [`router`]; clones are the same router.
///
/// The route taken is a span below the router's step, of kind `route`, under the route's name. The
/// step says `router.route`, `router.reason` and, where routes have costs, `router.cost_usd` and
/// (when a route answered) `router.savings_usd`.
///
/// When a route fails with an error that says that nothing was done (rate limited, circuit open,
/// bulkhead full; see [`RouterBuilder::reroute_when`]), the next best route is tried, and
/// `router.rerouted` says how many were. The errors before the answer count as handled. When all
/// fail, the error holds a [`RouterError`] with every cause. So routes are ways to do the same work;
/// where the input needs one of them and no other, use a [`switch`](crate::switch()), or
/// [`max_reroutes(0)`](RouterBuilder::max_reroutes).
///
/// The input is cloned for every route but the last that may follow: an `Arc` is cheap.
///
/// # Cancel safety
/// Dropping the run drops the route in progress, which counts as cancelled, and no other starts.
pub struct Router<In, Out> {
    inner: Arc<Inner<In, Out>>,
    cells: Cells,
}

struct Inner<In, Out> {
    name: Name,
    /// Those of `plan.names`.
    nodes: Vec<Arc<dyn Node>>,
    plan: Plan<In>,
    ledger: Arc<Ledger>,
    reroute_when: Option<Predicate>,
    max_reroutes: usize,
    types: PhantomData<fn(In) -> Out>,
}

/// What a router is recorded by. Each clone has its own, so that each place where the router
/// stands resolves them once, whatever workflows the others are in.
struct Cells {
    ways: Vec<WayCells>,
    verdicts: Decisions<Verdict>,
}

struct WayCells {
    meta: StepMeta,
    decisions: Decisions<RouteReason>,
    metrics: PerEngine<RouteMetrics>,
}

/// Starts a router: routes, then a strategy.
///
/// ```
/// # async fn small_model(question: String) -> Result<String, String> { Ok(question) }
/// # async fn large_model(question: String) -> Result<String, String> { Ok(question) }
/// use tta_primitives::{Context, Route, router, step};
/// use tta_telemetry::Usd;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let models = router()
///     .route(Route::to("fast", small_model).cost(Usd::from_micros(200)).quality(0.7))
///     .route(Route::to("best", large_model).cost(Usd::from_micros(3_000)).quality(0.95))
///     .by_cost()
///     .build()?;
/// let numbers = models.handle();
///
/// let answer = step(models).run("What is the capital of Peru?".to_owned(), &Context::new()).await?;
/// # assert_eq!(answer, "What is the capital of Peru?");
/// assert_eq!(numbers.stats().savings, Usd::from_micros(2_800));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub fn router<In: Send + 'static, Out: Send + 'static>() -> RouterBuilder<In, Out> {
    RouterBuilder::new()
}

impl<In: Clone + Send + 'static, Out: Send + 'static> RouterBuilder<In, Out> {
    /// Checks routes, strategy and parameters.
    ///
    /// # Errors
    /// The first parameter that is missing, out of its range or contradicts another.
    pub fn build(mut self) -> Result<Router<In, Out>, PolicyError> {
        let facts = plan::facts(&self)?;
        let quantile = plan::quantile(&self);
        let plan = plan::plan(&mut self, &facts)?;
        let opening = |facts: plan::Facts| Opening {
            name: facts.name,
            cost: facts.figures.cost,
            expected: facts.figures.latency,
            is_eligible: facts.is_eligible,
        };
        let ledger = Ledger::new(
            self.name.clone(),
            facts.into_iter().map(opening).collect(),
            quantile,
            self.settings.failure_latency.unwrap_or(FAILURE_LATENCY),
            self.settings.history,
        );
        Ok(Router::of(Arc::new(Inner {
            nodes: self.routes.into_iter().map(|route| route.node).collect(),
            plan,
            ledger: Arc::new(ledger),
            reroute_when: self.reroute_when,
            max_reroutes: self.settings.max_reroutes,
            name: self.name,
            types: PhantomData,
        })))
    }
}

impl<In, Out> Router<In, Out> {
    fn of(inner: Arc<Inner<In, Out>>) -> Self {
        let way = |(name, node): (&Name, &Arc<dyn Node>)| WayCells {
            meta: StepMeta::new(name.clone(), "route", node.meta().location),
            decisions: Decisions::about(inner.name.clone(), name.clone()),
            metrics: PerEngine::default(),
        };
        let ways = inner.plan.names.iter().zip(&inner.nodes).map(way).collect();
        let cells = Cells { ways, verdicts: Decisions::at(inner.name.clone()) };
        Self { inner, cells }
    }

    /// The router's numbers and last decisions, readable while it runs.
    #[must_use]
    pub fn handle(&self) -> RouterHandle {
        RouterHandle(Arc::clone(&self.inner.ledger))
    }
}

impl<In, Out> Clone for Router<In, Out> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.inner))
    }
}
