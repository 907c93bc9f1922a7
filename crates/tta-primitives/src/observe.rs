//! What is recorded of one step: a span and an entry in its cells.
//!
//! Owns the life of a step's span: opened by whoever drives the step, closed with the outcome, or
//! as cancelled when the driver is dropped.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;
use tta_telemetry::{HistogramRecorder, Name, Span, SpanId, SpanStatus, Ticks, ValueRef};

use crate::context::{At, Context, Position};
use crate::error::{Error, ErrorKind};
use crate::node::{StepCells, StepMeta};
use crate::per_engine::Resolved;

/// Records steps one after another, in place: a driver has one and uses it for every step.
#[derive(Debug)]
pub(crate) struct StepRecorder<'a> {
    span: Span<'a>,
    cx: &'a Context,
    cells: Resolved<'a, StepCells>,
    /// Its number, which each poll needs.
    step: u32,
    start: Ticks,
    /// Where the durations go besides.
    also: Option<&'a HistogramRecorder>,
}

impl<'a> StepRecorder<'a> {
    #[inline]
    pub(crate) fn new(cx: &'a Context) -> Self {
        Self { span: Span::off(), cx, cells: Resolved::None, step: 0, start: Ticks::default(), also: None }
    }

    /// The same, whose durations go into a histogram as well.
    pub(crate) fn timing(cx: &'a Context, also: Option<&'a HistogramRecorder>) -> Self {
        let mut recorder = Self::new(cx);
        recorder.also = also;
        recorder
    }

    /// Opens the span of a step. `parent`: what the span hangs under, and the step that runs this
    /// one or that it follows. `start`: a reading taken already.
    #[inline]
    pub(crate) fn open(&mut self, meta: &'a StepMeta, parent: At, start: Option<Ticks>) {
        self.start = start.unwrap_or_else(|| self.cx.clock().ticks());
        self.span.restart_at(self.cx.trace(), parent.span, &meta.name, meta.kind, self.start);
        if let Some(location) = meta.location {
            self.span.set("code.file.path", location.file());
            self.span.set("code.line.number", location.line());
        }
        self.cells = meta.cells(self.cx);
        if let Some(cells) = self.cells.get() {
            cells.begin(parent.step, &meta.name, self.cx);
            self.step = cells.instruments.number();
        }
    }

    /// The open span, if one is recorded.
    #[inline]
    pub(crate) fn id(&self) -> Option<SpanId> {
        self.span.id()
    }

    /// The number of the step that was opened last; 0 is none.
    #[inline]
    pub(crate) fn step(&self) -> u32 {
        self.step
    }

    /// The open span and its step, if one is recorded.
    #[inline]
    pub(crate) fn at(&self) -> Option<At> {
        self.id().map(|span| At { span: Some(span), step: self.step() })
    }

    #[inline]
    pub(crate) fn set<'v>(&mut self, key: &'static str, value: impl Into<ValueRef<'v>>) {
        self.span.set(key, value);
    }

    /// Closes the open step, if there is one; returns the reading, for the next step to start at.
    #[inline]
    pub(crate) fn close(&mut self, outcome: Result<(), &Error>) -> Option<Ticks> {
        if !self.span.is_recording() {
            return None;
        }
        let status = match outcome {
            Ok(()) => SpanStatus::Ok,
            Err(error) => record_error(&mut self.span, error),
        };
        let end = self.finish(status);
        if let (Err(error), SpanStatus::Error, Some(cells)) = (outcome, status, self.cells.get()) {
            cells.instruments.count_error(error.kind().as_str());
        }
        Some(end)
    }

    #[inline]
    fn finish(&mut self, status: SpanStatus) -> Ticks {
        let end = self.cx.clock().ticks();
        self.span.set_status(status);
        self.span.stop_at(end);
        if let Some(cells) = self.cells.get() {
            let duration_ns = self.cx.clock().nanos_between(self.start, end);
            cells.instruments.finish(duration_ns, status, end);
            if let Some(also) = self.also {
                also.record_raw(duration_ns);
            }
        }
        end
    }
}

impl Drop for StepRecorder<'_> {
    fn drop(&mut self) {
        if self.span.is_recording() {
            self.finish(SpanStatus::Cancelled);
        }
    }
}

pin_project! {
    /// Polls a future at a span of the run, so that what it records hangs below.
    pub(crate) struct InSpan<F> {
        #[pin]
        future: F,
        run: u64,
        at: Option<At>,
    }
}

impl<F> InSpan<F> {
    /// At a span that is no step, of the step this is called in. Without one the future runs where
    /// it is.
    #[inline]
    pub(crate) fn new(cx: &Context, span: Option<SpanId>, future: F) -> Self {
        let at = span.map(|span| cx.at().span(Some(span)));
        Self::of_step(cx, at, future)
    }

    /// At a step's span.
    #[inline]
    pub(crate) fn of_step(cx: &Context, at: Option<At>, future: F) -> Self {
        Self { future, run: cx.run_key(), at }
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _position = this.at.map(|at| Position::enter(*this.run, at));
        this.future.poll(task)
    }
}

/// Puts an error on a span. Its sources are written where the error arose, not again by every
/// step that it passes through.
#[cold]
pub(crate) fn record_error(span: &mut Span<'_>, error: &Error) -> SpanStatus {
    if span.is_recording() {
        span.set("error.type", error.kind().as_str());
        span.set("error.message", &message_of(error));
        if error.path().is_empty() {
            let chain = error.chain();
            let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
            if !chain.is_empty() {
                span.set("error.chain", ValueRef::List(&chain));
            }
        }
    }
    // Told to stop, and it did: the step was cancelled, it did not fail.
    if error.kind() == ErrorKind::Cancelled { SpanStatus::Cancelled } else { SpanStatus::Error }
}

/// An error's message, with room from the start: most fit, and growing by doubling costs several
/// times as much as the text.
fn message_of(error: &Error) -> String {
    let mut message = String::with_capacity(128);
    let written = write!(message, "{error}");
    debug_assert!(written.is_ok(), "a string takes everything");
    message
}

/// The same for the root of a run.
#[cold]
pub(crate) fn record_root_error(root: &mut tta_telemetry::ActiveTrace, error: &Error) {
    root.set("error.type", error.kind().as_str());
    root.set("error.message", &message_of(error));
    let path: Vec<&str> = error.path().iter().map(Name::as_str).collect();
    if !path.is_empty() {
        root.set("error.path", &path.join(" > "));
    }
}
