//! The conformance tests of W3C Trace Context (`test/test.py` of its repository, levels 1 and 2,
//! strict), each as a row: what the harness sends to a service, and what it expects of the call
//! that the service then makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use tta_telemetry::IdSource;
use tta_telemetry::propagation::{TRACEPARENT, TRACESTATE, TraceContext, TraceFlags, TraceState, extract, inject};

use Trace::{Continued, Restarted};

const TRACE_ID: &str = "12345678901234567890123456789012";
const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-00";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trace {
    /// The trace id of the harness goes on.
    Continued,
    /// A new one is made up.
    Restarted,
}

/// What the harness sends.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// A service as the harness knows it: it makes calls of its own for each call it gets.
fn serve(ids: &IdSource, headers: Headers<'_>, calls: usize) -> Vec<BTreeMap<String, String>> {
    let received = extract(headers);
    let parent = received.trace.unwrap_or_else(|| TraceContext {
        trace_id: ids.trace_id(),
        span_id: ids.span_id(),
        flags: TraceFlags::RANDOM,
        trace_state: TraceState::default(),
    });
    let call = |_| {
        let mut outgoing = BTreeMap::new();
        let span = TraceContext { span_id: ids.span_id(), ..parent.clone() };
        inject(&span, &received.baggage, &mut outgoing);
        outgoing
    };
    (0..calls).map(call).collect()
}

/// The fields of a `traceparent`, whose form is checked the way the harness does.
fn fields(outgoing: &BTreeMap<String, String>) -> [&str; 4] {
    let fields: [&str; 4] = outgoing[TRACEPARENT].split('-').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(fields.map(str::len), [2, 32, 16, 2], "{fields:?}");
    assert_eq!(fields[0], "00");
    let is_hex = |field: &&str| field.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
    assert!(fields.iter().all(is_hex), "{fields:?}");
    assert!(fields.iter().skip(1).take(2).all(|id| id.bytes().any(|byte| byte != b'0')), "{fields:?}");
    fields
}

/// One call through the service, and the `tracestate` it sends.
fn check(name: &str, headers: Headers<'_>, trace: Trace, state: &str) {
    let outgoing = serve(&IdSource::seeded(1), headers, 1).remove(0);
    let [_, trace_id, span_id, _] = fields(&outgoing);
    assert_eq!(trace_id == TRACE_ID, trace == Continued, "{name}: {headers:?} gave {outgoing:?}");
    assert_ne!(span_id, "1234567890123456", "{name}");
    assert_eq!(outgoing.get(TRACESTATE).map_or("", String::as_str), state, "{name}: {headers:?}");
}

#[test]
fn a_trace_is_continued_exactly_when_traceparent_is_valid() {
    let rows: [(&str, &str, Trace); 36] = [
        ("traceparent_included_tracestate_missing", "00-{id}-1234567890123456-01", Continued),
        ("traceparent_version_0x00", "00-{id}-1234567890123456-01.", Restarted),
        ("traceparent_version_0x00", "00-{id}-1234567890123456-01-what-the-future-will-be-like", Restarted),
        ("traceparent_version_0xcc", "cc-{id}-1234567890123456-01", Continued),
        ("traceparent_version_0xcc", "cc-{id}-1234567890123456-01-what-the-future-will-be-like", Continued),
        ("traceparent_version_0xcc", "cc-{id}-1234567890123456-01.what-the-future-will-be-like", Restarted),
        ("traceparent_version_0xff", "ff-{id}-1234567890123456-01", Restarted),
        ("traceparent_version_illegal_characters", ".0-{id}-1234567890123456-01", Restarted),
        ("traceparent_version_illegal_characters", "0.-{id}-1234567890123456-01", Restarted),
        ("traceparent_version_too_long", "000-{id}-1234567890123456-01", Restarted),
        ("traceparent_version_too_long", "0000-{id}-1234567890123456-01", Restarted),
        ("traceparent_version_too_short", "0-{id}-1234567890123456-01", Restarted),
        ("traceparent_trace_id_all_zero", "00-00000000000000000000000000000000-1234567890123456-01", Restarted),
        (
            "traceparent_trace_id_illegal_characters",
            "00-.2345678901234567890123456789012-1234567890123456-01",
            Restarted,
        ),
        (
            "traceparent_trace_id_illegal_characters",
            "00-1234567890123456789012345678901.-1234567890123456-01",
            Restarted,
        ),
        ("traceparent_trace_id_too_long", "00-123456789012345678901234567890123-1234567890123456-01", Restarted),
        ("traceparent_trace_id_too_short", "00-1234567890123456789012345678901-1234567890123456-01", Restarted),
        ("traceparent_parent_id_all_zero", "00-{id}-0000000000000000-01", Restarted),
        ("traceparent_parent_id_illegal_characters", "00-{id}-.234567890123456-01", Restarted),
        ("traceparent_parent_id_illegal_characters", "00-{id}-123456789012345.-01", Restarted),
        ("traceparent_parent_id_too_long", "00-{id}-12345678901234567-01", Restarted),
        ("traceparent_parent_id_too_short", "00-{id}-123456789012345-01", Restarted),
        ("traceparent_trace_flags_illegal_characters", "00-{id}-1234567890123456-.0", Restarted),
        ("traceparent_trace_flags_illegal_characters", "00-{id}-1234567890123456-0.", Restarted),
        ("traceparent_trace_flags_too_long", "00-{id}-1234567890123456-001", Restarted),
        ("traceparent_trace_flags_too_short", "00-{id}-1234567890123456-1", Restarted),
        ("traceparent_ows_handling", " 00-{id}-1234567890123456-01", Continued),
        ("traceparent_ows_handling", "\t00-{id}-1234567890123456-01", Continued),
        ("traceparent_ows_handling", "00-{id}-1234567890123456-01 ", Continued),
        ("traceparent_ows_handling", "00-{id}-1234567890123456-01\t", Continued),
        ("traceparent_ows_handling", "\t 00-{id}-1234567890123456-01 \t", Continued),
        // Not in the harness, but in the specification: section 3.2.2.3 and 3.2.4.
        ("capitals in the version", "CC-{id}-1234567890123456-01", Restarted),
        ("capitals in the parent id", "00-{id}-ABCDEF7890123456-01", Restarted),
        ("capitals in the flags", "00-{id}-1234567890123456-0A", Restarted),
        ("a higher version, too short", "cc-{id}-1234567890123456-0", Restarted),
        ("a higher version, flags not hexadecimal", "cc-{id}-1234567890123456-0x-more", Restarted),
    ];
    for (name, value, trace) in rows {
        let value = value.replace("{id}", TRACE_ID);
        // Without a valid `traceparent`, `tracestate` is not even looked at.
        let state = if trace == Continued { "foo=1" } else { "" };
        check(name, &[("traceparent", &value), ("tracestate", "foo=1")], trace, state);
        check(name, &[("traceparent", &value)], trace, "");
    }
}

