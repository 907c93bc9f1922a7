//! The context of a run: what its steps share and what they inherit.
//!
//! Owns ids, baggage, shared state, checkpoints, deadline and cancellation. Cheap to clone; the
//! engine passes it by reference and never clones it per step.

mod builder;
mod cancel;
mod checkpoints;
mod cost;
mod current;
mod derive;
mod identity;
mod place;
mod progress;
mod propagate;
mod record;
mod state;

use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::propagation::TraceFlags;
use tta_telemetry::{Clock, IdSource, Name, SpanId, Telemetry, Ticks, TraceHandle, TraceId};

pub use builder::{ContextBuilder, ContextError};
pub use cancel::CancelHandle;
pub use checkpoints::Checkpoint;
pub use identity::CorrelationId;
pub use state::{RunState, StateError};

pub(crate) use current::{At, Position, Scoped, with_current};
pub use place::{Before, Place};
pub(crate) use progress::Progress;

use cancel::Cancellation;
use checkpoints::Checkpoints;
use cost::Spent;
use identity::Identity;

/// What a run's steps share and inherit. One per run; clones are the same run.
///
/// A context made by [`Context::new`] starts a run of its own each time a workflow runs with it;
/// inside a run, steps are given the run's context, and workflows run with it join that run.
///
/// State and checkpoints belong to the context, so that a caller can put values in before a run
/// and read them after it. Make a new context for every request: runs started from the same one
/// share them ([`for_each`](crate::Workflow::for_each) gives each run its own). Its cancellation
/// reaches all runs started from it; a run's own reaches only that run.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

// A part of a run (a branch, an attempt under a timeout) has one of these of its own, so it is
// small: what parts have in common is behind one pointer.
#[derive(Clone)]
struct Inner {
    common: Arc<Common>,
    /// Where this context was handed out: the parent of spans started from it elsewhere.
    at: At,
    deadline: Option<Deadline>,
    cancellation: Cancellation,
    /// Who watches whether this part of the run makes progress.
    progress: Option<Arc<Progress>>,
}

/// What is the same in all parts of a run, as far as one workflow goes.
#[derive(Clone)]
struct Common {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    correlation_id: Option<CorrelationId>,
    telemetry: Telemetry,
    trace: TraceHandle,
    run: Option<Run>,
    workflow: (u64, Name),
}

/// What all contexts of a run have in common.
struct Shared {
    state: RunState,
    checkpoints: Checkpoints,
    spent: Spent,
}

/// The run a context is in.
#[derive(Clone, Copy, Debug)]
struct Run {
    trace_id: TraceId,
    /// Tells runs apart on a thread: the root span's id, or a random number when not recorded, and
    /// the engine's, without the lowest bits ([`current::ENTERING`]).
    key: u64,
    flags: TraceFlags,
    /// Parent of what is called while no span of ours is recorded.
    unrecorded_span: SpanId,
}

/// A moment: so long after a reading.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    from: Ticks,
    after: Duration,
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl Context {
    /// A context for a new run on the process's default engine, with no deadline.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Telemetry::global())
    }

    /// A context for a new run on the given engine.
    #[must_use]
    pub fn on(telemetry: Telemetry) -> Self {
        Self::builder().telemetry(telemetry).build_unchecked()
    }

    /// A context with ids, baggage, tags, a deadline.
    pub fn builder() -> ContextBuilder {
        ContextBuilder::default()
    }

    /// The context of the step that is being polled on this thread, or that spawned this task.
    ///
    /// `None` outside a run. Works inside any step, also those that do not take a context.
    #[must_use]
    pub fn current() -> Option<Self> {
        current::current()
    }

    /// The engine this run is recorded by.
    #[inline]
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.0.common.telemetry
    }

    /// The clock that spans, timers and deadlines of this run share.
    #[inline]
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.0.common.telemetry.clock()
    }

    /// The run's source of randomness and ids.
    #[must_use]
    pub fn ids(&self) -> &IdSource {
        self.0.common.telemetry.ids()
    }

    /// Waits on the run's clock. With a paused clock it waits until a test moves it.
    ///
    /// # Cancel safety
    /// Dropping the future stops waiting.
    pub async fn sleep(&self, duration: Duration) {
        crate::time::sleep(self.clock(), duration).await;
    }

    /// The run's trace id; `None` outside a run. Set also when nothing is recorded, so that it can
    /// be propagated.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.0.common.run.map(|run| run.trace_id)
    }

    /// The span that new spans of this context would hang under.
    #[inline]
    #[must_use]
    pub fn span_id(&self) -> Option<SpanId> {
        self.at().span
    }

    /// Where what is recorded now belongs.
    #[inline]
    pub(crate) fn at(&self) -> At {
        match self.0.common.run {
            Some(run) => current::at_in(run.key).unwrap_or(self.0.at),
            None => At::default(),
        }
    }

    /// The typed map that the run's steps share.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.0.common.shared.state
    }

    /// Notes that a point in the run was reached. At most 1,024 are kept; later ones are counted.
    pub fn checkpoint(&self, name: impl Into<Name>) {
        let name = name.into();
        self.event(&name, &[]);
        self.0.common.shared.checkpoints.add(name, self.clock());
    }

    /// The checkpoints so far, in order.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        self.0.common.shared.checkpoints.list()
    }

    /// Checkpoints that were not kept because there were too many.
    #[must_use]
    pub fn dropped_checkpoints(&self) -> u64 {
        self.0.common.shared.checkpoints.dropped()
    }

    /// Time since the context was made, on the monotonic clock.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock().elapsed(self.0.common.shared.checkpoints.start())
    }

    /// Time left until the run's deadline, zero when it has passed; `None` without a deadline.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let deadline = self.0.deadline?;
        Some(deadline.left(self.clock().elapsed(deadline.from)))
    }

    /// Whether the run, or the part of it this context belongs to, was told to stop.
    #[inline]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancellation.is_cancelled()
    }

    /// Completes when the run, or this part of it, is told to stop: by its owner, a failed
    /// sibling, or a timeout. Steps that can stop early wait for it beside their work.
    ///
    /// # Cancel safety
    /// Dropping the future stops waiting.
    pub async fn cancelled(&self) {
        self.0.cancellation.cancelled().await;
    }

    /// Tells the run to stop, from anywhere; for a context from inside a fan-out or a timeout, that
    /// part of the run. See [`Context::cancelled`].
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        self.0.cancellation.handle()
    }

    #[inline]
    pub(crate) fn trace(&self) -> &TraceHandle {
        &self.0.common.trace
    }

    #[inline]
    pub(crate) fn is_in_run(&self) -> bool {
        self.0.common.run.is_some()
    }

    /// The number that tells this run from others on a thread; 0 outside a run.
    #[inline]
    pub(crate) fn run_key(&self) -> u64 {
        self.0.common.run.map_or(0, |run| run.key)
    }

    #[inline]
    pub(crate) fn workflow_key(&self) -> u64 {
        self.0.common.workflow.0
    }

    pub(crate) fn workflow_name(&self) -> &Name {
        &self.0.common.workflow.1
    }
}

impl Deadline {
    fn left(self, passed: Duration) -> Duration {
        self.after.saturating_sub(passed)
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("trace_id", &self.trace_id())
            .field("span_id", &self.span_id())
            .field("workflow", self.workflow_name())
            .field("correlation_id", &self.correlation_id().map(ToString::to_string))
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
