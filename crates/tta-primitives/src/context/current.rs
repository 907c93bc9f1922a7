//! Where in which run this thread is.
//!
//! Two thread-local facts, set around each poll and restored after it: the run's context (set by
//! the run, a spawned branch or a timeout) and the position, run, span and step (set by each step).
//! The position is three words without a destructor, so a step's poll costs a few nanoseconds more.
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
    static POSITION: Here = const { Here { run: Cell::new(0), span: Cell::new(0), step: Cell::new(0) } };
}

/// A cell for each word: one for all would be copied as a whole, which costs nanoseconds where its
/// words have just been written one by one.
struct Here {
    run: Cell<u64>,
    span: Cell<u64>,
    step: Cell<u32>,
}

impl Here {
    #[inline]
    fn get(&self) -> Spot {
        Spot { run: self.run.get(), span: self.span.get(), step: self.step.get() }
    }

    #[inline]
    fn set(&self, spot: Spot) {
        self.run.set(spot.run);
        self.span.set(spot.span);
        self.step.set(spot.step);
    }
}

/// A thread's position: the run's key, the span's id and the step's number; zero for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) run: u64,
    pub(super) span: u64,
    pub(super) step: u32,
}

/// A place in a run: where what is recorded belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    /// What new spans hang under.
    pub(crate) span: Option<SpanId>,
    /// The number of the innermost step in the run's engine; 0 is none.
    pub(crate) step: u32,
}

impl At {
    /// A span that is no step, in the same step.
    #[inline]
    pub(crate) fn span(self, span: Option<SpanId>) -> Self {
        Self { span: span.or(self.span), step: self.step }
    }

    #[inline]
    pub(super) fn in_run(self, run: u64) -> Spot {
        Spot { run, span: self.span.map_or(0, SpanId::get), step: self.step }
    }
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

/// Where this thread is, if it is in that run and in a span of it.
#[inline]
pub(super) fn at_in(run: u64) -> Option<At> {
    let here = position();
    let span = if here.run & !ENTERING == run { SpanId::new(here.span) } else { None };
    span.map(|span| At { span: Some(span), step: here.step })
}

/// Where this thread is.
#[inline]
pub(super) fn position() -> Spot {
    POSITION.try_with(Here::get).unwrap_or_default()
}

/// Moves this thread, from where it was.
#[inline]
pub(super) fn move_to(position: Spot) -> Spot {
    let exchanged = POSITION.try_with(|here| {
        let before = here.get();
        here.set(position);
        before
    });
    exchanged.unwrap_or_default()
}

/// Moves this thread, wherever it was.
#[inline]
fn stand_at(position: Spot) {
    // Where a thread is that is ending, nobody asks any more.
    let _ = POSITION.try_with(|here| here.set(position));
}

/// Puts this thread into a span until dropped.
#[derive(Debug)]
pub(crate) struct Position(Spot);

impl Position {
    /// Remembers where this thread is, to return there when dropped.
    #[inline]
    pub(crate) fn keep() -> Self {
        Self(position())
    }

    /// Moves on to another span.
    #[inline]
    pub(crate) fn set(&mut self, run: u64, at: At) {
        stand_at(at.in_run(run));
    }

    #[inline]
    pub(crate) fn enter(run: u64, at: At) -> Self {
        Self(move_to(at.in_run(run)))
    }
}

impl Drop for Position {
    #[inline]
    fn drop(&mut self) {
        stand_at(self.0);
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
        let _position = Position::enter(context.run_key(), context.0.at);
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
        let _position = this.context.as_ref().map(|context| Position::enter(context.run_key(), context.0.at));
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
