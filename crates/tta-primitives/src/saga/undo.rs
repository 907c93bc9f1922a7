//! Undoing what a saga has done: its compensations one after another, last in, first out.
//!
//! Owns their order, their shares of the time, and the outcome of the whole. A plain future that
//! owns all it needs, so that it can go on anywhere when the run that started it is gone (see
//! `detach`).

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use tta_telemetry::{Name, OwnedSpan, PendingWork, SpanStatus, ValueRef};

use super::compensation::{self, Compensates, Compensating, Ended, Part, Value};
use super::error::{FailedCompensation, SagaError};
use super::{Inner, Verdict};
use crate::context::{Context, Scoped};
use crate::error::{Error, ErrorKind};
use crate::node::panic_error;

/// A step that has completed, and how it is undone.
pub(super) struct Completed {
    pub(super) value: Value,
    pub(super) compensation: Arc<dyn Compensates>,
}

/// What has become of the compensations.
#[derive(Default)]
pub(super) struct Tally {
    compensated: Vec<Name>,
    failed: Vec<FailedCompensation>,
    not_run: Vec<Name>,
    is_any_error: bool,
}

/// Compensations under way. Fields drop in this order: what runs, its context, and last what a
/// shutdown waits for.
pub(super) struct Undo {
    current: Option<Compensating>,
    /// The last is the next.
    left: Vec<Completed>,
    tally: Tally,
    /// The span around compensations of a run that is gone.
    task: Option<OwnedSpan>,
    cx: Context,
    saga: Arc<Inner>,
    failed_step: Option<Name>,
    /// One for each that is left; the last one stays until all is recorded.
    pending: Vec<PendingWork>,
}

impl Undo {
    /// `cx` stands at the saga's span, of whose run's cancellation and deadline nothing remains.
    pub(super) fn new(saga: &Arc<Inner>, left: Vec<Completed>, failed_step: Option<Name>, cx: &Context) -> Self {
        let names = left.iter().map(|completed| format!("{}: {}", saga.name, completed.compensation.name()));
        let pending = names.map(|name| cx.telemetry().pending_work(name)).collect();
        let cx = cx.detached(saga.compensation_timeout);
        let (saga, tally) = (Arc::clone(saga), Tally::default());
        Self { current: None, left, tally, task: None, cx, saga, failed_step, pending }
    }

    pub(super) fn saga(&self) -> &Arc<Inner> {
        &self.saga
    }

    pub(super) fn context(&self) -> &Context {
        &self.cx
    }

    /// From now on nobody waits for it: what follows hangs below a span of its own, which does not
    /// close before its children do.
    pub(super) fn without_run(&mut self) {
        if self.task.is_some() {
            return;
        }
        let parent = self.cx.standing();
        let mut task = self.cx.trace().owned_span(parent.span, "compensations", "task");
        task.set_status(SpanStatus::Cancelled);
        self.cx = self.cx.standing_at(parent.span(task.id()));
        self.task = Some(task);
    }

    /// Begins anew what is under way: it may need a runtime that is gone.
    pub(super) fn restart(&mut self) {
        let _ = self.drop_current();
    }

    /// Nothing can run any more: what is left is reported as not run.
    pub(super) fn give_up(&mut self) -> Tally {
        let _ = self.drop_current();
        while let Some(completed) = self.left.last() {
            self.tally.not_run.push(completed.compensation.name().clone());
            Scoped::now(self.cx.clone(), || completed.compensation.record_not_run(&self.cx));
            self.pop();
        }
        self.finish()
    }

    /// Starts the next one. Each has an equal share of the time that is left, so that one that
    /// hangs leaves the others theirs. `false` when there is no time.
    fn start_next(&mut self) -> bool {
        let (Some(next), Some(left)) = (self.left.last(), self.cx.remaining()) else { return false };
        let share = left / u32::try_from(self.left.len()).unwrap_or(u32::MAX).max(1);
        if share.is_zero() {
            return false;
        }
        // A part of its own: cutting it off stops what it has started, and nothing else.
        let cx = self.cx.child(Some(share)).standing_at(self.cx.standing());
        let part = Part { cx, share, total: self.saga.compensation_timeout };
        self.current = Arc::clone(&next.compensation).start(&next.value, part);
        debug_assert!(self.current.is_some(), "a compensation found no value of its type");
        self.current.is_some()
    }

