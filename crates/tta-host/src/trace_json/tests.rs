//! The exact form of a line, and what is read from lines that others wrote.

use tta_telemetry::{
    Attribute, DecisionReason, SamplingDecision, SpanEvent, SpanLink, SpanRecord, SpanStatus, TraceClass, TraceCounts,
    Value,
};

use super::*;

fn attribute(key: &'static str, value: Value) -> Attribute {
    Attribute { key: key.into(), value }
}

fn text(text: &'static str) -> Value {
    Value::Str(text.into())
}

fn trace_with(attributes: Vec<Attribute>) -> Trace {
    let span = SpanRecord {
        start_unix_ns: u64::MAX,
        duration_ns: 1_500,
        status: SpanStatus::Error,
        handled: true,
        attributes,
        dropped_attributes: 1,
        truncated_attributes: 2,
        dropped_events: 3,
        ..SpanRecord::new("00f067aa0ba902b7".parse().unwrap(), "import".into(), "workflow".into())
    };
    Trace {
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap(),
        root_span_id: span.span_id,
        spans: vec![span],
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::TailError, sampler: "keep_failed" },
        adjusted_count: Some(1.0),
        class: TraceClass::Failed,
        dropped: TraceCounts { over_span_limit: 4, over_byte_limit: u32::MAX },
        incomplete: true,
        late: false,
    }
}

const MINIMAL: &str = r#"{"version":1,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","root_span_id":"00f067aa0ba902b7","class":"normal","decision":{"keep":true,"rate":1,"reason":"sampling_rate_one","sampler":"keep_all"},"spans":[{"span_id":"00f067aa0ba902b7","name":"a","kind":"b","start_unix_ns":1,"duration_ns":2,"status":"ok"}]}"#;

fn minimal_with(from: &str, to: &str) -> String {
    assert!(MINIMAL.contains(from), "{from}");
    MINIMAL.replacen(from, to, 1)
}

