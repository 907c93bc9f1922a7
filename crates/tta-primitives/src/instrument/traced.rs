//! A future or a function with a span of its own.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use pin_project_lite::pin_project;
use tta_telemetry::{Name, OwnedSpan, SpanStatus};

use crate::context::{At, Position, with_current};
use crate::error::{Error, ErrorKind};

/// The kind of these spans.
const KIND: &str = "span";

/// Gives a future a span of its own, below the step it is awaited in.
///
/// What the future records hangs below that span: steps, other traced futures, and the attributes
/// and events of [`Context::current`](crate::Context::current). The span ends as `ok`, or as
/// `cancelled` when the future is dropped before its end; see [`try_traced`] for futures that can
/// fail. Outside a run nothing is recorded and the future runs as it is.
///
/// ```
/// use tta_primitives::{Context, traced};
///
/// async fn load(key: u32) -> Result<String, String> {
///     let row = traced("query", async {
///         if let Some(cx) = Context::current() {
///             cx.set("db.system", "sqlite");
///             cx.set_with("db.query.text", || format!("select {key}").as_str().len());
///         }
///         key.to_string()
///     });
///     Ok(row.await)
/// }
/// ```
///
/// # Cancel safety
/// That of the future.
pub fn traced<F: Future>(name: impl Into<Name>, future: F) -> Traced<F> {
    Traced::new(name.into(), future, |_, _| SpanStatus::Ok)
}

/// [`traced`] for a future that returns a `Result`: an error ends the span as failed, with
/// `error.type` and `error.message`, and passes through unchanged.
///
/// ```
/// # async fn fetch(url: String) -> Result<String, std::io::Error> { Ok(url) }
/// async fn load(url: String) -> Result<String, std::io::Error> {
///     tta_primitives::try_traced("fetch", fetch(url)).await
/// }
/// ```
///
/// # Cancel safety
/// That of the future.
pub fn try_traced<F, T, E>(name: impl Into<Name>, future: F) -> Traced<F>
where
    F: Future<Output = Result<T, E>>,
    E: Display + 'static,
{
    Traced::new(name.into(), future, |span, output| match output {
        Ok(_) => SpanStatus::Ok,
        Err(error) => set_error(span, error),
    })
}

/// [`traced`] for a synchronous function.
///
/// ```
/// # fn parse(text: &str) -> usize { text.len() }
/// let length = tta_primitives::traced_fn("parse", || parse("three words here"));
/// # assert_eq!(length, 16);
/// ```
pub fn traced_fn<R>(name: impl Into<Name>, f: impl FnOnce() -> R) -> R {
    let mut open = Open::start(name.into());
    open.inside(f).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What is recorded of an error of any type.
fn set_error<E: Display + 'static>(span: &mut OwnedSpan, error: &E) -> SpanStatus {
    let kind = (error as &dyn Any).downcast_ref::<Error>().map_or(ErrorKind::App, Error::kind);
    if span.is_recording() {
        span.set("error.type", kind.as_str());
        span.set("error.message", &error.to_string());
    }
    if kind == ErrorKind::Cancelled { SpanStatus::Cancelled } else { SpanStatus::Error }
}

/// An open span and the run it is in.
#[derive(Debug)]
struct Open {
    span: Option<OwnedSpan>,
    run: u64,
    at: At,
}

impl Open {
    fn start(name: Name) -> Self {
        with_current(|cx| match cx.filter(|cx| cx.is_recording()) {
            None => Self { span: None, run: 0, at: At::default() },
            Some(cx) => {
                let at = cx.at();
                let mut span = cx.trace().owned_span(at.span, name, KIND);
                // Until it is known better: whoever is dropped before the end was cancelled.
                span.set_status(SpanStatus::Cancelled);
                Self { at: at.span(span.id()), span: Some(span), run: cx.run_key() }
            }
        })
    }

    /// Calls `f` at the span. A panic is recorded and handed back.
    fn inside<R>(&mut self, f: impl FnOnce() -> R) -> std::thread::Result<R> {
        let Some(span) = &mut self.span else { return Ok(f()) };
        let result = {
            let _position = Position::enter(self.run, self.at);
            // The panic goes on at once, so nobody sees a broken invariant.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
        };
        match &result {
            Ok(_) => span.set_status(SpanStatus::Ok),
            Err(panic) => {
                span.set("error.type", ErrorKind::Panic.as_str());
                span.set("error.message", tta_telemetry::panic::message(&**panic));
                span.set_status(SpanStatus::Error);
            }
        }
        result
    }
}

pin_project! {
    /// A future with a span of its own: see [`traced`] and [`try_traced`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Traced<F: Future> {
        // Dropped before the span: what runs inside ends first.
        #[pin]
        future: Option<F>,
        open: Option<Open>,
        name: Option<Name>,
        finish: fn(&mut OwnedSpan, &F::Output) -> SpanStatus,
    }
}

impl<F: Future> Traced<F> {
    fn new(name: Name, future: F, finish: fn(&mut OwnedSpan, &F::Output) -> SpanStatus) -> Self {
        Self { future: Some(future), open: None, name: Some(name), finish }
    }
}

impl<F: Future> Future for Traced<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        // The span starts with the first poll, as the work does.
        if let Some(name) = this.name.take() {
            *this.open = Some(Open::start(name));
        }
        let (Some(open), Some(future)) = (this.open.as_mut(), this.future.as_mut().as_pin_mut()) else {
            // As with an async function: to wait for what never comes would be worse.
            panic!("a traced future was polled after its end");
        };
        let polled = open.inside(|| future.poll(task)).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if polled.is_pending() {
            if let Some(span) = &mut open.span {
                span.set_status(SpanStatus::Cancelled);
            }
            return Poll::Pending;
        }
        this.future.set(None);
        let output = ready!(polled);
        if let Some(mut open) = this.open.take()
            && let Some(span) = &mut open.span
        {
            let status = (this.finish)(span, &output);
            span.set_status(status);
        }
        Poll::Ready(output)
    }
}
