//! Traces made by hand.

use tta_telemetry::{
    Attribute, DecisionReason, SamplingDecision, SamplingRule, SpanId, SpanRecord, SpanStatus, Trace, TraceClass,
    TraceCounts, TraceId, Value,
};

pub(crate) fn rule(text: &str) -> SamplingRule {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// A rule that keeps under this condition.
pub(crate) fn when(condition: &str) -> SamplingRule {
    rule(&format!("r: keep when {condition}"))
}

pub(crate) fn refused(text: &str) -> String {
    text.parse::<SamplingRule>().unwrap_err().to_string()
}

pub(crate) fn text(text: &'static str) -> Value {
    Value::Str(text.into())
}

pub(crate) fn span(id: u64, name: &'static str, attributes: &[(&'static str, Value)]) -> SpanRecord {
    SpanRecord {
        parent_span_id: (id > 1).then(|| SpanId::new(1).unwrap()),
        start_unix_ns: 1_000 * id,
        duration_ns: 1_000_000_000 / id,
        attributes: attributes
            .iter()
            .map(|(key, value)| Attribute { key: (*key).into(), value: value.clone() })
            .collect(),
        ..SpanRecord::new(SpanId::new(id).unwrap(), name.into(), "lambda".into())
    }
}

/// The first span is the root.
pub(crate) fn trace(class: TraceClass, spans: Vec<SpanRecord>) -> Trace {
    Trace {
        trace_id: TraceId::new(1).unwrap(),
        root_span_id: SpanId::new(1).unwrap(),
        spans,
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "all" },
        adjusted_count: None,
        class,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}

/// A checkout that took a second, with a call to a model that failed and was handled.
pub(crate) fn checkout() -> Trace {
    let mut call = span(
        2,
        "call",
        &[
            ("http.status_code", Value::I64(503)),
            ("error.type", text("timeout")),
            ("cost.usd", Value::F64(0.03)),
            ("gen_ai.usage.input_tokens", Value::I64(900)),
            ("gen_ai.usage.output_tokens", Value::I64(100)),
        ],
    );
    (call.status, call.handled) = (SpanStatus::Error, true);
    let other = span(
        3,
        "other",
        &[
            ("http.status_code", text("200")),
            ("cost.usd", Value::F64(0.03)),
            ("ratio", Value::F64(0.5)),
            ("nan", Value::F64(f64::NAN)),
            ("cached", Value::Bool(true)),
            ("models", Value::List(vec!["small".to_owned(), "large".to_owned()])),
        ],
    );
    trace(TraceClass::Normal, vec![span(1, "checkout", &[("tenant", text("acme"))]), call, other])
}
