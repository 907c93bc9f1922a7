//! Whether a trace is what a query asks for.

use std::fmt::{Display, Write};
use std::time::Duration;

use super::query::{TagFilter, TagScope, TraceQuery};
use super::stored::StoredTrace;
use crate::model::{Attribute, Name, SpanRecord, Value};
use crate::receive::SpanKind;

/// The attribute of a resource that names its service.
pub(super) const SERVICE_NAME: &str = "service.name";
/// What OpenTelemetry calls our own spans, whatever kind of primitive they are of.
pub(super) const OWN_KIND: &str = SpanKind::Internal.as_str();

impl TraceQuery {
    /// Whether the trace is one of those asked for.
    #[must_use]
    pub fn matches(&self, trace: &StoredTrace) -> bool {
        self.matches_trace(trace)
            && trace.spans().into_iter().any(|span| self.matches_span(span, trace.service_of(span)))
    }

    /// Whether what is said of spans holds of this one, which this service recorded.
    #[must_use]
    pub fn matches_span(&self, span: &SpanRecord, service: &Name) -> bool {
        let is = |wanted: &Option<String>, name: &Name| wanted.as_ref().is_none_or(|wanted| name.as_str() == wanted);
        is(&self.service, service)
            && is(&self.operation, &span.name)
            && self.kind.as_ref().is_none_or(|kind| is_of_kind(span, kind))
            && self.status.is_none_or(|status| status == span.status)
            && within(span.duration_ns, self.min_span_duration, self.max_span_duration)
            && self.text.as_ref().is_none_or(|text| contains(span.name.as_str(), text))
            && self.tags.iter().all(|tag| tag.matches(span, service))
    }

    fn matches_trace(&self, trace: &StoredTrace) -> bool {
        let start_unix_ns = trace.start_unix_ns();
        within(trace.duration_ns(), self.min_duration, self.max_duration)
            && self.start_unix_ns.is_none_or(|start| start_unix_ns >= start)
            && self.end_unix_ns.is_none_or(|end| start_unix_ns < end)
            && self.class.is_none_or(|class| class == trace.class())
            && self.reason.is_none_or(|reason| trace.decision().is_some_and(|decision| decision.reason == reason))
    }
}

impl TagFilter {
    fn matches(&self, span: &SpanRecord, service: &Name) -> bool {
        // Our own spans have no resource, but are shown with one.
        if self.scope != TagScope::Span && span.received.is_none() && self.key == SERVICE_NAME {
            return self.value.as_ref().is_none_or(|value| service.as_str() == value);
        }
        let resource = span.received.as_deref().map(|received| received.source.resource.attributes.as_slice());
        let own = (self.scope != TagScope::Resource).then_some(span.attributes.as_slice());
        let resource = resource.filter(|_| self.scope != TagScope::Span);
        own.into_iter().chain(resource).any(|attributes| self.matches_any(attributes))
    }

    /// The last of a key is the one that counts.
    fn matches_any(&self, attributes: &[Attribute]) -> bool {
        let Some(found) = attributes.iter().rev().find(|attribute| attribute.key.as_str() == self.key) else {
            return false;
        };
        self.value.as_ref().is_none_or(|value| {
            let mut is_equal = false;
            for_each_text(&found.value, &mut |text| is_equal |= is_text(text, value));
            is_equal
        })
    }
}

fn is_of_kind(span: &SpanRecord, kind: &str) -> bool {
    span.kind.as_str() == kind || (span.received.is_none() && kind == OWN_KIND)
}

/// Calls with the value as text, or with each of its elements.
pub(super) fn for_each_text(value: &Value, with: &mut impl FnMut(&dyn Display)) {
    match value {
        Value::List(texts) => texts.iter().for_each(|text| with(text)),
        Value::Array(values) => values.iter().for_each(|value| with(value)),
        other => with(other),
    }
}

fn within(ns: u64, min: Option<Duration>, max: Option<Duration>) -> bool {
    let ns = u128::from(ns);
    min.is_none_or(|min| ns >= min.as_nanos()) && max.is_none_or(|max| ns <= max.as_nanos())
}

fn contains(name: &str, part: &str) -> bool {
    let (name, part) = (name.as_bytes(), part.as_bytes());
    part.is_empty() || name.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Compares while it is written, so that nothing is copied.
fn is_text(given: &dyn Display, text: &str) -> bool {
    struct Rest<'t>(&'t str);
    impl Write for Rest<'_> {
        fn write_str(&mut self, piece: &str) -> std::fmt::Result {
            self.0 = self.0.strip_prefix(piece).ok_or(std::fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Rest(text);
    write!(rest, "{given}").is_ok() && rest.0.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compared_as_a_whole_and_names_by_their_parts() {
        assert!(is_text(&200, "200") && is_text(&-1.5, "-1.5") && is_text(&true, "true"));
        assert!(!is_text(&200, "20") && !is_text(&200, "2000") && !is_text(&"", "x"));
        assert!(contains("GET /Cart", "/cart") && !contains("GET", "GETS"));
    }
}
