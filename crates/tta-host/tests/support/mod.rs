//! Traces to write, and files as the tests look at them.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tta_host::{TraceFileSink, read_traces, trace_files};
use tta_telemetry::{
    Attribute, DecisionReason, SamplingDecision, Sink, SpanId, SpanRecord, Trace, TraceClass, TraceCounts, TraceId,
    Value,
};

/// Span id of the root of [`trace`].
pub(crate) fn root_id() -> SpanId {
    SpanId::new(1).unwrap()
}

pub(crate) fn id(number: u128) -> TraceId {
    TraceId::new(number).unwrap()
}

pub(crate) fn span(number: u64, parent: Option<u64>, start_unix_ns: u64) -> SpanRecord {
    SpanRecord {
        parent_span_id: parent.and_then(SpanId::new),
        start_unix_ns,
        duration_ns: 10,
        ..SpanRecord::new(SpanId::new(number).unwrap(), format!("step {number}").into(), "lambda".into())
    }
}

pub(crate) fn trace_of(number: u128, spans: Vec<SpanRecord>) -> Trace {
    Trace {
        trace_id: id(number),
        root_span_id: root_id(),
        spans,
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "keep_all" },
        adjusted_count: Some(1.0),
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}

/// A trace of one span, with this many bytes beyond the least.
pub(crate) fn trace(number: u128, padding_bytes: usize) -> Arc<Trace> {
    let mut root = span(1, None, 100);
    root.attributes.push(Attribute { key: "padding".into(), value: Value::Str("x".repeat(padding_bytes).into()) });
    Arc::new(trace_of(number, vec![root]))
}

pub(crate) fn export(sink: &mut TraceFileSink, numbers: impl IntoIterator<Item = u128>, padding_bytes: usize) {
    let traces: Vec<_> = numbers.into_iter().map(|number| trace(number, padding_bytes)).collect();
    sink.export(&traces).unwrap();
}

/// The numbers of the traces in one file; panics on anything that is no trace.
pub(crate) fn numbers_in(path: impl Into<PathBuf>) -> Vec<u128> {
    read_traces(path).map(|trace| trace.unwrap().trace_id.get()).collect()
}

/// The numbers of the traces in all files of a path, those written first first.
pub(crate) fn numbers_in_all(path: &Path) -> Vec<u128> {
    trace_files(path).unwrap().into_iter().rev().flat_map(numbers_in).collect()
}

pub(crate) fn append_raw(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

pub(crate) fn line(trace: &Trace) -> String {
    tta_host::trace_json::to_json(trace).unwrap()
}