    fn poll_current(&mut self, task: &mut task::Context<'_>) -> Poll<Option<Ended>> {
        let Some(current) = &mut self.current else { return Poll::Ready(None) };
        let polled = catch_unwind(AssertUnwindSafe(|| current.as_mut().poll(task)));
        let ended = match polled {
            Ok(polled) => ready!(polled),
            // Not in the compensation itself, which is caught inside: in what it leaves behind.
            Err(panic) => self.failed_by(panic_error(&*panic)),
        };
        let dropped = self.drop_current();
        Poll::Ready(Some(match (ended, dropped) {
            (Ended::Done, Err(error)) => self.failed_by(error),
            (ended, _) => ended,
        }))
    }

    /// Fails the current one where it could not say so itself.
    #[cold]
    fn failed_by(&self, error: Error) -> Ended {
        if let Some(completed) = self.left.last() {
            Scoped::now(self.cx.clone(), || completed.compensation.record(compensation::Verdict::Failed, &self.cx));
        }
        Ended::Failed(error)
    }

    fn drop_current(&mut self) -> Result<(), Error> {
        catch_unwind(AssertUnwindSafe(|| self.current = None)).map_err(|panic| panic_error(&*panic))
    }

    fn note(&mut self, ended: Ended) {
        let Some(name) = self.left.last().map(|completed| completed.compensation.name().clone()) else { return };
        match ended {
            Ended::Done => self.tally.compensated.push(name),
            Ended::Failed(error) => {
                self.tally.is_any_error = true;
                self.tally.failed.push(FailedCompensation { error: error.within(&name), name });
            }
            Ended::CutOff(error) => {
                self.tally.failed.push(FailedCompensation { error: error.within(&name), name });
            }
        }
        self.pop();
    }

    fn pop(&mut self) {
        // A value that panics when it is dropped has been dealt with already.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self.left.pop())));
        if self.pending.len() > 1 {
            self.pending.pop();
        }
    }

    /// Says how it went as a whole.
    fn finish(&mut self) -> Tally {
        let tally = std::mem::take(&mut self.tally);
        let compensated = ("saga.compensated", ValueRef::from(tally.compensated.len()));
        let mut attributes = vec![compensated];
        if let Some(step) = &self.failed_step {
            attributes.push(("saga.failed_step", ValueRef::from(step)));
        }
        let not_compensated = tally.failed.len() + tally.not_run.len();
        if not_compensated > 0 {
            attributes.push(("saga.not_compensated", ValueRef::from(not_compensated)));
        }
        if self.task.is_some() {
            attributes.push(("saga.detached", ValueRef::Bool(true)));
        }
        let verdict = tally.verdict();
        Scoped::now(self.cx.clone(), || self.saga.decisions.record(verdict, &attributes, &self.cx));
        if let Some(mut task) = self.task.take() {
            if verdict == Verdict::Compensated {
                task.set_status(SpanStatus::Ok);
            } else {
                task.set_status(SpanStatus::Error);
                let all = not_compensated + tally.compensated.len();
                task.set("error.type", ErrorKind::Compensation.as_str());
                task.set("error.message", &format!("{not_compensated} of {all} compensations did not succeed"));
                // Nobody is left to return it to, so the run's trace is to show it.
                self.cx.trace().note_failure();
            }
            task.end();
        }
        tally
    }
}

impl Future for Undo {
    type Output = Tally;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Tally> {
        let this = &mut *self;
        loop {
            if this.left.is_empty() {
                return Poll::Ready(this.finish());
            }
            if this.current.is_none() && !this.start_next() {
                return Poll::Ready(this.give_up());
            }
            if let Some(ended) = ready!(this.poll_current(task)) {
                this.note(ended);
            }
        }
    }
}

impl Tally {
    fn verdict(&self) -> Verdict {
        match (self.is_any_error, self.failed.len() + self.not_run.len()) {
            (_, 0) => Verdict::Compensated,
            (true, _) => Verdict::CompensationFailed,
            (false, _) => Verdict::CompensationCutOff,
        }
    }

    /// The saga's error: its cause, when all of it was undone.
    #[cold]
    pub(super) fn into_error(self, cause: Error) -> Error {
        if self.verdict() == Verdict::Compensated {
            return cause;
        }
        let Self { compensated, failed, not_run, .. } = self;
        SagaError { cause, compensated, failed, not_run }.into_error()
    }
}

/// How long a saga's compensations may take in all, unless said otherwise.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
