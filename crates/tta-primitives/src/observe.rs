//! What is recorded of one step: a span and an entry in its cells.
//!
//! Owns the life of a step's span: opened by whoever drives the step, closed with the outcome, or
//! as cancelled when the driver is dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;
use tta_telemetry::{Name, Span, SpanId, SpanStatus, Ticks, ValueRef};

use crate::context::{Context, Position};
use crate::error::Error;
use crate::node::{Instruments, StepMeta};

/// A step that is running and recorded.
#[derive(Debug)]
pub(crate) struct OpenStep<'a> {
    span: Span<'a>,
    cx: &'a Context,
    instruments: Instruments<'a>,
    start: Ticks,
    finished: bool,
}

impl<'a> OpenStep<'a> {
    /// Opens the span of a step under the current one. `start`: a reading taken already.
    #[inline]
    pub(crate) fn open(cx: &'a Context, meta: &'a StepMeta, parent: Option<SpanId>, start: Option<Ticks>) -> Self {
        let start = start.unwrap_or_else(|| cx.clock().ticks());
        let mut span = cx.trace().span_at(parent, &meta.name, meta.kind, start);
        if let Some(location) = meta.location {
            span.set("code.file.path", location.file());
            span.set("code.line.number", location.line());
        }
        Self { span, cx, instruments: meta.instruments(cx), start, finished: false }
    }

    #[inline]
    pub(crate) fn id(&self) -> Option<SpanId> {
        self.span.id()
    }

    #[inline]
    pub(crate) fn set<'v>(&mut self, key: &'static str, value: impl Into<ValueRef<'v>>) {
        self.span.set(key, value);
    }

    /// Closes the step; returns the reading, for the next step to start at.
    #[inline]
    pub(crate) fn close(mut self, outcome: Result<(), &Error>) -> Ticks {
        let end = self.cx.clock().ticks();
        let status = match outcome {
            Ok(()) => SpanStatus::Ok,
            Err(error) => record_error(&mut self.span, error),
        };
        self.finish(status, end);
        end
    }

    #[inline]
    fn finish(&mut self, status: SpanStatus, end: Ticks) {
        self.finished = true;
        self.span.set_status(status);
        std::mem::replace(&mut self.span, Span::off()).end_at(end);
        if let Some(instruments) = self.instruments.get() {
            instruments.record(self.cx.clock().nanos_between(self.start, end), status);
        }
    }
}

impl Drop for OpenStep<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.finish(SpanStatus::Cancelled, self.cx.clock().ticks());
        }
    }
}

pin_project! {
    /// Polls a future at a span of the run, so that what it records hangs below.
    pub(crate) struct InSpan<F> {
        #[pin]
        future: F,
        run: u64,
        span: Option<SpanId>,
    }
}

impl<F> InSpan<F> {
    /// Without a span the future runs where it is.
    #[inline]
    pub(crate) fn new(cx: &Context, span: Option<SpanId>, future: F) -> Self {
        Self { future, run: cx.run_key(), span }
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _position = this.span.map(|span| Position::enter(*this.run, Some(span)));
        this.future.poll(task)
    }
}

/// Puts an error on a span. Its sources are written where the error arose, not again by every
/// step that it passes through.
#[cold]
pub(crate) fn record_error(span: &mut Span<'_>, error: &Error) -> SpanStatus {
    if span.is_recording() {
        span.set("error.type", error.kind().as_str());
        span.set("error.message", &error.to_string());
        if error.path().is_empty() {
            let chain = error.chain();
            let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
            if !chain.is_empty() {
                span.set("error.chain", ValueRef::List(&chain));
            }
        }
    }
    SpanStatus::Error
}

/// The same for the root of a run.
#[cold]
pub(crate) fn record_root_error(root: &mut tta_telemetry::ActiveTrace, error: &Error) {
    root.set("error.type", error.kind().as_str());
    root.set("error.message", &error.to_string());
    let path: Vec<&str> = error.path().iter().map(Name::as_str).collect();
    root.set("error.path", &path.join(" > "));
}
