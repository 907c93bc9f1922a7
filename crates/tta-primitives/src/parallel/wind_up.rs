//! Ending the branches that still run once the outcome is certain.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tta_telemetry::Clock;

use super::Settings;
use super::branch::Running;
use super::join::Join;
use crate::context::Context;

/// How long a task that was aborted may take to end. One that waits ends as soon as its runtime
/// gets to it; one in the middle of a computation cannot be stopped and is left to its own.
const ABORT_PATIENCE: Duration = Duration::from_millis(10);

/// Gives the remaining branches, which were told to stop, their grace; then ends them.
pub(super) async fn wind_up<In, J>(
    mut running: FuturesUnordered<Running<'_, In>>,
    cx: &Context,
    settings: Settings,
    join: &mut J,
) where
    In: Send + 'static,
    J: Join,
{
    if !settings.cancel_grace.is_zero() {
        finish_within(cx.sleep(settings.cancel_grace), &mut running, join).await;
    }
    // Branches on the run's own task end with the set, here and now. Other tasks need a moment: none
    // is to be left behind, and their spans are to close before the fan's own.
    if settings.spawned {
        running.iter().for_each(Running::abort);
        finish_within(patience(cx.clock()), &mut running, join).await;
    }
}

/// Polls branches until all have ended or the time is over, whichever is first.
async fn finish_within<In, J>(
    time: impl Future<Output = ()>,
    running: &mut FuturesUnordered<Running<'_, In>>,
    join: &mut J,
) where
    In: Send + 'static,
    J: Join,
{
    let mut time = pin!(time);
    poll_fn(|task| {
        while let Poll::Ready(next) = running.poll_next_unpin(task) {
            match next {
                Some(finished) => join.on_late(finished),
                None => return Poll::Ready(()),
            }
        }
        time.as_mut().poll(task)
    })
    .await;
}

/// Completes when the patience is over. Real time is looked at whenever it is this task's turn,
/// because a runtime that runs tasks need not have timers; that keeps one thread busy, for as long
/// as a task needs to end.
async fn patience(clock: &Clock) {
    if let Some(paused) = clock.as_manual() {
        return paused.sleep(ABORT_PATIENCE).await;
    }
    let start = clock.ticks();
    poll_fn(|task| {
        if clock.elapsed(start) >= ABORT_PATIENCE {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
