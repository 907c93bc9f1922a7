//! The recorder when it is compiled out: the same names, no size, no effect.

use std::marker::PhantomData;

use crate::clock::Ticks;
use crate::id::{SpanId, TraceId};
use crate::model::{Name, NameRef, SamplingDecision, SpanStatus, ValueRef};

/// The root of a run; records nothing in this build.
#[derive(Debug)]
#[must_use = "dropping it ends the run"]
pub struct ActiveTrace(());

/// A handle to a trace; records nothing in this build.
#[derive(Clone, Debug, Default)]
pub struct TraceHandle(());

/// A span; records nothing in this build.
#[derive(Debug)]
#[must_use = "dropping it ends the span"]
pub struct Span<'t>(PhantomData<&'t ()>);

/// A span that owns its place in a trace; records nothing in this build.
#[derive(Debug)]
#[must_use = "dropping it ends the span"]
pub struct OwnedSpan(());

impl ActiveTrace {
    #[inline]
    pub(crate) const fn off() -> Self {
        Self(())
    }

    /// Always false in this build.
    #[inline]
    #[must_use]
    pub fn is_recording(&self) -> bool {
        false
    }

    /// A handle that records nothing.
    #[inline]
    #[must_use]
    pub fn handle(&self) -> TraceHandle {
        TraceHandle(())
    }

    /// Always `None` in this build.
    #[inline]
    #[must_use]
    pub fn root_span_id(&self) -> Option<SpanId> {
        None
    }

    /// A span that records nothing.
    #[inline]
    pub fn span<'t>(&'t self, _name: impl Into<NameRef<'t>>, _kind: &'static str) -> Span<'t> {
        Span::off()
    }

    /// A span that records nothing.
    #[inline]
    pub fn child_of<'t>(&'t self, _: Option<SpanId>, _name: impl Into<NameRef<'t>>, _kind: &'static str) -> Span<'t> {
        Span::off()
    }

    /// Does nothing.
    #[inline]
    pub fn set<'v>(&mut self, _key: &'static str, _value: impl Into<ValueRef<'v>>) {}

    /// Does nothing; the closure is not called.
    #[inline]
    pub fn set_with<'v, V: Into<ValueRef<'v>>>(&mut self, _key: &'static str, _value: impl FnOnce() -> V) {}

    /// Does nothing.
    #[inline]
    pub fn set_status(&mut self, _status: SpanStatus) {}

    /// Does nothing.
    #[inline]
    pub fn end_at(self, _end: Ticks) {}

    /// Does nothing.
    #[inline]
    pub fn end(self) {}

    /// Always `None` in this build.
    #[inline]
    #[must_use]
    pub fn end_decided(self) -> Option<SamplingDecision> {
        None
    }
}

impl TraceHandle {
    /// What was decided at the trace's start: nothing in this build.
    #[must_use]
    pub fn head(&self) -> Option<crate::sampling::HeadDecision> {
        None
    }

    /// A handle that records nothing.
    #[inline]
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(())
    }

    /// Always false in this build.
    #[inline]
    #[must_use]
    pub fn is_recording(&self) -> bool {
        false
    }

    /// Always `None` in this build.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        None
    }

    /// Always `None` in this build.
    #[must_use]
    pub fn root_span_id(&self) -> Option<SpanId> {
        None
    }

    /// Always `None` in this build.
    #[must_use]
    pub fn decision(&self) -> Option<SamplingDecision> {
        None
    }

    /// A span that records nothing.
    #[inline]
    pub fn span<'t>(&'t self, _: Option<SpanId>, _name: impl Into<NameRef<'t>>, _kind: &'static str) -> Span<'t> {
        Span::off()
    }

    /// A span that records nothing.
    #[inline]
    pub fn span_at<'t>(
        &'t self,
        _: Option<SpanId>,
        _name: impl Into<NameRef<'t>>,
        _kind: &'static str,
        _: Ticks,
    ) -> Span<'t> {
        Span::off()
    }

    /// Does nothing.
    #[inline]
    pub fn annotate<'v>(&self, _span: SpanId, _attributes: impl IntoIterator<Item = &'v (&'static str, ValueRef<'v>)>) {
    }

    /// Does nothing.
    #[inline]
    pub fn event<'t>(
        &self,
        _span: SpanId,
        _name: impl Into<NameRef<'t>>,
        _attributes: &[(&'static str, ValueRef<'_>)],
    ) {
    }

    /// Does nothing.
    #[inline]
    pub fn link(&self, _span: SpanId, _to: (TraceId, SpanId), _attributes: &[(&'static str, ValueRef<'_>)]) {}

    /// Does nothing.
    #[inline]
    pub fn mark_handled(&self, _span: SpanId) {}

    /// Does nothing.
    #[inline]
    pub fn note_failure(&self) {}

    /// A span that records nothing.
    #[inline]
    pub fn owned_span(&self, _: Option<SpanId>, _name: impl Into<Name>, _kind: &'static str) -> OwnedSpan {
        OwnedSpan(())
    }
}

