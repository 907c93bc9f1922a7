//! Redaction of attributes and texts: modes, rules, exceptions, bounds, settings.

use super::*;

fn redactor(redaction: RedactionBuilder) -> Redactor {
    Redactor::new(&redaction.build().unwrap(), [3; 32])
}

fn attributes(pairs: &[(&'static str, Value)]) -> Vec<Attribute> {
    pairs.iter().map(|(key, value)| Attribute { key: (*key).into(), value: value.clone() }).collect()
}

fn text(text: &str) -> Value {
    Value::Str(Cow::Owned(text.to_owned()))
}

/// Redacts, and shows what is left as `key=value`.
fn shown(redactor: &Redactor, pairs: &[(&'static str, Value)]) -> (Vec<String>, RedactionCounts) {
    let (mut all, mut counts) = (attributes(pairs), RedactionCounts::default());
    redactor.redact_attributes(&mut all, &mut counts);
    let left = all.clone();
    redactor.redact_attributes(&mut all, &mut RedactionCounts::default());
    assert_eq!(all, left, "redacting twice changes nothing");
    (all.iter().map(|one| format!("{}={:?}", one.key, one.value)).collect(), counts)
}

fn examples() -> Vec<(&'static str, Value)> {
    vec![
        ("password", Value::I64(1234)),
        ("token", Value::List(vec!["a".to_owned(), "b".to_owned()])),
        ("note", text("call ada@example.com now")),
        ("card", Value::I64(4_111_111_111_111_111)),
        ("empty", Value::List(Vec::new())),
        ("rows", Value::I64(3)),
    ]
}

#[test]
fn masking_replaces_what_is_secret_and_counts_it() {
    let (left, counts) = shown(&redactor(Redaction::builder()), &examples());
    assert_eq!(
        left,
        [
            "password=Str(\"[REDACTED]\")",
            "token=List([\"[REDACTED]\", \"[REDACTED]\"])",
            "note=Str(\"call [REDACTED] now\")",
            "card=Str(\"[REDACTED]\")",
            "empty=List([])",
            "rows=I64(3)"
        ]
    );
    assert_eq!(counts, RedactionCounts { keys: 2, values: 2, dropped: 0, over_length: 0 });
    assert_eq!(counts.total(), 4);
}

#[test]
fn card_numbers_are_found_as_numbers_of_either_type() {
    let cards = [("a", Value::F64(4_111_111_111_111_111.0)), ("b", Value::F64(4_111_111_111_111_111.5))];
    assert_eq!(
        shown(&redactor(Redaction::builder()), &cards).0,
        ["a=Str(\"[REDACTED]\")", "b=F64(4111111111111111.5)"]
    );
    let hashed = redactor(Redaction::builder().mode(RedactionMode::Hash));
    let same = [("a", cards[0].1.clone()), ("a", Value::I64(4_111_111_111_111_111)), ("a", text("4111111111111111"))];
    let (left, _) = shown(&hashed, &same);
    assert!(left[0] == left[1] && left[1] == left[2] && left[0].contains("[HASH:"), "{left:?}");
}

#[test]
fn dropping_takes_out_the_attribute_and_nothing_else() {
    let (left, counts) = shown(&redactor(Redaction::builder().mode(RedactionMode::Drop)), &examples());
    assert_eq!(left, ["empty=List([])", "rows=I64(3)"]);
    assert_eq!(counts, RedactionCounts { keys: 2, values: 2, dropped: 4, over_length: 0 });
}

#[test]
fn hashes_agree_where_the_salt_does_and_nowhere_else() {
    let salted = |salt: &[u8]| redactor(Redaction::builder().mode(RedactionMode::Hash).hash_salt(salt));
    let (one, same, other) = (salted(&[1; 16]), salted(&[1; 16]), salted(&[2; 16]));
    let line = "from ada@example.com to ada@example.com";
    let hashed = one.redact_text(line);
    assert_eq!(hashed, same.redact_text(line));
    assert_ne!(hashed, other.redact_text(line));
    let (first, second) = hashed.strip_prefix("from ").unwrap().split_once(" to ").unwrap();
    assert_eq!(first, second);
    assert!(marks::is_mark(first), "{first}");
    let by_engine = Redaction::builder().mode(RedactionMode::Hash).build().unwrap();
    let engines = [[1; 32], [2; 32]].map(|random| Redactor::new(&by_engine, random).redact_text(line).into_owned());
    assert_ne!(engines[0], engines[1]);
    let (left, _) = shown(&one, &examples());
    assert!(left[0].starts_with("password=Str(\"[HASH:"), "{left:?}");
}

#[test]
fn rules_of_the_user_apply_by_key_and_by_value() {
    let rules = Redaction::builder()
        .rule(RedactionRule::key_glob("patients", "patient.*").mode(RedactionMode::Drop))
        .rule(RedactionRule::key_regex("iban", "(?i)iban$"))
        .rule(RedactionRule::value_regex("employees", r"\bE-\d{4}\b"))
        .rule(RedactionRule::value_regex("pins", r"pin (?<secret>\d+)").mode(RedactionMode::Hash));
    let (left, counts) = shown(
        &redactor(rules),
        &[
            ("patient.name", text("Ada")),
            ("customer.IBAN", text("DE02")),
            ("by", text("E-1234 and E-77")),
            ("entry", text("pin 4321")),
        ],
    );
    assert_eq!(left[..2], ["customer.IBAN=Str(\"[REDACTED]\")", "by=Str(\"[REDACTED] and E-77\")"]);
    assert!(left[2].starts_with("entry=Str(\"pin [HASH:"), "{left:?}");
    assert_eq!(counts, RedactionCounts { keys: 2, values: 2, dropped: 1, over_length: 0 });
}

#[test]
fn exceptions_are_left_as_they_are() {
    let rules = Redaction::builder().allow_key("session.id").allow_key("contact.*").allow_key("page_secret");
    let redactor = redactor(rules);
    let allowed = [("session.id", text("s1")), ("contact.mail", text("a@example.com")), ("password", text("x"))];
    let (left, _) = shown(&redactor, &allowed);
    assert_eq!(left, ["session.id=Str(\"s1\")", "contact.mail=Str(\"a@example.com\")", "password=Str(\"[REDACTED]\")"]);
    assert_eq!(redactor.redact_text("page_secret=1 secret=2"), "page_secret=1 secret=[REDACTED]");
}

#[test]
fn what_is_too_long_to_be_looked_at_is_masked_unseen() {
    let redactor = redactor(Redaction::builder().scan_bytes(64));
    let long = "ä".repeat(40);
    let (left, counts) = shown(&redactor, &[("note", text(&long))]);
    assert_eq!(left, [format!("note=Str(\"{}[REDACTED]\")", "ä".repeat(27))]);
    assert_eq!(counts, RedactionCounts { values: 1, over_length: 1, ..RedactionCounts::default() });
    // The card begins before the cut and ends behind it.
    let straddling = format!("{} 4111 1111 1111 1111 {}", "x".repeat(45), "y".repeat(70));
    assert_eq!(redactor.redact_text(&straddling), format!("{} [REDACTED]", "x".repeat(45)));
}

#[test]
fn a_rule_that_finds_its_own_mark_ends() {
    for pattern in ["[A-Z]+", r"D\].*", r"\d+", "RED", r".", r"\[", "x?"] {
        for mode in [RedactionMode::Mask, RedactionMode::Hash] {
            let redactor = redactor(Redaction::builder().rule(RedactionRule::value_regex("r", pattern).mode(mode)));
            let once = redactor.redact_text("x [REDACTED] 12 [HASH:0123456789abcdef] RED].").into_owned();
            assert_eq!(redactor.redact_text(&once), once, "{pattern}");
        }
    }
}

#[test]
fn a_match_that_reaches_into_a_mark_takes_all_of_it() {
    let redactor = redactor(Redaction::builder().rule(RedactionRule::value_regex("r", r"D\] 12|34 \[H")));
    assert_eq!(redactor.redact_text("x [REDACTED] 12 y"), "x [REDACTED] y");
    assert_eq!(redactor.redact_text("34 [HASH:0123456789abcdef]."), "[REDACTED].");
}

#[test]
fn switched_off_nothing_changes() {
    let off = redactor(Redaction::builder().enabled(false));
    assert_eq!(shown(&off, &examples()).1, RedactionCounts::default());
    assert_eq!(off.redact_text("password=x"), "password=x");
    let keys_only = redactor(Redaction::builder().secret_values(false));
    assert_eq!(shown(&keys_only, &examples()).1.total(), 2);
    let values_only = redactor(Redaction::builder().secret_keys(false));
    assert_eq!(shown(&values_only, &examples()).1, RedactionCounts { values: 2, ..RedactionCounts::default() });
    assert_eq!(values_only.redact_text("password=x pwd=x"), "password=x pwd=x");
}

#[test]
fn settings_outside_their_range_are_refused() {
    let rule = || RedactionRule::key_glob("r", "x");
    for (builder, want) in [
        (Redaction::builder().scan_bytes(63), "redaction: `scan_bytes` is 63, accepted is 64 to 1048576"),
        (
            Redaction::builder().hash_salt(*b"short"),
            "redaction: `hash_salt` is 5 bytes long, accepted is 16 to 256 bytes",
        ),
        (
            Redaction::builder().rule(rule()).rule(rule()),
            "redaction: `rules.name` is \"r\", accepted is a name that no other rule has",
        ),
        (
            Redaction::builder().rule(RedactionRule::key_glob("", "x")),
            "redaction: `rules.name` is \"\", accepted is 1 to 64 bytes without control characters",
        ),
        (
            (0..65).fold(Redaction::builder(), |all, n| all.rule(RedactionRule::key_glob(n.to_string(), "x"))),
            "redaction: `rules` is 65, accepted is at most 64 rules",
        ),
        (
            (0..257).fold(Redaction::builder(), |all, n| all.allow_key(n.to_string())),
            "redaction: `allowed_keys` is 257, accepted is at most 256 keys",
        ),
        (
            Redaction::builder().rule(RedactionRule::key_regex("open", "a(b")),
            "redaction rule `open`: pattern `a(b` at character 2: unclosed group",
        ),
        (
            Redaction::builder().allow_key("[a]"),
            "redaction rule `allowed_keys`: pattern `[a]` at character 1: only `*` and `?` stand for other \
             characters; use a regex for more",
        ),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), want);
    }
}

#[test]
fn the_defaults_are_as_documented_and_the_salt_is_not_shown() {
    let redaction = Redaction::default();
    assert_eq!((redaction.enabled(), redaction.mode(), redaction.scan_bytes()), (true, RedactionMode::Mask, 16_384));
    assert_eq!(Redaction::builder().build().unwrap(), redaction);
    let salted = Redaction::builder().hash_salt(*b"a-very-secret-salt").build().unwrap();
    assert_ne!(salted, redaction);
    let debug = format!("{salted:?} {:?}", Redactor::new(&salted, [0; 32]));
    assert!(debug.contains("set") && !debug.contains("a-very") && !debug.contains("97, 45"), "{debug}");
    for mode in [RedactionMode::Mask, RedactionMode::Hash, RedactionMode::Drop] {
        assert_eq!(mode.as_str().parse(), Ok(mode));
    }
    assert_eq!("x".parse::<RedactionMode>().unwrap_err(), "`x` is not a redaction mode: expected mask, hash or drop");
}

/// A received span with secrets wherever it has more than our own.
#[test]
fn secrets_in_nested_values_and_in_who_recorded_a_span_are_found_once_for_all_its_spans() {
    use crate::model::{
        DecisionReason, Received, Resource, SamplingDecision, Scope, Source, SpanRecord, SpanStatus, StatusCode,
        TraceClass, TraceCounts,
    };
    use std::sync::Arc;

    let attribute = |key: &'static str, value| Attribute { key: key.into(), value };
    let secret = || text("Bearer abcdefghijklmnopqrstuvwx");
    let nested = Value::Map(vec![
        attribute("inner", Value::Array(vec![Value::I64(1), secret()])),
        attribute("password", Value::Bytes(b"hunter2hunter2".to_vec())),
    ]);
    let resource = Resource {
        attributes: vec![attribute("process.command_args", secret()), attribute("service.name", text("shop"))],
        ..Resource::new("shop".into())
    };
    let scope = Scope::new("lib".into(), "1".into());
    let source = Arc::new(Source { resource: Arc::new(resource), scope });
    let received = Received {
        source,
        status_code: StatusCode::Error,
        status_message: "refused: Bearer abcdefghijklmnopqrstuvwx".into(),
        trace_state: String::new(),
        flags: 0,
    };
    let span = SpanRecord {
        start_unix_ns: 1,
        duration_ns: 1,
        status: SpanStatus::Error,
        attributes: vec![attribute("nested", nested)],
        received: Some(Box::new(received)),
        ..SpanRecord::new(crate::SpanId::new(1).unwrap(), "call".into(), "server".into())
    };
    let mut trace = Trace {
        trace_id: crate::TraceId::new(1).unwrap(),
        root_span_id: span.span_id,
        spans: vec![span.clone(), span],
        decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "keep_all" },
        adjusted_count: Some(1.0),
        class: TraceClass::Failed,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    };
    let counts = redactor(Redaction::builder()).redact(&mut trace);
    let shown = format!("{trace:?}");
    assert!(!shown.contains("abcdefghijklmnop") && !shown.contains("hunter2"), "{shown}");
    // Of each span two attributes and the message; of their common source one attribute.
    assert_eq!(counts.total(), 7);
    let sources = trace.spans.iter().map(|span| Arc::as_ptr(&span.received.as_ref().unwrap().source));
    assert_eq!(sources.collect::<std::collections::HashSet<_>>().len(), 1);
}
