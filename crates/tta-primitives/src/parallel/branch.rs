//! One branch: its span, and the task it runs on.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tta_telemetry::{ActiveBranch, ActiveBranches, SpanId};

use super::fan_out::Erased;
use super::join::Finished;
use crate::context::{At, Context, Position, Scoped};
use crate::error::{Error, ErrorKind, Result};
use crate::node::{Node, StepBox, missing_value, panic_error, poll_caught, start_caught};
use crate::observe::StepRecorder;
use crate::workflow::stopped;

/// What a branch leaves: its span, which has closed, and its result.
type Outcome = (Option<SpanId>, Result<Erased>);

/// The branches of a fan.
pub(super) type Branches = Arc<Vec<Arc<dyn Node>>>;

/// What the branches of a fan have in common in one run.
#[derive(Clone)]
pub(super) struct Siblings {
    pub(super) branches: Branches,
    /// Where they count as active.
    pub(super) active: Option<Arc<ActiveBranches>>,
}

/// Where tasks of the branches' own run, and what they have to know of their fan.
pub(super) struct Tasks {
    pub(super) runtime: Handle,
    /// Set once other branches have won; `None` where that cannot be.
    pub(super) is_won: Option<Arc<AtomicBool>>,
}

/// A branch under way, wherever it runs. Dropping it ends it.
pub(super) struct Running<'a, In> {
    pub(super) index: usize,
    place: Place<'a, In>,
}

// In place rather than in a box: a set of running branches allocates once for each as it is.
#[allow(clippy::large_enum_variant)]
enum Place<'a, In> {
    /// On the run's task, in the context of the fan.
    Here(Branch<'a, In>),
    /// On the run's task, in a context of its own.
    Apart(Scoped<Branch<'a, In>>),
    /// On a task of its own, which ends when the handle is dropped.
    Task(AbortOnDropHandle<Outcome>),
}

impl<'a, In: Send + 'static> Running<'a, In> {
    /// A branch on the run's task. `scope`: the context it is to find as the current one, when
    /// that is not the fan's.
    pub(super) fn here(
        siblings: &'a Siblings,
        index: usize,
        input: In,
        cx: &'a Context,
        scope: Option<Context>,
    ) -> Self {
        let branch = Branch::new(siblings, index, input, cx);
        let place = match scope {
            None => Place::Here(branch),
            Some(scope) => Place::Apart(Scoped::new(scope, branch)),
        };
        Self { index, place }
    }

    /// A branch on a task of its own.
    pub(super) fn on_task(siblings: &Siblings, index: usize, input: In, cx: &Context, tasks: &Tasks) -> Self {
        let (siblings, inside, is_won) = (siblings.clone(), cx.here(), tasks.is_won.clone());
        let task = tasks.runtime.spawn(async move {
            let branch = Branch::new(&siblings, index, input, &inside);
            let (span, result) = Scoped::new(inside.clone(), branch).await;
            if let (Some(span), Err(_), Some(is_won)) = (span, &result, is_won)
                && is_won.load(Ordering::Acquire)
            {
                // Nobody may be left to say so: the fan does not wait for a long computation.
                inside.trace().mark_handled(span);
            }
            (span, result)
        });
        Self { index, place: Place::Task(AbortOnDropHandle::new(task)) }
    }

    /// Tells a task of the branch's own to end; it needs a moment.
    pub(super) fn abort(&self) {
        if let Place::Task(task) = &self.place {
            task.abort();
        }
    }
}

impl<In: Send + 'static> Future for Running<'_, In> {
    type Output = Finished;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Finished> {
        let (span, result) = match &mut self.place {
            Place::Here(branch) => ready!(Pin::new(branch).poll(task)),
            Place::Apart(branch) => ready!(Pin::new(branch).poll(task)),
            Place::Task(handle) => match ready!(Pin::new(handle).poll(task)) {
                Ok(outcome) => outcome,
                Err(failed) => (None, Err(task_error(failed))),
            },
        };
        Poll::Ready(Finished { index: self.index, span, result })
    }
}

