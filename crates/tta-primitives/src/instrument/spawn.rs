//! Tasks of a run: work that a step starts and does not wait for.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{self, Poll};

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tta_telemetry::{Name, OwnedSpan, SpanStatus};

use crate::context::{Context, Scoped};
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::node::panic_error;

/// The kind of a task's span.
const KIND: &str = "task";

/// A task of a run. Awaiting it gives its result; dropping it leaves the task running.
#[must_use = "dropping it detaches the task; await it for the result, or call `detach` to say that you do not want it"]
pub struct Spawned<T>(State<T>);

enum State<T> {
    Running(JoinHandle<Result<T>>),
    /// It could not be started.
    Failed(Option<Error>),
}

impl Context {
    /// Starts a task that belongs to this run: [`Context::current`] works in it, what it records
    /// hangs below the step that started it, and it learns through [`Context::cancelled`] when the
    /// run is told to stop or is dropped.
    ///
    /// The run does not wait for it. Its span has the given name; when it fails or panics and
    /// nobody awaits it, the run counts as failed, also when its workflow succeeded, as long as
    /// the trace is open (at most the engine's `decision_wait` after the end of the run; later
    /// errors are counted).
    ///
    /// Needs a tokio runtime; without one the returned handle gives an error of kind
    /// [`Internal`](ErrorKind::Internal).
    ///
    /// ```
    /// # use tta_primitives::{Context, Result};
    /// # async fn warm_cache(key: String) -> Result<usize, String> { Ok(key.len()) }
    /// async fn answer(question: String, cx: Context) -> Result<String> {
    ///     let warmed = cx.spawn("warm_cache", warm_cache(question.clone()));
    ///     let answer = format!("{question}? 42");
    ///     warmed.await?;
    ///     Ok(answer)
    /// }
    /// ```
    pub fn spawn<F, T, E>(&self, name: impl Into<Name>, future: F) -> Spawned<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            let error = "a task needs a tokio runtime, none is running here";
            return Spawned(State::Failed(Some(Error::new(ErrorKind::Internal, error))));
        };
        // Only the task's own span is detached: an error below it may be handled inside the task.
        let span = self.trace().detached().owned_span(self.span_id(), name.into(), KIND);
        let context = self.standing_at(span.id().or_else(|| self.span_id()));
        Spawned(State::Running(runtime.spawn(run(context, span, future))))
    }

    /// Runs a future inside this context wherever it is polled, so that [`Context::current`] finds
    /// it: for tasks and threads that the run did not start itself.
    ///
    /// # Cancel safety
    /// That of the future.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Scoped::new(self.here(), future)
    }

    /// Calls a function inside this context: [`Context::scope`] for synchronous code.
    pub fn in_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        Scoped::now(self.here(), f)
    }
}

/// The task: the future inside the context, then its outcome on the span.
async fn run<F, T, E>(context: Context, mut span: OwnedSpan, future: F) -> Result<T>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    // A task that is aborted, or whose runtime ends, is only dropped.
    span.set_status(SpanStatus::Cancelled);
    let caught = AssertUnwindSafe(Scoped::new(context, future)).catch_unwind().await;
    let result = match caught {
        Ok(result) => result.map_err(|error| Error::from_any(error)),
        Err(panic) => Err(panic_error(&*panic)),
    };
    match &result {
        Ok(_) => span.set_status(SpanStatus::Ok),
        Err(error) => {
            span.set("error.type", error.kind().as_str());
            span.set("error.message", &error.to_string());
            let stopped = error.kind() == ErrorKind::Cancelled;
            span.set_status(if stopped { SpanStatus::Cancelled } else { SpanStatus::Error });
        }
    }
    result
}

impl<T> Spawned<T> {
    /// Lets the task run on by itself.
    pub fn detach(self) {}

    /// Drops the task's future at its next await; its span closes as `cancelled`.
    pub fn abort(&self) {
        if let State::Running(task) = &self.0 {
            task.abort();
        }
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            State::Running(task) => task.is_finished(),
            State::Failed(_) => true,
        }
    }
}

/// The task's result; its panic is an error of kind [`Panic`](ErrorKind::Panic), its abortion one
/// of kind [`Cancelled`](ErrorKind::Cancelled).
impl<T> Future for Spawned<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Result<T>> {
        match &mut self.0 {
            State::Running(running) => running.poll_unpin(task).map(|joined| joined.unwrap_or_else(|_| Err(aborted()))),
            State::Failed(error) => Poll::Ready(Err(error.take().unwrap_or_else(aborted))),
        }
    }
}

#[cold]
fn aborted() -> Error {
    Error::new(ErrorKind::Cancelled, "the task was aborted before it ended")
}

impl<T> fmt::Debug for Spawned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
