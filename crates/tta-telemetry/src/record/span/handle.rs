//! Handles that keep a trace open.

use std::sync::Arc;

use super::draft::{event, limits_of, link};
use super::{OwnedSpan, Span};
use crate::clock::Ticks;
use crate::id::{SpanId, TraceId};
use crate::model::{Name, NameRef, SamplingDecision, ValueRef};
use crate::record::live::{LiveTrace, append_auxiliary};
use crate::record::words::{self, Attributes};
use crate::sampling::HeadDecision;

/// Keeps a trace open and records into it from anywhere: other tasks, other threads, after the
/// root has ended (for at most the engine's `decision_wait`; what comes later follows the
/// decision). Cheap to clone.
#[derive(Debug, Default)]
pub struct TraceHandle {
    pub(super) live: Option<Arc<LiveTrace>>,
    pub(super) detached: bool,
}

impl TraceHandle {
    pub(super) fn new(live: Option<&Arc<LiveTrace>>, detached: bool) -> Self {
        if let Some(live) = live {
            live.add_handle();
        }
        Self { live: live.cloned(), detached }
    }

    /// A handle of work that the run does not wait for: an error in it makes the run count as
    /// failed, even when the root succeeded.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self::new(self.live.as_ref(), true)
    }

    /// Whether spans started from this handle are recorded.
    #[inline]
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.live.is_some()
    }

    /// The trace's id, while it is recorded.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.live.as_ref().map(|live| live.trace_id())
    }

    /// The root's span id, while the trace is recorded.
    #[must_use]
    pub fn root_span_id(&self) -> Option<SpanId> {
        self.live.as_ref().map(|live| live.root_span_id())
    }

    /// What was decided about the trace at its start, where a sampling policy decides: what calls
    /// to other processes are told.
    #[must_use]
    pub fn head(&self) -> Option<HeadDecision> {
        self.live.as_ref().and_then(|live| live.core.policies.head(live))
    }

    /// The decision, once it is made.
    #[must_use]
    pub fn decision(&self) -> Option<SamplingDecision> {
        self.live.as_ref().and_then(|live| live.decision())
    }

    /// Starts a span now.
    #[inline]
    pub fn span<'t>(&'t self, parent: Option<SpanId>, name: impl Into<NameRef<'t>>, kind: &'static str) -> Span<'t> {
        match self.live.as_deref() {
            Some(live) => Span::start(live, parent, name.into(), kind, live.core.clock.ticks(), self.detached),
            None => Span::off(),
        }
    }

    /// Starts a span at a reading that the caller took already, so that neighbouring steps share
    /// one.
    #[inline]
    pub fn span_at<'t>(
        &'t self,
        parent: Option<SpanId>,
        name: impl Into<NameRef<'t>>,
        kind: &'static str,
        start: Ticks,
    ) -> Span<'t> {
        match self.live.as_deref() {
            Some(live) => Span::start(live, parent, name.into(), kind, start, self.detached),
            None => Span::off(),
        }
    }

    /// Adds attributes to a span that is open, from wherever its id is known. They are written at
    /// once and win over what the span sets itself under the same key before.
    pub fn annotate<'v>(&self, span: SpanId, attributes: impl IntoIterator<Item = &'v (&'static str, ValueRef<'v>)>) {
        let Some(live) = self.live.as_deref() else { return };
        let mut encoded = Attributes::new();
        for (key, value) in attributes {
            encoded.push(key, *value, limits_of(live));
        }
        append_auxiliary(live, &mut [0, span.get()], words::KIND_ANNOTATION, &encoded);
    }

    /// Records that something happened in a span, now.
    pub fn event<'t>(&self, span: SpanId, name: impl Into<NameRef<'t>>, attributes: &[(&'static str, ValueRef<'_>)]) {
        if let Some(live) = self.live.as_deref() {
            event(live, span, name.into(), attributes);
        }
    }

    /// Records that a span has to do with one of another trace (what caused it, a batch it works
    /// on). At most `links_per_span` are kept.
    pub fn link(&self, span: SpanId, to: (TraceId, SpanId), attributes: &[(&'static str, ValueRef<'_>)]) {
        if let Some(live) = self.live.as_deref() {
            link(live, span, to, attributes);
        }
    }

    /// Marks the error of a span that has closed as stopped: by a fallback or a join, which know
    /// only later. See [`Span::set_handled`] for those who know in time.
    pub fn mark_handled(&self, span: SpanId) {
        if let Some(live) = self.live.as_deref() {
            append_auxiliary(live, &mut [0, span.get()], words::KIND_HANDLED, &Attributes::new());
        }
    }

    /// Makes the run count as failed, whatever its root says: work failed that the run does not wait
    /// for and nobody else will speak of. Without effect once the trace is decided.
    pub fn note_failure(&self) {
        if let Some(live) = self.live.as_deref() {
            live.note_error(true);
        }
    }

    /// Starts a span that owns its place in the trace, for code that cannot borrow the handle.
    /// It keeps the trace open as a handle does.
    pub fn owned_span(&self, parent: Option<SpanId>, name: impl Into<Name>, kind: &'static str) -> OwnedSpan {
        OwnedSpan::start(self, parent, name.into(), kind)
    }
}

impl Clone for TraceHandle {
    fn clone(&self) -> Self {
        Self::new(self.live.as_ref(), self.detached)
    }
}

impl Drop for TraceHandle {
    fn drop(&mut self) {
        if let Some(live) = self.live.take() {
            release(live);
        }
    }
}

/// Gives up a handle and finishes the trace when it was the last.
#[inline]
pub(super) fn release(live: Arc<LiveTrace>) -> Option<SamplingDecision> {
    if live.drop_handle() { crate::record::core::finish(live) } else { None }
}