impl OwnedSpan {
    /// Always `None` in this build.
    #[inline]
    #[must_use]
    pub fn id(&self) -> Option<SpanId> {
        None
    }

    /// Always false in this build.
    #[inline]
    #[must_use]
    pub fn is_recording(&self) -> bool {
        false
    }

    /// Does nothing.
    #[inline]
    pub fn set_name(&mut self, _name: impl Into<Name>) {}

    /// Does nothing.
    #[inline]
    pub fn set<'v>(&mut self, _key: &'static str, _value: impl Into<ValueRef<'v>>) {}

    /// Does nothing; the closure is not called.
    #[inline]
    pub fn set_with<'v, V: Into<ValueRef<'v>>>(&mut self, _key: &'static str, _value: impl FnOnce() -> V) {}

    /// Does nothing.
    #[inline]
    pub fn event<'n>(&self, _name: impl Into<NameRef<'n>>, _attributes: &[(&'static str, ValueRef<'_>)]) {}

    /// Does nothing.
    #[inline]
    pub fn link(&self, _to: (TraceId, SpanId), _attributes: &[(&'static str, ValueRef<'_>)]) {}

    /// Does nothing.
    #[inline]
    pub fn set_status(&mut self, _status: SpanStatus) {}

    /// Does nothing.
    #[inline]
    pub fn set_handled(&mut self) {}

    /// Does nothing.
    #[inline]
    pub fn stop(&mut self) {}

    /// Does nothing.
    #[inline]
    pub fn restart(&mut self, _: &TraceHandle, _: Option<SpanId>, _name: impl Into<Name>, _kind: &'static str) {}

    /// Does nothing.
    #[inline]
    pub fn end(self) {}
}

impl Span<'_> {
    /// A span that records nothing.
    #[inline]
    pub const fn off() -> Self {
        Self(PhantomData)
    }

    /// Always `None` in this build.
    #[inline]
    #[must_use]
    pub fn id(&self) -> Option<SpanId> {
        None
    }

    /// Always false in this build.
    #[inline]
    #[must_use]
    pub fn is_recording(&self) -> bool {
        false
    }

    /// Always `None` in this build.
    #[inline]
    #[must_use]
    pub fn start_ticks(&self) -> Option<Ticks> {
        None
    }

    /// Does nothing.
    #[inline]
    pub fn set<'v>(&mut self, _key: &'static str, _value: impl Into<ValueRef<'v>>) {}

    /// Does nothing; the closure is not called.
    #[inline]
    pub fn set_with<'v, V: Into<ValueRef<'v>>>(&mut self, _key: &'static str, _value: impl FnOnce() -> V) {}

    /// Does nothing.
    #[inline]
    pub fn event<'n>(&self, _name: impl Into<NameRef<'n>>, _attributes: &[(&'static str, ValueRef<'_>)]) {}

    /// Does nothing.
    #[inline]
    pub fn link(&self, _to: (TraceId, SpanId), _attributes: &[(&'static str, ValueRef<'_>)]) {}

    /// Does nothing.
    #[inline]
    pub fn set_status(&mut self, _status: SpanStatus) {}

    /// Does nothing.
    #[inline]
    pub fn set_handled(&mut self) {}

    /// Does nothing.
    #[inline]
    pub fn end(self) {}

    /// Does nothing.
    #[inline]
    pub fn end_at(self, _end: Ticks) {}

    /// Does nothing.
    #[inline]
    pub fn stop_at(&mut self, _end: Ticks) {}

    /// Does nothing.
    #[inline]
    pub fn restart_at<'t>(
        &mut self,
        _: &'t TraceHandle,
        _: Option<SpanId>,
        _name: impl Into<NameRef<'t>>,
        _kind: &'static str,
        _: Ticks,
    ) {
    }
}
