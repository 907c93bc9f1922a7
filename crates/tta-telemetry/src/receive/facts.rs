//! What a decision needs to know of a received trace: all that is not its spans' bytes.
//!
//! Owns which of several spans is heard where they say different things. The outcome does not depend on the
//! order in which they come, or on how they were cut into requests.

use super::SpanHead;
use crate::id::SpanId;
use crate::model::{Name, Source, StatusCode};
use crate::sampling::{OtelState, Randomness, Threshold};

#[derive(Debug)]
pub(super) struct Facts {
    /// Of several the earliest.
    pub(super) root: Option<Root>,
    /// Spans that failed.
    pub(super) errors: u32,
    first_start_unix_ns: u64,
    last_end_unix_ns: u64,
    /// What the sender says about sampling, by the first span that says something.
    pub(super) threshold: Option<Threshold>,
    pub(super) randomness: Option<Randomness>,
}

#[derive(Debug)]
pub(super) struct Root {
    pub(super) span_id: SpanId,
    pub(super) service: Name,
    start_unix_ns: u64,
    duration_ns: u64,
}

impl Root {
    /// One that does not know when it began comes last.
    fn rank(&self) -> (bool, u64, SpanId) {
        (self.start_unix_ns == 0, self.start_unix_ns, self.span_id)
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            root: None,
            errors: 0,
            first_start_unix_ns: u64::MAX,
            last_end_unix_ns: 0,
            threshold: None,
            randomness: None,
        }
    }
}

impl Facts {
    pub(super) fn note(&mut self, source: &Source, head: &SpanHead<'_>) {
        self.errors = self.errors.saturating_add(u32::from(head.status == StatusCode::Error));
        // 0 is how OTLP says that nobody knows.
        if head.start_unix_ns > 0 {
            self.first_start_unix_ns = self.first_start_unix_ns.min(head.start_unix_ns);
            self.last_end_unix_ns = self.last_end_unix_ns.max(head.start_unix_ns.saturating_add(head.duration_ns));
        }
        if head.parent_span_id.is_none() {
            let service = source.resource.service.clone();
            let (start_unix_ns, duration_ns) = (head.start_unix_ns, head.duration_ns);
            self.note_root(Root { span_id: head.span_id, service, start_unix_ns, duration_ns });
        }
        // All spans of a trace say the same, where they say something: the first that does is heard.
        if !head.trace_state.is_empty() && self.says_nothing() {
            self.read_trace_state(head.trace_state);
        }
    }

    fn note_root(&mut self, root: Root) {
        if self.root.as_ref().is_none_or(|known| root.rank() < known.rank()) {
            self.root = Some(root);
        }
    }

    /// Adds what is known of spans that came later.
    pub(super) fn merge(&mut self, more: &mut Self) {
        self.errors = self.errors.saturating_add(more.errors);
        self.first_start_unix_ns = self.first_start_unix_ns.min(more.first_start_unix_ns);
        self.last_end_unix_ns = self.last_end_unix_ns.max(more.last_end_unix_ns);
        if self.says_nothing() {
            (self.threshold, self.randomness) = (more.threshold, more.randomness);
        }
        if let Some(root) = more.root.take() {
            self.note_root(root);
        }
    }

    /// Whether no span has said how its sender sampled.
    fn says_nothing(&self) -> bool {
        self.threshold.is_none() && self.randomness.is_none()
    }

    fn read_trace_state(&mut self, list: &str) {
        // The `ot` member alone matters here; the whole goes on with the span.
        let state = list.split(',').find_map(|member| member.trim().strip_prefix("ot="));
        let Some(state) = state.and_then(OtelState::parse) else { return };
        self.randomness = state.randomness();
        self.threshold = state.threshold();
    }

    /// How long the root took; without one, from the first start to the last end.
    pub(super) fn duration_ns(&self) -> u64 {
        let span = self.last_end_unix_ns.saturating_sub(self.first_start_unix_ns);
        self.root.as_ref().map_or(span, |root| root.duration_ns)
    }
}