#[cold]
fn task_error(failed: tokio::task::JoinError) -> Error {
    match failed.try_into_panic() {
        Ok(panic) => panic_error(&*panic),
        Err(_) => Error::new(ErrorKind::Cancelled, "the runtime shut down before a branch ended"),
    }
}

/// One branch with its span. The step's future is dropped before its span closes.
struct Branch<'a, In> {
    current: Option<StepBox<'a>>,
    recorder: StepRecorder<'a>,
    active: Option<ActiveBranch>,
    node: Option<&'a Arc<dyn Node>>,
    siblings: &'a Siblings,
    /// Its index, and how many there are.
    place: (usize, usize),
    parent: At,
    input: Option<In>,
    cx: &'a Context,
}

// No field is pinned in place: the step's future is boxed.
impl<In> Unpin for Branch<'_, In> {}

impl<'a, In> Branch<'a, In> {
    fn new(siblings: &'a Siblings, index: usize, input: In, cx: &'a Context) -> Self {
        let parent = cx.at();
        Self {
            current: None,
            recorder: StepRecorder::new(cx),
            active: None,
            node: siblings.branches.get(index),
            place: (index, siblings.branches.len()),
            siblings,
            parent,
            input: Some(input),
            cx,
        }
    }

    fn start(&mut self) -> Result<()>
    where
        In: Send + 'static,
    {
        let node = self.node.ok_or_else(missing_value)?;
        if self.cx.is_cancelled() {
            return Err(stopped());
        }
        if self.cx.is_recording() {
            self.recorder.open(node.meta(), self.parent, None);
            self.recorder.set("branch.index", self.place.0);
            self.recorder.set("branch.total", self.place.1);
        }
        self.active = self.siblings.active.as_ref().map(ActiveBranches::started);
        let _position = self.enter();
        self.current = Some(start_caught(&**node, &mut self.input, self.cx)?);
        Ok(())
    }

    /// Puts this thread at the branch's span until the guard is dropped.
    fn enter(&self) -> Position {
        let mut position = Position::keep();
        if let Some(at) = self.recorder.at() {
            position.set(self.cx.run_key(), at);
        }
        position
    }

    fn poll_current(&mut self, task: &mut std::task::Context<'_>) -> Poll<Result<Erased>>
    where
        In: Send + 'static,
    {
        if self.current.is_none() {
            self.start()?;
        }
        let _position = self.enter();
        let Some(current) = self.current.as_mut() else { return Poll::Ready(Err(missing_value())) };
        poll_caught(current, task)
            .map(|result| result.and_then(|()| current.as_mut().take_boxed().ok_or_else(missing_value)))
    }

    /// Drops the step's future and an input that was not used; a panic in that is the branch's.
    fn clear(&mut self) -> Result<()> {
        let cleared = catch_unwind(AssertUnwindSafe(|| {
            self.current = None;
            self.input = None;
        }));
        cleared.map_err(|panic| panic_error(&*panic))
    }
}

impl<In: Send + 'static> Future for Branch<'_, In> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Outcome> {
        let result = ready!(self.poll_current(task));
        let result = match self.clear() {
            Ok(()) => result,
            Err(panic) => result.and(Err(panic)),
        };
        let span = self.recorder.id();
        self.recorder.close(result.as_ref().map(drop));
        let result = result.map_err(|error| match self.node {
            Some(node) => error.within(&node.meta().name),
            None => error,
        });
        Poll::Ready((span, result))
    }
}

impl<In> Drop for Branch<'_, In> {
    /// A branch that panics while it is dropped must not take its siblings along: the set of
    /// running branches leaks what is left in it when it unwinds.
    #[inline]
    fn drop(&mut self) {
        if self.current.is_some() || self.input.is_some() {
            let _ = self.clear();
        }
    }
}
