//! One trace from its parts: what was sent when it was decided, what came late, what other
//! processes added.

use std::collections::HashSet;

use tta_telemetry::{SpanStatus, Trace, TraceClass};

/// Puts the parts together; `None` without any.
///
/// The part that the root, the decision and `late` are taken from is one that is not late if there
/// is one, that has a root without a parent if there is one, and that starts first.
pub(super) fn merge(mut parts: Vec<Trace>) -> Option<Trace> {
    parts.sort_by_key(|part| {
        let is_whole = part.root().is_some_and(|root| root.parent_span_id.is_none());
        (part.late, !is_whole, part.spans.iter().map(|span| span.start_unix_ns).min())
    });
    let mut parts = parts.into_iter();
    let mut whole = parts.next()?;
    if parts.len() == 0 {
        return Some(whole);
    }
    let mut seen: HashSet<_> = whole.spans.iter().map(|span| span.span_id).collect();
    for part in parts {
        whole.spans.extend(part.spans.into_iter().filter(|span| seen.insert(span.span_id)));
        whole.class = worse(whole.class, part.class);
        whole.incomplete |= part.incomplete;
        let (dropped, more) = (&mut whole.dropped, part.dropped);
        dropped.over_span_limit = dropped.over_span_limit.saturating_add(more.over_span_limit);
        dropped.over_byte_limit = dropped.over_byte_limit.saturating_add(more.over_byte_limit);
    }
    // A root that came late was unknown when the trace was classified.
    match whole.root().map(|root| root.status) {
        Some(SpanStatus::Error) => whole.class = TraceClass::Failed,
        Some(SpanStatus::Cancelled) => whole.class = worse(whole.class, TraceClass::Cancelled),
        Some(SpanStatus::Ok) | None => {}
    }
    let root = whole.root_span_id;
    whole.spans.sort_by_key(|span| (span.span_id != root, span.start_unix_ns));
    Some(whole)
}

fn worse(a: TraceClass, b: TraceClass) -> TraceClass {
    match (a, b) {
        (TraceClass::Failed, _) | (_, TraceClass::Failed) => TraceClass::Failed,
        (TraceClass::Cancelled, _) | (_, TraceClass::Cancelled) => TraceClass::Cancelled,
        (TraceClass::Normal, TraceClass::Normal) => TraceClass::Normal,
    }
}
