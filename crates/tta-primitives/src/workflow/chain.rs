//! The flat driver: runs a chain of steps one after another in a single loop.
//!
//! However long the chain, one poll reaches the running step directly; nothing nests.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tta_telemetry::Ticks;

use crate::context::{Context, Position};
use crate::error::{Error, ErrorKind, Result};
use crate::node::{Node, StepBox, missing_value, poll_caught, start_caught, take_output};
use crate::observe::OpenStep;

/// A running chain. Fields drop in this order: the step's future first, so that its spans close
/// before the step's own.
pub(crate) struct Chain<'a, In, Out> {
    current: Option<StepBox<'a>>,
    step: Option<OpenStep<'a>>,
    nodes: &'a [Arc<dyn Node>],
    /// The index of the running step.
    index: usize,
    input: Option<In>,
    cx: &'a Context,
    /// The end of the last step, which is the start of the next.
    now: Option<Ticks>,
    output: std::marker::PhantomData<fn() -> Out>,
}

// No field is pinned in place: the step's future is boxed, the input is only moved.
impl<In, Out> Unpin for Chain<'_, In, Out> {}

impl<'a, In: Send + 'static, Out: Send + 'static> Chain<'a, In, Out> {
    #[inline]
    pub(crate) fn new(nodes: &'a [Arc<dyn Node>], input: In, cx: &'a Context) -> Self {
        Self {
            current: None,
            step: None,
            nodes,
            index: 0,
            input: Some(input),
            cx,
            now: None,
            output: std::marker::PhantomData,
        }
    }

    /// Starts step `index` with the input in `input`.
    #[inline]
    fn start(&mut self, index: usize, previous: Option<StepBox<'a>>) -> Result<()> {
        self.index = index;
        let node = self.nodes.get(index).ok_or_else(missing_value)?;
        if self.cx.is_cancelled() {
            return Err(stopped());
        }
        if self.cx.is_recording() {
            let mut step = OpenStep::open(self.cx, node.meta(), self.cx.span_id(), self.now.take());
            if self.nodes.len() > 1 {
                step.set("step.index", index);
                step.set("step.total", self.nodes.len());
            }
            self.step = Some(step);
        }
        let _position = self.step.as_ref().map(|step| Position::enter(self.cx.run_key(), step.id()));
        let next = match previous {
            Some(mut previous) => start_caught(&**node, previous.as_mut().output(), self.cx),
            None => start_caught(&**node, &mut self.input as &mut dyn Any, self.cx),
        };
        self.current = Some(next?);
        Ok(())
    }

    /// Polls the running step at its place in the trace.
    #[inline]
    fn poll_current(&mut self, task: &mut std::task::Context<'_>) -> Poll<Result<()>> {
        let Some(current) = self.current.as_mut() else { return Poll::Ready(Err(missing_value())) };
        let _position = self.step.as_ref().map(|step| Position::enter(self.cx.run_key(), step.id()));
        poll_caught(current, task)
    }

    /// Closes the running step as failed.
    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        self.current = None;
        if let Some(step) = self.step.take() {
            step.close(Err(&error));
        }
        match self.nodes.get(self.index) {
            Some(node) => error.within(&node.meta().name),
            None => error,
        }
    }

    #[inline]
    fn advance(&mut self) -> Option<Result<Out>> {
        if let Some(step) = self.step.take() {
            self.now = Some(step.close(Ok(())));
        }
        let mut done = self.current.take()?;
        if self.index + 1 == self.nodes.len() {
            return Some(take_output(&mut done));
        }
        let started = self.start(self.index + 1, Some(done));
        started.err().map(|error| Err(self.fail(error)))
    }
}

impl<In: Send + 'static, Out: Send + 'static> Future for Chain<'_, In, Out> {
    type Output = Result<Out>;

    fn poll(mut self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Result<Out>> {
        let this = &mut *self;
        if this.current.is_none()
            && let Err(error) = this.start(0, None)
        {
            return Poll::Ready(Err(this.fail(error)));
        }
        loop {
            match this.poll_current(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(this.fail(error))),
                Poll::Ready(Ok(())) => {
                    if let Some(result) = this.advance() {
                        return Poll::Ready(result);
                    }
                }
            }
        }
    }
}

#[cold]
pub(crate) fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "the run was told to stop before this step began")
}
