//! Where in which run this thread is.
//!
//! Two thread-local facts, set around each poll and restored after it: the run's context (set by
//! the run, a spawned branch or a timeout) and the position, run and span (set by each step). The
//! position is two words without a destructor, so a step's poll costs a few nanoseconds more.
//! The same two facts as a value: `place`.

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

/// Bits that are free in a run's key: in a position they tell apart the times that a thread has
/// entered the same place by hand (see `place`).
pub(super) const ENTERING: u64 = (1 << 24) - 1;

pub(super) fn current() -> Option<Context> {
    Some(current_run()?.here())
}

/// The context of the run this thread is in, wherever in the run that is.
pub(super) fn current_run() -> Option<Context> {
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
    let (here, span) = position();
    (here & !ENTERING == run).then(|| SpanId::new(span)).flatten()
}

/// Run and span this thread is in; zero for none.
#[inline]
pub(super) fn position() -> (u64, u64) {
    POSITION.try_with(Cell::get).unwrap_or_default()
}

/// Moves this thread to a run and span, from the ones returned.
#[inline]
pub(super) fn move_to(position: (u64, u64)) -> (u64, u64) {
    POSITION.try_with(|here| here.replace(position)).unwrap_or_default()
}

/// Puts this thread into a span until dropped.
#[derive(Debug)]
pub(crate) struct Position((u64, u64));

impl Position {
    /// Remembers where this thread is, to return there when dropped.
    #[inline]
    pub(crate) fn keep() -> Self {
        Self(position())
    }

    /// Moves on to another span.
    #[inline]
    pub(crate) fn set(&mut self, run: u64, span: SpanId) {
        move_to((run, span.get()));
    }

    #[inline]
    pub(crate) fn enter(run: u64, span: Option<SpanId>) -> Self {
        Self(move_to((run, span.map_or(0, SpanId::get))))
    }
}

impl Drop for Position {
    #[inline]
    fn drop(&mut self) {
        move_to(self.0);
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

/// Exchanges the thread's context and another.
#[inline]
pub(super) fn exchange(place: &mut Option<Context>) {
    let _ = CONTEXT.try_with(|context| *place = context.replace(place.take()));
}
