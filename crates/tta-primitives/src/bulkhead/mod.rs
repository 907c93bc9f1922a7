//! A bound on how many calls run at once, and on how many wait for their turn.
//!
//! Permits and the queue are in `room`, parameters in `config`; this file waits for a permit as
//! long as the run allows, and records what came of it.

mod config;
mod error;
mod room;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tta_telemetry::{Name, ValueRef};

pub use config::BulkheadBuilder;
pub use error::{BulkheadFullError, BulkheadFullReason};
pub use room::BulkheadStats;

use crate::context::Context;
use crate::decide::{Decisions, outcomes};
use crate::error::{Error, ErrorKind, NeverMade, Result};
use crate::graph::Graph;
use crate::primitive::Primitive;
use crate::time::Sleep;
use crate::workflow::Decorated;

use room::{Permit, Place, Room};

/// A bound on the calls that run at once: what one dependency takes away cannot take everything.
/// Clones are the same bulkhead; share one between all workflows that use the dependency.
///
/// ```
/// use tta_primitives::{Bulkhead, Context, step};
/// # async fn query(id: u32) -> Result<u32, String> { Ok(id) }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let database = Bulkhead::named("db").max_concurrent(10).max_queued(20).build()?;
/// let load = step(query).bulkhead(database.clone());
/// load.run(7, &Context::new()).await?;
/// assert_eq!((database.stats().admitted, database.stats().active), (1, 0));
/// # Result::<(), Box<dyn std::error::Error>>::Ok(()) }).unwrap();
/// ```
///
/// Permits belong to the process, not to an engine: a bulkhead may be used from several engines.
#[derive(Clone, Debug)]
pub struct Bulkhead(Arc<Room>);

impl Bulkhead {
    /// Starts a bulkhead of this name, by which errors and counts call it. It queues nothing
    /// unless told to; [`BulkheadBuilder::max_concurrent`] has no default.
    pub fn named(name: impl Into<Name>) -> BulkheadBuilder {
        BulkheadBuilder { name: name.into(), max_concurrent: None, max_queued: 0, max_wait: None }
    }

    /// What it does now, and did so far.
    #[must_use]
    pub fn stats(&self) -> BulkheadStats {
        self.0.stats()
    }
}

outcomes! {
    /// What became of a call.
    enum Verdict in "bulkhead" as "bulkhead.outcome" {
        Admitted = "admitted": Routine,
        // A queue is there to be used: worth a look at the trace, not a line in a log.
        Waited = "waited": Routine,
        QueueFull = "queue_full": Warning,
        WaitedTooLong = "waited_too_long": Warning,
        DeadlinePassed = "deadline_passed": Warning,
        Cancelled = "cancelled": Routine,
        /// Dropped while it was queued.
        Abandoned = "abandoned": Routine,
    }
}

/// Steps that run a bounded number of times at once.
pub(crate) struct Bulkheaded<In, Out> {
    inner: Decorated<In, Out>,
    bulkhead: Bulkhead,
    decisions: Decisions<Verdict>,
}

/// How long a call may wait, and who says so.
#[derive(Clone, Copy, Debug)]
enum Bound {
    None,
    MaxWait(Duration),
    Deadline(Duration),
}

/// How a wait ended.
enum Waited<'r> {
    Permitted(SemaphorePermit<'r>),
    OutOfTime,
    Cancelled,
}

/// Counts a call that is dropped while it is queued.
struct Watch<'a> {
    decisions: &'a Decisions<Verdict>,
    cx: &'a Context,
    over: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.decisions.count(Verdict::Abandoned, self.cx);
        }
    }
}

impl Bound {
    fn new(max_wait: Option<Duration>, remaining: Option<Duration>) -> Self {
        match (max_wait, remaining) {
            (None, None) => Bound::None,
            (Some(limit), left) if left.is_none_or(|left| limit < left) => Bound::MaxWait(limit),
            (_, Some(left)) => Bound::Deadline(left),
            (Some(limit), None) => Bound::MaxWait(limit),
        }
    }

    fn limit(self) -> Option<Duration> {
        match self {
            Bound::None => None,
            Bound::MaxWait(limit) | Bound::Deadline(limit) => Some(limit),
        }
    }
}

