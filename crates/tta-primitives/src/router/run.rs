//! Taking the chosen route, and the next one when it fails.

use tta_telemetry::{Name, SpanId, Usd, ValueRef};

use super::Router;
use super::error::RouterError;
use super::metrics::RouteMetrics;
use super::reason::{RouteReason, Verdict};
use super::strategy::{Choice, Strategy, Tried};
use crate::causes::is_refusal;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::node::missing_value;
use crate::observe::{InSpan, StepRecorder};
use crate::primitive::Primitive;
use crate::workflow::{run_bare, stopped};

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
        let has_costs = self.inner.ledger.has_costs();
        let metrics = way.metrics.get(cx, || RouteMetrics::find(&self.inner.name, &way.meta.name, has_costs, cx));
        let call = self.inner.ledger.begin(choice.route, choice.reason, spent, metrics.get(), cx);
        let mut recorder = StepRecorder::timing(cx, metrics.get().map(|metrics| &metrics.seconds));
        if cx.is_recording() {
            recorder.open(&way.meta, cx.at(), None);
        }
        let span = recorder.id();
        let result = InSpan::of_step(cx, recorder.at(), run_bare(&**node, input, cx)).await;
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
            None => is_refusal(error),
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
