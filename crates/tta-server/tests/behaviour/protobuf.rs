//! The Protocol Buffers form, decoded by messages written from `metrics.proto` once more: all that a
//! reader of native and classic histograms looks at.

use prost::Message;
use tta_server::{Format, Page};

use crate::formats::families;
use crate::support::{PROTOBUF, engine, record, scrape, serve};

#[derive(Clone, PartialEq, Message)]
struct Family {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<Metric>,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Value>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Value>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(double, tag = "1")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    buckets: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "12")]
    spans: Vec<Span>,
    #[prost(sint64, repeated, tag = "13")]
    deltas: Vec<i64>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    cumulative: u64,
    #[prost(double, tag = "2")]
    limit: f64,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    time: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

fn decode(mut bytes: &[u8]) -> Vec<Family> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(Family::decode_length_delimited(&mut bytes).unwrap());
    }
    families
}

/// All native counts together.
fn native(histogram: &Histogram) -> u64 {
    let counts = histogram.deltas.iter().scan(0_i64, |count, delta| {
        *count += delta;
        Some(u64::try_from(*count).unwrap())
    });
    let lengths: u32 = histogram.spans.iter().map(|span| span.length).sum();
    assert_eq!(lengths as usize, histogram.deltas.len());
    histogram.zero_count + counts.sum::<u64>()
}

fn labels(of: &[Label]) -> Vec<(&str, &str)> {
    of.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect()
}

#[test]
fn every_family_is_a_message_after_its_length() {
    let bytes: Vec<u8> = Page::new(families(), Format::Protobuf).flatten().collect();
    let decoded = decode(&bytes);
    let heads: Vec<_> = decoded
        .iter()
        .map(|family| (family.name.as_str(), family.kind, family.unit.as_str(), family.metrics.len()))
        .collect();
    assert_eq!(
        heads,
        [
            ("work_duration_seconds", 4, "seconds", 1),
            ("spent_usd_total", 0, "usd", 2),
            ("requests_total", 0, "", 1),
            ("load", 1, "", 1),
            ("target_info", 1, "", 1)
        ]
    );
    assert_eq!(decoded[1].help, "Paths as C:\\dir,\nand \"quotes\".");
    let spent = &decoded[1].metrics;
    assert_eq!(labels(&spent[0].labels), [("who", "C:\\new \"quoted\"\nline")]);
    assert_eq!((labels(&spent[1].labels), spent[1].counter.as_ref().unwrap().value), (vec![], 12.0));
    assert_eq!(decoded[3].metrics[0].gauge.as_ref().unwrap().value, 2.5e-9);
}

#[test]
fn a_histogram_has_classic_and_native_buckets_and_exemplars() {
    let bytes: Vec<u8> = Page::new(families(), Format::Protobuf).flatten().collect();
    let histogram = decode(&bytes)[0].metrics[0].histogram.clone().unwrap();
    assert_eq!((histogram.count, histogram.sum, histogram.schema), (4, 4.044, 3));
    let classic: Vec<_> = histogram.buckets.iter().map(|bucket| (bucket.limit, bucket.cumulative)).collect();
    assert_eq!(classic, [(0.005, 2), (0.1, 3), (1.0, 3), (f64::INFINITY, 4)]);
    assert_eq!((histogram.zero_count, native(&histogram)), (1, 4));
    // 0.004 is in (2^(-64/8), 2^(-63/8)], 0.04 in (2^(-38/8), 2^(-37/8)], 4 is the limit 2^(16/8).
    let spans: Vec<_> = histogram.spans.iter().map(|span| (span.offset, span.length)).collect();
    assert_eq!(spans, [(-63, 1), (25, 1), (52, 1)]);
    assert_eq!(histogram.deltas, [1, 0, 0]);
    let exemplar = &histogram.exemplars[0];
    assert_eq!((histogram.exemplars.len(), exemplar), (1, histogram.buckets[1].exemplar.as_ref().unwrap()));
    let ids = [("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"), ("span_id", "00f067aa0ba902b7")];
    assert_eq!((labels(&exemplar.labels), exemplar.value), (ids.to_vec(), 0.04));
    assert_eq!(exemplar.time, Some(Time { seconds: 1_700_000_000, nanos: 12_345_678 }));
}

#[tokio::test]
async fn what_an_engine_measured_arrives_in_native_buckets() {
    let telemetry = engine();
    record(&telemetry, 500);
    let server = serve(&telemetry).await;
    let reply = scrape(&server, &[PROTOBUF]).await;
    assert_eq!(
        reply.header("content-type"),
        Some("application/vnd.google.protobuf; proto=io.prometheus.client.metricfamily; encoding=delimited")
    );
    let families = decode(&reply.body);
    let family = families.iter().find(|family| family.name == "primitive_duration_seconds").unwrap();
    let histogram = family.metrics[0].histogram.as_ref().unwrap();
    assert_eq!((histogram.count, native(histogram)), (500, 500));
    // From 1 to 500 ms there are nine doublings of eight buckets each, the lowest of which are empty
    // but for whole milliseconds.
    assert!((50..=73).contains(&histogram.deltas.len()), "{}", histogram.deltas.len());
    assert_eq!(histogram.buckets.last().unwrap().cumulative, 500);
}
