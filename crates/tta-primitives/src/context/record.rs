//! What user code records by hand, from inside a step.

use tta_telemetry::{NameRef, Span, SpanId, TraceId, ValueRef};

use super::Context;

impl Context {
    /// Starts a span of the user's own under the current step. It ends when dropped.
    pub fn span<'c>(&'c self, name: impl Into<NameRef<'c>>) -> Span<'c> {
        self.0.common.trace.span(self.span_id(), name, "span")
    }

    /// Adds an attribute to the current step's span. Nothing is evaluated or kept when the run is
    /// not recorded; see [`Context::is_recording`].
    pub fn set<'v>(&self, key: &'static str, value: impl Into<ValueRef<'v>>) {
        self.annotate(&[(key, value.into())]);
    }

    /// Adds an attribute whose value is computed only when the run is recorded.
    ///
    /// ```
    /// # use tta_primitives::Context;
    /// # fn dear_to_compute() -> u64 { 7 }
    /// # fn inside_a_step(cx: &Context) {
    /// cx.set_with("index.checksum", || dear_to_compute());
    /// # }
    /// ```
    pub fn set_with<'v, V: Into<ValueRef<'v>>>(&self, key: &'static str, value: impl FnOnce() -> V) {
        if self.is_recording() {
            self.set(key, value());
        }
    }

    /// Records that the current step has to do with a span of another trace: what caused it, or
    /// one of the messages of a batch.
    pub fn link(&self, to: (TraceId, SpanId), attributes: &[(&'static str, ValueRef<'_>)]) {
        if self.is_recording()
            && let Some(span) = self.span_id()
        {
            self.0.common.trace.link(span, to, attributes);
        }
    }

    /// Records that something happened in the current step, now.
    pub fn event<'n>(&self, name: impl Into<NameRef<'n>>, attributes: &[(&'static str, ValueRef<'_>)]) {
        if self.is_recording()
            && let Some(span) = self.span_id()
        {
            self.0.common.trace.event(span, name, attributes);
        }
    }

    /// Whether this run is recorded: attributes that are dear to compute can be skipped otherwise.
    #[inline]
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.0.common.trace.is_recording()
    }

    #[inline]
    pub(crate) fn annotate<'v>(&self, attributes: impl IntoIterator<Item = &'v (&'static str, ValueRef<'v>)>) {
        if self.is_recording()
            && let Some(span) = self.span_id()
        {
            self.0.common.trace.annotate(span, attributes);
        }
    }
}
