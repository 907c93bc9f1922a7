//! The attempts of one call that are under way, on the run's own task.
//!
//! Owns their contexts, their spans, and how those that lose end. There are eleven at most, so all
//! are polled whenever the task is, earlier ones first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use futures_util::future::{BoxFuture, FutureExt};
use tta_telemetry::{SpanId, SpanStatus};

use super::is_own_cancellation;
use crate::causes::is_refusal;
use crate::context::{CancelHandle, Context, Scoped};
use crate::error::{Error, Result};
use crate::observe::{InSpan, record_error};
use crate::workflow::Decorated;

/// All attempts of a call, by number.
pub(super) struct Attempts<'a, In, Out> {
    inner: &'a Decorated<In, Out>,
    cx: &'a Context,
    all: Vec<Attempt<'a, Out>>,
    refused: usize,
}

enum Attempt<'a, Out> {
    Running {
        work: BoxFuture<'a, Finished<Out>>,
        stop: CancelHandle,
    },
    Failed(Error, Option<SpanId>),
    /// Won, or told to stop.
    Over,
}

/// What an attempt leaves: its span, which has closed, and its result.
type Finished<Out> = (Option<SpanId>, Result<Out>);

/// How a call ended.
pub(super) enum Ended<Out> {
    Won {
        number: usize,
        output: Out,
    },
    /// No attempt is left; their errors by number.
    Failed(Vec<Error>),
    /// The run was told to stop, and one of them did.
    Cancelled(Error),
}

impl<'a, In: Clone + Send + 'static, Out: Send + 'static> Attempts<'a, In, Out> {
    pub(super) fn new(inner: &'a Decorated<In, Out>, cx: &'a Context) -> Self {
        Self { inner, cx, all: Vec::new(), refused: 0 }
    }

    /// Starts one more; it runs when next polled.
    pub(super) fn start(&mut self, input: In) {
        let part = self.cx.child(None);
        let stop = part.cancel_handle();
        let work = attempt(self.inner, input, part, self.all.len() + 1).boxed();
        self.all.push(Attempt::Running { work, stop });
    }

    /// Polls those that run until one succeeds or none is left.
    pub(super) fn poll(&mut self, task: &mut std::task::Context<'_>) -> Poll<Ended<Out>> {
        let mut are_running = false;
        for (number, attempt) in self.all.iter_mut().enumerate() {
            let Attempt::Running { work, .. } = attempt else { continue };
            match work.poll_unpin(task) {
                Poll::Pending => are_running = true,
                Poll::Ready((_, Ok(output))) => {
                    *attempt = Attempt::Over;
                    return Poll::Ready(Ended::Won { number, output });
                }
                Poll::Ready((_, Err(error))) if is_own_cancellation(&error, self.cx) => {
                    *attempt = Attempt::Over;
                    return Poll::Ready(Ended::Cancelled(error));
                }
                Poll::Ready((span, Err(error))) => {
                    self.refused += usize::from(is_refusal(&error));
                    *attempt = Attempt::Failed(error, span);
                }
            }
        }
        if are_running {
            return Poll::Pending;
        }
        let errors = self.all.drain(..).filter_map(|attempt| match attempt {
            Attempt::Failed(error, _) => Some(error),
            _ => None,
        });
        Poll::Ready(Ended::Failed(errors.collect()))
    }
}

impl<In, Out> Attempts<'_, In, Out> {
    /// How many were started.
    pub(super) fn started(&self) -> usize {
        self.all.len()
    }

    /// How many failed because they were refused: they were not made, and cost nothing.
    pub(super) fn refused(&self) -> usize {
        self.refused
    }

    /// Whether the first attempt has not failed: it won, or was on its way.
    pub(super) fn is_first_unfailed(&self) -> bool {
        !matches!(self.all.first(), Some(Attempt::Failed(..)))
    }

    /// Tells those that still run to stop, and drops them; the errors of those that failed before
    /// go no further.
    pub(super) fn end_losers(&mut self) {
        for attempt in &mut self.all {
            match std::mem::replace(attempt, Attempt::Over) {
                Attempt::Over => {}
                Attempt::Failed(_, span) => {
                    if let Some(span) = span {
                        self.cx.trace().mark_handled(span);
                    }
                }
                Attempt::Running { work, stop } => {
                    stop.cancel();
                    // A panic in what it drops is the loser's, and the call has its answer.
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(work)));
                }
            }
        }
    }
}

/// One attempt under a span of its own, in a context of its own.
async fn attempt<In: Send + 'static, Out: Send + 'static>(
    inner: &Decorated<In, Out>,
    input: In,
    part: Context,
    number: usize,
) -> Finished<Out> {
    let mut span = part.trace().span(part.span_id(), "attempt", "attempt");
    span.set("attempt.number", number);
    span.set_status(SpanStatus::Cancelled);
    let id = span.id();
    let result = Scoped::new(part.clone(), InSpan::new(&part, id, inner.run(input, &part))).await;
    match &result {
        Ok(_) => span.set_status(SpanStatus::Ok),
        Err(error) => {
            let status = record_error(&mut span, error);
            span.set_status(status);
        }
    }
    (id, result)
}
