//! What must hold for any text that reaches the parser of sampling rules.
//!
//! Owns the invariants. Does not own where the bytes come from: libFuzzer, the corpus, or a
//! property test.

use std::time::Duration;

use tta_telemetry::{
    Attribute, DecisionReason, Quantile, RuleContext, SamplingDecision, SamplingRule, SpanId, SpanRecord, SpanStatus,
    Trace, TraceClass, TraceCounts, TraceId, Value,
};

/// Reads the input as a rule and panics when an invariant does not hold.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match text.parse::<SamplingRule>() {
        Ok(rule) => check_rule(&rule),
        Err(error) => {
            let line = text.split('\n').nth(error.line - 1);
            assert!(line.is_some_and(|line| error.column <= line.chars().count() + 1), "{error}");
            assert!(!error.found.is_empty() && !error.expected.is_empty());
            let shown = error.to_string();
            assert_eq!(shown.lines().count(), 3, "{shown}");
            assert!(shown.chars().count() < 1_000, "{shown}");
        }
    }
}

fn check_rule(rule: &SamplingRule) {
    let shown = rule.to_string();
    let again: SamplingRule = match shown.parse() {
        Ok(rule) => rule,
        Err(error) => unreachable!("what is shown reads back: {error}"),
    };
    assert_eq!(&again, rule);
    assert_eq!(again.to_string(), shown);
    let condition = rule.condition();
    assert_eq!(SamplingRule::new(rule.name(), rule.action(), condition.as_deref()).as_ref(), Ok(rule));
    let keys = rule.attributes();
    assert!(keys.windows(2).all(|pair| pair.first() < pair.last()), "{keys:?}");
    for trace in [trace(&keys), trace(&[])] {
        for slow in [None, Some(Duration::from_millis(1))] {
            let latency = |_: &SpanRecord, quantile: Quantile| (quantile.get() > 0.5).then_some(1_000);
            let context = RuleContext::default().slow(slow).latency(&latency);
            assert_eq!(rule.matches(&trace, &context), again.matches(&trace, &context));
        }
    }
}

/// A trace whose one span has the attributes, with values of every type in turn.
fn trace(keys: &[&str]) -> Trace {
    let (Some(trace_id), Some(span_id)) = (TraceId::new(1), SpanId::new(1)) else {
        unreachable!("one is not zero");
    };
    let values = [Value::I64(3), Value::Str("a".into()), Value::F64(f64::NAN), Value::Bool(true), Value::List(vec![])];
    let attributes = keys
        .iter()
        .zip(values.iter().cycle())
        .map(|(key, value)| Attribute { key: (*key).to_owned().into(), value: value.clone() })
        .collect();
    let span = SpanRecord {
        start_unix_ns: 1,
        duration_ns: 2_000_000,
        status: SpanStatus::Error,
        handled: true,
        attributes,
        ..SpanRecord::new(span_id, "work".into(), "lambda".into())
    };
    Trace {
        trace_id,
        root_span_id: span_id,
        spans: if keys.is_empty() { Vec::new() } else { vec![span] },
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "all" },
        adjusted_count: None,
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}
