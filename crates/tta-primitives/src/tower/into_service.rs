//! A workflow as a tower service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tower_service::Service;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::workflow::Workflow;

/// A workflow as a [`tower_service::Service`]; made by [`Workflow::into_service`].
///
/// Cheap to clone; clones run the same workflow.
pub struct WorkflowService<In, Out> {
    workflow: Workflow<In, Out>,
    context: Option<ContextOf<In>>,
}

type ContextOf<In> = Arc<dyn Fn(&In) -> Context + Send + Sync>;

impl<In: Send + 'static, Out: Send + 'static> Workflow<In, Out> {
    /// This workflow as a tower service, for tower's middleware and servers. Every call is one
    /// run of it. The service is always ready: what it takes on at once is for a limit around it to
    /// say.
    ///
    /// A call from inside a run is a part of that run; any other is a run of its own, on the
    /// process's default engine. Middleware that calls from a task of its own, as tower's `Buffer`
    /// does, is outside; [`WorkflowService::with_context`] decides otherwise.
    ///
    /// # Cancel safety
    /// Dropping the future of a call cancels its run, as that of [`Workflow::run`]. So does
    /// middleware that drops it, such as tower's `Timeout`.
    ///
    /// ```
    /// # use tta_primitives::workflow;
    /// # async fn double(x: u32) -> Result<u32, String> { Ok(x * 2) }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use tower::{ServiceBuilder, ServiceExt};
    ///
    /// let numbers = workflow("numbers", double).into_service();
    /// let limited = ServiceBuilder::new().timeout(Duration::from_secs(1)).concurrency_limit(100).service(numbers);
    /// assert_eq!(limited.oneshot(21).await.unwrap(), 42);
    /// # });
    /// ```
    #[must_use]
    pub fn into_service(self) -> WorkflowService<In, Out> {
        WorkflowService { workflow: self, context: None }
    }
}

impl<In, Out> WorkflowService<In, Out> {
    /// The context that each call runs with, by its input: for an engine of one's own, or ids that
    /// came with a request. Default: the current run's; outside a run, [`Context::new`].
    #[must_use]
    pub fn with_context(mut self, context: impl Fn(&In) -> Context + Send + Sync + 'static) -> Self {
        self.context = Some(Arc::new(context));
        self
    }
}

impl<In, Out> Clone for WorkflowService<In, Out> {
    fn clone(&self) -> Self {
        Self { workflow: self.workflow.clone(), context: self.context.clone() }
    }
}

impl<In: Send + 'static, Out: Send + 'static> Service<In> for WorkflowService<In, Out> {
    type Response = Out;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Out>> + Send>>;

    /// Always ready.
    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, input: In) -> Self::Future {
        let context = match &self.context {
            Some(decide) => decide(&input),
            None => Context::current().unwrap_or_default(),
        };
        let workflow = self.workflow.clone();
        Box::pin(async move { workflow.run(input, &context).await })
    }
}
