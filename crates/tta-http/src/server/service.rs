//! One request from its arrival to the head of its response.

use std::any::Any;
use std::fmt::{self, Display};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;
use tta_primitives::{BoxError, Error, ErrorKind, Run};
use tta_telemetry::SpanStatus;

use super::TraceRequests;

/// A service whose requests are runs: see [`TraceRequests`].
#[derive(Clone, Debug)]
pub struct TracedService<S> {
    pub(super) inner: S,
    pub(super) settings: Arc<TraceRequests>,
}

impl<S, B, C> Service<Request<B>> for TracedService<S>
where
    S: Service<Request<B>, Response = Response<C>>,
    S::Error: Display + 'static,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let run = self.settings.start(&parts);
        parts.extensions.insert(run.context().clone());
        let request = Request::from_parts(parts, body);
        match inside(&run, || self.inner.call(request)) {
            Ok(inner) => ResponseFuture { inner: Some(inner), run: Some(run) },
            Err(panic) => end_by_panic(run, panic),
        }
    }
}

pin_project! {
    /// The response to a request that is a run.
    ///
    /// # Cancel safety
    /// That of the inner service; dropped before its end, the run is cancelled.
    #[must_use = "futures do nothing unless awaited"]
    pub struct ResponseFuture<F> {
        // Dropped before the run: spans inside close first.
        #[pin]
        inner: Option<F>,
        run: Option<Run>,
    }
}

impl<F, C, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<C>, E>>,
    E: Display + 'static,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let (Some(inner), Some(run)) = (this.inner.as_mut().as_pin_mut(), this.run.as_ref()) else {
            debug_assert!(false, "polled after its end");
            return Poll::Pending;
        };
        let polled = inside(run, || inner.poll(task));
        if matches!(polled, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        this.inner.set(None);
        let run = this.run.take();
        match polled {
            Err(panic) => match run {
                Some(run) => end_by_panic(run, panic),
                None => resume_unwind(panic),
            },
            Ok(polled) => polled.map(|output| {
                if let Some(run) = run {
                    end(run, &output);
                }
                output
            }),
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("run", &self.run).finish_non_exhaustive()
    }
}

/// Calls a part of the inner service inside the run. A panic is handed back; it goes on once the
/// run has ended, so nobody sees a broken invariant.
fn inside<R>(run: &Run, f: impl FnOnce() -> R) -> std::thread::Result<R> {
    catch_unwind(AssertUnwindSafe(|| run.context().in_scope(f)))
}

#[cold]
fn end_by_panic(run: Run, panic: Box<dyn Any + Send>) -> ! {
    let message = tta_telemetry::panic::message(&*panic).to_owned();
    run.end(&Err::<(), _>(Error::new(ErrorKind::Panic, message)));
    resume_unwind(panic)
}

fn end<C, E: Display + 'static>(mut run: Run, output: &Result<Response<C>, E>) {
    let status = match output {
        Ok(response) => response.status(),
        Err(error) => {
            run.end(&Err::<(), _>(to_error(error)));
            return;
        }
    };
    run.set("http.response.status_code", status.as_u16());
    // What the client did wrong is no failure of the server.
    if status.as_u16() < 500 {
        run.end_as(SpanStatus::Ok);
    } else {
        run.set("error.type", status.as_str());
        run.end_as(SpanStatus::Error);
    }
}

/// An error of the inner service as one that the run can end with: ours keep their kind.
#[cold]
fn to_error<E: Display + 'static>(error: &E) -> Error {
    let any = error as &dyn Any;
    let boxed = || any.downcast_ref::<BoxError>()?.downcast_ref::<Error>();
    match any.downcast_ref::<Error>().or_else(boxed) {
        Some(ours) => ours.clone(),
        None => Error::from_any(error.to_string()),
    }
}
