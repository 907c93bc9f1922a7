//! What primitives decide, said once.
//!
//! A breaker that rejects a call or a router that picks a route says so in one place; the count,
//! the attributes of the step's span and the log line all derive from that one [`Decision`].
//! Counts are exact: they come from every run, before any sampling.

mod cells;
mod redacted;

use std::sync::Arc;

#[cfg(feature = "record")]
pub(crate) use cells::DecisionRegistry;
pub use cells::{DecisionCells, DecisionCount};

use crate::id::{SpanId, TraceId};
use crate::model::{Name, ValueRef};
use crate::redaction::Redactor;

/// Outcomes that one family of decisions may have.
pub const MAX_OUTCOMES: usize = 16;

/// Where decisions are made: the labels of their counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DecisionKey {
    /// The innermost named workflow the step belongs to.
    pub workflow: Name,
    /// The step.
    pub primitive: Name,
    /// What decides, in lower case: `circuit`, `router`, `cache`.
    pub family: &'static str,
    /// What is decided about, where there are several in one step: a router's route. Empty
    /// otherwise.
    pub subject: Name,
}

/// How much a decision matters to those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// What happens all the time, as a permit that was granted: counted, observed by nobody.
    Routine,
    /// Worth a line in a log, as a circuit that closed again.
    Info,
    /// Something was refused or lost, as a circuit that opened.
    Warning,
}

/// One decision, as observers see it: names and attributes without secrets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decision<'a> {
    /// Where it was made.
    pub key: &'a DecisionKey,
    /// What was decided: one of its family's fixed words.
    pub outcome: &'static str,
    /// How much it matters; never [`Severity::Routine`].
    pub severity: Severity,
    /// The run it was made in, where there is one.
    pub trace_id: Option<TraceId>,
    /// The span it was made in, where one is recorded.
    pub span_id: Option<SpanId>,
    /// What led to it: the same attributes that the span has.
    pub attributes: &'a [(&'static str, ValueRef<'a>)],
}

impl<'a> Decision<'a> {
    /// A decision made outside any run.
    #[must_use]
    pub fn new(
        key: &'a DecisionKey,
        outcome: &'static str,
        severity: Severity,
        attributes: &'a [(&'static str, ValueRef<'a>)],
    ) -> Self {
        Self { key, outcome, severity, trace_id: None, span_id: None, attributes }
    }

    /// The same, made in a run.
    #[must_use]
    pub fn within(self, trace_id: Option<TraceId>, span_id: Option<SpanId>) -> Self {
        Self { trace_id, span_id, ..self }
    }
}

/// Is told of every decision that is not routine, on the thread that made it.
///
/// It must be quick and must not block: it runs inside the user's step. One that panics is counted
/// ([`RecorderCounters::observer_panics`](crate::RecorderCounters::observer_panics)) and the step
/// goes on.
pub trait DecisionObserver: Send + Sync + 'static {
    /// Something was decided.
    fn decided(&self, decision: &Decision<'_>);
}

impl<F: Fn(&Decision<'_>) + Send + Sync + 'static> DecisionObserver for F {
    fn decided(&self, decision: &Decision<'_>) {
        self(decision);
    }
}

/// Those who are told.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<dyn DecisionObserver>>);

impl Observers {
    pub(crate) fn add(&mut self, observer: impl DecisionObserver) {
        self.0.push(Arc::new(observer));
    }

    /// Tells everyone, without secrets; how many of them panicked.
    pub(crate) fn tell(&self, decision: &Decision<'_>, redactor: &Redactor) -> u64 {
        if self.0.is_empty() {
            return 0;
        }
        redacted::with(decision, redactor, |decision| self.tell_all(decision))
    }

    fn tell_all(&self, decision: &Decision<'_>) -> u64 {
        let told = |observer: &Arc<dyn DecisionObserver>| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| observer.decided(decision))).is_err()
        };
        self.0.iter().map(|observer| u64::from(told(observer))).sum()
    }
}

impl std::fmt::Debug for Observers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}
