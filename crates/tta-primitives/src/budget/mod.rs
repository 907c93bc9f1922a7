//! Money set aside before steps run, and charged when they have.
//!
//! The budget itself is in `tta-telemetry`; this file asks it, decides what a run is charged, and
//! records both.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use tta_telemetry::{Budget, BudgetExceeded, Name, Reservation, Usd, ValueRef};

use crate::causes::is_refusal;
use crate::context::Context;
use crate::decide::{Decisions, outcomes};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::primitive::Primitive;
use crate::workflow::Decorated;

outcomes! {
    /// What became of a run's money.
    enum Verdict in "budget" as "budget.outcome" {
        Reserved = "reserved": Routine,
        Refused = "refused": Warning,
        /// It cost more than was reserved.
        Overrun = "overrun": Info,
        /// Nobody knows what it cost: the function that says so panicked. The estimate is charged.
        CostUnknown = "cost_unknown": Warning,
    }
}

/// What a run cost, by what came of it.
type CostOf<Out> = Box<dyn Fn(Result<&Out, &Error>) -> Usd + Send + Sync>;

/// Steps that spend from a budget.
pub(crate) struct Budgeted<In, Out> {
    inner: Decorated<In, Out>,
    budget: Budget,
    estimate: Usd,
    cost_of: Option<CostOf<Out>>,
    decisions: Decisions<Verdict>,
    /// The engine that reports the budget's health; 0 is none.
    watched_by: AtomicU64,
}

impl<In: Send + 'static, Out: Send + 'static> Budgeted<In, Out> {
    pub(crate) fn new(inner: Decorated<In, Out>, budget: Budget, estimate: Usd, cost_of: Option<CostOf<Out>>) -> Self {
        let decisions = Decisions::about(inner.name(), budget.name().clone());
        Self { inner, budget, estimate, cost_of, decisions, watched_by: AtomicU64::new(0) }
    }

    /// Has the engine report the budget. Asking twice does no harm, so one engine is remembered.
    #[inline]
    fn meet(&self, cx: &Context) {
        let engine = cx.telemetry().engine_id();
        if self.watched_by.load(Ordering::Relaxed) != engine {
            self.watched_by.store(engine, Ordering::Relaxed);
            cx.telemetry().watch_health(&self.budget.health_component());
        }
    }

    fn settle(&self, reservation: Reservation, result: Result<&Out, &Error>, cx: &Context) {
        let cost = match &self.cost_of {
            Some(cost_of) => catch_unwind(AssertUnwindSafe(|| cost_of(result))).unwrap_or_else(|_| {
                self.record(Verdict::CostUnknown, self.estimate, cx);
                self.estimate
            }),
            // What another policy refused was not done.
            None if result.is_err_and(is_refusal) => Usd::ZERO,
            None => self.estimate,
        };
        if cost > self.estimate {
            self.record(Verdict::Overrun, cost, cx);
        }
        reservation.settle(cost);
    }

    #[cold]
    fn record(&self, verdict: Verdict, cost: Usd, cx: &Context) {
        let attributes = [
            ("budget.name", ValueRef::from(self.budget.name())),
            ("budget.estimate_usd", ValueRef::from(self.estimate.dollars())),
            ("budget.cost_usd", ValueRef::from(cost.dollars())),
        ];
        let said = if verdict == Verdict::Overrun { attributes.len() } else { attributes.len() - 1 };
        self.decisions.record(verdict, attributes.get(..said).unwrap_or_default(), cx);
    }

    #[cold]
    fn refused(&self, exceeded: BudgetExceeded, cx: &Context) -> Error {
        self.record(Verdict::Refused, Usd::ZERO, cx);
        Error::new(ErrorKind::BudgetExceeded, exceeded)
    }
}

impl<In: Send + 'static, Out: Send + 'static> Primitive<In> for Budgeted<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        self.meet(cx);
        let reservation = self.budget.try_reserve(self.estimate).map_err(|exceeded| self.refused(exceeded, cx))?;
        self.decisions.count(Verdict::Reserved, cx);
        // Dropped here, the run is charged its estimate: it may have spent that.
        let result = self.inner.run(input, cx).await;
        self.settle(reservation, result.as_ref(), cx);
        result
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        self.inner.graph().note(format!("budget {} {}", self.budget.name(), self.estimate))
    }
}
