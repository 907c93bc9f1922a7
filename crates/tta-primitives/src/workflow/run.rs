//! A run from its first moment to its decision.

use std::sync::Arc;

use tta_telemetry::{ActiveTrace, Name, SamplingDecision, SpanStatus, Ticks};

use crate::context::{CancelHandle, Context};
use crate::error::{ErrorKind, Result};
use crate::node::{Instruments, StepMeta};
use crate::observe::record_root_error;

/// A run in progress: its root span, its context, its place in the statistics. Dropped before it
/// is closed, the run counts as cancelled.
pub(super) struct OpenRun<'a> {
    // In the order of dropping: the context lets go of the trace before the root ends it.
    context: Option<Context>,
    root: Option<ActiveTrace>,
    instruments: Instruments<'a>,
    cx: &'a Context,
    start: Ticks,
    cancel: CancelHandle,
    closed: bool,
}

impl<'a> OpenRun<'a> {
    pub(super) fn open(cx: &'a Context, workflow: (u64, Name), meta: &'a Arc<StepMeta>) -> Self {
        let root = cx.telemetry().start_trace_in(workflow.1.clone(), meta.kind, None);
        let context = cx.for_run(workflow, root.handle(), root.root_span_id());
        let mut run = Self {
            context: None,
            root: None,
            instruments: Instruments::None,
            cx,
            start: Ticks::default(),
            cancel: context.cancel_handle(),
            closed: false,
        };
        if root.is_recording() {
            let mut root = root;
            root.set_status(SpanStatus::Cancelled);
            set_identity(&mut root, &context);
            run.instruments = meta.instruments(&context);
            run.start = cx.clock().ticks();
            run.root = Some(root);
        }
        run.context = Some(context);
        run
    }

    /// The run's context, handed over: what remains here must not keep the trace open.
    pub(super) fn context(&mut self) -> Context {
        self.context.take().unwrap_or_else(|| self.cx.clone())
    }

    /// Ends the run with its result; what was decided about its trace, as far as that is known.
    pub(super) fn close<Out>(&mut self, result: &Result<Out>) -> Option<SamplingDecision> {
        self.closed = true;
        let mut root = self.root.take()?;
        let status = match result {
            Ok(_) => SpanStatus::Ok,
            Err(error) => {
                record_root_error(&mut root, error);
                // Told to stop, and it did: the run was cancelled, it did not fail.
                if error.kind() == ErrorKind::Cancelled { SpanStatus::Cancelled } else { SpanStatus::Error }
            }
        };
        root.set_status(status);
        self.count(status);
        root.end_decided()
    }

    fn count(&self, status: SpanStatus) {
        if let Some(instruments) = self.instruments.get() {
            let clock = self.cx.clock();
            instruments.record(clock.nanos_between(self.start, clock.ticks()), status);
        }
    }
}

impl Drop for OpenRun<'_> {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        // Tasks of the user's own that hold the run's context learn that it is gone.
        self.cancel.cancel();
        if self.root.is_some() {
            self.count(SpanStatus::Cancelled);
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