/// The minimal line with one attribute.
fn with_attribute(value: &str) -> String {
    minimal_with(r#""status":"ok""#, &format!(r#""status":"ok","attributes":{{"key":{value}}}"#))
}

fn error_of(line: &str) -> TraceJsonError {
    from_json(line.as_bytes()).unwrap_err()
}

#[test]
fn a_trace_is_written_as_documented() {
    let mut trace = trace_with(vec![attribute("z", Value::Bool(true)), attribute("a", Value::I64(-7))]);
    let attributes = vec![attribute("chain", Value::List(vec!["a\nb".into(), "\"c\"".into()]))];
    trace.spans[0].events.push(SpanEvent { attributes, ..SpanEvent::new("retry".into(), 5) });
    let attributes = vec![attribute("batch", Value::I64(2))];
    let (trace_id, span_id) = (trace.trace_id, trace.root_span_id);
    trace.spans[0].links.push(SpanLink { attributes, ..SpanLink::new(trace_id, span_id) });
    let expected = concat!(
        r#"{"version":1,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","root_span_id":"00f067aa0ba902b7","#,
        r#""class":"failed","decision":{"keep":true,"rate":1.0,"reason":"tail_error","sampler":"keep_failed"},"#,
        r#""adjusted_count":1.0,"incomplete":true,"late":false,"dropped":{"over_span_limit":4,"over_byte_limit":4294967295},"spans":["#,
        r#"{"span_id":"00f067aa0ba902b7","parent_span_id":null,"name":"import","kind":"workflow","#,
        r#""start_unix_ns":18446744073709551615,"duration_ns":1500,"status":"error","handled":true,"#,
        r#""attributes":{"z":true,"a":-7},"#,
        r#""events":[{"name":"retry","unix_ns":5,"attributes":{"chain":["a\nb","\"c\""]}}],"#,
        r#""links":[{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","#,
        r#""attributes":{"batch":2}}],"#,
        r#""dropped_attributes":1,"truncated_attributes":2,"dropped_events":3,"dropped_links":0}]}"#,
    );
    let json = to_json(&trace).unwrap();
    assert_eq!(json, expected);
    assert!(json.starts_with(LINE_START));
    assert_eq!(from_json(json.as_bytes()).unwrap(), trace);
}

#[test]
fn floats_without_a_json_number_are_objects_and_texts_of_the_same_look_stay_texts() {
    let trace = trace_with(vec![
        attribute("nan", Value::F64(f64::NAN)),
        attribute("up", Value::F64(f64::INFINITY)),
        attribute("down", Value::F64(f64::NEG_INFINITY)),
        attribute("text", text("NaN")),
        attribute("whole", Value::F64(3.0)),
        attribute("zero", Value::F64(-0.0)),
    ]);
    let json = to_json(&trace).unwrap();
    let expected = concat!(
        r#""attributes":{"nan":{"float":"NaN"},"up":{"float":"Infinity"},"down":{"float":"-Infinity"},"#,
        r#""text":"NaN","whole":3.0,"zero":-0.0}"#
    );
    assert!(json.contains(expected), "{json}");
    let back = from_json(json.as_bytes()).unwrap();
    assert_eq!(format!("{back:?}"), format!("{trace:?}"));
}

#[test]
fn a_key_that_was_set_twice_is_there_twice_and_the_last_one_wins() {
    let trace = trace_with(vec![attribute("k", Value::I64(1)), attribute("k", text("2"))]);
    let json = to_json(&trace).unwrap();
    assert!(json.contains(r#""attributes":{"k":1,"k":"2"}"#), "{json}");
    let back = from_json(json.as_bytes()).unwrap();
    assert_eq!(back.spans[0].attribute("k"), Some(&text("2")));
    assert_eq!(back, trace);
}

#[test]
fn absent_fields_with_a_natural_zero_have_it_and_unknown_ones_are_skipped() {
    let line = minimal_with(r#""class""#, r#""new":{"a":[1,{"b":null}]},"class""#);
    let trace = from_json(line.as_bytes()).unwrap();
    assert_eq!(trace, from_json(MINIMAL.as_bytes()).unwrap());
    assert_eq!((trace.incomplete, trace.late, trace.dropped), (false, false, TraceCounts::default()));
    let span = &trace.spans[0];
    assert_eq!((span.parent_span_id, span.handled, span.attributes.len(), span.events.len()), (None, false, 0, 0));
    assert_eq!((span.dropped_attributes, span.truncated_attributes, span.dropped_events), (0, 0, 0));
}

#[test]
fn a_sampler_of_another_version_is_other() {
    let trace = from_json(minimal_with("keep_all", "keep_some").as_bytes()).unwrap();
    assert_eq!(trace.decision.sampler, "other");
}

#[test]
fn numbers_are_read_as_what_they_look_like() {
    let read = |value: &str| from_json(with_attribute(value).as_bytes()).unwrap().spans[0].attributes[0].value.clone();
    assert_eq!(read("9223372036854775807"), Value::I64(i64::MAX));
    assert_eq!(read("-9223372036854775808"), Value::I64(i64::MIN));
    assert_eq!(read("9223372036854775808"), Value::F64(9_223_372_036_854_775_808.0));
    assert_eq!(read("123456789012345678901234567890"), Value::F64(1.234_567_890_123_456_8e29));
    assert_eq!(read("1e2"), Value::F64(100.0));
    assert_eq!(read("[]"), Value::List(Vec::new()));
}

/// The line, the text in it that is wrong, and what is said about it.
fn refused_lines() -> Vec<(String, &'static str, &'static str)> {
    let id =
        "`4BF92F3577b34da6a3ce929d0e0e4736` is not a trace id: expected 32 lower-case hexadecimal digits, not all zero";
    let status = "`no` is not a span status: expected ok, error or cancelled";
    let class = "unknown variant `odd`, expected one of `failed`, `cancelled`, `normal`";
    let reason = "`why` is not a decision reason: expected sampling_rate_zero, sampling_rate_one, \
                  probabilistic_hash, probabilistic_random, tail_error, tail_slow, tail_normal, cancelled, evicted, \
                  parent_sampled, parent_not_sampled, forced or rule:<name>";
    let start = "invalid value: integer `-1`, expected u64";
    vec![
        (minimal_with(r#""version":1"#, r#""version":2"#), "2", "version is 2, accepted is 1"),
        (minimal_with("4bf92f35", "4BF92F35"), r#""4BF92F3577b34da6a3ce929d0e0e4736""#, id),
        (minimal_with("normal", "odd"), r#""odd""#, class),
        (minimal_with("sampling_rate_one", "why"), r#""why""#, reason),
        (minimal_with(r#""status":"ok""#, r#""status":"no""#), r#""no""#, status),
        (minimal_with(r#""start_unix_ns":1"#, r#""start_unix_ns":-1"#), "-1", start),
        (with_attribute("1e999"), "1e999", "number out of range"),
        (minimal_with(r#""kind":"b","#, ""), "}]}", "missing field `kind`"),
        (r#"{"version":1,"trace_id":7}"#.to_owned(), "7", "invalid type: integer `7`, expected a string"),
        ("7".to_owned(), "7", "invalid type: integer `7`, expected the object of a trace"),
    ]
}

#[test]
fn a_refusal_points_at_what_is_wrong_and_says_why() {
    for (line, wrong, message) in refused_lines() {
        let error = error_of(&line);
        assert_eq!(error.message(), message, "{line}");
        let start = line.find(wrong).unwrap();
        // serde_json points at the first byte of a value, its last, or the one after.
        assert!((start..=start + wrong.len() + 1).contains(&error.column()), "column {} of {line}", error.column());
        assert!(!error.is_cut_off());
    }
}

#[test]
fn an_object_as_attribute_is_refused_unless_its_one_key_says_what_it_is() {
    let number = r#"expected a number or {"float": "NaN", "Infinity" or "-Infinity"}"#;
    assert!(error_of(&with_attribute(r#"{"float":"nan"}"#)).message().contains(number));
    let object = "expected a boolean, a number, a string, null, a list, or an object of `float`, `bytes` or `map`";
    for value in [r#"{"flat":"NaN"}"#, "{}", r#"{"float":"NaN","more":"x"}"#] {
        let error = error_of(&with_attribute(value));
        assert!(error.message().contains(object), "{error}");
    }
    assert!(error_of(&with_attribute(r#"{"float":1}"#)).message().contains("invalid type: integer `1`"));
    for value in [r#"{"bytes":"0"}"#, r#"{"bytes":"0g"}"#, r#"{"bytes":"+1"}"#] {
        let error = error_of(&with_attribute(value));
        assert!(error.message().contains("expected an even number of hex digits"), "{error}");
    }
}

#[test]
fn a_message_is_short_and_on_one_line_whatever_it_quotes() {
    let hostile = format!("\\u001b[31m\\n{}", "x".repeat(100_000));
    let error = error_of(&minimal_with("normal", &hostile));
    assert_eq!(error.message().chars().count(), MESSAGE_CHARACTERS);
    assert!(!error.message().contains(char::is_control), "{error}");
}

#[test]
fn only_a_text_that_ends_too_early_is_cut_off() {
    assert!(error_of(&MINIMAL[..200]).is_cut_off());
    assert!(!error_of(&format!("{MINIMAL}}}")).is_cut_off());
}

#[test]
fn the_id_alone_is_read_past_anything_else_that_is_json() {
    let id = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
    assert_eq!(trace_id_of(minimal_with(r#""version":1"#, r#""version":[[9]]"#).as_bytes()), Some(id));
    assert_eq!(trace_id_of(&MINIMAL.as_bytes()[..200]), None);
}
