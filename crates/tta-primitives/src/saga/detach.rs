//! Compensations that outlive their run: on the runtime the run was started on, or on a thread of
//! their own when that runtime is gone or there was none.
//!
//! Owns who keeps what a saga has done while it runs, and where compensations go when it is
//! dropped. Only the end of the process loses them; a shutdown of the engine waits for them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tta_telemetry::{Name, ValueRef};

use super::rescue::rescue;
use super::undo::{Completed, Tally, Undo};
use super::{Inner, Verdict};
use crate::context::{At, Context};
use crate::error::{Error, ErrorKind};
use crate::time::can_sleep;

/// What a running saga has done so far. Dropped before it is told that all went well, it sees to
/// it that what was done is undone.
pub(super) struct Keeper<'a> {
    pub(super) completed: Vec<Completed>,
    /// The step under way.
    pub(super) at: usize,
    undo: Option<Undo>,
    saga: &'a Arc<Inner>,
    cx: &'a Context,
    /// In the saga's step: where this is dropped, the thread may be anywhere.
    place: At,
    /// The runtime that the run was started on.
    runtime: Option<Handle>,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(saga: &'a Arc<Inner>, cx: &'a Context) -> Self {
        let runtime = Handle::try_current().ok();
        Self { completed: Vec::new(), at: 0, undo: None, saga, cx, place: cx.at(), runtime }
    }

    /// The saga has succeeded: there is nothing to undo.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.completed.clear();
    }

    /// Undoes what was done, and makes the saga's error of its cause.
    pub(super) async fn compensate(&mut self, cause: Error) -> Error {
        if self.completed.is_empty() {
            let step = self.step_under_way();
            let failed_step = step.as_ref().map(|step| ("saga.failed_step", ValueRef::from(step)));
            self.saga.decisions.record(Verdict::Failed, failed_step.as_slice(), self.cx);
            return cause;
        }
        let mut undo = self.begin();
        if can_sleep(self.cx.clock()) {
            self.undo = Some(undo);
            let tally = std::future::poll_fn(|task| match &mut self.undo {
                Some(undo) => Pin::new(undo).poll(task),
                None => Poll::Ready(Tally::default()),
            });
            let tally = tally.await;
            self.undo = None;
            return tally.into_error(cause);
        }
        // No timer bounds compensations here: they run where there is one.
        undo.restart();
        let (tell, told) = oneshot::channel();
        rescue(Detached { undo: Some(undo), place: Place::Thread, tell: Some(tell) });
        match told.await {
            Ok(tally) => tally.into_error(cause),
            Err(_) => Error::new(ErrorKind::Compensation, cause),
        }
    }

    fn step_under_way(&self) -> Option<Name> {
        self.saga.stages.get(self.at).map(|stage| stage.node.meta().name.clone())
    }

    fn begin(&mut self) -> Undo {
        let left = std::mem::take(&mut self.completed);
        Undo::new(self.saga, left, self.step_under_way(), &self.cx.standing_at(self.place))
    }
}

impl Drop for Keeper<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.completed.is_empty() && self.undo.is_none() {
            return;
        }
        let mut undo = self.undo.take().unwrap_or_else(|| self.begin());
        undo.without_run();
        detach(undo, self.runtime.take());
    }
}

/// Where compensations run that outlive their run.
#[derive(Clone, Copy)]
enum Place {
    Runtime,
    Thread,
}

/// Compensations on their way, wherever that is. Dropped there before the end, they go on at the
/// next place; dropped on the last, they are reported as not run.
pub(super) struct Detached {
    undo: Option<Undo>,
    place: Place,
    tell: Option<oneshot::Sender<Tally>>,
}

#[cold]
fn detach(undo: Undo, runtime: Option<Handle>) {
    let clock = undo.context().clock().clone();
    let has_timer = |runtime: &Handle| {
        let _inside = runtime.enter();
        can_sleep(&clock)
    };
    match runtime.filter(has_timer) {
        // A runtime that is shut down drops what it is given.
        Some(runtime) => drop(runtime.spawn(Detached { undo: Some(undo), place: Place::Runtime, tell: None })),
        None => rescue(Detached { undo: Some(undo), place: Place::Thread, tell: None }),
    }
}

impl Detached {
    pub(super) fn saga(&self) -> Option<&Arc<Inner>> {
        self.undo.as_ref().map(Undo::saga)
    }

    fn tell(&mut self, tally: Tally) {
        if let Some(tell) = self.tell.take() {
            // Whoever waited may be gone.
            let _ = tell.send(tally);
        }
    }
}

impl Future for Detached {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        if let Some(undo) = &mut self.undo {
            let tally = ready!(Pin::new(undo).poll(task));
            // What keeps the trace open goes before whoever waits goes on.
            self.undo = None;
            self.tell(tally);
        }
        Poll::Ready(())
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        let Some(mut undo) = self.undo.take() else { return };
        match self.place {
            Place::Runtime => {
                undo.restart();
                rescue(Self { undo: Some(undo), place: Place::Thread, tell: self.tell.take() });
            }
            Place::Thread => {
                let tally = undo.give_up();
                drop(undo);
                self.tell(tally);
            }
        }
    }
}
