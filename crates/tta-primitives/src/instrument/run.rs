//! A run that no workflow drives: a request, a message, a job of the user's own.

use std::fmt;
use std::future::Future;

use tta_telemetry::{Name, SamplingDecision, SpanStatus, ValueRef};

use crate::context::{Context, Scoped};
use crate::error::Result;
use crate::node::StepCells;
use crate::per_engine::Resolved;
use crate::workflow::OpenRun;

/// A run in progress: one trace, whose root span is this.
///
/// For servers, consumers and schedulers that begin runs themselves; a [`Workflow`](crate::Workflow)
/// does it by itself. Workflows that run with [`Run::context`] are parts of this run. Dropped
/// before it is ended, the run counts as cancelled.
///
/// ```
/// use tta_primitives::{Context, Result, step};
/// # async fn handle(message: String) -> Result<usize, String> { Ok(message.len()) }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let workflow = step(handle);
/// let mut run = Context::new().start_run("orders", "consumer");
/// run.set("messaging.system", "kafka");
/// let result = run.scope(workflow.run("an order".to_owned(), run.context())).await;
/// run.end(&result);
/// # assert_eq!(result.unwrap(), 8); });
/// ```
pub struct Run {
    // Before `open`: the context lets go of the trace before the root ends it.
    context: Context,
    open: OpenRun<'static, Context>,
}

impl Context {
    /// Starts a run of its own: a new trace, or a part of the one that the context's
    /// [remote parent](crate::ContextBuilder::propagated) belongs to. `kind` says what sort of
    /// entry point this is (`consumer`, `job`, `http_server`), in lower case. Statistics are kept by `name`, so it
    /// must not hold ids or other data.
    pub fn start_run(&self, name: impl Into<Name>, kind: &'static str) -> Run {
        let name = name.into();
        let cells = |context: &Context| StepCells::find(&name, kind, context).map_or(Resolved::None, Resolved::Looked);
        let mut open = OpenRun::open(self.clone(), (0, name.clone()), kind, cells);
        Run { context: open.context(), open }
    }
}

impl Run {
    /// The run's context: give it to what is done in the run.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Runs a future inside the run: [`Context::current`] finds it there.
    ///
    /// # Cancel safety
    /// That of the future.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Scoped::new(self.context.clone(), future)
    }

    /// Sets an attribute of the root span.
    pub fn set<'v>(&mut self, key: &'static str, value: impl Into<ValueRef<'v>>) {
        if let Some(root) = self.open.root() {
            root.set(key, value);
        }
    }

    /// Sets an attribute of the root span whose value is computed only when the run is recorded.
    pub fn set_with<'v, V: Into<ValueRef<'v>>>(&mut self, key: &'static str, value: impl FnOnce() -> V) {
        if let Some(root) = self.open.root() {
            root.set_with(key, value);
        }
    }

    /// Ends the run with its result. Returns what was decided about its trace; `None` when it is
    /// not recorded or when spans of it are still open.
    pub fn end<T>(self, result: &Result<T>) -> Option<SamplingDecision> {
        let Self { context, mut open } = self;
        drop(context);
        open.close(result)
    }

    /// [`Run::end`] where success is not a `Result`: a server's reply of status 500, say.
    pub fn end_as(self, status: SpanStatus) -> Option<SamplingDecision> {
        let Self { context, mut open } = self;
        drop(context);
        open.close_as(status)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("context", &self.context).finish_non_exhaustive()
    }
}
