//! Metrics pushed: OTLP read by generated types, remote write by the fields of its specification.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::exemplar;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric as OtlpMetric, NumberDataPoint};
use prost::Message;
use tta_otlp::export::{Compression, Drops, ExportSettings, MetricsPush, Protocol, PushFormat, PushSettings};
use tta_telemetry::{
    Attribute, Clock, HealthStatus, ManualClock, Metric, Name, Resource, SpanStatus, Telemetry, Unit, Value,
};

use crate::support::{Collector, LONG, Reply, Seen, eventually, settings};

pub(crate) fn identity() -> Resource {
    let text = |key: &'static str, value: &'static str| Attribute { key: key.into(), value: Value::Str(value.into()) };
    Resource {
        service: "shop".into(),
        attributes: vec![text("service.name", "shop"), text("service.instance.id", "i-1")],
        dropped_attributes: 0,
        schema_url: String::new(),
    }
}

/// An engine with a counter, a gauge and a histogram, and the hand of its clock.
fn engine() -> (Telemetry, ManualClock) {
    let (clock, hand) = Clock::manual();
    let telemetry = Telemetry::builder().clock(clock).by_hand().build().unwrap();
    record(&telemetry);
    (telemetry, hand)
}

pub(crate) fn record(telemetry: &Telemetry) {
    let orders = Metric::named("orders_total").help("Orders.").labels(&["region"]);
    telemetry.counter(orders).unwrap().with(&["eu"]).unwrap().add(7);
    let load = Metric::named("load_ratio").unit(Unit::Ratio);
    telemetry.gauge(load).unwrap().with(&[]).unwrap().set(0.25);
    let sizes = Metric::named("upload_size_bytes").unit(Unit::Bytes).buckets(&[10.0, 100.0]);
    let sizes = telemetry.histogram(sizes).unwrap();
    [5.0, 50.0, 60.0, 5_000.0].into_iter().for_each(|size| sizes.with(&[]).unwrap().record(size));
}

fn push(telemetry: &Telemetry, export: ExportSettings, format: PushFormat) -> MetricsPush {
    let settings = PushSettings { format, interval: Duration::from_secs(10), ..PushSettings::to(export) };
    MetricsPush::start(telemetry, &settings, identity()).unwrap()
}

fn decoded(seen: &[Seen]) -> Vec<ExportMetricsServiceRequest> {
    seen.iter().map(|seen| ExportMetricsServiceRequest::decode(seen.body.as_slice()).unwrap()).collect()
}

fn metrics(requests: Vec<ExportMetricsServiceRequest>) -> Vec<OtlpMetric> {
    let resources = requests.into_iter().flat_map(|request| request.resource_metrics);
    resources.flat_map(|resource| resource.scope_metrics).flat_map(|scope| scope.metrics).collect()
}

fn named(all: &[OtlpMetric], name: &str) -> OtlpMetric {
    all.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("no {name}")).clone()
}

