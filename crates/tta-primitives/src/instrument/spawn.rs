//! Tasks of a run: work that a step starts and does not wait for.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{self, Poll, ready};

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tta_telemetry::{Name, OwnedSpan, SpanStatus, TraceHandle};

use crate::context::{Context, Scoped};
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::node::panic_error;

/// The kind of a task's span.
const KIND: &str = "task";

/// A task of a run. Awaiting it gives its result; dropping it leaves the task running.
#[must_use = "dropping it detaches the task; await it for the result, or call `detach` to say that you do not want it"]
pub struct Spawned<T> {
    state: State<T>,
    failure: Arc<Failure>,
    /// The result was handed out: what becomes of an error is up to whoever has it.
    is_taken: bool,
}

/// An error that nobody takes makes the run a failed one. Known once the task has failed and its
/// handle is gone, in either order.
struct Failure {
    state: AtomicU8,
    trace: TraceHandle,
}

const HANDLE_GONE: u8 = 1;
const FAILED: u8 = 2;

impl Failure {
    /// Notes one of the two; the second to come tells the trace.
    fn note(&self, fact: u8) {
        let other = if fact == FAILED { HANDLE_GONE } else { FAILED };
        if self.state.fetch_or(fact, Ordering::AcqRel) & other != 0 {
            self.trace.note_failure();
        }
    }
}

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
    /// The run does not wait for it. Its span has the given name. An error that is awaited is up to
    /// whoever awaits it; when the task fails or panics and nobody does, the run counts as failed,
    /// also when its workflow succeeded, as long as the trace is open (at most the engine's
    /// `decision_wait` after the end of the run; later errors are counted).
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
        let mut span = self.trace().owned_span(self.span_id(), name.into(), KIND);
        // A task that is aborted, or whose runtime ends, is only dropped, perhaps before it began.
        span.set_status(SpanStatus::Cancelled);
        let failure = Arc::new(Failure { state: AtomicU8::new(0), trace: self.trace().clone() });
        let state = match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let context = self.standing_at(self.at().span(span.id()));
                let inside = Box::pin(Scoped::new(context, future));
                State::Running(runtime.spawn(run(inside, span, Arc::clone(&failure))))
            }
            Err(_) => {
                let error = Error::new(ErrorKind::Internal, "a task needs a tokio runtime, none is running here");
                record(&mut span, Err(&error));
                failure.note(FAILED);
                State::Failed(Some(error))
            }
        };
        Spawned { state, failure, is_taken: false }
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

/// The task: the future, then its outcome on the span. Dropped before it is polled, the future goes
/// before the span.
async fn run<F, T, E>(future: Pin<Box<Scoped<F>>>, mut span: OwnedSpan, failure: Arc<Failure>) -> Result<T>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    let work = async move { future.await.map_err(|error| Error::from_any(error)) };
    let result = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(panic_error(&*panic)));
    record(&mut span, result.as_ref().map(drop));
    drop(span);
    if result.as_ref().is_err_and(|error| error.kind() != ErrorKind::Cancelled) {
        failure.note(FAILED);
    }
    result
}

/// Says on the task's span how it ended.
fn record(span: &mut OwnedSpan, outcome: Result<(), &Error>) {
    let status = match outcome {
        Ok(()) => SpanStatus::Ok,
        Err(error) => {
            span.set("error.type", error.kind().as_str());
            span.set("error.message", &error.to_string());
            if error.kind() == ErrorKind::Cancelled { SpanStatus::Cancelled } else { SpanStatus::Error }
        }
    };
    span.set_status(status);
}

impl<T> Spawned<T> {
    /// Lets the task run on by itself.
    pub fn detach(self) {}

    /// Drops the task's future at its next await; its span closes as `cancelled`.
    pub fn abort(&self) {
        if let State::Running(task) = &self.state {
            task.abort();
        }
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.state {
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
        let result = match &mut self.state {
            State::Running(running) => ready!(running.poll_unpin(task)).unwrap_or_else(|failed| {
                Err(failed.try_into_panic().map_or_else(|_| aborted(), |panic| panic_error(&*panic)))
            }),
            State::Failed(error) => Err(error.take().unwrap_or_else(aborted)),
        };
        self.is_taken = true;
        Poll::Ready(result)
    }
}

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        if !self.is_taken {
            self.failure.note(HANDLE_GONE);
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
