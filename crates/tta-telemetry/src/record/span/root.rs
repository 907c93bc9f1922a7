//! The root span of a run.

use std::sync::Arc;

use super::draft::{Draft, limits_of};
use super::handle::release;
use super::{Span, TraceHandle};
use crate::clock::Ticks;
use crate::id::SpanId;
use crate::model::{Name, NameRef, SamplingDecision, SpanStatus, ValueRef};
use crate::record::live::LiveTrace;

/// The root span of a run being recorded, and the owner of its trace.
///
/// Ends when dropped or by [`ActiveTrace::end`]; then the whole trace is decided. A root that was
/// never recorded (telemetry off) accepts every call and does nothing.
#[derive(Debug)]
#[must_use = "dropping it ends the run"]
pub struct ActiveTrace {
    live: Option<Arc<LiveTrace>>,
    name: Name,
    kind: &'static str,
    draft: Draft,
}

impl ActiveTrace {
    pub(crate) const fn off() -> Self {
        Self { live: None, name: Name::from_static(""), kind: "", draft: Draft::off() }
    }

    #[inline(always)]
    pub(crate) fn new(
        live: Arc<LiveTrace>,
        name: Name,
        kind: &'static str,
        (id, parent): (SpanId, Option<SpanId>),
        start: Ticks,
    ) -> Self {
        let draft = Draft::new(id, parent, start, name.as_ref());
        Self { live: Some(live), name, kind, draft }
    }

    /// Whether this run is being recorded.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.live.is_some()
    }

    /// A handle that keeps the trace open, for work that is not a step of the run itself.
    #[must_use]
    pub fn handle(&self) -> TraceHandle {
        TraceHandle::new(self.live.as_ref(), false)
    }

    /// The root's span id.
    #[must_use]
    pub fn root_span_id(&self) -> Option<SpanId> {
        self.live.as_ref().map(|_| self.draft.id)
    }

    /// Starts a child of the root.
    #[inline]
    pub fn span<'t>(&'t self, name: impl Into<NameRef<'t>>, kind: &'static str) -> Span<'t> {
        self.child_of(self.root_span_id(), name, kind)
    }

    /// Starts a child of any span of this trace.
    #[inline]
    pub fn child_of<'t>(
        &'t self,
        parent: Option<SpanId>,
        name: impl Into<NameRef<'t>>,
        kind: &'static str,
    ) -> Span<'t> {
        match self.live.as_deref() {
            Some(live) => Span::start(live, parent, name.into(), kind, live.core.clock.ticks(), false),
            None => Span::off(),
        }
    }

    /// Sets an attribute of the root. See [`Span::set`].
    #[inline]
    pub fn set<'v>(&mut self, key: &'static str, value: impl Into<ValueRef<'v>>) {
        if let Some(live) = self.live.as_deref() {
            self.draft.attributes.push(key, value.into(), limits_of(live));
        }
    }

    /// Sets an attribute of the root whose value is computed only when the run is recorded.
    #[inline]
    pub fn set_with<'v, V: Into<ValueRef<'v>>>(&mut self, key: &'static str, value: impl FnOnce() -> V) {
        if self.is_recording() {
            self.set(key, value());
        }
    }

    /// Sets how the run ends when it is dropped. Default `ok`.
    pub fn set_status(&mut self, status: SpanStatus) {
        self.draft.status = status;
    }

    /// Ends the run at a reading that the caller took already.
    #[inline]
    pub fn end_at(mut self, end: Ticks) {
        self.finish(end);
    }

    /// Ends the run now.
    #[inline]
    pub fn end(self) {
        drop(self);
    }

    /// Ends the run now and tells what was decided about its trace; `None` when it is not recorded
    /// or when other handles keep it open.
    #[must_use]
    pub fn end_decided(mut self) -> Option<SamplingDecision> {
        let end = self.live.as_ref()?.core.clock.ticks();
        self.finish(end)
    }

    #[inline]
    fn finish(&mut self, end: Ticks) -> Option<SamplingDecision> {
        let live = self.live.take()?;
        let draft = &self.draft;
        live.note_root_status(draft.status);
        live.append_root(&draft.head(self.name.as_ref(), self.kind, end), draft.attributes.words());
        live.core.counters.note_attributes(&draft.attributes);
        live.note_root_end(end);
        release(live)
    }
}

impl Drop for ActiveTrace {
    #[inline]
    fn drop(&mut self) {
        if let Some(live) = &self.live {
            let end = live.core.clock.ticks();
            self.finish(end);
        }
    }
}
