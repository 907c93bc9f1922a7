//! What must hold for any headers that reach the propagation codec.
//!
//! Owns the invariants and a second, slow reading of `traceparent` to compare with. Does not own
//! where the bytes come from: libFuzzer, the corpus, or a property test.

use std::collections::{BTreeMap, BTreeSet};

use tta_telemetry::propagation::{Baggage, Propagated, TRACEPARENT, TraceContext, TraceFlags, TraceState};
use tta_telemetry::propagation::{extract, inject};
use tta_telemetry::{SpanId, TraceId};

/// Reads the input as headers and panics when an invariant does not hold.
pub fn check(input: &[u8]) {
    let headers = headers(input);
    let received = extract(&headers);
    assert_eq!(facts(received.trace.as_ref()), slow_traceparent(&headers));
    check_bounds(&received);

    let sent = received.trace.clone().unwrap_or_else(ours);
    let mut carrier = BTreeMap::new();
    for name in ["TraceState", "tracestate", "BAGGAGE", "Traceparent"] {
        carrier.insert(name.to_owned(), "stale=1".to_owned());
    }
    inject(&sent, &received.baggage, &mut carrier);
    let read_back = extract(&carrier);
    assert_eq!(read_back.trace.as_ref(), Some(&sent));
    assert_eq!(read_back.baggage, received.baggage);
    let first = carrier.clone();
    inject(&sent, &read_back.baggage, &mut carrier);
    assert_eq!(carrier, first);

    check_changes(&sent.trace_state, &received.baggage);
}

/// `name: value` on each line; a line without a colon is not a header.
fn headers(input: &[u8]) -> Vec<(String, &[u8])> {
    let header = |line: &'_ [u8]| line.iter().position(|byte| *byte == b':');
    input
        .split(|byte| *byte == b'\n')
        .filter_map(|line| header(line).and_then(|colon| line.split_at_checked(colon)))
        .map(|(name, rest)| (String::from_utf8_lossy(name).trim().to_owned(), rest.get(1..).unwrap_or_default()))
        .collect()
}

fn ours() -> TraceContext {
    let (Some(trace_id), Some(span_id)) = (TraceId::new(1), SpanId::new(1)) else {
        unreachable!("one is not zero");
    };
    TraceContext { trace_id, span_id, flags: TraceFlags::default(), trace_state: TraceState::default() }
}

fn facts(trace: Option<&TraceContext>) -> Option<(u128, u64, u8)> {
    trace.map(|trace| (trace.trace_id.get(), trace.span_id.get(), trace.flags.bits()))
}

/// Splits at every dash and looks at the lengths: says the same as the positions of the
/// specification, because no field may contain a dash.
fn slow_traceparent(headers: &[(String, &[u8])]) -> Option<(u128, u64, u8)> {
    let mut values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(TRACEPARENT));
    let (Some((_, only)), None) = (values.next(), values.next()) else {
        return None;
    };
    // What follows in a version to come may be any bytes.
    let text = String::from_utf8_lossy(only);
    let text = text.trim_matches([' ', '\t']);
    let fields: Vec<&str> = text.split('-').collect();
    let [version, trace_id, span_id, flags, ..] = fields.as_slice() else {
        return None;
    };
    let is_hex = |field: &str| field.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
    let is_valid = [*version, trace_id, span_id, flags].into_iter().all(is_hex)
        && [version.len(), trace_id.len(), span_id.len(), flags.len()] == [2, 32, 16, 2]
        && *version != "ff"
        && (*version != "00" || fields.len() == 4);
    let trace_id = u128::from_str_radix(trace_id, 16).ok().filter(|id| is_valid && *id != 0)?;
    let span_id = u64::from_str_radix(span_id, 16).ok().filter(|id| *id != 0)?;
    Some((trace_id, span_id, u8::from_str_radix(flags, 16).ok()? & 0x03))
}

fn check_bounds(received: &Propagated) {
    if let Some(trace) = &received.trace {
        check_state(&trace.trace_state);
    }
    check_baggage(&received.baggage);
}

fn check_state(state: &TraceState) {
    let text = state.as_str();
    assert!(text.len() <= TraceState::MAX_BYTES);
    assert_eq!(text.is_empty(), state.is_empty());
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    assert!(state.iter().count() <= TraceState::MAX_MEMBERS);
    let keys: BTreeSet<&str> = state.iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), state.iter().count());
    for (key, value) in state.iter() {
        assert!((1..=256).contains(&key.len()) && (1..=256).contains(&value.len()));
        assert_eq!(state.get(key), Some(value));
    }
    assert_eq!(&TraceState::parse([text.as_bytes()]), state);
}

fn check_baggage(baggage: &Baggage) {
    let text = baggage.to_string();
    assert_eq!(text.len(), baggage.encoded_bytes());
    assert!(text.len() <= Baggage::MAX_BYTES && baggage.len() <= Baggage::MAX_ENTRIES);
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(baggage.is_empty(), baggage.iter().next().is_none());
    let keys: BTreeSet<&str> = baggage.iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), baggage.len());
    for (key, value) in baggage.iter() {
        assert_eq!(baggage.get(key), Some(value));
    }
    assert_eq!(&Baggage::parse([text.as_bytes()]), baggage);
}

/// What is changed by hand keeps the bounds, and says what was put in.
fn check_changes(state: &TraceState, baggage: &Baggage) {
    let Ok(with_ours) = state.with("tta", "1") else {
        unreachable!("key and value are well-formed");
    };
    check_state(&with_ours);
    assert_eq!(with_ours.iter().next(), Some(("tta", "1")));
    assert_eq!(with_ours.without("tta").get("tta"), None);

    // Values are put in again under another key: decoded, encoded, and read back. A few are enough,
    // and leave libFuzzer time for more inputs.
    for (key, value) in baggage.iter().take(3) {
        let mut changed = baggage.clone();
        if changed.insert("tta", value).is_ok() {
            assert_eq!(changed.get("tta"), Some(value));
            check_baggage(&changed);
        } else {
            assert_eq!(&changed, baggage);
        }
        assert!(changed.remove(key));
        check_baggage(&changed);
    }
}
