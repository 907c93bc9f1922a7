//! A place in a run as a value, for bridges to other tracing systems.
//!
//! Owns entering a place on any thread and leaving it again, in whatever order. What a thread's
//! place consists of is told by `current`; each entering has a number of its own in the position,
//! so that it is known again after steps in between have moved the thread and brought it back.

use std::cell::Cell;

use tta_telemetry::SpanId;

use super::Context;
use super::current::{At, ENTERING, Spot, current_run, exchange, move_to, position, with_current};

thread_local! {
    static LAST_ENTERING: Cell<u64> = const { Cell::new(0) };
}

/// A number that this thread's enterings have not had for a long time; steps have 0.
#[inline]
fn next_entering() -> u64 {
    let next = |last: &Cell<u64>| {
        last.set(last.get() % ENTERING + 1);
        last.get()
    };
    LAST_ENTERING.try_with(next).unwrap_or(1)
}

/// A place in a run, to be entered from anywhere: see [`crate::interop`].
#[derive(Clone, Debug)]
pub struct Place {
    context: Context,
    at: At,
}

/// Where a thread was before it entered a [`Place`], and which one that was.
#[derive(Debug)]
#[must_use = "whoever enters a place has to leave it"]
pub struct Before {
    here: Spot,
    before: Spot,
    /// The thread's context, when it had to be exchanged.
    context: Option<Option<Context>>,
}

impl Place {
    /// Where this thread is; `None` outside a run.
    #[inline]
    #[must_use]
    pub fn current() -> Option<Self> {
        let context = current_run()?;
        let at = context.at();
        Some(Self { context, at })
    }

    /// Where this thread is, if it is in a run that is recorded.
    #[inline]
    #[must_use]
    pub fn recorded() -> Option<Self> {
        let context = with_current(|context| context.filter(|context| context.is_recording()).cloned())?;
        let at = context.at();
        Some(Self { context, at })
    }

    /// The same run, at another span of it.
    #[inline]
    #[must_use]
    pub fn at(mut self, span: SpanId) -> Self {
        self.at.span = Some(span);
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
        self.at.span
    }

    /// Puts this thread here. To be undone by [`Before::leave`] on the same thread.
    #[inline]
    pub fn enter(&self) -> Before {
        let run = self.context.run_key();
        let here = self.at.in_run(run | next_entering());
        let before = move_to(here);
        let same_run = before.run & !ENTERING == run && with_current(|now| now.is_some_and(|now| now.run_key() == run));
        let context = (!same_run).then(|| {
            let mut place = Some(self.context.clone());
            exchange(&mut place);
            place
        });
        Before { here, before, context }
    }
}

impl Before {
    /// Whether this thread is exactly in the place that was entered, by this entering: not in a
    /// step inside it, nor in another entering of it, nor moved on by the end of a poll.
    #[inline]
    #[must_use]
    pub fn is_here(&self) -> bool {
        position() == self.here
    }

    /// Whether this place was entered directly from the one entered `earlier`.
    #[must_use]
    pub fn follows(&self, earlier: &Self) -> bool {
        self.before == earlier.here
    }

    /// Puts this thread back where it was, unless it has moved on by itself in the meantime
    /// ([`Before::is_here`]): then it stays where it is.
    #[inline]
    pub fn leave(self) {
        if !self.is_here() {
            return;
        }
        move_to(self.before);
        if let Some(mut context) = self.context {
            exchange(&mut context);
        }
    }

    /// Forgets an earlier place that this one was entered from ([`Before::follows`]) and that is
    /// left first: leaving this one goes back to where the thread was before both.
    pub fn skip(&mut self, earlier: &Self) {
        self.before = earlier.before;
        if let Some(context) = &earlier.context {
            self.context = Some(context.clone());
        }
    }
}
