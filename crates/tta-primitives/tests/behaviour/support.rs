//! Steps and small tools that several modules use.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, Result};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn double(x: u32) -> Result<u32, String> {
    Ok(x * 2)
}

pub(crate) async fn increment(x: u32) -> Result<u32, String> {
    Ok(x + 1)
}

pub(crate) async fn refuse(x: u32) -> Result<u32, String> {
    Err(format!("{x} is refused"))
}

/// A context whose correlation id is known, for trees that show attributes.
pub(crate) fn context(engine: &TestEngine) -> Context {
    Context::builder().telemetry(engine.telemetry().clone()).correlation_id("c-1").build().unwrap()
}

/// Never returns.
pub(crate) async fn hang(_: u32) -> Result<u32, String> {
    std::future::pending().await
}

/// Waits a second on the run's clock.
pub(crate) async fn wait_a_second(x: u32, cx: Context) -> Result<u32> {
    cx.sleep(SECOND).await;
    Ok(x)
}

/// A value that counts how often it was cloned.
pub(crate) struct Counted(pub(crate) Arc<AtomicUsize>);

impl Counted {
    pub(crate) fn new() -> (Self, Arc<AtomicUsize>) {
        let clones = Arc::new(AtomicUsize::new(0));
        (Self(Arc::clone(&clones)), clones)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

/// Calls a function when dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Polls a future once.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Task::from_waker(Waker::noop()))
}

/// Lets other tasks of this thread run, and other branches of this task.
pub(crate) async fn give_way() {
    let mut first = true;
    std::future::poll_fn(|task| {
        task.waker().wake_by_ref();
        if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

/// Runs a future on a runtime of one thread, with the engine's clock moving when all else waits.
pub(crate) fn on_runtime<F: Future>(engine: &TestEngine, future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(engine.drive(future))
}

/// Starts a run, polls it once, and drops it.
pub(crate) fn start_and_drop<F: Future>(future: F) {
    let mut future = pin!(future);
    assert!(poll_once(future.as_mut()).is_pending(), "the run waits");
}
