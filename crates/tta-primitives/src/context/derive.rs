//! Contexts made from others: of a run, a nested workflow, a branch, a part with a bound.

use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{Name, SpanId, Ticks, TraceHandle};

use super::cancel::Cancellation;
use super::checkpoints::Checkpoints;
use super::cost::Spent;
use super::{At, Common, Context, CorrelationId, Deadline, Inner, Progress, Run, RunState, Shared, current, propagate};

impl Context {
    /// The context of a run that starts with this one.
    pub(crate) fn for_run(&self, workflow: (u64, Name), trace: TraceHandle, root: Option<SpanId>) -> Self {
        let remote = self.0.common.identity.remote.as_ref();
        let trace_id = match (trace.trace_id(), remote) {
            (Some(recorded), _) => recorded,
            (None, Some(remote)) => remote.trace_id,
            (None, None) => self.ids().trace_id(),
        };
        let flags = propagate::outgoing_flags(remote, self.telemetry(), trace.is_recording());
        // What is not recorded passes its caller's span on, as if it were not there.
        let unrecorded_span = root.or(remote.map(|remote| remote.span_id)).unwrap_or_else(|| self.ids().span_id());
        let key = root.map_or_else(|| self.ids().next_u64(), SpanId::get);
        // Engines with the same seed give the same ids.
        let key =
            ((key ^ self.telemetry().engine_id().rotate_right(16)) & !current::ENTERING).max(current::ENTERING + 1);
        let mut common = (*self.0.common).clone();
        common.correlation_id.get_or_insert_with(|| CorrelationId::random(self.telemetry().ids()));
        common.trace = trace;
        common.run = Some(Run { trace_id, key, flags, unrecorded_span });
        common.workflow = workflow;
        Self(Arc::new(Inner {
            common: Arc::new(common),
            at: At { span: root, step: 0 },
            deadline: self.0.deadline,
            // Its own, so that a dropped run tells those who still hold its context, and no other
            // run.
            cancellation: self.0.cancellation.child(),
            progress: self.0.progress.clone(),
        }))
    }

    /// Says which step the run as a whole is; while nobody else has the context.
    pub(crate) fn set_root_step(&mut self, step: u32) {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.at.step = step;
        }
    }

    /// The same run inside a nested workflow, whose name labels the steps' statistics.
    pub(crate) fn in_workflow(&self, workflow: (u64, Name)) -> Self {
        let common = Arc::new(Common { workflow, ..(*self.0.common).clone() });
        Self(Arc::new(Inner { common, at: self.at(), ..(*self.0).clone() }))
    }

    /// The context of one run of many that start from this one: state, checkpoints and
    /// cancellation are its own, but stopping this one stops them all. Inside a run it is that
    /// run's.
    pub(crate) fn one_of_many(&self) -> Self {
        if self.is_in_run() {
            return self.clone();
        }
        let shared = Arc::new(Shared {
            state: RunState::default(),
            checkpoints: Checkpoints::starting_at(self.clock().ticks()),
            spent: Spent::default(),
        });
        let common = Arc::new(Common { shared, ..(*self.0.common).clone() });
        let cancellation = self.0.cancellation.child();
        Self(Arc::new(Inner { common, cancellation, ..(*self.0).clone() }))
    }

    /// This context as it stands in the current step: usable on other threads and tasks.
    pub(crate) fn here(&self) -> Self {
        self.standing_at(self.at())
    }

    /// This context as it stands in a place.
    pub(crate) fn standing_at(&self, at: At) -> Self {
        if at == self.0.at {
            return self.clone();
        }
        let mut inner = (*self.0).clone();
        inner.at = at;
        Self(Arc::new(inner))
    }

    /// The same place in the run, which neither its cancellation nor its deadline reaches: with a
    /// deadline of its own.
    pub(crate) fn detached(&self, within: Duration) -> Self {
        let mut inner = (*self.0).clone();
        inner.cancellation = Cancellation::new();
        inner.deadline = Some(Deadline { from: self.clock().ticks(), after: within });
        inner.progress = None;
        Self(Arc::new(inner))
    }

    /// The same place in the run and the same cancellation, with a deadline of its own in place of
    /// the run's: for what may outlive the run.
    pub(crate) fn outliving(&self, within: Duration) -> Self {
        let mut inner = (*self.0).clone();
        inner.deadline = Some(Deadline { from: self.clock().ticks(), after: within });
        inner.progress = None;
        Self(Arc::new(inner))
    }

    /// The place where this context stands, wherever in the run the thread is.
    pub(crate) fn standing(&self) -> At {
        self.0.at
    }

    /// A part of the run that can be stopped by itself, may have an earlier deadline, and whose
    /// progress is watched if asked for. `began` is a reading of now.
    pub(crate) fn bounded(&self, within: Duration, began: Ticks, watch: bool) -> (Self, Option<Arc<Progress>>) {
        let progress = watch.then(|| Arc::new(Progress::starting_at(began, self.0.progress.clone())));
        let inherited = || self.0.progress.clone();
        (self.part(Some((within, began)), progress.clone().or_else(inherited)), progress)
    }

    /// A part of the run that can be stopped by itself and may have an earlier deadline.
    pub(crate) fn child(&self, within: Option<Duration>) -> Self {
        self.part(within.map(|within| (within, self.clock().ticks())), self.0.progress.clone())
    }

    fn part(&self, within: Option<(Duration, Ticks)>, progress: Option<Arc<Progress>>) -> Self {
        let mut deadline = self.0.deadline;
        if let Some((within, now)) = within {
            let left = deadline.map(|deadline| deadline.left(self.clock().between(deadline.from, now)));
            if left.is_none_or(|left| within < left) {
                deadline = Some(Deadline { from: now, after: within });
            }
        }
        Self(Arc::new(Inner {
            common: Arc::clone(&self.0.common),
            at: self.at(),
            deadline,
            cancellation: self.0.cancellation.child(),
            progress,
        }))
    }
}
