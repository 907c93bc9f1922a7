//! A trace as JSON: in a list, and as a whole.

use serde::Serialize;
use tta_telemetry::store::{StoredTrace, TracePage, TraceSummary};
use tta_telemetry::{SamplingDecision, TraceClass};
use utoipa::ToSchema;

use super::super::time::iso;
use super::span::Span;

/// Traces that were found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Traces {
    /// The latest kept first.
    traces: Vec<Summary>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// A trace in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Summary {
    #[schema(pattern = "^[0-9a-f]{32}$")]
    trace_id: String,
    root_service: String,
    root_name: String,
    /// The start of the first span, in nanoseconds since 1970, as text: they have more digits than a double.
    #[schema(pattern = "^[0-9]+$")]
    start_unix_ns: String,
    #[schema(format = DateTime)]
    start_time: String,
    /// From the start of the first span to the end of the last.
    duration_ns: u64,
    spans: u64,
    /// Spans that failed.
    errors: u64,
    services: Vec<Service>,
    /// `failed`, `cancelled` or `normal`.
    class: &'static str,
    /// How many traces this one stands for; null when nobody knows.
    adjusted_count: Option<f64>,
    decision: Decision,
    /// It was decided about before its end: spans may be missing.
    incomplete: bool,
}

/// What one service has in a trace.
#[derive(Debug, Serialize, ToSchema)]
struct Service {
    name: String,
    spans: u64,
    errors: u64,
}

/// Why a trace was kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Decision {
    keep: bool,
    /// The probability with which traces of its class are kept.
    rate: f64,
    /// As `tail_error`, `probabilistic_hash` or `rule:<name>`.
    reason: String,
    /// Who decided.
    sampler: &'static str,
}

/// All that was kept of one trace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Trace<'a> {
    #[schema(pattern = "^[0-9a-f]{32}$")]
    trace_id: String,
    /// How many traces this one stands for; null when nobody knows.
    adjusted_count: Option<f64>,
    decision: Option<Decision>,
    /// `failed`, `cancelled` or `normal`.
    class: &'static str,
    /// The start of the first span, in nanoseconds since 1970, as text.
    start_unix_ns: String,
    #[schema(format = DateTime)]
    start_time: String,
    /// From the start of the first span to the end of the last.
    duration_ns: u64,
    /// It was decided about before its end: spans may be missing.
    incomplete: bool,
    /// What was lost of it.
    dropped: TraceDropped,
    /// The root first, then by start.
    spans: Vec<Span<'a>>,
}

/// What was lost of a trace: spans, events and annotations.
#[derive(Debug, Serialize, ToSchema)]
struct TraceDropped {
    over_span_limit: u64,
    over_byte_limit: u64,
}

impl From<TracePage> for Traces {
    fn from(page: TracePage) -> Self {
        Self { traces: page.traces.iter().map(Summary::from).collect(), next_cursor: page.next_cursor }
    }
}

impl From<&TraceSummary> for Summary {
    fn from(summary: &TraceSummary) -> Self {
        let service = |of: &tta_telemetry::store::ServiceSpans| Service {
            name: of.service.to_string(),
            spans: of.spans,
            errors: of.errors,
        };
        Self {
            trace_id: summary.trace_id.to_string(),
            root_service: summary.root_service.to_string(),
            root_name: summary.root_name.to_string(),
            start_unix_ns: summary.start_unix_ns.to_string(),
            start_time: iso(summary.start_unix_ns),
            duration_ns: summary.duration_ns,
            spans: summary.spans,
            errors: summary.errors,
            services: summary.services.iter().map(service).collect(),
            class: class(summary.class),
            adjusted_count: summary.adjusted_count,
            decision: summary.decision.into(),
            incomplete: summary.incomplete,
        }
    }
}

impl From<SamplingDecision> for Decision {
    fn from(decision: SamplingDecision) -> Self {
        Self {
            keep: decision.keep,
            rate: decision.rate,
            reason: decision.reason.to_string(),
            sampler: decision.sampler,
        }
    }
}

impl<'a> Trace<'a> {
    pub(crate) fn of(trace: &'a StoredTrace) -> Self {
        let sum = |of: fn(&tta_telemetry::TraceCounts) -> u32| {
            trace.parts.iter().map(|part| u64::from(of(&part.dropped))).sum()
        };
        Self {
            trace_id: trace.trace_id.to_string(),
            adjusted_count: trace.adjusted_count(),
            decision: trace.decision().map(Decision::from),
            class: class(trace.class()),
            start_unix_ns: trace.start_unix_ns().to_string(),
            start_time: iso(trace.start_unix_ns()),
            duration_ns: trace.duration_ns(),
            incomplete: trace.is_incomplete(),
            dropped: TraceDropped {
                over_span_limit: sum(|counts| counts.over_span_limit),
                over_byte_limit: sum(|counts| counts.over_byte_limit),
            },
            spans: trace.spans().into_iter().map(|span| Span::of(trace, span)).collect(),
        }
    }
}

fn class(class: TraceClass) -> &'static str {
    match class {
        TraceClass::Failed => "failed",
        TraceClass::Cancelled => "cancelled",
        TraceClass::Normal => "normal",
    }
}
