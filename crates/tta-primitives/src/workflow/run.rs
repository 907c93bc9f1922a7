//! A run from its first moment to its decision.

use std::borrow::Borrow;

use tta_telemetry::{ActiveTrace, Name, SamplingDecision, SpanStatus, Ticks};

use crate::context::{CancelHandle, Context};
use crate::error::{ErrorKind, Result};
use crate::node::StepCells;
use crate::observe::record_root_error;
use crate::per_engine::Resolved;

/// A run in progress: its root span, its context, its place in the statistics. Dropped before it
/// is closed, the run counts as cancelled.
pub(crate) struct OpenRun<'a, C: Borrow<Context> = &'a Context> {
    // In the order of dropping: the context lets go of the trace before the root ends it.
    context: Option<Context>,
    root: Option<ActiveTrace>,
    cells: Resolved<'a, StepCells>,
    cx: C,
    start: Ticks,
    cancel: CancelHandle,
    closed: bool,
}

impl<'a, C: Borrow<Context>> OpenRun<'a, C> {
    /// `cells` finds those of the run as a whole, given its context.
    pub(crate) fn open(
        cx: C,
        workflow: (u64, Name),
        kind: &'static str,
        cells: impl FnOnce(&Context) -> Resolved<'a, StepCells>,
    ) -> Self {
        let outer: &Context = cx.borrow();
        let root = outer.telemetry().start_trace_in(workflow.1.clone(), kind, outer.remote_ids());
        let mut context = outer.for_run(workflow, root.handle(), root.root_span_id());
        let mut run = Self {
            context: None,
            root: None,
            cells: Resolved::None,
            cx,
            start: Ticks::default(),
            cancel: context.cancel_handle(),
            closed: false,
        };
        if root.is_recording() {
            let mut root = root;
            root.set_status(SpanStatus::Cancelled);
            set_identity(&mut root, &context);
            run.cells = cells(&context);
            if let Some(cells) = run.cells.get() {
                cells.instruments.begin();
                context.set_root_step(cells.instruments.number());
            }
            run.start = context.clock().ticks();
            run.root = Some(root);
        }
        run.context = Some(context);
        run
    }

    /// The run's context, handed over: what remains here must not keep the trace open.
    pub(crate) fn context(&mut self) -> Context {
        self.context.take().unwrap_or_else(|| self.cx.borrow().clone())
    }

    /// Ends the run with its result; what was decided about its trace, as far as that is known.
    pub(crate) fn close<Out>(&mut self, result: &Result<Out>) -> Option<SamplingDecision> {
        let status = match result {
            Ok(_) => SpanStatus::Ok,
            Err(error) => {
                if let Some(root) = &mut self.root {
                    record_root_error(root, error);
                }
                // Told to stop, and it did: the run was cancelled, it did not fail.
                if error.kind() == ErrorKind::Cancelled { SpanStatus::Cancelled } else { SpanStatus::Error }
            }
        };
        let failed_with = result.as_ref().err().map(|error| error.kind().as_str());
        self.close_with(status, failed_with)
    }

    /// The root span, while the run is recorded.
    pub(crate) fn root(&mut self) -> Option<&mut ActiveTrace> {
        self.root.as_mut()
    }

    /// Ends the run with a status.
    pub(crate) fn close_as(&mut self, status: SpanStatus) -> Option<SamplingDecision> {
        self.close_with(status, None)
    }

    fn close_with(&mut self, status: SpanStatus, failed_with: Option<&str>) -> Option<SamplingDecision> {
        self.closed = true;
        let mut root = self.root.take()?;
        root.set_status(status);
        self.count(status, failed_with);
        root.end_decided()
    }

    fn count(&self, status: SpanStatus, failed_with: Option<&str>) {
        if let Some(StepCells { instruments, .. }) = self.cells.get() {
            let clock = self.cx.borrow().clock();
            let now = clock.ticks();
            instruments.finish(clock.nanos_between(self.start, now), status, now);
            if status == SpanStatus::Error {
                instruments.count_error(failed_with.unwrap_or("error"));
            }
        }
    }
}

impl<C: Borrow<Context>> Drop for OpenRun<'_, C> {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        // Tasks of the user's own that hold the run's context learn that it is gone.
        self.cancel.cancel();
        if self.root.is_some() {
            self.count(SpanStatus::Cancelled, None);
        }
    }
}

fn set_identity(root: &mut ActiveTrace, context: &Context) {
    let ids =
        [("workflow.id", context.workflow_id()), ("session.id", context.session_id()), ("user.id", context.user_id())];
    for (key, id) in ids {
        if let Some(id) = id {
            root.set(key, id);
        }
    }
    for (key, id) in [("correlation.id", context.correlation_id()), ("causation.id", context.causation_id())] {
        if let Some(id) = id {
            root.set(key, &id.to_string());
        }
    }
}
