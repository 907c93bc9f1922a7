//! Propagation through carriers: what is read, what is written over, and what hostile headers
//! leave behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use tta_telemetry::propagation::{
    BAGGAGE, Baggage, HeaderSink, HeaderSource, Propagated, TRACEPARENT, TRACESTATE, TraceContext, TraceFlags,
    TraceState, extract, inject,
};
use tta_telemetry::{SpanId, TraceId};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn context() -> TraceContext {
    TraceContext::parse([PARENT.as_bytes()], [b"rojo=1,congo=2".as_slice()]).unwrap()
}

fn baggage(header: &str) -> Baggage {
    Baggage::parse([header.as_bytes()])
}

fn owned<M: FromIterator<(String, String)>>(pairs: &[(&str, &str)]) -> M {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Whatever holds the headers, the same comes out of it.
#[test]
fn every_carrier_gives_the_same_whatever_the_casing_of_names() {
    let pairs = [("Accept", "x"), ("TraceParent", PARENT), ("TRACESTATE", "rojo=1,congo=2"), ("bAgGaGe", "a=1")];
    let expected = Propagated { trace: Some(context()), baggage: baggage("a=1") };
    assert_eq!(extract(&pairs), expected);
    assert_eq!(extract(pairs.as_slice()), expected);
    assert_eq!(extract(&pairs.map(|(name, value)| (name, value.as_bytes()))), expected);
    assert_eq!(extract(&owned::<Vec<_>>(&pairs)), expected);
    assert_eq!(extract(&owned::<HashMap<_, _>>(&pairs)), expected);
    assert_eq!(extract(&owned::<BTreeMap<_, _>>(&pairs)), expected);
    assert_eq!(extract::<[(&str, &str); 0]>(&[]), Propagated::default());
}

#[test]
fn a_name_in_two_casings_is_a_repeated_header_in_a_map_too() {
    let twice: BTreeMap<String, String> = owned(&[("Traceparent", PARENT), ("traceparent", PARENT)]);
    assert_eq!(extract(&twice).trace, None);
    let split: BTreeMap<String, String> =
        owned(&[("TraceState", "a=1"), ("traceparent", PARENT), ("tracestate", "b=2")]);
    assert_eq!(extract(&split).trace.unwrap().trace_state.as_str(), "a=1,b=2");
}

#[test]
fn baggage_comes_through_also_when_no_trace_does() {
    let received = extract(&[("traceparent", "broken"), ("tracestate", "a=1"), ("baggage", "b=2")]);
    assert_eq!((received.trace, received.baggage.get("b")), (None, Some("2")));
}

fn writes_over_what_was_there<
    M: HeaderSink + Default + FromIterator<(String, String)> + PartialEq + std::fmt::Debug,
>() {
    let mut carrier: M = owned(&[
        ("TRACEPARENT", "old"),
        ("traceparent", "old"),
        ("TraceState", "old=1"),
        ("Baggage", "old=1"),
        ("accept", "x"),
    ]);
    inject(&context(), &baggage("user = Am%C3%A9lie ; p"), &mut carrier);
    let sent =
        [(TRACEPARENT, PARENT), (TRACESTATE, "rojo=1,congo=2"), (BAGGAGE, "user=Am%C3%A9lie;p"), ("accept", "x")];
    assert_eq!(carrier, owned(&sent));

    let bare = TraceContext { trace_state: TraceState::default(), ..context() };
    inject(&bare, &Baggage::default(), &mut carrier);
    assert_eq!(carrier, owned(&[("accept", "x"), (TRACEPARENT, PARENT)]));
}

#[test]
fn injecting_replaces_every_casing_and_removes_what_there_is_nothing_to_send_for() {
    writes_over_what_was_there::<HashMap<String, String>>();
    writes_over_what_was_there::<BTreeMap<String, String>>();
}

/// A carrier of another crate: only the two small traits are needed.
#[test]
fn a_carrier_of_ones_own_needs_only_the_two_traits() {
    #[derive(Default)]
    struct Lines(Vec<u8>);
    impl HeaderSource for Lines {
        fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
            let line = move |line: &'a [u8]| line.strip_prefix(name.as_bytes())?.strip_prefix(b":");
            self.0.split(|byte| *byte == b'\n').filter_map(line)
        }
    }
    impl HeaderSink for Lines {
        fn set(&mut self, name: &'static str, value: &str) {
            self.0.extend_from_slice(format!("{name}:{value}\n").as_bytes());
        }
        fn remove(&mut self, _name: &'static str) {}
    }
    let mut lines = Lines::default();
    inject(&context(), &baggage("a=1"), &mut lines);
    assert_eq!(extract(&lines), Propagated { trace: Some(context()), baggage: baggage("a=1") });
}

#[test]
fn cloning_shares_the_text() {
    let state = context().trace_state;
    assert!(std::ptr::eq(state.as_str(), state.clone().as_str()));
    let entries = baggage("a=1");
    assert!(std::ptr::eq(entries.get("a").unwrap(), entries.clone().get("a").unwrap()));
}

#[test]
fn a_hostile_tracestate_is_discarded_and_the_trace_goes_on() {
    let many = (0..20_000).map(|index| format!("k{index}=1,")).collect::<String>();
    let hostile: [Vec<u8>; 6] = [
        many.into_bytes(),
        [b"a=".as_slice(), &[b'v'; 100_000]].concat(),
        vec![b'k'; 100_000],
        vec![b','; 100_000],
        [b"a=1,".as_slice(), &[b' '; 100_000], b",b=2"].concat(),
        vec![0xff; 100_000],
    ];
    for value in &hostile {
        assert!(value.len() >= 100_000);
        let trace = TraceContext::parse([PARENT.as_bytes()], [value.as_slice()]).unwrap();
        assert_eq!((trace.trace_id, trace.trace_state), (context().trace_id, TraceState::default()));
    }
    let repeated = std::iter::repeat_n(b"a=1".as_slice(), 10_000);
    assert_eq!(TraceState::parse(repeated), TraceState::default());
    let padded = std::iter::repeat_n(b"".as_slice(), 100_000).chain([b"a=1".as_slice()]);
    assert_eq!(TraceState::parse(padded).as_str(), "a=1");
}

#[test]
fn the_longest_list_that_the_grammar_allows_is_shortened_by_whole_members() {
    let member = |index: usize| format!("{index:02}{}={}", "k".repeat(254), "v".repeat(256));
    let list = (0..32).map(member).collect::<Vec<_>>();
    let text = list.join(",");
    assert_eq!(text.len(), 16_447);
    let state = TraceState::parse([text.as_bytes()]);
    assert_eq!(state.as_str(), list[..7].join(","), "seven of 513 bytes and their commas fit into 4,096");
}

#[test]
fn a_hostile_baggage_leaves_what_fits() {
    let many = (0..120_000).map(|index| format!("k{index}=1,")).collect::<String>();
    assert!(many.len() > 1_000_000);
    let kept = baggage(&many);
    assert_eq!((kept.len(), kept.get("k0"), kept.get("k63")), (64, Some("1"), Some("1")));
    assert!(kept.encoded_bytes() <= Baggage::MAX_BYTES);

    for value in [format!("a={}", "v".repeat(1_000_000)), "a,".repeat(500_000), "=".repeat(1_000_000)] {
        assert!(baggage(&value).is_empty());
    }
    let encoded = format!("a={}", "%41".repeat(333_333));
    assert!(baggage(&encoded).is_empty());
    let repeated = baggage(&"a=1,".repeat(250_000));
    assert_eq!((repeated.len(), repeated.get("a")), (1, Some("1")));
    let escapes = baggage(&format!("a={}", "%FF".repeat(2_730)));
    assert_eq!(escapes.get("a").unwrap(), "\u{fffd}".repeat(2_730));
    assert_eq!(escapes.encoded_bytes(), 8_192, "passed on as it came, so it cannot grow");
}

/// Bytes that no text can hold are refused like others outside the grammar.
#[test]
fn bytes_that_are_not_text_are_refused_where_the_grammar_is_ascii() {
    let headers = [
        ("traceparent", PARENT.as_bytes()),
        ("tracestate", b"a=\xc3\xa9".as_slice()),
        ("baggage", b"a=\xff,b=2,\xe9=3"),
    ];
    let received = extract(&headers);
    assert_eq!(received.trace.unwrap().trace_state, TraceState::default());
    assert_eq!(received.baggage.to_string(), "b=2");
    assert_eq!(extract(&[("traceparent", [PARENT.as_bytes(), b"\xff"].concat())]).trace, None);
}

fn any_state() -> impl Strategy<Value = TraceState> {
    let member = ("[a-z0-9][a-z0-9_*/-]{0,30}(@[a-z][a-z0-9_*/-]{0,13})?", "[ !-+./:-<>-~]{0,255}[!-+./:-<>-~]");
    prop::collection::vec(member, 0..40).prop_map(|members| {
        let put = |state: TraceState, (key, value): (String, String)| state.with(&key, &value).unwrap();
        members.into_iter().fold(TraceState::default(), put)
    })
}

fn any_context() -> impl Strategy<Value = TraceContext> {
    (1..=u128::MAX, 1..=u64::MAX, any::<u8>(), any_state()).prop_map(|(trace_id, span_id, bits, trace_state)| {
        TraceContext {
            trace_id: TraceId::new(trace_id).unwrap(),
            span_id: SpanId::new(span_id).unwrap(),
            flags: TraceFlags::from_bits(bits),
            trace_state,
        }
    })
}

fn any_baggage() -> impl Strategy<Value = (Baggage, Vec<(String, String)>)> {
    let entry = ("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", any::<String>());
    prop::collection::vec(entry, 0..80).prop_map(|entries| {
        let mut baggage = Baggage::default();
        let mut accepted: Vec<(String, String)> = Vec::new();
        for (key, value) in entries {
            if baggage.insert(&key, &value).is_ok() {
                accepted.retain(|(old, _)| *old != key);
                accepted.push((key, value));
            }
        }
        (baggage, accepted)
    })
}

proptest! {
    // Each case is some 70 members and entries.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_injected_is_extracted(context in any_context(), (baggage, accepted) in any_baggage()) {
        let mut carrier = HashMap::new();
        inject(&context, &baggage, &mut carrier);
        let received = extract(&carrier);
        prop_assert_eq!(&received.trace, &Some(context));
        prop_assert_eq!(&received.baggage, &baggage);
        let entries: Vec<(String, String)> =
            received.baggage.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        prop_assert_eq!(entries, accepted);
    }

    #[test]
    fn a_list_may_come_in_any_number_of_headers(state in any_state(), cuts: Vec<bool>) {
        let mut values = vec![String::new()];
        let cuts = cuts.into_iter().chain(std::iter::repeat(false));
        for (member, is_cut) in state.as_str().split(',').zip(cuts) {
            if is_cut {
                values.push(String::new());
            }
            values.last_mut().unwrap().push_str(&format!("{member} ,\t"));
        }
        prop_assert_eq!(TraceState::parse(values.iter().map(|value| value.as_bytes())), state);
    }

}

proptest! {
    #[test]
    fn a_key_and_a_value_are_put_in_exactly_when_they_can_be_read(key in "[a-cA@=, *_0-9-]{0,3}", value in "[ab,= \t~é]{0,3}") {
        let is_put = TraceState::default().with(&key, &value).is_ok();
        let text = format!("{key}={value}");
        let read = TraceState::parse([text.as_bytes()]);
        // White space around the member is not part of it, so it may be read and yet not be put.
        prop_assert_eq!(is_put, read.as_str() == text && !read.is_empty());
    }
}
