//! Spans being recorded: the root of a run, its children, and handles that outlive a scope.
//!
//! A span collects its facts where it stands and is written once, when it closes.

mod draft;
mod handle;
mod owned;
mod root;

pub use handle::TraceHandle;
pub use owned::OwnedSpan;
pub use root::ActiveTrace;

use super::live::LiveTrace;
use super::log::Count;
use crate::clock::Ticks;
use crate::id::{SpanId, TraceId};
use crate::model::{NameRef, SpanStatus, ValueRef};
use draft::{Draft, event, limits_of, link};

/// A span being recorded. Written once, when it ends or is dropped.
///
/// Can move between threads with the future that owns it. A span that is not recorded (telemetry
/// off) accepts every call and does nothing.
#[derive(Debug)]
#[must_use = "dropping it ends the span"]
pub struct Span<'t> {
    live: Option<&'t LiveTrace>,
    name: NameRef<'t>,
    kind: &'static str,
    detached: bool,
    draft: Draft,
}

impl<'t> Span<'t> {
    /// A span that records nothing.
    #[inline]
    pub const fn off() -> Self {
        Self { live: None, name: NameRef::Static(""), kind: "", detached: false, draft: Draft::off() }
    }

    #[inline(always)]
    pub(super) fn start(
        live: &'t LiveTrace,
        parent: Option<SpanId>,
        name: NameRef<'t>,
        kind: &'static str,
        start: Ticks,
        detached: bool,
    ) -> Self {
        let draft = Draft::new(live.core.ids.span_id(), parent, start, name);
        Self { live: Some(live), name, kind, detached, draft }
    }

    /// This span's id; `None` when it is not recorded.
    #[inline]
    #[must_use]
    pub fn id(&self) -> Option<SpanId> {
        self.live.map(|_| self.draft.id)
    }

    /// Whether anything is recorded: attributes that are dear to compute can be skipped otherwise.
    #[inline]
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.live.is_some()
    }

    /// When the span started.
    #[must_use]
    pub fn start_ticks(&self) -> Option<Ticks> {
        self.live.map(|_| self.draft.start)
    }

    /// Sets an attribute. Text is copied and cut at `attribute_bytes`; attributes beyond
    /// `attributes_per_span` are dropped; both are counted. The last value of a key wins.
    #[inline]
    pub fn set<'v>(&mut self, key: &'static str, value: impl Into<ValueRef<'v>>) {
        if let Some(live) = self.live {
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
        if let Some(live) = self.live {
            event(live, self.draft.id, name.into(), attributes);
        }
    }

    /// Records that this span has to do with one of another trace. See [`TraceHandle::link`].
    pub fn link(&self, to: (TraceId, SpanId), attributes: &[(&'static str, ValueRef<'_>)]) {
        if let Some(live) = self.live {
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

    /// Ends the span at a reading that the caller took already.
    #[inline]
    pub fn end_at(mut self, end: Ticks) {
        self.finish(end);
    }

    /// Ends the span and leaves one that records nothing, to be used again by
    /// [`Span::restart_at`].
    #[inline]
    pub fn stop_at(&mut self, end: Ticks) {
        self.finish(end);
    }

    /// Starts a new span in the place of an ended one: for loops that drive many steps, which save
    /// moving the attributes' buffer. A span that is still open ends first, at `start`.
    #[inline]
    pub fn restart_at(
        &mut self,
        trace: &'t TraceHandle,
        parent: Option<SpanId>,
        name: impl Into<NameRef<'t>>,
        kind: &'static str,
        start: Ticks,
    ) {
        self.finish(start);
        let Some(live) = trace.live.as_deref() else { return };
        self.live = Some(live);
        self.name = name.into();
        self.kind = kind;
        self.detached = trace.detached;
        self.draft.restart(live.core.ids.span_id(), parent, start, self.name);
    }

    #[inline]
    fn finish(&mut self, end: Ticks) {
        let Some(live) = self.live.take() else { return };
        let draft = &self.draft;
        if draft.status == SpanStatus::Error && !draft.handled {
            live.note_error(self.detached);
        }
        let head = draft.head(self.name, self.kind, end);
        let _ = live.append(&head, draft.attributes.words(), Count::Span);
        live.core.counters.note_attributes(&draft.attributes);
    }
}

impl Drop for Span<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(live) = self.live {
            self.finish(live.core.clock.ticks());
        }
    }
}
