//! The last place where compensations can run: a thread of their saga's own, with a small runtime.
//!
//! Owns that thread. It lives as long as there is work for it, and there is one for each saga at
//! most: a runtime that ends may leave thousands of runs to undo at once.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use tta_telemetry::detached;

use super::Inner;
use super::detach::Detached;

/// Leads to the thread, while there is one. What waits on the way is as much as there are runs.
#[derive(Default)]
pub(super) struct Rescue(Mutex<Option<UnboundedSender<Detached>>>);

impl Rescue {
    fn way(&self) -> MutexGuard<'_, Option<UnboundedSender<Detached>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives compensations to the saga's thread. Should the system refuse the thread or its runtime,
/// they are dropped, and so reported as not run.
#[cold]
pub(super) fn rescue(work: Detached) {
    let Some(saga) = work.saga().map(Arc::clone) else { return };
    let mut way = saga.rescue.way();
    let refused = match &*way {
        Some(open) => open.send(work).err().map(|refused| refused.0),
        None => Some(work),
    };
    let Some(work) = refused else { return };
    let (open, waiting) = unbounded_channel();
    let refused = open.send(work);
    *way = Some(open);
    drop(way);
    // Out of the lock: whatever is dropped here may come back.
    drop(refused);
    let run = move || run_all(&saga, waiting);
    // Where no thread is to be had, the work is dropped, which says so.
    drop(detached::spawn("tta-compensation", run));
}

/// Runs what comes, side by side, until nothing runs and nothing waits.
fn run_all(saga: &Inner, mut waiting: UnboundedReceiver<Detached>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let mut running = JoinSet::new();
        poll_fn(|task| {
            loop {
                while let Poll::Ready(Some(work)) = waiting.poll_recv(task) {
                    running.spawn(work);
                }
                match running.poll_join_next(task) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(_)) => {}
                    Poll::Ready(None) => {
                        // Under the lock nothing can come in between.
                        let mut way = saga.rescue.way();
                        let Ok(work) = waiting.try_recv() else {
                            *way = None;
                            return Poll::Ready(());
                        };
                        running.spawn(work);
                    }
                }
            }
        })
        .await;
    });
}
