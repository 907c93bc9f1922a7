//! Driving branches side by side until a join has what it needs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Handle;

use super::Fan;
use super::branch::{Running, Tasks};
use super::join::{Finished, Join, Verdict};
use super::wind_up::wind_up;
use crate::context::{Context, Scoped};
use crate::error::{Error, ErrorKind, Result};

/// Runs branches until none is left, or the join says stop; then those that still run are told,
/// given their grace, and ended. What came of it is in the join; an error here is the run's own
/// cancellation, or says that the branches cannot run at all.
pub(super) async fn run<In, J>(fan: &Fan, input: In, cx: &Context, join: &mut J) -> Result<()>
where
    In: Clone + Send + 'static,
    J: Join,
{
    let parts = Parts::new(cx, if J::HAS_WINNERS { fan.branches.len() } else { 0 });
    Scoped::new(parts.whole.clone(), drive(fan, input, cx, &parts, join)).await
}

async fn drive<In, J>(fan: &Fan, input: In, cx: &Context, parts: &Parts, join: &mut J) -> Result<()>
where
    In: Clone + Send + 'static,
    J: Join,
{
    let total = fan.branches.len();
    let tasks = if fan.settings.spawned && total > 0 { Some(tasks::<J>()?) } else { None };
    let mut waiting = Inputs { input: Some(input), next: 0, total };
    let siblings = fan.siblings(cx);
    let mut running: FuturesUnordered<Running<'_, In>> = FuturesUnordered::new();
    let most = fan.settings.max_concurrency.map_or(total.max(1), NonZeroUsize::get);
    let ended = loop {
        while running.len() < most {
            let Some((index, input)) = waiting.take() else { break };
            let context = parts.of(index);
            running.push(match &tasks {
                Some(tasks) => Running::on_task(&siblings, index, input, context, tasks),
                None => Running::here(&siblings, index, input, context, parts.scope(index)),
            });
        }
        let Some(finished) = running.next().await else { return Ok(()) };
        if let Some(error) = own_cancellation(&finished, cx) {
            break Err(error);
        }
        if join.on_finished(finished) == Verdict::Stop {
            break Ok(());
        }
    };
    if let Some(is_won) = tasks.and_then(|tasks| tasks.is_won) {
        is_won.store(join.is_won(), Ordering::Release);
    }
    parts.tell(&running);
    wind_up(running, cx, fan.settings, join).await;
    ended
}

fn tasks<J: Join>() -> Result<Tasks> {
    match Handle::try_current() {
        Ok(runtime) => Ok(Tasks { runtime, is_won: J::HAS_WINNERS.then(Arc::default) }),
        Err(_) => Err(Error::new(ErrorKind::Internal, "spawned branches need a tokio runtime, none is running here")),
    }
}

/// The error of a branch that stopped because the whole run was told to: no join outlives that.
fn own_cancellation(finished: &Finished, cx: &Context) -> Option<Error> {
    let error = finished.result.as_ref().err()?;
    (error.kind() == ErrorKind::Cancelled && cx.is_cancelled()).then(|| error.clone())
}

/// The parts of the run that can be told to stop: the fan as a whole, and its branches one by one
/// where some of them may have won.
struct Parts {
    whole: Context,
    each: Vec<Context>,
}

impl Parts {
    fn new(cx: &Context, each: usize) -> Self {
        let whole = cx.child(None);
        Self { each: (0..each).map(|_| whole.child(None)).collect(), whole }
    }

    fn of(&self, index: usize) -> &Context {
        self.each.get(index).unwrap_or(&self.whole)
    }

    /// What a branch on the run's task finds as the current context, if that is not the whole.
    fn scope(&self, index: usize) -> Option<Context> {
        self.each.get(index).cloned()
    }

    /// Tells the branches that run to stop, not those that have ended.
    fn tell<In>(&self, running: &FuturesUnordered<Running<'_, In>>) {
        if self.each.is_empty() {
            self.whole.cancel_handle().cancel();
        }
        for context in running.iter().filter_map(|running| self.each.get(running.index)) {
            context.cancel_handle().cancel();
        }
    }
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
