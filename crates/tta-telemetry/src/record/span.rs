//! Spans being recorded: the root of a run, its children, and handles that outlive a scope.
//!
//! A span collects its facts where it stands and is written once, when it closes.

use std::sync::Arc;

use super::live::{LiveTrace, append_auxiliary};
use super::log::Count;
use super::words::{self, AttributeLimits, Attributes, SPAN_HEAD_WORDS};
use crate::clock::Ticks;
use crate::id::{SpanId, TraceId};
use crate::model::{Name, NameRef, SamplingDecision, SpanStatus, ValueRef};

/// What a span knows of itself until it is written.
#[derive(Debug)]
struct Draft {
    id: SpanId,
    parent: Option<SpanId>,
    start: Ticks,
    attributes: Attributes,
    status: SpanStatus,
    handled: bool,
}

impl Draft {
    /// Stands in for a span that is not recorded.
    #[inline]
    const fn off() -> Self {
        let attributes = Attributes::new();
        Self { id: SpanId::PLACEHOLDER, parent: None, start: 0, attributes, status: SpanStatus::Ok, handled: false }
    }

    #[inline(always)]
    fn new(id: SpanId, parent: Option<SpanId>, start: Ticks, name: NameRef<'_>) -> Self {
        let mut attributes = Attributes::new();
        attributes.push_name(name);
        Self { id, parent, start, attributes, status: SpanStatus::Ok, handled: false }
    }

    /// A new draft in the place of an old one; the buffer stays where it is.
    #[inline]
    fn restart(&mut self, id: SpanId, parent: Option<SpanId>, start: Ticks, name: NameRef<'_>) {
        self.id = id;
        self.parent = parent;
        self.start = start;
        self.status = SpanStatus::Ok;
        self.handled = false;
        self.attributes.clear();
        self.attributes.push_name(name);
    }

    #[inline(always)]
    fn head(&self, name: NameRef<'_>, kind: &'static str, end: Ticks) -> [u64; SPAN_HEAD_WORDS] {
        let words = SPAN_HEAD_WORDS + self.attributes.words().len();
        let [name_pointer, name_length] = words::name_words(name);
        let [kind_pointer, kind_length] = words::name_words(NameRef::Static(kind));
        [
            words::header(words, words::KIND_SPAN, self.status, self.handled),
            self.id.get(),
            self.parent.map_or(0, SpanId::get),
            self.start,
            end,
            name_pointer,
            name_length,
            kind_pointer,
            kind_length,
            self.attributes.counters(),
        ]
    }
}

#[inline]
fn limits_of(live: &LiveTrace) -> AttributeLimits {
    let limits = &live.core.limits;
    AttributeLimits { count: limits.attributes_per_span, bytes: limits.attribute_bytes }
}

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

/// Gives up a handle and finishes the trace when it was the last.
#[inline]
fn release(live: Arc<LiveTrace>) -> Option<SamplingDecision> {
    live.drop_handle().then(|| super::core::finish(live))
}

/// Keeps a trace open and records into it from anywhere: other tasks, other threads, after the
/// root has ended (for at most the engine's `decision_wait`; what comes later follows the
/// decision). Cheap to clone.
#[derive(Debug, Default)]
pub struct TraceHandle {
    live: Option<Arc<LiveTrace>>,
    detached: bool,
}

impl TraceHandle {
    fn new(live: Option<&Arc<LiveTrace>>, detached: bool) -> Self {
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
    pub fn annotate(&self, span: SpanId, attributes: &[(&'static str, ValueRef<'_>)]) {
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
}

fn event(live: &LiveTrace, span: SpanId, name: NameRef<'_>, attributes: &[(&'static str, ValueRef<'_>)]) {
    let mut encoded = Attributes::new();
    encoded.push_name(name);
    for (key, value) in attributes {
        encoded.push(key, *value, limits_of(live));
    }
    let [pointer, length] = words::name_words(name);
    let head = &mut [0, span.get(), live.core.clock.ticks(), pointer, length];
    append_auxiliary(live, head, words::KIND_EVENT, &encoded);
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
    fn start(
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
