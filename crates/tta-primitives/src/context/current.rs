//! Where in which run this thread is.
//!
//! Two thread-local facts, set around each poll and restored after it: the run's context (set by
//! the run, a spawned branch or a timeout) and the position, run and span (set by each step). The
//! position is two words without a destructor, so a step's poll costs a few nanoseconds more.
//! Also owns `Place`, the same two facts as a value, for bridges to other tracing systems.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use pin_project_lite::pin_project;
use tta_telemetry::SpanId;

use super::Context;

thread_local! {
    static CONTEXT: Cell<Option<Context>> = const { Cell::new(None) };
    // The run's key and the span's id; zero for none.
    static POSITION: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

pub(super) fn current() -> Option<Context> {
    Some(current_run()?.here())
}

/// The context of the run this thread is in, wherever in the run that is.
fn current_run() -> Option<Context> {
    with_current(|context| context.cloned())
}

/// Calls `f` with the thread's context. Inside `f` the thread has none.
pub(crate) fn with_current<R>(f: impl FnOnce(Option<&Context>) -> R) -> R {
    /// Puts the context back, also after a panic in `f`.
    struct Taken(Option<Context>);

    impl Drop for Taken {
        fn drop(&mut self) {
            exchange(&mut self.0);
        }
    }

    let mut taken = Taken(None);
    exchange(&mut taken.0);
    f(taken.0.as_ref())
}

/// The span this thread is in, if it is in that run.
#[inline]
pub(super) fn span_in(run: u64) -> Option<SpanId> {
    let (here, span) = POSITION.try_with(Cell::get).unwrap_or_default();
    (here == run).then(|| SpanId::new(span)).flatten()
}

/// Puts this thread into a span until dropped.
#[derive(Debug)]
pub(crate) struct Position((u64, u64));

impl Position {
    /// Remembers where this thread is, to return there when dropped.
    #[inline]
    pub(crate) fn keep() -> Self {
        Self(POSITION.try_with(Cell::get).unwrap_or_default())
    }

    /// Moves on to another span.
    #[inline]
    pub(crate) fn set(&mut self, run: u64, span: SpanId) {
        let _ = POSITION.try_with(|here| here.set((run, span.get())));
    }

    #[inline]
    pub(crate) fn enter(run: u64, span: Option<SpanId>) -> Self {
        let position = (run, span.map_or(0, SpanId::get));
        Self(POSITION.try_with(|here| here.replace(position)).unwrap_or_default())
    }
}

impl Drop for Position {
    #[inline]
    fn drop(&mut self) {
        let _ = POSITION.try_with(|here| here.set(self.0));
    }
}

pin_project! {
    /// Polls a future inside a context, so that [`Context::current`] finds it, at the span where
    /// the context stands.
    pub(crate) struct Scoped<F> {
        #[pin]
        future: F,
        // Out while the future is polled.
        context: Option<Context>,
    }
}

impl<F> Scoped<F> {
    pub(crate) fn new(context: Context, future: F) -> Self {
        Self { future, context: Some(context) }
    }
}

impl Scoped<()> {
    /// Calls a synchronous function inside a context.
    pub(crate) fn now<R>(context: Context, f: impl FnOnce() -> R) -> R {
        let _position = Position::enter(context.run_key(), context.0.span);
        let mut place = Some(context);
        let _swapped = Swap::new(&mut place);
        f()
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _position = this.context.as_ref().map(|context| Position::enter(context.run_key(), context.0.span));
        let _swapped = Swap::new(this.context);
        this.future.poll(task)
    }
}

/// A place in a run, to be entered from anywhere: see [`crate::interop`].
#[derive(Clone, Debug)]
pub struct Place {
    context: Context,
    span: Option<SpanId>,
}

/// Where a thread was before it entered a [`Place`].
#[derive(Debug)]
pub struct Before {
    position: (u64, u64),
    /// The thread's context, when it had to be exchanged.
    context: Option<Option<Context>>,
}

impl Place {
    /// Where this thread is; `None` outside a run.
    #[inline]
    #[must_use]
    pub fn current() -> Option<Self> {
        let context = current_run()?;
        let span = context.span_id();
        Some(Self { context, span })
    }

    /// The same run, at another span of it.
    #[inline]
    #[must_use]
    pub fn at(mut self, span: SpanId) -> Self {
        self.span = Some(span);
        self
    }

    /// The run's context. Its `span_id` follows the thread; [`Place::span_id`] does not.
    #[inline]
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The span.
    #[inline]
    #[must_use]
    pub fn span_id(&self) -> Option<SpanId> {
        self.span
    }

    #[inline]
    fn position(&self) -> (u64, u64) {
        (self.context.run_key(), self.span.map_or(0, SpanId::get))
    }

    /// Puts this thread here. To be undone by [`Place::leave`] on the same thread.
    #[inline]
    pub fn enter(&self) -> Before {
        let (run, span) = self.position();
        let position = POSITION.try_with(|here| here.replace((run, span))).unwrap_or_default();
        let same_run = position.0 == run && with_current(|now| now.is_some_and(|now| now.run_key() == run));
        let context = (!same_run).then(|| {
            let mut place = Some(self.context.clone());
            exchange(&mut place);
            place
        });
        Before { position, context }
    }

    /// Puts this thread back where it was, unless it has moved on from here by itself in the
    /// meantime: then what was entered later stays as it is.
    #[inline]
    pub fn leave(&self, before: Before) {
        let here = POSITION.try_with(Cell::get).unwrap_or_default();
        if here != self.position() {
            return;
        }
        let _ = POSITION.try_with(|here| here.set(before.position));
        if let Some(mut context) = before.context {
            exchange(&mut context);
        }
    }
}

/// Exchanges the thread's context and a place's, and back when dropped, also by a panic.
struct Swap<'a>(&'a mut Option<Context>);

impl<'a> Swap<'a> {
    #[inline]
    fn new(place: &'a mut Option<Context>) -> Self {
        exchange(place);
        Self(place)
    }
}

impl Drop for Swap<'_> {
    #[inline]
    fn drop(&mut self) {
        exchange(self.0);
    }
}

#[inline]
fn exchange(place: &mut Option<Context>) {
    let _ = CONTEXT.try_with(|context| *place = context.replace(place.take()));
}
