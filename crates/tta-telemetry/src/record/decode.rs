//! From words to the trace that sinks receive.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use super::core::Core;
use super::late::LateRecord;
use super::live::LiveTrace;
use super::log::Extent;
use super::words::{self, Reader};
use crate::id::{SpanId, TraceId};
use crate::model::{
    Attribute, DecisionReason, SamplingDecision, SpanEvent, SpanLink, SpanRecord, SpanStatus, Trace, TraceClass,
    TraceCounts,
};

/// Decodes a closed log. What was decided is for the caller to put in.
pub(crate) fn undecided(live: &LiveTrace, extent: Extent, incomplete: bool) -> Trace {
    let mut parts = Parts::new(&live.core);
    live.log.read(extent, |record| parts.add(record));
    if let Some(root) = live.root_record.lock().as_deref() {
        parts.add(root);
    }
    let root_span_id = live.root_span_id();
    Trace {
        trace_id: live.trace_id(),
        root_span_id,
        spans: parts.finish(root_span_id),
        decision: SamplingDecision { keep: false, rate: 0.0, reason: DecisionReason::RateZero, sampler: "" },
        adjusted_count: None,
        class: live.class(),
        dropped: TraceCounts {
            over_span_limit: live.over_span_limit.load(Ordering::Relaxed),
            over_byte_limit: live.over_byte_limit.load(Ordering::Relaxed),
        },
        incomplete,
        late: false,
    }
}

/// Decodes the late records of one trace.
pub(crate) fn late(core: &Core, records: &[LateRecord]) -> Option<Trace> {
    let first = records.first()?;
    let mut parts = Parts::new(core);
    for record in records {
        parts.add(&record.words);
    }
    let spans = parts.finish(first.root_span_id);
    let failed = spans.iter().any(|span| span.status == SpanStatus::Error && !span.handled);
    // Events and annotations of spans that were sent before have nothing left to hang on.
    (!spans.is_empty()).then(|| Trace {
        trace_id: first.trace_id,
        root_span_id: first.root_span_id,
        spans,
        decision: first.decided.decision,
        adjusted_count: first.decided.adjusted_count,
        class: if failed { TraceClass::Failed } else { TraceClass::Normal },
        dropped: TraceCounts::default(),
        incomplete: false,
        late: true,
    })
}

/// Records in any order, put together by span.
struct Parts<'a> {
    core: &'a Core,
    spans: Vec<SpanRecord>,
    /// What was recorded of spans outside their own records: empty for most traces, and then it costs nothing.
    extras: HashMap<SpanId, Extras>,
}

/// What hangs on a span and is recorded apart from it, because it came earlier or later.
#[derive(Default)]
struct Extras {
    events: Vec<SpanEvent>,
    annotations: Vec<Attribute>,
    links: Vec<SpanLink>,
    handled: bool,
}

impl<'a> Parts<'a> {
    fn new(core: &'a Core) -> Self {
        Self { core, spans: Vec::new(), extras: HashMap::new() }
    }

    fn extras(&mut self, span_id: SpanId) -> &mut Extras {
        self.extras.entry(span_id).or_default()
    }

    fn add(&mut self, record: &[u64]) {
        let mut reader = Reader(record);
        let header = reader.word();
        let Some(span_id) = SpanId::new(reader.word()) else { return };
        match words::kind_of(header) {
            words::KIND_SPAN => self.add_span(header, span_id, reader),
            words::KIND_EVENT => {
                let unix_ns = self.core.clock.unix_ns(reader.word());
                let part = reader.name();
                let name = reader.finish_name(part);
                let mut attributes = Vec::new();
                reader.attributes(&mut attributes);
                self.extras(span_id).events.push(SpanEvent { attributes, ..SpanEvent::new(name, unix_ns) });
            }
            words::KIND_LINK => {
                let trace_id = (u128::from(reader.word()) << 64) | u128::from(reader.word());
                let ids = TraceId::new(trace_id).zip(SpanId::new(reader.word()));
                let mut attributes = Vec::new();
                reader.attributes(&mut attributes);
                let links = &mut self.extras(span_id).links;
                links
                    .extend(ids.map(|(trace_id, span_id)| SpanLink { attributes, ..SpanLink::new(trace_id, span_id) }));
            }
            words::KIND_HANDLED => self.extras(span_id).handled = true,
            _ => reader.attributes(&mut self.extras(span_id).annotations),
        }
    }

    fn add_span(&mut self, header: u64, span_id: SpanId, mut reader: Reader<'_>) {
        let parent_span_id = SpanId::new(reader.word());
        let (start, end) = (reader.word(), reader.word());
        let (name, kind) = (reader.name(), reader.name());
        let counters = reader.word();
        let name = reader.finish_name(name);
        let kind = reader.finish_name(kind);
        let mut attributes = Vec::with_capacity((counters & 0xffff) as usize);
        reader.attributes(&mut attributes);
        self.spans.push(SpanRecord {
            span_id,
            parent_span_id,
            name,
            kind,
            start_unix_ns: self.core.clock.unix_ns(start),
            duration_ns: self.core.clock.nanos_between(start, end),
            status: words::status_of(header),
            handled: words::handled_of(header),
            attributes,
            events: Vec::new(),
            links: Vec::new(),
            dropped_attributes: ((counters >> 16) & 0xffff) as u32,
            truncated_attributes: ((counters >> 32) & 0xffff) as u32,
            dropped_events: 0,
            dropped_links: 0,
            received: None,
        });
    }

    fn finish(mut self, root: SpanId) -> Vec<SpanRecord> {
        if !self.extras.is_empty() {
            for span in &mut self.spans {
                if let Some(extras) = self.extras.remove(&span.span_id) {
                    extras.join(span, self.core);
                }
            }
        }
        self.spans.sort_by_key(|span| (span.span_id != root, span.start_unix_ns));
        self.spans
    }
}

impl Extras {
    fn join(self, span: &mut SpanRecord, core: &Core) {
        let most_attributes = usize::from(core.limits.attributes_per_span);
        for attribute in self.annotations {
            if let Some(known) = span.attributes.iter_mut().find(|known| known.key == attribute.key) {
                known.value = attribute.value;
            } else if span.attributes.len() < most_attributes {
                span.attributes.push(attribute);
            } else {
                span.dropped_attributes += 1;
                core.counters.attributes_dropped.add(1);
            }
        }
        // Only an error can have been stopped.
        span.handled |= span.status == SpanStatus::Error && self.handled;
        span.links = self.links;
        span.dropped_links = cut(&mut span.links, core.limits.links_per_span);
        core.counters.links_dropped.add(u64::from(span.dropped_links));
        span.events = self.events;
        span.events.sort_by_key(|event| event.unix_ns);
        span.dropped_events = cut(&mut span.events, core.limits.events_per_span);
        core.counters.events_dropped.add(u64::from(span.dropped_events));
    }
}

/// Keeps the first `most`; how many were over.
fn cut<T>(items: &mut Vec<T>, most: u32) -> u32 {
    let over = items.len().saturating_sub(most as usize);
    items.truncate(most as usize);
    over as u32
}
