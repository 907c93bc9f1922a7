//! Every bound bites, and is counted where it does.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;
use tta_otlp::OtlpLimits;
use tta_telemetry::{SpanRecord, Value};

use crate::support::{pair, read_within, request, span, text};

fn small() -> OtlpLimits {
    OtlpLimits {
        spans_per_request: 2,
        attributes_per_span: 3,
        source_attributes_per_request: 4,
        attribute_bytes: 16,
        events_per_span: 1,
        links_per_span: 1,
        value_depth: 2,
    }
}

fn record(span: Span) -> SpanRecord {
    read_within(&request(vec![span]).encode_to_vec(), &small()).unwrap().1.remove(0).span
}

fn pairs(count: usize) -> Vec<KeyValue> {
    (0..count).map(|index| pair(&format!("k{index}"), Any::IntValue(index as i64))).collect()
}

fn texts(texts: &[&str]) -> Any {
    let values = texts.iter().map(|text| AnyValue { value: Some(Any::StringValue((*text).to_owned())) }).collect();
    Any::ArrayValue(ArrayValue { values })
}

#[test]
fn spans_beyond_the_bound_are_refused_and_the_reply_says_so() {
    let (outcome, got) = read_within(&request(vec![span(); 4]).encode_to_vec(), &small()).unwrap();
    assert_eq!((outcome.accepted, outcome.refused, got.len()), (2, 2, 2));
    assert_eq!(
        outcome.reasons[0],
        "resource_spans[0].scope_spans[0].spans[2] is beyond the 2 spans accepted in one request"
    );
}

#[test]
fn attributes_events_and_links_beyond_the_bound_add_to_what_the_sender_lost() {
    let event = Event { name: "e".to_owned(), attributes: pairs(5), dropped_attributes_count: 1, ..Event::default() };
    let link = Link {
        trace_id: vec![3; 16],
        span_id: vec![4; 8],
        attributes: pairs(4),
        dropped_attributes_count: 1,
        ..Link::default()
    };
    let no_link = Link { trace_id: vec![3; 16], ..Link::default() };
    let record = record(Span {
        attributes: pairs(5),
        dropped_attributes_count: 10,
        events: vec![event.clone(), event],
        dropped_events_count: 20,
        links: vec![no_link, link.clone(), link],
        dropped_links_count: 30,
        ..span()
    });
    assert_eq!((record.attributes.len(), record.dropped_attributes), (3, 12));
    assert_eq!(record.attribute("k2"), Some(&Value::I64(2)));
    assert_eq!((record.events.len(), record.dropped_events), (1, 21));
    assert_eq!((record.events[0].attributes.len(), record.events[0].dropped_attributes), (3, 3));
    assert_eq!((record.links.len(), record.dropped_links), (1, 32));
    assert_eq!((record.links[0].attributes.len(), record.links[0].dropped_attributes), (3, 2));
    let most = self::record(Span { attributes: pairs(5), dropped_attributes_count: u32::MAX, ..span() });
    assert_eq!(most.dropped_attributes, u32::MAX);
}

#[test]
fn text_and_bytes_are_cut_and_counted_once_for_an_attribute() {
    let long = "abcdefghijklmnoé";
    let record = record(Span {
        name: long.to_owned(),
        attributes: vec![text("text", long), pair("bytes", Any::BytesValue(vec![7; 17])), text(long, "fits")],
        status: Some(Status { message: long.to_owned(), code: 2 }),
        events: vec![Event { name: long.to_owned(), attributes: vec![text("t", long)], ..Event::default() }],
        ..span()
    });
    let short = "abcdefghijklmno";
    assert_eq!(&*record.name, short);
    assert_eq!(record.attribute("text"), Some(&Value::Str(short.into())));
    assert_eq!(record.attribute("bytes"), Some(&Value::Bytes(vec![7; 16])));
    assert_eq!(record.attribute(short), Some(&Value::Str("fits".into())));
    assert_eq!(&*record.events[0].name, short);
    assert_eq!(record.received.unwrap().status_message, short);
    assert_eq!(record.truncated_attributes, 7);
}

#[test]
fn a_list_has_one_bound_for_all_that_is_in_it() {
    let record = record(Span {
        attributes: vec![
            pair("fits", texts(&["abcd", "efgh"])),
            pair("cut", texts(&["abcd", "efgh", "i"])),
            pair("empty", texts(&[""; 9])),
        ],
        ..span()
    });
    let list = |texts: &[&str]| Value::List(texts.iter().map(|text| (*text).to_owned()).collect());
    assert_eq!(record.attribute("fits"), Some(&list(&["abcd", "efgh"])));
    assert_eq!(record.attribute("cut"), Some(&list(&["abcd", "efgh"])));
    assert_eq!(record.attribute("empty"), Some(&list(&["", "", "", ""])));
    assert_eq!(record.truncated_attributes, 2);
}

#[test]
fn a_map_counts_its_keys_and_its_depth() {
    let map = |pairs: Vec<KeyValue>| Any::KvlistValue(KeyValueList { values: pairs });
    let record = record(Span {
        attributes: vec![
            pair("keys", map(vec![text("abcdefgh", "ijklmn")])),
            pair("deep", map(vec![pair("a", map(vec![pair("b", map(vec![text("c", "d")]))]))])),
        ],
        ..span()
    });
    let entry = |key: &'static str, value| Value::Map(vec![tta_telemetry::Attribute { key: key.into(), value }]);
    assert_eq!(record.attribute("keys"), Some(&entry("abcdefgh", Value::Str("ijkl".into()))));
    assert_eq!(record.attribute("deep"), Some(&entry("a", entry("b", Value::Empty))));
    assert_eq!(record.truncated_attributes, 2);
}

#[test]
fn a_tracestate_longer_than_anybody_may_pass_on_is_none() {
    let limits = OtlpLimits::default();
    for (length, kept) in [(4_096, 4_096), (4_097, 0)] {
        let span = Span { trace_state: "a".repeat(length), ..span() };
        let (_, got) = read_within(&request(vec![span]).encode_to_vec(), &limits).unwrap();
        assert_eq!(got[0].head.trace_state.len(), kept);
    }
}

#[test]
fn resources_and_scopes_share_a_bound_and_those_without_spans_hold_nothing() {
    let mut request = request(vec![span()]);
    request.resource_spans[0].resource =
        Some(Resource { attributes: pairs(4), dropped_attributes_count: 1, ..Resource::default() });
    request.resource_spans[0].scope_spans[0].scope =
        Some(InstrumentationScope { attributes: pairs(2), ..InstrumentationScope::default() });
    let (outcome, got) = read_within(&request.encode_to_vec(), &small()).unwrap();
    let source = &got[0].span.received.as_ref().unwrap().source;
    // Three for one resource, which leaves one of four for its scope.
    assert_eq!((source.resource.attributes.len(), source.resource.dropped_attributes), (3, 2));
    assert_eq!((source.scope.attributes.len(), source.scope.dropped_attributes), (1, 1));
    assert_eq!(outcome.lost_source_attributes, 2);

    request.resource_spans[0].scope_spans[0].spans.clear();
    let (outcome, got) = read_within(&request.encode_to_vec(), &small()).unwrap();
    assert_eq!((outcome.accepted, got.len()), (0, 0));
}