#[test]
fn the_name_of_traceparent_matches_in_any_casing_and_only_as_a_whole() {
    check("both_traceparent_and_tracestate_missing", &[], Restarted, "");
    for name in ["trace-parent", "trace.parent"] {
        check("traceparent_header_name", &[(name, PARENT)], Restarted, "");
    }
    for name in ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
        check("traceparent_header_name_valid_casing", &[(name, PARENT)], Continued, "");
    }
}

#[test]
fn two_traceparent_headers_restart_the_trace() {
    let other = "00-12345678901234567890123456789011-1234567890123456-01";
    let headers = [("traceparent", other), ("traceparent", PARENT)];
    check("traceparent_duplicated", &headers, Restarted, "");
    let outgoing = serve(&IdSource::seeded(1), &headers, 1).remove(0);
    assert_ne!(fields(&outgoing)[1], "12345678901234567890123456789011");
}

#[test]
fn tracestate_without_traceparent_is_discarded() {
    check("tracestate_included_traceparent_missing", &[("tracestate", "foo=1")], Restarted, "");
    check("tracestate_included_traceparent_missing", &[("tracestate", "foo=1,bar=2")], Restarted, "");
}

#[test]
fn the_name_of_tracestate_matches_in_any_casing_and_only_as_a_whole() {
    for name in ["trace-state", "trace.state"] {
        check("tracestate_header_name", &[("traceparent", PARENT), (name, "foo=1")], Continued, "");
    }
    for name in ["TraceState", "TrAcEsTaTe", "TRACESTATE"] {
        let headers = [("traceparent", PARENT), (name, "foo=1")];
        check("tracestate_header_name_valid_casing", &headers, Continued, "foo=1");
    }
}

/// Key characters that need no `@`, and all of a value.
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
const VALUE: &str = " !\"#$%&'()*+-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

/// Name, headers joined by line breaks, and what is sent.
type StateRow<'a> = (&'a str, &'a str, &'a str);

