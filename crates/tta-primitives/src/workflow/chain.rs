//! The flat driver: runs a chain of steps one after another in a single loop.
//!
//! However long the chain, one poll reaches the running step directly; nothing nests.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use tta_telemetry::Ticks;

use crate::context::{At, Context, Position};
use crate::error::{Error, ErrorKind, Result};
use crate::node::{Node, StepBox, missing_value, panic_error, take_output};
use crate::observe::StepRecorder;

/// A running chain. Fields drop in this order: the step's future first, so that its spans close
/// before the step's own.
pub(crate) struct Chain<'a, In, Out> {
    current: Option<StepBox<'a>>,
    recorder: StepRecorder<'a>,
    nodes: &'a [Arc<dyn Node>],
    /// The index of the running step.
    index: usize,
    input: Option<In>,
    cx: &'a Context,
    /// Where the chain runs: what the steps hang under, and the step that runs them.
    parent: At,
    output: PhantomData<fn() -> Out>,
}

// No field is pinned in place: the step's future is boxed, the input is only moved.
impl<In, Out> Unpin for Chain<'_, In, Out> {}

impl<'a, In: Send + 'static, Out: Send + 'static> Chain<'a, In, Out> {
    #[inline]
    pub(crate) fn new(nodes: &'a [Arc<dyn Node>], input: In, cx: &'a Context) -> Self {
        Self {
            current: None,
            recorder: StepRecorder::new(cx),
            nodes,
            index: 0,
            input: Some(input),
            cx,
            parent: At::default(),
            output: PhantomData,
        }
    }

    /// Runs steps until one has to wait, one fails, or the last has returned.
    #[inline]
    fn drive(&mut self, task: &mut task::Context<'_>) -> Poll<Result<Out>> {
        let mut position = Position::keep();
        if self.current.is_none() {
            self.parent = self.cx.at();
            if let Err(error) = self.start(&mut position, None) {
                return Poll::Ready(Err(self.fail(error)));
            }
        } else {
            self.place(&mut position);
        }
        loop {
            let Some(current) = self.current.as_mut() else { return Poll::Ready(Err(missing_value())) };
            match current.as_mut().poll_step(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(error))),
                Poll::Ready(Ok(())) => {}
            }
            let end = self.recorder.close(Ok(()));
            self.index += 1;
            if self.index == self.nodes.len() {
                return Poll::Ready(self.take_output());
            }
            if let Err(error) = self.start(&mut position, end) {
                return Poll::Ready(Err(self.fail(error)));
            }
        }
    }

    /// Starts the step at `index`, with the output of the step before it or the chain's input.
    #[inline]
    fn start(&mut self, position: &mut Position, now: Option<Ticks>) -> Result<()> {
        let node = self.nodes.get(self.index).ok_or_else(missing_value)?;
        if self.cx.is_cancelled() {
            return Err(stopped());
        }
        if self.cx.is_recording() {
            // The first step is run by what runs the chain; each other follows the one before it.
            let source = if self.index == 0 { self.parent.step } else { self.recorder.step() };
            self.recorder.open(node.meta(), At { span: self.parent.span, step: source }, now);
            if self.nodes.len() > 1 {
                self.recorder.set("step.index", self.index);
                self.recorder.set("step.total", self.nodes.len());
            }
            self.place(position);
        }
        let next = match self.current.as_mut() {
            Some(done) => node.start(done.as_mut().output(), self.cx),
            None => node.start(&mut self.input, self.cx),
        };
        self.current = Some(next.ok_or_else(missing_value)?);
        Ok(())
    }

    /// Puts this thread at the running step's span.
    #[inline]
    fn place(&self, position: &mut Position) {
        if let Some(at) = self.recorder.at() {
            position.set(self.cx.run_key(), at);
        }
    }

    #[inline]
    fn take_output(&mut self) -> Result<Out> {
        let output = self.current.as_mut().map(take_output).unwrap_or_else(|| Err(missing_value()));
        self.current = None;
        output
    }

    /// Closes the running step as failed.
    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        self.current = None;
        self.recorder.close(Err(&error));
        match self.nodes.get(self.index) {
            Some(node) => error.within(&node.meta().name),
            None => error,
        }
    }
}

impl<In: Send + 'static, Out: Send + 'static> Future for Chain<'_, In, Out> {
    type Output = Result<Out>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Result<Out>> {
        let this = &mut *self;
        // Once per poll, not per step. The state stays whole: a step that panicked is only dropped.
        match catch_unwind(AssertUnwindSafe(|| this.drive(task))) {
            Ok(outcome) => outcome,
            Err(panic) => Poll::Ready(Err(this.fail(panic_error(&*panic)))),
        }
    }
}

#[cold]
pub(crate) fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "the run was told to stop before this step began")
}
