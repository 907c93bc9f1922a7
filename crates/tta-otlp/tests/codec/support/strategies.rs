//! Requests as a property test makes them up: mostly right, within the default bounds.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z.]{0,12}", 1 => ".{0,40}", 1 => "[a-z]{120,140}"]
}

fn key() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 5] = ["service.name", "error.type", "http.route", "cost.usd", "gen_ai.usage.cost.amount"];
    prop_oneof![proptest::sample::select(&KNOWN[..]).prop_map(str::to_owned), text()]
}

fn id(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(any::<u8>(), bytes), 1 => vec(any::<u8>(), 0..20), 1 => Just(vec![0; bytes])]
}

/// Comparable: not a number is equal to nothing. How those travel is a test of its own.
fn double() -> impl Strategy<Value = f64> {
    prop_oneof![any::<i32>().prop_map(|value| f64::from(value) / 8.0), Just(f64::INFINITY), Just(-0.0)]
}

fn value() -> impl Strategy<Value = AnyValue> {
    let plain = prop_oneof![
        text().prop_map(|text| Some(Any::StringValue(text))),
        any::<bool>().prop_map(|value| Some(Any::BoolValue(value))),
        any::<i64>().prop_map(|value| Some(Any::IntValue(value))),
        double().prop_map(|value| Some(Any::DoubleValue(value))),
        vec(any::<u8>(), 0..9).prop_map(|bytes| Some(Any::BytesValue(bytes))),
        Just(None),
    ];
    let plain = plain.prop_map(|value| AnyValue { value });
    plain.prop_recursive(4, 24, 4, |inner| {
        let list = vec(inner.clone(), 0..4).prop_map(|values| Any::ArrayValue(ArrayValue { values }));
        let map = vec((key(), proptest::option::of(inner)), 0..4).prop_map(|pairs| {
            let pair = |(key, value)| key_value(key, value);
            Any::KvlistValue(KeyValueList { values: pairs.into_iter().map(pair).collect() })
        });
        prop_oneof![list, map].prop_map(|value| AnyValue { value: Some(value) })
    })
}

/// A value with nothing in it may as well be absent: one form of the two.
fn key_value(key: String, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key, value: value.filter(|value| value.value.is_some()), ..KeyValue::default() }
}

pub(crate) fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((key(), value()).prop_map(|(key, value)| key_value(key, Some(value))), 0..5)
}

prop_compose! {
    fn event()(
        time_unix_nano: u64, name in text(), attributes in attributes(), dropped_attributes_count in 0..3_u32,
    ) -> Event {
        Event { time_unix_nano, name, attributes, dropped_attributes_count }
    }
}

prop_compose! {
    fn link()(
        trace_id in id(16), span_id in id(8), trace_state in text(), attributes in attributes(),
        dropped_attributes_count in 0..3_u32, flags: u32,
    ) -> Link {
        Link { trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags }
    }
}

prop_compose! {
    fn status()(message in text(), code in -1..4_i32) -> Status {
        Status { message, code }
    }
}

prop_compose! {
    pub(crate) fn span()(
        ids in (id(16), id(8), prop_oneof![Just(Vec::new()), id(8)]),
        texts in (text(), text()),
        numbers in (-1..8_i32, any::<u32>()),
        times in (0..9_000_000_000_000_000_000_u64, 0..9_000_000_000_000_000_000_u64),
        dropped in (0..3_u32, 0..3_u32, prop_oneof![0..3_u32, Just(u32::MAX)]),
        attributes in attributes(),
        events in vec(event(), 0..3),
        links in vec(link(), 0..3),
        status in proptest::option::of(status()),
    ) -> Span {
        Span {
            trace_id: ids.0, span_id: ids.1, parent_span_id: ids.2,
            trace_state: texts.0, name: texts.1,
            kind: numbers.0, flags: numbers.1,
            start_time_unix_nano: times.0, end_time_unix_nano: times.1,
            dropped_attributes_count: dropped.0, dropped_events_count: dropped.1, dropped_links_count: dropped.2,
            attributes, events, links, status,
        }
    }
}

prop_compose! {
    fn scope_spans()(
        scope in proptest::option::of((text(), text(), attributes(), 0..3_u32)),
        spans in vec(span(), 0..4),
        schema_url in text(),
    ) -> ScopeSpans {
        let scope = scope.map(|(name, version, attributes, dropped_attributes_count)| {
            InstrumentationScope { name, version, attributes, dropped_attributes_count }
        });
        ScopeSpans { scope, spans, schema_url }
    }
}

prop_compose! {
    pub(crate) fn resource_spans()(
        resource in proptest::option::of((attributes(), 0..3_u32)),
        scope_spans in vec(scope_spans(), 0..3),
        schema_url in text(),
    ) -> ResourceSpans {
        let resource = resource.map(|(attributes, dropped_attributes_count)| {
            Resource { attributes, dropped_attributes_count, ..Resource::default() }
        });
        ResourceSpans { resource, scope_spans, schema_url }
    }
}

pub(crate) fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    vec(resource_spans(), 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}
