//! What a span collects until it is written, once, when it closes.

use crate::clock::Ticks;
use crate::id::{SpanId, TraceId};
use crate::model::{NameRef, SpanStatus, ValueRef};
use crate::record::live::{LiveTrace, append_auxiliary};
use crate::record::words::{self, AttributeLimits, Attributes, SPAN_HEAD_WORDS};

/// What a span knows of itself until it is written.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) start: Ticks,
    pub(super) attributes: Attributes,
    pub(super) status: SpanStatus,
    pub(super) handled: bool,
}

impl Draft {
    /// Stands in for a span that is not recorded.
    #[inline]
    pub(super) const fn off() -> Self {
        let attributes = Attributes::new();
        Self { id: SpanId::PLACEHOLDER, parent: None, start: 0, attributes, status: SpanStatus::Ok, handled: false }
    }

    #[inline(always)]
    pub(super) fn new(id: SpanId, parent: Option<SpanId>, start: Ticks, name: NameRef<'_>) -> Self {
        let mut attributes = Attributes::new();
        attributes.push_name(name);
        Self { id, parent, start, attributes, status: SpanStatus::Ok, handled: false }
    }

    /// A new draft in the place of an old one; the buffer stays where it is.
    #[inline]
    pub(super) fn restart(&mut self, id: SpanId, parent: Option<SpanId>, start: Ticks, name: NameRef<'_>) {
        self.id = id;
        self.parent = parent;
        self.start = start;
        self.status = SpanStatus::Ok;
        self.handled = false;
        self.attributes.clear();
        self.attributes.push_name(name);
    }

    #[inline(always)]
    pub(super) fn head(&self, name: NameRef<'_>, kind: &'static str, end: Ticks) -> [u64; SPAN_HEAD_WORDS] {
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
pub(super) fn limits_of(live: &LiveTrace) -> AttributeLimits {
    let limits = &live.core.limits;
    AttributeLimits { count: limits.attributes_per_span, bytes: limits.attribute_bytes }
}

/// Records that a span has to do with one of another trace, or of another branch of this one.
pub(super) fn link(live: &LiveTrace, span: SpanId, to: (TraceId, SpanId), attributes: &[(&'static str, ValueRef<'_>)]) {
    let mut encoded = Attributes::new();
    for (key, value) in attributes {
        encoded.push(key, *value, limits_of(live));
    }
    let trace_id = to.0.get();
    let head = &mut [0, span.get(), (trace_id >> 64) as u64, trace_id as u64, to.1.get()];
    append_auxiliary(live, head, words::KIND_LINK, &encoded);
}

/// Records that something happened in a span, now.
pub(super) fn event(live: &LiveTrace, span: SpanId, name: NameRef<'_>, attributes: &[(&'static str, ValueRef<'_>)]) {
    let mut encoded = Attributes::new();
    encoded.push_name(name);
    for (key, value) in attributes {
        encoded.push(key, *value, limits_of(live));
    }
    let [pointer, length] = words::name_words(name);
    let head = &mut [0, span.get(), live.core.clock.ticks(), pointer, length];
    append_auxiliary(live, head, words::KIND_EVENT, &encoded);
}
