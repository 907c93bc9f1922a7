//! The streams of one connection of HTTP/2: tasks that end with it, and with a client that takes
//! nothing.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};

use super::counters::{Cells, count};

/// Whom a reply waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// For its next piece to be made.
    ForUs,
    /// For the client to take the last one.
    ForClient,
}

tokio::task_local! {
    /// Set by the body of the reply that the polled stream sends.
    static WAITS: Cell<Option<Waits>>;
}

/// Says whom the reply that is being polled waits for from now on.
pub(crate) fn mark(waits: Waits) {
    // Outside a stream of HTTP/2 nobody wants to know.
    let _ = WAITS.try_with(|cell| cell.set(Some(waits)));
}

/// All streams of a connection. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Streams {
    tasks: Arc<Mutex<JoinSet<()>>>,
    active: watch::Sender<usize>,
    patience: Duration,
    cells: Arc<Cells>,
}

impl Streams {
    pub(super) fn new(patience: Duration, cells: Arc<Cells>) -> Self {
        Self { tasks: Arc::default(), active: watch::Sender::new(0), patience, cells }
    }

    pub(super) fn spawner(&self) -> Spawner {
        let (active, cells) = (self.active.clone(), Arc::clone(&self.cells));
        Spawner { tasks: Arc::downgrade(&self.tasks), active, patience: self.patience, cells }
    }

    /// Waits until there has been no stream for as long as `patience` says at its beginning.
    pub(super) async fn idle(&self, patience: impl Fn() -> Duration) {
        let mut active = self.active.subscribe();
        loop {
            // The sender is ours.
            let _ = active.wait_for(|count| *count == 0).await;
            tokio::select! {
                () = tokio::time::sleep_until(Instant::now() + patience()) => return,
                _ = active.changed() => {}
            }
        }
    }
}

/// Makes tasks of streams. It holds none of them: each task holds a spawner.
#[derive(Clone, Debug)]
pub(super) struct Spawner {
    tasks: Weak<Mutex<JoinSet<()>>>,
    active: watch::Sender<usize>,
    patience: Duration,
    cells: Arc<Cells>,
}

impl<F: Future + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, stream: F) {
        let Some(tasks) = self.tasks.upgrade() else { return };
        let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        self.active.send_modify(|count| *count += 1);
        let stream = Stream {
            inner: Box::pin(stream),
            giving_up: None,
            patience: self.patience,
            cells: Arc::clone(&self.cells),
            _active: Active(self.active.clone()),
        };
        tasks.spawn(stream);
    }
}

/// Counts a stream while it is there.
struct Active(watch::Sender<usize>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// One stream, which ends, by a reset, when its client takes nothing.
struct Stream<F> {
    inner: Pin<Box<F>>,
    /// Runs while the client has something to take.
    giving_up: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    cells: Arc<Cells>,
    _active: Active,
}

impl<F: Future> Future for Stream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let poll = || (this.inner.as_mut().poll(cx).is_ready(), WAITS.with(Cell::get));
        let (is_done, waits) = WAITS.sync_scope(Cell::new(None), poll);
        if is_done {
            return Poll::Ready(());
        }
        match waits {
            Some(Waits::ForUs) => self.giving_up = None,
            Some(Waits::ForClient) => {
                self.giving_up = Some(Box::pin(tokio::time::sleep_until(Instant::now() + self.patience)));
            }
            // The body was not asked: nothing has changed.
            None => {}
        }
        let Some(giving_up) = &mut self.giving_up else { return Poll::Pending };
        std::task::ready!(giving_up.as_mut().poll(cx));
        count(&self.cells.stuck_cut);
        Poll::Ready(())
    }
}
