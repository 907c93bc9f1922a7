//! Functions as steps: synchronous, blocking, and with the context.
//!
//! Async functions of one argument need nothing of this: they are primitives themselves.

use std::future::Future;
use std::sync::Arc;

use tta_telemetry::Name;

use crate::context::{Context, Scoped};
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::node::panic_error;
use crate::primitive::{Primitive, function_name};

/// A synchronous function as a step. For work of microseconds; see [`blocking`] for more.
///
/// ```
/// use tta_primitives::{step, sync};
/// let parse = step(sync(|text: String| text.parse::<u32>()));
/// ```
pub fn sync<In, F, O, E>(f: F) -> SyncFn<F>
where
    F: Fn(In) -> Result<O, E> + Send + Sync + 'static,
    E: Into<BoxError>,
{
    SyncFn(f)
}

/// A function that computes for long or blocks, as a step: runs on the runtime's blocking threads.
///
/// Needs a tokio runtime. Dropping the run cannot stop the function once it runs; its result is
/// then thrown away.
///
/// ```
/// use tta_primitives::{blocking, step};
/// let hash = step(blocking(|bytes: Vec<u8>| Ok::<_, String>(bytes.iter().map(|b| u64::from(*b)).sum::<u64>())));
/// ```
pub fn blocking<In, F, O, E>(f: F) -> Blocking<F>
where
    F: Fn(In) -> Result<O, E> + Send + Sync + 'static,
    E: Into<BoxError>,
{
    Blocking(Arc::new(f))
}

/// An async function of the input and the run's context, as a step.
///
/// ```
/// use tta_primitives::{Context, Result, step, with_context};
///
/// async fn count(input: String, cx: Context) -> Result<usize> {
///     Ok(cx.state().update("seen", |seen: &mut usize| { *seen += input.len(); *seen }).map_err(tta_primitives::Error::from_any)?)
/// }
/// let counting = step(with_context(count));
/// ```
pub fn with_context<In, F, Fut, O, E>(f: F) -> WithContext<F>
where
    F: Fn(In, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send,
    E: Into<BoxError>,
{
    WithContext(f)
}

/// See [`sync`].
#[derive(Clone, Debug)]
pub struct SyncFn<F>(pub(crate) F);

/// See [`blocking`].
#[derive(Debug)]
pub struct Blocking<F>(Arc<F>);

/// See [`with_context`].
#[derive(Clone, Debug)]
pub struct WithContext<F>(F);

/// A synchronous function that cannot fail.
pub(crate) struct Map<F>(pub(crate) F);

impl<F> Clone for Blocking<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

macro_rules! named_after_function {
    () => {
        fn name(&self) -> Name {
            function_name::<F>()
        }

        fn kind(&self) -> &'static str {
            "lambda"
        }
    };
}

impl<In, F, O, E> Primitive<In> for SyncFn<F>
where
    In: Send + 'static,
    F: Fn(In) -> Result<O, E> + Send + Sync + 'static,
    O: Send + 'static,
    E: Into<BoxError> + 'static,
{
    type Out = O;

    async fn run(&self, input: In, _cx: &Context) -> Result<O> {
        (self.0)(input).map_err(|error| Error::from_any(error))
    }

    named_after_function!();
}

impl<In, F, O> Primitive<In> for Map<F>
where
    In: Send + 'static,
    F: Fn(In) -> O + Send + Sync + 'static,
    O: Send + 'static,
{
    type Out = O;

    async fn run(&self, input: In, _cx: &Context) -> Result<O> {
        Ok((self.0)(input))
    }

    named_after_function!();
}

impl<In, F, Fut, O, E> Primitive<In> for WithContext<F>
where
    In: Send + 'static,
    F: Fn(In, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send,
    O: Send + 'static,
    E: Into<BoxError>,
{
    type Out = O;

    fn run(&self, input: In, cx: &Context) -> impl Future<Output = Result<O>> + Send {
        let future = (self.0)(input, cx.here());
        async move { future.await.map_err(|error| Error::from_any(error)) }
    }

    named_after_function!();
}

impl<In, F, O, E> Primitive<In> for Blocking<F>
where
    In: Send + 'static,
    F: Fn(In) -> Result<O, E> + Send + Sync + 'static,
    O: Send + 'static,
    E: Into<BoxError>,
{
    type Out = O;

    async fn run(&self, input: In, cx: &Context) -> Result<O> {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return Err(Error::new(ErrorKind::Internal, "a blocking step needs a tokio runtime, none is running here"));
        };
        let function = Arc::clone(&self.0);
        let here = cx.here();
        let work = move || Scoped::now(here, || function(input).map_err(|error| Error::from_any(error)));
        match runtime.spawn_blocking(work).await {
            Ok(result) => result,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => Err(panic_error(&*panic)),
                Err(_) => Err(Error::new(ErrorKind::Cancelled, "the runtime shut down before a blocking step began")),
            },
        }
    }

    named_after_function!();
}
