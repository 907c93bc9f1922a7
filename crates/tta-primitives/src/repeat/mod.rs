//! Running steps again on their own output.
//!
//! The policy (how often, how long between) is in `config`; this file does it, and records each
//! iteration as a span and the outcome on the step's span.

mod config;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use futures_util::future::select;
use tta_telemetry::{Name, SpanStatus, ValueRef};

pub use config::{Repeat, RepeatBuilder};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::node::panic_error;
use crate::observe::{InSpan, record_error};
use crate::primitive::Primitive;
use crate::workflow::Decorated;

/// Steps that are always ready run this often before others on the task's thread get their turn.
const ITERATIONS_PER_TURN: u32 = 64;

/// Steps that run until their output is as wanted.
pub(crate) struct Repeated<T> {
    inner: Decorated<T, T>,
    policy: Repeat,
    until: Until<T>,
}

type Until<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

/// Why there was no further iteration; the stable strings of `repeat.outcome`.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Done,
    LimitReached,
    Failed,
    Cancelled,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::LimitReached => "limit_reached",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        }
    }

    fn of(error: &Error) -> Self {
        if error.kind() == ErrorKind::Cancelled { Outcome::Cancelled } else { Outcome::Failed }
    }
}

impl<T: Send + 'static> Repeated<T> {
    pub(crate) fn new(inner: Decorated<T, T>, policy: Repeat, until: Until<T>) -> Self {
        Self { inner, policy, until }
    }

    /// The steps once, under a span of their own.
    async fn iterate(&self, number: u32, input: T, cx: &Context) -> Result<T> {
        let mut span = cx.trace().span(cx.span_id(), "iteration", "iteration");
        span.set("iteration.number", number);
        span.set_status(SpanStatus::Cancelled);
        let result = InSpan::new(cx, span.id(), self.inner.run(input, cx)).await;
        let status = match &result {
            Ok(_) => SpanStatus::Ok,
            Err(error) => record_error(&mut span, error),
        };
        span.set_status(status);
        result
    }

    /// Asks whether this output is as wanted. A panic is an error, so that the outcome is recorded.
    fn is_done(&self, output: &T) -> Result<bool> {
        catch_unwind(AssertUnwindSafe(|| (self.until)(output))).map_err(|panic| panic_error(&*panic))
    }

    /// Counts iterations in `number` until there is an outcome.
    async fn repeat(&self, input: T, number: &mut u32, cx: &Context) -> (Result<T>, Outcome) {
        let mut value = input;
        loop {
            *number += 1;
            value = match self.iterate(*number, value, cx).await {
                Ok(output) => output,
                Err(error) => return failed(error),
            };
            match self.is_done(&value) {
                Ok(true) => return (Ok(value), Outcome::Done),
                Ok(false) => {}
                Err(panic) => return failed(panic),
            }
            if *number >= self.policy.max_iterations() {
                let result = if self.policy.keeps_last() { Ok(value) } else { Err(self.limit_reached()) };
                return (result, Outcome::LimitReached);
            }
            if let Err(error) = self.pause(*number, cx).await {
                return failed(error);
            }
        }
    }

    /// Waits before the next iteration, if there may be one.
    async fn pause(&self, number: u32, cx: &Context) -> Result<()> {
        let delay = self.policy.delay();
        if !delay.is_zero() {
            // Not beyond the deadline: nothing comes after it.
            let delay = cx.remaining().map_or(delay, |left| left.min(delay));
            select(pin!(cx.sleep(delay)), pin!(cx.cancelled())).await;
        } else if number.is_multiple_of(ITERATIONS_PER_TURN) {
            give_way().await;
        }
        if cx.remaining().is_some_and(|left| left.is_zero()) {
            // The deadline may be that of a timeout around these steps, whose turn comes after
            // theirs: it is to say that the time is up, so that what it does then is done.
            give_way().await;
            return Err(if cx.is_cancelled() { stopped() } else { self.out_of_time() });
        }
        if cx.is_cancelled() { Err(stopped()) } else { Ok(()) }
    }

    #[cold]
    fn limit_reached(&self) -> Error {
        let bound = self.policy.max_iterations();
        Error::new(ErrorKind::LimitReached, format!("not done within its `max_iterations` of {bound}"))
    }

    #[cold]
    fn out_of_time(&self) -> Error {
        Error::new(ErrorKind::Timeout, "the deadline passed before the next iteration").by_deadline()
    }
}

fn failed<T>(error: Error) -> (Result<T>, Outcome) {
    let outcome = Outcome::of(&error);
    (Err(error), outcome)
}

#[cold]
fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "the run was told to stop before the next iteration")
}

/// Lets whatever else is ready run first, on any runtime: is pending once, and wakes itself.
async fn give_way() {
    let mut is_first = true;
    std::future::poll_fn(|task| {
        if !std::mem::take(&mut is_first) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<T: Send + 'static> Primitive<T> for Repeated<T> {
    type Out = T;

    async fn run(&self, input: T, cx: &Context) -> Result<T> {
        let mut iterations = 0;
        let (result, outcome) = self.repeat(input, &mut iterations, cx).await;
        cx.annotate(&[
            ("repeat.iterations", ValueRef::from(iterations)),
            ("repeat.outcome", ValueRef::literal(outcome.as_str())),
        ]);
        result
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        self.inner.graph().note(self.policy.to_string())
    }
}
