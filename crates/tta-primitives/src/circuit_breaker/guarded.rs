//! Steps behind a breaker, and what is recorded of it.

use std::time::Duration;

use tta_telemetry::{Name, ValueRef};

use super::answers::{Change, Rejection};
use super::cell::{Call, Entry};
use super::nested::{self, Probing};
use super::{CircuitBreaker, CircuitOpenError, CircuitReason, CircuitState};
use crate::context::Context;
use crate::decide::{Decisions, outcomes};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::primitive::Primitive;
use crate::workflow::{Decorated, Workflow};

outcomes! {
    /// What was decided about a call, and what became of the circuit.
    enum Verdict in "circuit" as "circuit.decision" {
        Allowed = "allowed": Routine,
        Probe = "probe": Info,
        Rejected = "rejected": Warning,
        Opened = "opened": Warning,
        HalfOpened = "half_opened": Info,
        Closed = "closed": Info,
    }
}

impl<In: Send + 'static, Out: Send + 'static> Workflow<In, Out> {
    /// Runs the steps so far only while the breaker lets them through; otherwise fails at once with
    /// [`ErrorKind::CircuitOpen`] and a [`CircuitOpenError`].
    ///
    /// The step says `circuit.decision` (`probe`, `rejected`, or the change of state that the call
    /// saw: `opened`, `half_opened`, `closed`; the last of them), `circuit.name`, `circuit.state`,
    /// `circuit.reason`, and `circuit.probe` on a probe. A call that a closed circuit lets through
    /// is only counted.
    ///
    /// # Cancel safety
    /// A run that is dropped counts as neither success nor failure, and a probe gives its place to
    /// the next call.
    #[must_use]
    pub fn circuit_breaker(self, breaker: CircuitBreaker) -> Self {
        self.decorate(|inner| Guarded {
            decisions: Decisions::about(inner.name(), breaker.name().clone()),
            inner,
            breaker,
        })
    }
}

struct Guarded<In, Out> {
    inner: Decorated<In, Out>,
    breaker: CircuitBreaker,
    decisions: Decisions<Verdict>,
}

/// A call that goes through.
struct Entered<'a> {
    /// `None` inside a probe of the same breaker, whose result counts for both.
    call: Option<Call<'a>>,
    is_probe: bool,
}

impl<In: Send + 'static, Out: Send + 'static> Guarded<In, Out> {
    /// Asks the breaker. For a closed circuit that is two loads (is this engine known, is it
    /// closed) and a count: no lock, no clock, nothing on the span.
    #[inline]
    fn enter(&self, cx: &Context) -> Result<Entered<'_>> {
        self.breaker.meet(cx);
        let cell = &self.breaker.0.cell;
        if !cell.admits_all() && nested::is_inside_probe(self.breaker.address()) {
            // A part of the probe: what it comes to shows in what the probe comes to.
            self.decisions.count(Verdict::Allowed, cx);
            return Ok(Entered { call: None, is_probe: false });
        }
        let (entry, changes) = cell.enter();
        self.record_changes(&changes, cx);
        match entry {
            Entry::Allowed(call) => {
                self.decisions.count(Verdict::Allowed, cx);
                Ok(Entered { call: Some(call), is_probe: false })
            }
            Entry::Probe(call) => {
                self.record_probe(cx);
                Ok(Entered { call: Some(call), is_probe: true })
            }
            Entry::Rejected(rejection) => Err(self.reject(rejection, cx)),
        }
    }

    #[inline]
    fn leave(&self, call: Call<'_>, result: &Result<Out>, cx: &Context) {
        let changes = match result {
            Ok(_) => call.end(false),
            Err(error) if self.is_failure(error, cx) => call.end(true),
            // It says nothing about what was called. A probe's place is free again.
            Err(_) => return drop(call),
        };
        self.record_changes(&changes, cx);
    }

    /// Whatever the predicate says: who stopped because it was told to has not failed.
    #[cold]
    fn is_failure(&self, error: &Error, cx: &Context) -> bool {
        !(error.kind() == ErrorKind::Cancelled && cx.is_cancelled()) && self.breaker.0.is_failure(error)
    }

    /// Changes of state are decisions too, each recorded by the first call that learns of it.
    #[inline]
    fn record_changes(&self, changes: &[Change], cx: &Context) {
        changes.iter().for_each(|change| self.record_change(change, cx));
    }

    #[cold]
    fn record_change(&self, change: &Change, cx: &Context) {
        let verdict = match change.to {
            CircuitState::Open => Verdict::Opened,
            CircuitState::HalfOpen => Verdict::HalfOpened,
            CircuitState::Closed => Verdict::Closed,
        };
        // Those before the last, as when it is forced back and forth between two calls.
        (1..change.times).for_each(|_| self.decisions.count(verdict, cx));
        self.record(verdict, change.to, reason(change.reason), cx);
    }

    #[cold]
    fn record_probe(&self, cx: &Context) {
        self.record(Verdict::Probe, CircuitState::HalfOpen, ("circuit.probe", ValueRef::Bool(true)), cx);
    }

    #[cold]
    fn reject(&self, rejection: Rejection, cx: &Context) -> Error {
        let Rejection { state, reason: why, retry_in_ns } = rejection;
        self.record(Verdict::Rejected, state, reason(why), cx);
        let retry_in = retry_in_ns.map(Duration::from_nanos);
        let error = CircuitOpenError { name: self.breaker.name().clone(), state, reason: why, retry_in };
        Error::new(ErrorKind::CircuitOpen, error)
    }

    fn record(&self, verdict: Verdict, state: CircuitState, more: (&'static str, ValueRef<'_>), cx: &Context) {
        let name = ("circuit.name", ValueRef::from(self.breaker.name()));
        let state = ("circuit.state", ValueRef::literal(state.as_str()));
        self.decisions.record(verdict, &[name, state, more], cx);
    }
}

fn reason(reason: CircuitReason) -> (&'static str, ValueRef<'static>) {
    ("circuit.reason", ValueRef::literal(reason.as_str()))
}

impl<In: Send + 'static, Out: Send + 'static> Primitive<In> for Guarded<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        let Entered { call, is_probe } = self.enter(cx)?;
        let probe = is_probe.then(|| self.breaker.address());
        let result = Probing::new(probe, self.inner.run(input, cx)).await;
        if let Some(call) = call {
            self.leave(call, &result, cx);
        }
        result
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        self.inner.graph().note(format!("breaker {}", self.breaker.name()))
    }
}