fn labels(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |pair: &KeyValue| match pair.value.clone().unwrap().value.unwrap() {
        Any::StringValue(text) => (pair.key.clone(), text),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(text).collect()
}

fn only(points: &[NumberDataPoint]) -> (u64, u64, Number, Vec<(String, String)>) {
    let [point] = points else { panic!("one point: {points:?}") };
    (point.start_time_unix_nano, point.time_unix_nano, point.value.unwrap(), labels(&point.attributes))
}

#[test]
fn metrics_arrive_as_sums_gauges_and_histograms_by_grpc_and_http() {
    for (protocol, path) in [
        (Protocol::HttpProtobuf, "/v1/metrics"),
        (Protocol::Grpc, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
    ] {
        let collector = Collector::start([]);
        let (telemetry, hand) = engine();
        let start = telemetry.clock().unix_ns(telemetry.clock().ticks());
        let export = ExportSettings { compression: Compression::Gzip, ..settings(&collector.url(), protocol) };
        let push = push(&telemetry, export, PushFormat::Otlp);
        eventually("the first interval has begun", || hand.sleepers() == 1);
        hand.advance(Duration::from_secs(10));
        eventually("a round has ended", || push.rounds() == 1);
        let seen = collector.seen();
        assert_eq!(seen[0].path, path);
        let requests = decoded(&seen);
        let resource = requests[0].resource_metrics[0].resource.clone().unwrap();
        assert_eq!(labels(&resource.attributes)[1], ("service.instance.id".to_owned(), "i-1".to_owned()));
        let all = metrics(requests);
        let now = start + 10_000_000_000;
        let orders = named(&all, "orders_total");
        let Some(Data::Sum(sum)) = orders.data else { panic!("a sum") };
        assert_eq!((orders.description.as_str(), sum.is_monotonic, sum.aggregation_temporality), ("Orders.", true, 2));
        let region = vec![("region".to_owned(), "eu".to_owned())];
        assert_eq!(only(&sum.data_points), (start, now, Number::AsInt(7), region));
        let load = named(&all, "load_ratio");
        let Some(Data::Gauge(gauge)) = load.data else { panic!("a gauge") };
        assert_eq!((load.unit.as_str(), only(&gauge.data_points)), ("1", (0, now, Number::AsDouble(0.25), Vec::new())));
        let sizes = named(&all, "upload_size_bytes");
        let Some(Data::Histogram(histogram)) = sizes.data else { panic!("a histogram") };
        let point = &histogram.data_points[0];
        assert_eq!((sizes.unit.as_str(), histogram.aggregation_temporality), ("By", 2));
        assert_eq!((point.count, point.sum, point.start_time_unix_nano), (4, Some(5_115.0), start));
        assert_eq!(
            (point.explicit_bounds.as_slice(), point.bucket_counts.as_slice()),
            (&[10.0, 100.0][..], &[1, 2, 1][..])
        );
        assert_eq!(push.status().dropped.total(), 0);
        assert!(push.status().sent > 3);
    }
}

#[test]
fn exemplars_go_with_their_buckets_and_requests_hold_no_more_than_a_batch() {
    let collector = Collector::start([]);
    let (telemetry, hand) = engine();
    let run = telemetry.start_trace("crawl");
    let trace_id = run.handle().trace_id().unwrap();
    let span = run.span("fetch", "lambda");
    hand.advance(Duration::from_millis(30));
    span.end();
    let of = Name::from_static;
    let step = telemetry.instruments(&of("crawl"), &of("fetch"), &of("lambda")).unwrap();
    step.record(30_000_000, SpanStatus::Ok, telemetry.clock().ticks());
    run.end();
    assert!(telemetry.flush_blocking(LONG).complete);
    let settings = PushSettings {
        interval: Duration::from_secs(10),
        batch_size: 5,
        ..PushSettings::to(settings(&collector.url(), Protocol::HttpProtobuf))
    };
    let push = MetricsPush::start(&telemetry, &settings, identity()).unwrap();
    eventually("the first interval has begun", || hand.sleepers() == 1);
    let series = telemetry.collect_metrics().iter().map(|family| family.points.len()).sum::<usize>();
    // The last round is asked for: it needs no time.
    assert!(push.stop(LONG));
    let sizes: Vec<usize> = decoded(&collector.seen())
        .into_iter()
        .map(|request| {
            let points = |metric: &OtlpMetric| match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => sum.data_points.len(),
                Data::Gauge(gauge) => gauge.data_points.len(),
                Data::Histogram(histogram) => histogram.data_points.len(),
                other => panic!("{other:?}"),
            };
            metrics(vec![request]).iter().map(points).sum()
        })
        .collect();
    assert!(sizes.iter().all(|size| (1..=5).contains(size)), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), series);
    let all = metrics(decoded(&collector.seen()));
    let exemplars = all.iter().filter_map(|metric| match &metric.data {
        Some(Data::Histogram(histogram)) => {
            Some(histogram.data_points.iter().flat_map(|point| point.exemplars.clone()))
        }
        _ => None,
    });
    let exemplars: Vec<_> = exemplars.flatten().collect();
    let [exemplar] = &exemplars[..] else { panic!("one exemplar: {exemplars:?}") };
    assert_eq!((exemplar.trace_id.as_slice(), exemplar.span_id.len()), (&trace_id.get().to_be_bytes()[..], 8));
    assert_eq!(exemplar.value, Some(exemplar::Value::AsDouble(0.03)));
}

