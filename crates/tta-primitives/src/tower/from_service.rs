//! A tower service as a step.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use futures_util::future::{Either, select};
use tower_service::Service;
use tta_telemetry::Name;

use crate::context::Context;
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::primitive::{Primitive, function_name};

/// A service as a step; made by [`service`].
#[derive(Debug)]
pub struct ServiceStep<S> {
    // Not for exclusion: many services, `BoxCloneService` among them, are `Send` but not `Sync`.
    // Held while the service is cloned, never while it works.
    service: Mutex<S>,
    name: Name,
}

/// A [`tower_service::Service`] as a step, with whatever layers it has.
///
/// Each execution of the step works on a clone of its own: it waits until that is ready and calls
/// it once. What clones share, such as the permits of a concurrency limit, is shared by all
/// executions; what they do not share starts afresh in each. A service that cannot be cloned goes
/// into tower's `Buffer` first.
///
/// The service's error is the step's, as that of any step: an [`Error`] inside keeps its kind, other
/// errors are of kind [`App`](ErrorKind::App) until [`classify`](crate::Workflow::classify) says
/// otherwise. The step is named after the type of the service.
///
/// # Cancel safety
/// Dropping the run drops the service's future, or the wait for readiness. A run that is told to
/// stop does not wait for readiness any longer; a call that was made goes on, for services know no
/// other sign than being dropped.
///
/// ```
/// # use tta_primitives::{Context, Result, Retry, service, step};
/// # async fn fetch(id: u32) -> Result<String, std::io::Error> { Ok(format!("page {id}")) }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use tower::ServiceBuilder;
///
/// let client = ServiceBuilder::new().concurrency_limit(10).service_fn(fetch);
/// let flow = step(service(client).named("fetch")).retry(Retry::new().build()?);
/// assert_eq!(flow.run(7, &Context::new()).await?, "page 7");
/// # anyhow::Ok(()) }).unwrap();
/// ```
pub fn service<S>(service: S) -> ServiceStep<S>
where
    S: Clone + Send + 'static,
{
    ServiceStep { service: Mutex::new(service), name: function_name::<S>() }
}

impl<S> ServiceStep<S> {
    /// The step's name. Default: the service's type without its path.
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }
}

impl<In, S> Primitive<In> for ServiceStep<S>
where
    In: Send + 'static,
    S: Service<In> + Clone + Send + 'static,
    S::Response: Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    type Out = S::Response;

    async fn run(&self, input: In, cx: &Context) -> Result<S::Response> {
        // A clone that panicked left the original as it was.
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ready = poll_fn(|task| service.poll_ready(task));
        match select(pin!(ready), pin!(cx.cancelled())).await {
            Either::Left((ready, _)) => ready.map_err(Error::from_any)?,
            Either::Right(_) => return Err(stopped()),
        }
        service.call(input).await.map_err(Error::from_any)
    }

    fn name(&self) -> Name {
        self.name.clone()
    }

    fn kind(&self) -> &'static str {
        "service"
    }
}

#[cold]
fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "the run was told to stop before the service was ready")
}
