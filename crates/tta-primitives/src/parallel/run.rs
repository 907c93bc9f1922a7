//! Driving branches: side by side on one task, or each on its own.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tta_telemetry::{ActiveBranch, SpanId};

use super::Settings;
use super::join::Erased;
use crate::context::{Context, Position, Scoped};
use crate::error::{Error, ErrorKind, Result};
use crate::node::{Node, StepBox, missing_value, panic_error, poll_caught, start_caught};
use crate::observe::StepRecorder;
use crate::workflow::stopped;

type Finished = (usize, Result<Erased>);

/// Runs all branches and returns their outputs in order, or the first error.
pub(super) async fn all<In: Clone + Send + 'static>(
    branches: &Arc<Vec<Arc<dyn Node>>>,
    input: In,
    cx: &Context,
    settings: Settings,
) -> Result<Vec<Erased>> {
    // The siblings are a part of the run that is stopped together.
    let siblings = cx.child(None);
    Scoped::new(siblings.clone(), drive(branches, input, &siblings, cx, settings)).await
}

async fn drive<In: Clone + Send + 'static>(
    branches: &Arc<Vec<Arc<dyn Node>>>,
    input: In,
    siblings: &Context,
    cx: &Context,
    settings: Settings,
) -> Result<Vec<Erased>> {
    let mut waiting = Inputs { input: Some(input), next: 0, total: branches.len() };
    let mut running: FuturesUnordered<BoxFuture<'_, Finished>> = FuturesUnordered::new();
    let most = settings.max_concurrency.map_or(branches.len().max(1), NonZeroUsize::get);
    let mut outputs: Vec<Option<Erased>> = branches.iter().map(|_| None).collect();
    loop {
        while running.len() < most {
            let Some((index, input)) = waiting.take() else { break };
            running.push(start(branches, index, input, siblings, settings.spawned));
        }
        match running.next().await {
            None => return outputs.into_iter().map(|output| output.ok_or_else(missing_value)).collect(),
            Some((index, Ok(output))) => {
                if let Some(slot) = outputs.get_mut(index) {
                    *slot = Some(output);
                }
            }
            Some((_, Err(error))) => {
                siblings.cancel_handle().cancel();
                wind_up(running, cx, settings).await;
                return Err(error);
            }
        }
    }
}

/// Gives the remaining branches their grace, then drops them.
async fn wind_up(mut running: FuturesUnordered<BoxFuture<'_, Finished>>, cx: &Context, settings: Settings) {
    if settings.cancel_grace.is_zero() || running.is_empty() {
        return;
    }
    let mut grace = std::pin::pin!(cx.sleep(settings.cancel_grace));
    std::future::poll_fn(|task| {
        while let Poll::Ready(next) = running.poll_next_unpin(task) {
            if next.is_none() {
                return Poll::Ready(());
            }
        }
        grace.as_mut().poll(task)
    })
    .await;
}

/// Hands out clones of the input, and the input itself last.
struct Inputs<In> {
    input: Option<In>,
    next: usize,
    total: usize,
}

impl<In: Clone> Inputs<In> {
    fn take(&mut self) -> Option<(usize, In)> {
        if self.next >= self.total {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let input = if self.next == self.total { self.input.take() } else { self.input.clone() };
        input.map(|input| (index, input))
    }
}

fn start<'a, In: Send + 'static>(
    branches: &'a Arc<Vec<Arc<dyn Node>>>,
    index: usize,
    input: In,
    cx: &'a Context,
    spawned: bool,
) -> BoxFuture<'a, Finished> {
    let total = branches.len();
    if !spawned {
        let branch = Branch::new(branches.get(index), index, total, input, cx);
        return Box::pin(async move { (index, branch.await) });
    }
    let (branches, inside) = (Arc::clone(branches), cx.here());
    let work = async move {
        let context = inside.clone();
        Scoped::new(context, Branch::new(branches.get(index), index, total, input, &inside)).await
    };
    Box::pin(async move { (index, on_own_task(work).await) })
}

/// Spawns and awaits; the task ends when the returned future is dropped.
async fn on_own_task(work: impl Future<Output = Result<Erased>> + Send + 'static) -> Result<Erased> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return Err(Error::new(ErrorKind::Internal, "spawned branches need a tokio runtime, none is running here"));
    };
    let task = tokio_util::task::AbortOnDropHandle::new(runtime.spawn(work));
    match task.await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => Err(panic_error(&*panic)),
            Err(_) => Err(Error::new(ErrorKind::Cancelled, "the runtime shut down before a branch ended")),
        },
    }
}

/// One branch with its span. The step's future is dropped before its span closes.
struct Branch<'a, In> {
    current: Option<StepBox<'a>>,
    recorder: StepRecorder<'a>,
    active: Option<ActiveBranch>,
    node: Option<&'a Arc<dyn Node>>,
    place: (usize, usize),
    parent: Option<SpanId>,
    input: Option<In>,
    cx: &'a Context,
}

// No field is pinned in place: the step's future is boxed.
impl<In> Unpin for Branch<'_, In> {}

impl<'a, In: Send + 'static> Branch<'a, In> {
    fn new(node: Option<&'a Arc<dyn Node>>, index: usize, total: usize, input: In, cx: &'a Context) -> Self {
        let (place, parent) = ((index, total), cx.span_id());
        let recorder = StepRecorder::new(cx);
        Self { current: None, recorder, active: None, node, place, parent, input: Some(input), cx }
    }

    fn start(&mut self) -> Result<()> {
        let node = self.node.ok_or_else(missing_value)?;
        if self.cx.is_cancelled() {
            return Err(stopped());
        }
        if self.cx.is_recording() {
            self.recorder.open(node.meta(), self.parent, None);
            self.recorder.set("branch.index", self.place.0);
            self.recorder.set("branch.total", self.place.1);
        }
        self.active = Some(self.cx.telemetry().branch_started());
        let _position = self.enter();
        self.current = Some(start_caught(&**node, &mut self.input, self.cx)?);
        Ok(())
    }

    /// Puts this thread at the branch's span until the guard is dropped.
    fn enter(&self) -> Position {
        let mut position = Position::keep();
        if let Some(span) = self.recorder.id() {
            position.set(self.cx.run_key(), span);
        }
        position
    }

    fn poll_current(&mut self, task: &mut std::task::Context<'_>) -> Poll<Result<Erased>> {
        if self.current.is_none() {
            self.start()?;
        }
        let _position = self.enter();
        let Some(current) = self.current.as_mut() else { return Poll::Ready(Err(missing_value())) };
        poll_caught(current, task)
            .map(|result| result.and_then(|()| current.as_mut().take_boxed().ok_or_else(missing_value)))
    }
}

impl<In: Send + 'static> Future for Branch<'_, In> {
    type Output = Result<Erased>;

    fn poll(mut self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Result<Erased>> {
        let result = std::task::ready!(self.poll_current(task));
        self.current = None;
        self.active = None;
        self.recorder.close(result.as_ref().map(drop));
        Poll::Ready(result.map_err(|error| match self.node {
            Some(node) => error.within(&node.meta().name),
            None => error,
        }))
    }
}
