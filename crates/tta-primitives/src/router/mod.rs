//! One of several routes does the work, chosen by a strategy.
//!
//! The builder is in `config`, what it checks and works out in `plan`, the choice in `strategy`
//! (with `complexity` and `weights`), what is counted in `ledger`, read through `stats`, with
//! `history`. This file runs the chosen route, and the next one when it fails.

mod complexity;
mod config;
mod error;
mod history;
mod ledger;
mod plan;
mod reason;
mod route;
mod stats;
mod strategy;
mod weights;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{Name, SpanId, Usd, ValueRef};

pub use complexity::complexity;
pub use config::RouterBuilder;
pub use error::RouterError;
pub use history::{RouteOutcome, RoutingDecision};
pub use reason::{RouteChoice, RouteReason};
pub use route::Route;
pub use stats::{RouteStats, RouterHandle, RouterStats};

use crate::context::Context;
use crate::decide::Decisions;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::node::{Node, StepMeta, missing_value};
use crate::observe::{InSpan, StepRecorder};
use crate::policy::PolicyError;
use crate::primitive::Primitive;
use crate::workflow::{run_bare, stopped};
use config::Predicate;
use ledger::{Ledger, Opening, is_refusal};
use reason::Verdict;
use strategy::{Choice, Plan, Strategy, Tried};

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
/// fail, the error holds a [`RouterError`] with every cause.
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

/// What came of one route's call.
struct Called<Out> {
    result: Result<Out>,
    span: Option<SpanId>,
    /// On this input so far.
    spent: Usd,
}

/// The routes that failed on one input.
#[derive(Default)]
struct Failures {
    errors: Vec<Error>,
    spans: Vec<SpanId>,
}

impl<In: Clone + Send + 'static, Out: Send + 'static> Router<In, Out> {
    /// Chooses; an input for which there is no route is counted.
    #[inline]
    fn choose(&self, input: &In, cx: &Context) -> Result<Choice> {
        let choice = self.inner.plan.choose(input, &self.inner.ledger, cx);
        if choice.is_err() {
            self.inner.ledger.count_unroutable();
            self.cells.verdicts.record(Verdict::NoRoute, &[], cx);
        }
        choice
    }

    /// Runs a route under a span of its own, with an entry in the ledger.
    async fn call(&self, choice: &Choice, input: In, spent: Usd, cx: &Context) -> Called<Out> {
        let (Some(node), Some(way)) = (self.inner.nodes.get(choice.route), self.cells.ways.get(choice.route)) else {
            return Called { result: Err(missing_value()), span: None, spent };
        };
        let route = ("router.route", ValueRef::from(&way.meta.name));
        match &choice.cause {
            None => way.decisions.record(choice.reason, &[route], cx),
            Some(cause) => {
                way.decisions.record(choice.reason, &[route, ("router.cause", ValueRef::from(cause))], cx);
            }
        }
        let call = self.inner.ledger.begin(choice.route, choice.reason, spent, cx);
        let mut recorder = StepRecorder::new(cx);
        if cx.is_recording() {
            recorder.open(&way.meta, cx.span_id(), None);
        }
        let span = recorder.id();
        let result = InSpan::new(cx, span, run_bare(&**node, input, cx)).await;
        let ended = recorder.close(result.as_ref().map(drop));
        let spent = call.end(result.as_ref().map(drop), ended);
        Called { result: result.map_err(|error| error.within(&way.meta.name)), span, spent }
    }

    /// Whether another route may be tried after this error. Told to stop is not failed.
    fn may_go_on(&self, error: &Error, cx: &Context) -> bool {
        if cx.is_cancelled() && error.kind() == ErrorKind::Cancelled {
            return false;
        }
        match &self.inner.reroute_when {
            Some(predicate) => predicate(error),
            None => is_refusal(error.kind()),
        }
    }

    /// Puts on the step's span what the input cost, and how many routes failed before the end.
    #[inline]
    fn annotate(&self, spent: Usd, is_answered: bool, reroutes: usize, cx: &Context) {
        if !cx.is_recording() {
            return;
        }
        let has_costs = self.inner.ledger.has_costs();
        let cost = has_costs.then(|| ("router.cost_usd", ValueRef::from(spent.dollars())));
        let savings = (has_costs && is_answered)
            .then(|| ("router.savings_usd", ValueRef::from(self.inner.ledger.savings(spent).dollars())));
        let rerouted = (reroutes > 0).then(|| ("router.rerouted", ValueRef::from(reroutes)));
        if has_costs || reroutes > 0 {
            cx.annotate(cost.iter().chain(&savings).chain(&rerouted));
        }
    }

    /// What the step fails with: the only route's error as it is, or every cause.
    #[cold]
    fn fail(&self, mut failures: Failures, error: Error, cx: &Context) -> Error {
        if failures.errors.is_empty() {
            return error;
        }
        failures.errors.push(error);
        self.cells.verdicts.record(Verdict::Exhausted, &[], cx);
        Error::from_any(RouterError::AllFailed { causes: failures.errors })
    }
}

impl<In: Clone + Send + 'static, Out: Send + 'static> Primitive<In> for Router<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        let inner = &*self.inner;
        let mut choice = self.choose(&input, cx)?;
        let (first, mut tried) = (choice.route, Tried::default());
        let mut failures = Failures::default();
        let mut kept = Some(input);
        let mut spent = Usd::ZERO;
        loop {
            tried.add(choice.route);
            let reroutes = tried.count() - 1;
            let is_last = tried.count() == inner.plan.ranked.len() || reroutes >= inner.max_reroutes;
            let input = if is_last { kept.take() } else { kept.clone() };
            let Some(input) = input else { return Err(missing_value()) };
            let called = self.call(&choice, input, spent, cx).await;
            spent = called.spent;
            self.annotate(spent, called.result.is_ok(), reroutes, cx);
            let error = match called.result {
                Ok(output) => {
                    failures.spans.iter().for_each(|span| cx.trace().mark_handled(*span));
                    return Ok(output);
                }
                Err(error) if !self.may_go_on(&error, cx) => return Err(error),
                Err(error) => error,
            };
            let next = if is_last { None } else { inner.plan.next(first, tried, &inner.ledger, cx) };
            let Some(route) = next else { return Err(self.fail(failures, error, cx)) };
            failures.errors.push(error);
            failures.spans.extend(called.span);
            if cx.is_cancelled() {
                let name = inner.plan.names.get(route);
                return Err(name.map_or_else(stopped, |name| stopped().within(name)));
            }
            choice = Choice { route, reason: RouteReason::RouteFailed, cause: None };
        }
    }

    fn name(&self) -> Name {
        self.inner.name.clone()
    }

    fn kind(&self) -> &'static str {
        "router"
    }

    fn graph(&self) -> Graph {
        let by = match &self.inner.plan.strategy {
            Strategy::Function(_) => "by function",
            Strategy::Cost => "by cost",
            Strategy::Complexity { .. } => "by complexity",
            Strategy::Latency { .. } => "by latency",
            Strategy::Weight { .. } => "by weight",
        };
        let ways = self
            .inner
            .plan
            .names
            .iter()
            .zip(&self.inner.nodes)
            .map(|(name, node)| (name.clone(), node.graph()))
            .collect();
        Graph::choice(self.inner.name.clone(), "router", ways).note(by)
    }
}
