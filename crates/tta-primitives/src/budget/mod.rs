//! Money set aside before steps run, and charged when they have.
//!
//! The budget itself is in `tta-telemetry`; this file asks it, decides what a run is charged, and
//! records both.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error as ThisError;
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

/// Which budget steps spend from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BudgetSource {
    /// This one.
    Own(Budget),
    /// The one that the run's engine knows by this name, from its configuration (`cost.budgets`) or its
    /// builder. A run of an engine that knows none is refused.
    Named(Name),
}

impl BudgetSource {
    /// The budget's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        match self {
            BudgetSource::Own(budget) => budget.name(),
            BudgetSource::Named(name) => name,
        }
    }
}

impl From<Budget> for BudgetSource {
    fn from(budget: Budget) -> Self {
        BudgetSource::Own(budget)
    }
}

impl From<&'static str> for BudgetSource {
    fn from(name: &'static str) -> Self {
        BudgetSource::Named(Name::from_static(name))
    }
}

impl From<String> for BudgetSource {
    fn from(name: String) -> Self {
        BudgetSource::Named(Name::from(name))
    }
}

/// A step names a budget that its engine does not know.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("the engine knows no budget called `{name}`, known are {}", Known(known))]
#[non_exhaustive]
pub struct UnknownBudget {
    /// The name.
    pub name: Name,
    /// The names that it knows.
    pub known: Vec<Name>,
}

/// The first few names.
struct Known<'a>(&'a [Name]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 8;
        let Some((first, others)) = self.0.split_first() else { return f.write_str("none") };
        write!(f, "`{first}`")?;
        others.iter().take(MOST - 1).try_for_each(|name| write!(f, ", `{name}`"))?;
        if self.0.len() > MOST { f.write_str(", ...") } else { Ok(()) }
    }
}

/// Steps that spend from a budget.
pub(crate) struct Budgeted<In, Out> {
    inner: Decorated<In, Out>,
    source: BudgetSource,
    estimate: Usd,
    cost_of: Option<CostOf<Out>>,
    decisions: Decisions<Verdict>,
    /// The engine that reports the budget's health; 0 is none.
    watched_by: AtomicU64,
}

impl<In: Send + 'static, Out: Send + 'static> Budgeted<In, Out> {
    pub(crate) fn new(
        inner: Decorated<In, Out>,
        source: BudgetSource,
        estimate: Usd,
        cost_of: Option<CostOf<Out>>,
    ) -> Self {
        let decisions = Decisions::about(inner.name(), source.name().clone());
        Self { inner, source, estimate, cost_of, decisions, watched_by: AtomicU64::new(0) }
    }

    /// The budget of this run. One of the engine's is looked up every time: another run may be of
    /// another engine.
    #[inline]
    fn budget(&self, cx: &Context) -> Result<Cow<'_, Budget>> {
        match &self.source {
            BudgetSource::Own(budget) => {
                self.meet(budget, cx);
                Ok(Cow::Borrowed(budget))
            }
            BudgetSource::Named(name) => {
                let budget = cx.telemetry().budget(name);
                budget.map(Cow::Owned).ok_or_else(|| self.unknown(name, cx))
            }
        }
    }

    /// What has no budget may spend nothing.
    #[cold]
    fn unknown(&self, name: &Name, cx: &Context) -> Error {
        self.record(Verdict::Refused, Usd::ZERO, cx);
        let budgets = cx.telemetry().budgets();
        let known = budgets.iter().map(|budget| budget.name().clone()).collect();
        Error::new(ErrorKind::BudgetExceeded, UnknownBudget { name: name.clone(), known })
    }

    /// Has the engine report the budget. Asking twice does no harm, so one engine is remembered.
    #[inline]
    fn meet(&self, budget: &Budget, cx: &Context) {
        let engine = cx.telemetry().engine_id();
        if self.watched_by.load(Ordering::Relaxed) != engine {
            self.watched_by.store(engine, Ordering::Relaxed);
            cx.telemetry().watch_health(&budget.health_component());
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
            ("budget.name", ValueRef::from(self.source.name())),
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
        let budget = self.budget(cx)?;
        let reservation = budget.try_reserve(self.estimate).map_err(|exceeded| self.refused(exceeded, cx))?;
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
        self.inner.graph().note(format!("budget {} {}", self.source.name(), self.estimate))
    }
}
