//! Which kept trace has an execution of which duration.

use super::Measuring;
use crate::id::SpanId;
use crate::metrics::Exemplar;
use crate::model::{Name, SpanRecord, Trace};

/// Spans of one trace that are looked at.
const MOST_SPANS: usize = 256;

impl Measuring {
    /// Remembers a kept trace where its steps are measured. Done in the background.
    pub(crate) fn note_exemplars(&self, trace: &Trace) {
        let Some(root) = trace.spans.iter().find(|span| span.span_id == trace.root_span_id) else { return };
        let is_nested = |span: &SpanRecord| span.kind == "workflow" && span.span_id != root.span_id;
        let nested = trace.spans.iter().take(MOST_SPANS).any(is_nested);
        for span in trace.spans.iter().take(MOST_SPANS) {
            let workflow = match span.received.as_deref() {
                // Counted by who recorded it.
                Some(received) => received.service(),
                None if nested => enclosing_workflow(trace, span, root),
                None => &root.name,
            };
            let Some(step) = self.steps.find(&[workflow.clone(), span.name.clone(), span.kind.clone()]) else {
                continue;
            };
            let duration_ns = span.duration_ns;
            let exemplar = Exemplar {
                trace_id: trace.trace_id,
                span_id: span.span_id,
                value: crate::metrics::in_billionths(duration_ns),
                unix_ns: span.end_unix_ns(),
            };
            step.note_exemplar(exemplar, duration_ns);
        }
    }
}

/// The innermost named workflow that a span is in; a workflow is in itself.
fn enclosing_workflow<'t>(trace: &'t Trace, span: &'t SpanRecord, root: &'t SpanRecord) -> &'t Name {
    let of = |id: SpanId| trace.spans.iter().take(MOST_SPANS).find(|span| span.span_id == id);
    let mut at = span;
    for _ in 0..MOST_SPANS {
        if at.kind == "workflow" && at.span_id != span.span_id {
            return &at.name;
        }
        match at.parent_span_id.and_then(of) {
            Some(parent) => at = parent,
            None => break,
        }
    }
    &root.name
}