fn check_states(rows: &[StateRow<'_>]) {
    for (name, values, sent) in rows {
        let states = values.split('\n').map(|value| ("tracestate", value));
        let headers: Vec<(&str, &str)> = [("traceparent", PARENT)].into_iter().chain(states).collect();
        check(name, &headers, Continued, sent);
    }
}

#[test]
fn a_valid_tracestate_is_sent_on_and_one_that_breaks_a_rule_is_discarded_as_a_whole() {
    check_states(&[
        ("tracestate_included_traceparent_included", "foo=1,bar=2", "foo=1,bar=2"),
        ("tracestate_empty_header", "", ""),
        ("tracestate_empty_header", "foo=1\n", "foo=1"),
        ("tracestate_empty_header", "\nfoo=1", "foo=1"),
        (
            "tracestate_multiple_headers_different_keys",
            "foo=1,bar=2\nrojo=1,congo=2\nbaz=3",
            "foo=1,bar=2,rojo=1,congo=2,baz=3",
        ),
        ("tracestate_duplicated_keys", "foo=1,foo=1", ""),
        ("tracestate_duplicated_keys", "foo=1,foo=2", ""),
        ("tracestate_duplicated_keys", "foo=1\nfoo=1", ""),
        ("tracestate_duplicated_keys", "foo=1\nfoo=2", ""),
        ("tracestate_ows_handling", "foo=1 \t , \t bar=2, \t baz=3", "foo=1,bar=2,baz=3"),
        ("tracestate_ows_handling", "foo=1\t \t,\t \tbar=2,\t \tbaz=3", "foo=1,bar=2,baz=3"),
        ("tracestate_ows_handling", " foo=1", "foo=1"),
        ("tracestate_ows_handling", "\tfoo=1", "foo=1"),
        ("tracestate_ows_handling", "foo=1 ", "foo=1"),
        ("tracestate_ows_handling", "foo=1\t", "foo=1"),
        ("tracestate_ows_handling", "\t foo=1 \t", "foo=1"),
        ("tracestate_key_illegal_characters", "foo =1", ""),
        ("tracestate_key_illegal_characters", "FOO=1", ""),
        ("tracestate_key_illegal_characters", "foo.bar=1", ""),
        ("tracestate_key_illegal_vendor_format", "foo@=1,bar=2", ""),
        ("tracestate_key_illegal_vendor_format", "@foo=1,bar=2", ""),
        ("tracestate_key_illegal_vendor_format", "foo@@bar=1,bar=2", ""),
        ("tracestate_key_illegal_vendor_format", "foo@bar@baz=1,bar=2", ""),
        ("tracestate_value_illegal_characters", "foo=bar=baz", ""),
        ("tracestate_value_illegal_characters", "foo=,bar=3", ""),
        // Not in the harness, but in the specification: section 3.3.2.2.
        ("a key that begins with a digit (level 2)", "1foo=1", "1foo=1"),
        ("a tenant that begins with a digit (level 1)", "1a@foo=1", "1a@foo=1"),
        ("spaces in front of a value belong to it", "foo=  1", "foo=  1"),
        ("a tab in a value", "foo=1\t2", ""),
    ]);
    for key in [KEY.to_owned(), format!("{KEY}@a-z0-9_-*/")] {
        let state = format!("{key}={VALUE}");
        check_states(&[("tracestate_all_allowed_characters", &state, &state)]);
    }
}

#[test]
fn thirty_two_members_are_sent_on_and_thirty_three_discarded() {
    let member = |number: usize| format!("bar{number:02}={number:02}");
    let header = |range: std::ops::RangeInclusive<usize>| range.map(member).collect::<Vec<_>>().join(",");
    let tens = [header(1..=10), header(11..=20), header(21..=30)].join("\n");
    let valid = format!("{tens}\n{}", header(31..=32));
    let sent = valid.replace('\n', ",");
    check_states(&[("tracestate_member_count_limit", &valid, &sent)]);
    let invalid = format!("{tens}\n{}", header(31..=33));
    check_states(&[("tracestate_member_count_limit", &invalid, "")]);
}

#[test]
fn keys_are_sent_on_up_to_their_lengths() {
    let rows: [(String, bool); 5] = [
        ("z".repeat(256), true),
        ("z".repeat(257), false),
        (format!("{}@{}", "t".repeat(241), "v".repeat(14)), true),
        (format!("{}@v", "t".repeat(242)), false),
        (format!("t@{}", "v".repeat(15)), false),
    ];
    for (key, is_valid) in rows {
        let values = format!("foo=1\n{key}=1");
        let sent = if is_valid { values.replace('\n', ",") } else { String::new() };
        check_states(&[("tracestate_key_length_limit", &values, &sent)]);
    }
}

#[test]
fn every_call_of_a_trace_has_a_parent_id_of_its_own() {
    let zero = "00-00000000000000000000000000000000-1234567890123456-01";
    let rows: [(&str, Headers<'_>, Trace); 3] = [
        ("multiple_requests_with_valid_traceparent", &[("traceparent", PARENT)], Continued),
        ("multiple_requests_without_traceparent", &[], Restarted),
        ("multiple_requests_with_illegal_traceparent", &[("traceparent", zero)], Restarted),
    ];
    for (name, headers, trace) in rows {
        let calls = serve(&IdSource::seeded(1), headers, 3);
        let calls: Vec<[&str; 4]> = calls.iter().map(fields).collect();
        assert!(calls.iter().all(|[_, trace_id, _, _]| (*trace_id == TRACE_ID) == (trace == Continued)), "{name}");
        let parents: Vec<&str> = calls.iter().map(|fields| fields[2]).collect();
        assert!(parents[0] != parents[1] && parents[1] != parents[2] && parents[0] != parents[2], "{name}");
    }
}

/// Level 2: the flag belongs to the trace id, and goes with it as it came. Unknown flags do not.
#[test]
fn the_random_flag_is_sent_on_as_it_came_and_unknown_flags_are_cleared() {
    for (received, sent) in [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("fc", "00"), ("ff", "03")] {
        let parent = format!("00-{TRACE_ID}-1234567890123456-{received}");
        let outgoing = serve(&IdSource::seeded(1), &[("traceparent", &parent)], 1).remove(0);
        let [_, trace_id, _, flags] = fields(&outgoing);
        assert_eq!((trace_id, flags), (TRACE_ID, sent), "propagates_random_flag: {received}");
    }
}