impl<In: Send + 'static, Out: Send + 'static> Bulkheaded<In, Out> {
    pub(crate) fn new(inner: Decorated<In, Out>, bulkhead: Bulkhead) -> Self {
        let decisions = Decisions::about(inner.name(), bulkhead.0.name().clone());
        Self { inner, bulkhead, decisions }
    }

    fn record(&self, verdict: Verdict, waited_ns: u64, cx: &Context) {
        let name = ("bulkhead.name", ValueRef::from(self.bulkhead.0.name()));
        let waited = ("bulkhead.waited_ns", ValueRef::from(waited_ns));
        match verdict {
            Verdict::QueueFull => self.decisions.record(verdict, &[name], cx),
            _ => self.decisions.record(verdict, &[name, waited], cx),
        }
    }

    /// Waits for a permit in the queue, if there is a place.
    async fn wait(&self, cx: &Context) -> Result<Permit<'_>> {
        let room: &Room = &self.bulkhead.0;
        let place = room.queue().map_err(|full| {
            self.record(Verdict::QueueFull, 0, cx);
            Error::new(ErrorKind::BulkheadFull, full)
        })?;
        let start = cx.clock().ticks();
        let bound = Bound::new(room.max_wait(), cx.remaining());
        let mut watch = Watch { decisions: &self.decisions, cx, over: false };
        let waited = permit_within(&place, bound.limit(), cx).await;
        watch.over = true;
        let waited_ns = cx.clock().nanos_between(start, cx.clock().ticks());
        let (verdict, result) = match (waited, bound) {
            (Waited::Permitted(permit), _) => (Verdict::Waited, Ok(place.admit(permit))),
            (Waited::Cancelled, _) => (Verdict::Cancelled, Err(stopped())),
            (Waited::OutOfTime, Bound::Deadline(left)) => (Verdict::DeadlinePassed, Err(room_too_late(room, left))),
            (Waited::OutOfTime, bound) => {
                let full = place.shed(bound.limit().unwrap_or_default());
                (Verdict::WaitedTooLong, Err(Error::new(ErrorKind::BulkheadFull, full)))
            }
        };
        self.record(verdict, waited_ns, cx);
        result
    }
}

/// A permit, unless the run is told to stop or the time is up before it comes.
async fn permit_within<'r>(place: &Place<'r>, limit: Option<Duration>, cx: &Context) -> Waited<'r> {
    let mut cancelled = pin!(cx.cancelled());
    let mut permit = pin!(place.permit());
    let mut timer = pin!(None::<Sleep>);
    if let Some(limit) = limit {
        timer.set(Some(crate::time::sleep(cx.clock(), limit)));
    }
    poll_fn(|task| {
        // First: a run that was told to stop has no use for a permit.
        if cancelled.as_mut().poll(task).is_ready() {
            return Poll::Ready(Waited::Cancelled);
        }
        if let Poll::Ready(Some(permit)) = permit.as_mut().poll(task) {
            return Poll::Ready(Waited::Permitted(permit));
        }
        match timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(task).map(|()| Waited::OutOfTime),
            None => Poll::Pending,
        }
    })
    .await
}

#[cold]
fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "the run was told to stop while it waited for a bulkhead")
}

#[cold]
fn room_too_late(room: &Room, left: Duration) -> Error {
    let what = format!("bulkhead `{}` had no room within the {left:?} left until the deadline", room.name());
    Error::new(ErrorKind::Timeout, NeverMade(what)).by_deadline()
}

impl<In: Send + 'static, Out: Send + 'static> Primitive<In> for Bulkheaded<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        self.bulkhead.0.meet(cx.telemetry());
        let permit = match self.bulkhead.0.try_enter() {
            Some(permit) => {
                self.decisions.count(Verdict::Admitted, cx);
                permit
            }
            // In a box: calls that do not wait need no room for what waiting takes.
            None => Box::pin(self.wait(cx)).await?,
        };
        let result = self.inner.run(input, cx).await;
        drop(permit);
        result
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        let room = &self.bulkhead.0;
        let queue = match room.max_queued() {
            0 => String::new(),
            queued => format!(" + {queued} queued"),
        };
        self.inner.graph().note(format!("bulkhead {} {}{queue}", room.name(), room.max_concurrent()))
    }
}