#[test]
fn a_failed_round_is_counted_and_the_next_one_has_it_all() {
    let collector = Collector::start([Reply::Status(400, Vec::new(), Vec::new())]);
    let (telemetry, hand) = engine();
    let push = push(&telemetry, settings(&collector.url(), Protocol::HttpProtobuf), PushFormat::Otlp);
    let health = push.health_component();
    eventually("the first interval has begun", || hand.sleepers() == 1);
    hand.advance(Duration::from_secs(10));
    eventually("a round has ended", || push.rounds() == 1);
    let status = push.status();
    assert_eq!((status.sent, status.dropped), (0, Drops { refused: status.dropped.total(), ..Drops::default() }));
    assert!(status.dropped.refused > 3);
    assert_eq!((health.name().as_str(), health.health().status), ("metrics_push", HealthStatus::Degraded));
    collector.now([Reply::Take]);
    eventually("the next interval has begun", || hand.sleepers() == 1);
    hand.advance(Duration::from_secs(10));
    eventually("a second round has ended", || push.rounds() == 2);
    assert_eq!((push.status().sent, health.health().status), (status.dropped.refused, HealthStatus::Healthy));
}

#[test]
fn settings_of_a_push_are_checked_as_a_whole() {
    let export = settings("ftp://x", Protocol::HttpJson);
    let settings = PushSettings { interval: Duration::ZERO, batch_size: 0, ..PushSettings::to(export) };
    let error = settings.check().unwrap_err().to_string();
    for part in ["`endpoint` is `ftp://x`", "`interval` is 0ns", "`batch_size` is 0", "`protocol` is http/json"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "4")]
    help: String,
    #[prost(string, tag = "5")]
    unit: String,
}

#[test]
fn remote_write_has_sorted_labels_flat_histograms_and_its_headers() {
    let collector = Collector::start([Reply::Status(503, Vec::new(), Vec::new()), Reply::Take]);
    let (telemetry, hand) = engine();
    let push = push(&telemetry, settings(&collector.url(), Protocol::HttpProtobuf), PushFormat::RemoteWrite);
    eventually("the first interval has begun", || hand.sleepers() == 1);
    hand.advance(Duration::from_secs(10));
    eventually("a failed request waits", || push.status().attempts > 0);
    eventually("a round has ended", || {
        hand.advance(Duration::from_millis(1));
        push.rounds() == 1
    });
    assert_eq!((push.status().retries, push.status().dropped.total()), (1, 0));
    let seen = collector.seen();
    let header = |name| seen[0].header(name).to_owned();
    assert_eq!((seen[0].path.as_str(), header("content-encoding")), ("/api/v1/write", "snappy".to_owned()));
    assert_eq!(header("content-type"), "application/x-protobuf");
    assert_eq!(header("x-prometheus-remote-write-version"), "0.1.0");
    assert!(header("user-agent").starts_with("tta-otlp/"));
    let taken = seen.iter().filter(|seen| seen.taken);
    let requests: Vec<WriteRequest> = taken.map(|seen| WriteRequest::decode(seen.body.as_slice()).unwrap()).collect();
    let mut values = BTreeMap::new();
    for series in requests.iter().flat_map(|request| &request.timeseries) {
        let names: Vec<&str> = series.labels.iter().map(|label| label.name.as_str()).collect();
        assert!(names.is_sorted() && series.labels.iter().all(|label| !label.value.is_empty()), "{series:?}");
        let text: Vec<String> = series.labels.iter().map(|label| format!("{}={}", label.name, label.value)).collect();
        assert_eq!(series.samples.len(), 1);
        assert!(values.insert(text.join(","), series.samples[0].value).is_none(), "{text:?} twice");
    }
    let value = |labels: &str| *values.get(labels).unwrap_or_else(|| panic!("no {labels} in {values:#?}"));
    assert_eq!(value("__name__=orders_total,instance=i-1,job=shop,region=eu"), 7.0);
    assert_eq!(value("__name__=load_ratio,instance=i-1,job=shop"), 0.25);
    for (limit, count) in [("10", 1.0), ("100", 3.0), ("+Inf", 4.0)] {
        assert_eq!(value(&format!("__name__=upload_size_bytes_bucket,instance=i-1,job=shop,le={limit}")), count);
    }
    assert_eq!(value("__name__=upload_size_bytes_sum,instance=i-1,job=shop"), 5_115.0);
    assert_eq!(value("__name__=upload_size_bytes_count,instance=i-1,job=shop"), 4.0);
    let mut metadata = requests.iter().flat_map(|request| &request.metadata);
    let orders = metadata.find(|metadata| metadata.name == "orders_total").unwrap();
    assert_eq!((orders.kind, orders.help.as_str()), (1, "Orders."));
}
