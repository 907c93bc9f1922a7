//! A stored trace, put together of its parts, and what is shown of it in lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{SpanId, TraceId};
use crate::model::{Name, SamplingDecision, SpanRecord, SpanStatus, Trace, TraceClass};

/// All that was kept of one trace: several parts when some came late or from other processes.
#[derive(Clone, Debug)]
pub struct StoredTrace {
    /// The trace.
    pub trace_id: TraceId,
    /// The service of spans that this process recorded itself.
    pub own_service: Name,
    /// In the order in which they were kept; at least one.
    pub parts: Vec<Arc<Trace>>,
}

/// A trace in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    /// The trace.
    pub trace_id: TraceId,
    /// The service of its root, or of its first span while the root is not there.
    pub root_service: Name,
    /// The name of its root, or of its first span while the root is not there.
    pub root_name: Name,
    /// The start of its first span, in nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// From the start of its first span to the end of its last.
    pub duration_ns: u64,
    /// Its spans.
    pub spans: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// Who recorded them, by name.
    pub services: Vec<ServiceSpans>,
    /// What its end makes it.
    pub class: TraceClass,
    /// How many traces this one stands for; `None` when nobody knows.
    pub adjusted_count: Option<f64>,
    /// Why it was kept.
    pub decision: SamplingDecision,
    /// It was decided about before its end: spans may be missing.
    pub incomplete: bool,
}

/// What one service has in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpans {
    /// The service.
    pub service: Name,
    /// Its spans.
    pub spans: u64,
    /// Those of them that failed.
    pub errors: u64,
}

impl StoredTrace {
    /// Every span of every part, the root first, then by start. One that is the same in two parts, as when
    /// somebody sent it twice, is there once.
    #[must_use]
    pub fn spans(&self) -> Vec<&SpanRecord> {
        let mut spans: Vec<&SpanRecord> = self.parts.iter().flat_map(|part| &part.spans).collect();
        if self.parts.len() > 1 {
            spans.sort_by_key(|span| (span.start_unix_ns, span.span_id));
            spans.dedup_by(|later, earlier| later == earlier);
        }
        if let Some(root) = root_of(&spans)
            && let Some(place) = spans.iter().position(|span| std::ptr::eq(*span, root))
            && let Some(first) = spans.get_mut(..=place)
        {
            first.rotate_right(1);
        }
        spans
    }

    /// The span without a parent; while it is not there, one whose parent is not.
    #[must_use]
    pub fn root(&self) -> Option<&SpanRecord> {
        self.spans().first().copied()
    }

    /// The service that recorded a span.
    #[must_use]
    pub fn service_of<'t>(&'t self, span: &'t SpanRecord) -> &'t Name {
        service_of(span, &self.own_service)
    }

    /// The part that was decided about, rather than one that came late.
    fn decided(&self) -> Option<&Arc<Trace>> {
        self.parts.iter().find(|part| !part.late).or(self.parts.first())
    }

    /// Why it was kept.
    #[must_use]
    pub fn decision(&self) -> Option<SamplingDecision> {
        self.decided().map(|part| part.decision)
    }

    /// How many traces this one stands for; `None` when nobody knows.
    #[must_use]
    pub fn adjusted_count(&self) -> Option<f64> {
        self.decided().and_then(|part| part.adjusted_count)
    }

    /// Failed when a part is, else cancelled when one is.
    #[must_use]
    pub fn class(&self) -> TraceClass {
        self.parts.iter().fold(TraceClass::Normal, |class, part| worse(class, part.class))
    }

    /// A part was decided about before its end: spans may be missing.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.parts.iter().any(|part| part.incomplete)
    }

    /// The start of its first span, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn start_unix_ns(&self) -> u64 {
        self.extents().map(|(start, _)| start).min().unwrap_or(0)
    }

    /// From the start of its first span to the end of its last.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        let end = self.extents().map(|(_, end)| end).max().unwrap_or(0);
        end.saturating_sub(self.start_unix_ns())
    }

    fn extents(&self) -> impl Iterator<Item = (u64, u64)> {
        self.parts.iter().filter_map(|part| extent(part))
    }

    /// What is shown of it in lists; `None` of a trace without spans.
    #[must_use]
    pub fn summary(&self) -> Option<TraceSummary> {
        let (spans, decided) = (self.spans(), self.decided()?);
        let root = *spans.first()?;
        let mut services: BTreeMap<&str, ServiceSpans> = BTreeMap::new();
        for span in &spans {
            let service = self.service_of(span);
            let new = || ServiceSpans { service: service.clone(), spans: 0, errors: 0 };
            let of = services.entry(service.as_str()).or_insert_with(new);
            of.spans += 1;
            of.errors += u64::from(span.status == SpanStatus::Error);
        }
        Some(TraceSummary {
            trace_id: self.trace_id,
            root_service: self.service_of(root).clone(),
            root_name: root.name.clone(),
            start_unix_ns: self.start_unix_ns(),
            duration_ns: self.duration_ns(),
            spans: spans.len() as u64,
            errors: services.values().map(|service| service.errors).sum(),
            services: services.into_values().collect(),
            class: self.class(),
            adjusted_count: decided.adjusted_count,
            decision: decided.decision,
            incomplete: self.is_incomplete(),
        })
    }
}

/// The service that recorded a span; spans that are not received are our own.
pub(super) fn service_of<'s>(span: &'s SpanRecord, own: &'s Name) -> &'s Name {
    span.received.as_deref().map_or(own, |received| received.service())
}

/// The first start and the last end of a part. Spans that do not know when they began, which OTLP writes as
/// 0, say nothing of it unless there are no others.
pub(super) fn extent(part: &Trace) -> Option<(u64, u64)> {
    let known = |span: &&SpanRecord| span.start_unix_ns > 0;
    let start = part.spans.iter().filter(known).map(|span| span.start_unix_ns).min();
    let end = part.spans.iter().map(SpanRecord::end_unix_ns).max()?;
    Some((start.unwrap_or(0), end))
}

pub(super) fn worse(one: TraceClass, other: TraceClass) -> TraceClass {
    match (one, other) {
        (TraceClass::Failed, _) | (_, TraceClass::Failed) => TraceClass::Failed,
        (TraceClass::Cancelled, _) | (_, TraceClass::Cancelled) => TraceClass::Cancelled,
        _ => TraceClass::Normal,
    }
}

/// The first without a parent, else the first whose parent is not among them, else the first.
fn root_of<'s>(spans: &[&'s SpanRecord]) -> Option<&'s SpanRecord> {
    let first = |is_root: &dyn Fn(&SpanRecord) -> bool| {
        spans.iter().copied().filter(|span| is_root(span)).min_by_key(|span| span.start_unix_ns)
    };
    first(&|span| span.parent_span_id.is_none())
        .or_else(|| {
            let known: std::collections::HashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
            first(&|span| span.parent_span_id.is_none_or(|parent| !known.contains(&parent)))
        })
        .or_else(|| first(&|_| true))
}
