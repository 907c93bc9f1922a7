//! Another way when the first one fails.
//!
//! The list of fallbacks and the errors that may lead to them are in `config`, the error of all
//! ways together in `error`; this file tries them in order and records which one answered.

mod config;
mod error;

use std::sync::Arc;

use tta_telemetry::{Name, SpanId, SpanStatus, ValueRef};

pub use config::{Fallback, fallback};
pub use error::FallbackError;

use crate::context::Context;
use crate::decide::{Decisions, outcomes};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::node::{Node, missing_value};
use crate::observe::{InSpan, StepRecorder, record_error};
use crate::primitive::Primitive;
use crate::workflow::{Decorated, run_bare, stopped};

outcomes! {
    /// Which way answered.
    enum Verdict in "fallback" as "fallback.outcome" {
        Primary = "primary": Routine,
        Used = "used": Warning,
        Exhausted = "exhausted": Warning,
        Refused = "refused": Routine,
    }
}

outcomes! {
    /// What became of one of the other ways.
    enum Position in "fallback_position" as "fallback.answered" {
        Used = "used": Routine,
    }
}

/// Steps with others that take their place when they fail.
pub(crate) struct FallenBack<In, Out> {
    inner: Decorated<In, Out>,
    policy: Fallback<In, Out>,
    decisions: Decisions<Verdict>,
    /// By place: the first is that of the first way after the primary.
    positions: Vec<Decisions<Position>>,
}

/// The failures so far, the primary's first, and the spans they were recorded in.
#[derive(Default)]
struct Failures {
    errors: Vec<Error>,
    spans: Vec<SpanId>,
}

/// What a way returned, and the span it was recorded in.
type Tried<Out> = (Result<Out>, Option<SpanId>);

impl<In: Clone + Send + 'static, Out: Send + 'static> FallenBack<In, Out> {
    pub(crate) fn new(inner: Decorated<In, Out>, policy: Fallback<In, Out>) -> Self {
        let position = |at: usize| Decisions::about(inner.name(), Name::from(at.to_string()));
        let positions = (1..=policy.ways().len()).map(position).collect();
        Self { decisions: Decisions::at(inner.name()), positions, inner, policy }
    }

    /// The decorated steps, under a span of their own.
    async fn try_primary(&self, input: In, cx: &Context) -> Tried<Out> {
        let mut span = cx.trace().span(cx.span_id(), "primary", "attempt");
        span.set_status(SpanStatus::Cancelled);
        let result = InSpan::new(cx, span.id(), self.inner.run(input, cx)).await;
        let status = match &result {
            Ok(_) => SpanStatus::Ok,
            Err(error) => record_error(&mut span, error),
        };
        span.set_status(status);
        (result, span.id())
    }

    /// Whether the next way may be tried after this error. Told to stop is not failed.
    fn may_go_on(&self, error: &Error, cx: &Context) -> bool {
        !(cx.is_cancelled() && error.kind() == crate::ErrorKind::Cancelled) && self.policy.accepts(error)
    }
}

/// Runs a fallback as a step with a span, which the caller may have to speak of later.
async fn try_fallback<In: Send + 'static, Out: Send + 'static>(
    node: &Arc<dyn Node>,
    input: In,
    cx: &Context,
) -> Tried<Out> {
    let mut recorder = StepRecorder::new(cx);
    if cx.is_recording() {
        recorder.open(node.meta(), cx.at(), None);
    }
    let span = recorder.id();
    let result = InSpan::of_step(cx, recorder.at(), run_bare(&**node, input, cx)).await;
    recorder.close(result.as_ref().map(drop));
    (result.map_err(|error| error.within(&node.meta().name)), span)
}

impl Failures {
    fn add(&mut self, error: Error, span: Option<SpanId>) {
        self.errors.push(error);
        self.spans.extend(span);
    }

    /// A fallback answered: the errors before it go no further.
    fn mark_handled(&self, cx: &Context) {
        for span in &self.spans {
            cx.trace().mark_handled(*span);
        }
    }
}

impl<In: Clone + Send + 'static, Out: Send + 'static> Primitive<In> for FallenBack<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        let mut ways = self.policy.ways().iter().peekable();
        let mut failures = Failures::default();
        let (mut result, mut span) = self.try_primary(input.clone(), cx).await;
        let mut kept = Some(input);
        loop {
            let error = match result {
                Ok(output) => {
                    if failures.errors.is_empty() {
                        self.decisions.count(Verdict::Primary, cx);
                    }
                    return Ok(output);
                }
                Err(error) if !self.may_go_on(&error, cx) => {
                    self.decisions.count(Verdict::Refused, cx);
                    return Err(error);
                }
                Err(error) => error,
            };
            failures.add(error, span);
            let Some(way) = ways.next() else {
                self.decisions.record(Verdict::Exhausted, &[], cx);
                return Err(Error::from_any(FallbackError::new(failures.errors)));
            };
            if cx.is_cancelled() {
                return Err(stopped().within(&way.meta().name));
            }
            let input = if ways.peek().is_none() { kept.take() } else { kept.clone() };
            let Some(input) = input else { return Err(missing_value()) };
            (result, span) = try_fallback(way, input, cx).await;
            if result.is_ok() {
                failures.mark_handled(cx);
                if let Some(position) = self.positions.get(failures.errors.len().saturating_sub(1)) {
                    position.count(Position::Used, cx);
                }
                let position = ("fallback.position", ValueRef::from(failures.errors.len()));
                let used = ("fallback.used", ValueRef::from(&way.meta().name));
                self.decisions.record(Verdict::Used, &[used, position], cx);
            }
        }
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        let fallbacks = self.policy.ways().iter().map(|way| ("or else", way.graph()));
        let ways = std::iter::once(("primary", self.inner.graph())).chain(fallbacks).collect();
        Graph::choice(self.name(), "fallback", ways)
    }
}
