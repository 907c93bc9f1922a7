//! A span that owns its place in the trace.

use super::TraceHandle;
use super::draft::{Draft, event, limits_of, link};
use crate::clock::Ticks;
use crate::id::{SpanId, TraceId};
use crate::model::{Name, NameRef, SpanStatus, ValueRef};
use crate::record::live::LiveTrace;
use crate::record::log::Count;

/// A span being recorded that borrows nothing: it can be kept in a map, a task or a request.
///
/// Written once, when it ends or is dropped, like a [`Span`](super::Span); it keeps the trace open
/// as a [`TraceHandle`] does. Made by [`TraceHandle::owned_span`].
#[derive(Debug)]
#[must_use = "dropping it ends the span"]
pub struct OwnedSpan {
    trace: TraceHandle,
    name: Name,
    kind: &'static str,
    draft: Draft,
}

impl OwnedSpan {
    #[inline]
    pub(super) fn start(trace: &TraceHandle, parent: Option<SpanId>, name: Name, kind: &'static str) -> Self {
        let Some(live) = trace.live.as_deref() else {
            return Self { trace: TraceHandle::default(), name, kind, draft: Draft::off() };
        };
        let draft = Draft::new(live.core.ids.span_id(), parent, live.core.clock.ticks(), name.as_ref());
        Self { trace: trace.clone(), name, kind, draft }
    }

    #[inline]
    fn live(&self) -> Option<&LiveTrace> {
        self.trace.live.as_deref()
    }

    /// This span's id; `None` when it is not recorded.
    #[inline]
    #[must_use]
    pub fn id(&self) -> Option<SpanId> {
        self.live().map(|_| self.draft.id)
    }

    /// Whether anything is recorded.
    #[inline]
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.trace.is_recording()
    }

    /// Gives the span another name, for those who learn it later.
    pub fn set_name(&mut self, name: impl Into<Name>) {
        if self.is_recording() {
            let name = name.into();
            self.draft.attributes.replace_name(self.name.as_ref(), name.as_ref());
            self.name = name;
        }
    }

    /// Sets an attribute. See [`Span::set`](super::Span::set).
    #[inline]
    pub fn set<'v>(&mut self, key: &'static str, value: impl Into<ValueRef<'v>>) {
        if let Some(live) = self.trace.live.as_deref() {
            self.draft.attributes.push(key, value.into(), limits_of(live));
        }
    }

    /// Sets an attribute whose value is computed only when the span is recorded.
    #[inline]
    pub fn set_with<'v, V: Into<ValueRef<'v>>>(&mut self, key: &'static str, value: impl FnOnce() -> V) {
        if self.is_recording() {
            self.set(key, value());
        }
    }

    /// Records that something happened in this span, now.
    pub fn event<'n>(&self, name: impl Into<NameRef<'n>>, attributes: &[(&'static str, ValueRef<'_>)]) {
        if let Some(live) = self.live() {
            event(live, self.draft.id, name.into(), attributes);
        }
    }

    /// Records that this span has to do with one of another trace. See [`TraceHandle::link`].
    pub fn link(&self, to: (TraceId, SpanId), attributes: &[(&'static str, ValueRef<'_>)]) {
        if let Some(live) = self.live() {
            link(live, self.draft.id, to, attributes);
        }
    }

    /// How the span ends. Default `ok`.
    #[inline]
    pub fn set_status(&mut self, status: SpanStatus) {
        self.draft.status = status;
    }

    /// Marks the span's error as stopped by whoever calls this.
    pub fn set_handled(&mut self) {
        self.draft.handled = true;
    }

    /// Ends the span now.
    #[inline]
    pub fn end(self) {
        drop(self);
    }

    /// Ends the span now and leaves one that records nothing, to be used again by
    /// [`OwnedSpan::restart`].
    #[inline]
    pub fn stop(&mut self) {
        if let Some(live) = self.live() {
            let end = live.core.clock.ticks();
            self.finish(end);
            // Written before the handle goes, which may end the trace.
            self.trace = TraceHandle::default();
        }
    }

    /// Starts a new span in the place of an ended one: for those who keep spans in memory of their
    /// own, which saves moving the attributes' buffer. A span that is still open ends first.
    #[inline]
    pub fn restart(&mut self, trace: &TraceHandle, parent: Option<SpanId>, name: impl Into<Name>, kind: &'static str) {
        self.stop();
        let Some(live) = trace.live.as_deref() else { return };
        self.name = name.into();
        self.kind = kind;
        self.draft.restart(live.core.ids.span_id(), parent, live.core.clock.ticks(), self.name.as_ref());
        self.trace = trace.clone();
    }

    fn finish(&mut self, end: Ticks) {
        let Some(live) = self.trace.live.as_deref() else { return };
        let draft = &self.draft;
        if draft.status == SpanStatus::Error && !draft.handled {
            live.note_error(self.trace.detached);
        }
        let head = draft.head(self.name.as_ref(), self.kind, end);
        let _ = live.append(&head, draft.attributes.words(), Count::Span);
        live.core.counters.note_attributes(&draft.attributes);
    }
}

impl Drop for OwnedSpan {
    #[inline]
    fn drop(&mut self) {
        self.stop();
    }
}
