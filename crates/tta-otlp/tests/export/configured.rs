//! What a configuration says of sending on is what is done: a field that was ignored would fail one of these.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use tta_otlp::export::{
    Compression, ConfiguredExport, Endpoint, ExportPlan, ExportSettings, Headers, Protocol, PushFormat, PushSettings,
    RetryPolicy, TlsFiles,
};
use tta_telemetry::config::{Config, ConfigLayers};
use tta_telemetry::{Clock, HealthStatus, IdSource, ManualClock, Telemetry};

use crate::metrics::record;
use crate::support::{Collector, LONG, Reply, eventually, spans_of};

type Variables = BTreeMap<String, String>;

fn config(toml: &str) -> Config {
    ConfigLayers::new().toml("tta.toml", toml).build().unwrap()
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn plan(toml: &str, pairs: &[(&str, &str)]) -> ExportPlan {
    ExportPlan::of_config(&config(toml), &variables(pairs)).unwrap()
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn nothing_is_sent_where_nothing_is_said() {
    assert_eq!(plan("", &[]), ExportPlan::default());
    let mut export = ConfiguredExport::start(&config(""), &Variables::new(), &Clock::system()).unwrap();
    let telemetry = export.attach(Telemetry::builder()).build().unwrap();
    export.watch(&telemetry).unwrap();
    assert!(telemetry.sinks().is_empty() && export.metrics().is_none() && export.traces().is_none());
    assert!(export.stop(Duration::ZERO));
}

#[test]
fn every_field_becomes_a_setting() {
    let plan = plan(
        r#"
        async_export = false
        max_export_workers = 7
        [tracing]
        batch_size = 100
        max_queue_size = 1000
        export_interval_seconds = 12
        [otlp]
        endpoint = "http://collector:4317"
        protocol = "grpc"
        compression = "gzip"
        timeout_seconds = 2.5
        retry_seconds = 30
        max_queue_bytes = 70000
        certificate_file = "ca.pem"
        client_certificate_file = "me.pem"
        client_key_file = "me.key"
        [otlp.headers]
        x-tenant = "text:shop"
        [metrics]
        push = "otlp"
        export_interval_seconds = 15
        batch_size = 50
        "#,
        &[],
    );
    let settings = ExportSettings {
        endpoint: Endpoint::Base("http://collector:4317".to_owned()),
        protocol: Protocol::Grpc,
        headers: Headers(vec![pair("x-tenant", "shop")]),
        compression: Compression::Gzip,
        timeout: Duration::from_millis(2_500),
        batch_size: 100,
        export_interval: Duration::from_secs(12),
        max_queue_size: 1_000,
        max_queue_bytes: 70_000,
        max_export_workers: 7,
        async_export: false,
        retry: RetryPolicy { max_elapsed: Duration::from_secs(30), ..RetryPolicy::default() },
        tls: TlsFiles {
            authorities: Some("ca.pem".into()),
            certificate: Some("me.pem".into()),
            key: Some("me.key".into()),
        },
    };
    assert_eq!(plan.traces, Some(settings.clone()));
    let pushed = PushSettings { interval: Duration::from_secs(15), batch_size: 50, ..PushSettings::to(settings) };
    assert_eq!(plan.metrics, Some(pushed));
}

#[test]
fn headers_are_fetched_from_where_they_are_and_variables_of_a_signal_win() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "Bearer of-a-file\n").unwrap();
    let toml = format!(
        "[otlp]\nendpoint = \"http://c:4318\"\ncompression = \"gzip\"\n\
         headers = {{ authorization = \"file:{}\", a = \"env:A\", b = \"text: b \" }}\n[metrics]\npush = \"otlp\"\n",
        file.display()
    );
    let given = [
        ("A", "of the environment"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "b=general,c=general"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1500"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
        // The configuration has read these; what is in it may come from a stronger source.
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://other:4318"),
    ];
    let plan = plan(&toml, &given);
    let (traces, metrics) = (plan.traces.unwrap(), plan.metrics.unwrap().export);
    let wanted = [
        pair("a", "of the environment"),
        pair("authorization", "Bearer of-a-file"),
        pair("b", "general"),
        pair("c", "general"),
    ];
    assert_eq!((&traces.headers.0[..], &metrics.headers.0[..]), (&wanted[..], &wanted[..]));
    assert_eq!((traces.compression, metrics.compression), (Compression::None, Compression::Gzip));
    assert_eq!((traces.timeout, metrics.timeout), (Duration::from_millis(1_500), Duration::from_secs(10)));
    assert_eq!((traces.protocol, metrics.protocol), (Protocol::HttpProtobuf, Protocol::Grpc));
    assert_eq!(traces.endpoint, Endpoint::Base("http://c:4318".to_owned()));
}

#[test]
fn the_collectors_secrets_do_not_go_to_another_place() {
    let base =
        "[otlp]\nendpoint = \"http://c:4318\"\nprotocol = \"grpc\"\nheaders = { authorization = \"text:collector\" }\n";
    let own = "push_endpoint = \"http://m:9090/write\"\npush_headers = { x = \"text:own\" }\n";
    let headers = |push: &str, given: &[(&str, &str)]| {
        let metrics = plan(&format!("{base}[metrics]\n{own}push = \"{push}\"\n"), given).metrics.unwrap();
        assert_eq!(metrics.export.endpoint, Endpoint::Exact("http://m:9090/write".to_owned()));
        (metrics.format, metrics.export.protocol, metrics.export.headers.0)
    };
    let general = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=general");
    let alone = vec![pair("x", "own")];
    assert_eq!(headers("otlp", &[general]), (PushFormat::Otlp, Protocol::Grpc, alone.clone()));
    assert_eq!(headers("remote_write", &[general]), (PushFormat::RemoteWrite, Protocol::HttpProtobuf, alone));
    // OpenTelemetry's rules: that place was named by its variable, for which the general headers are.
    let named = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m:9090/write");
    assert_eq!(headers("otlp", &[general, named]).2, [pair("x", "own"), pair("authorization", "general")]);
}

#[test]
fn all_problems_are_told_and_no_secret() {
    let toml = "[otlp]\nendpoint = \"http://c:4318\"\n[otlp.headers]\na = \"env:NOT_SET\"\nb = \"file:/not/there\"\n\
                [metrics]\npush = \"otlp\"\n";
    let given = [("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "udp"), ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "hunter2")];
    let error = ExportPlan::of_config(&config(toml), &variables(&given)).unwrap_err().to_string();
    assert_eq!(
        error,
        "`otlp.headers.a` is the variable NOT_SET, which is not set, accepted is a variable or a file of at most 8 KiB \
         that holds the value; `otlp.headers.b` is the file /not/there, which cannot be read: No such file or directory \
         (os error 2), accepted is a variable or a file of at most 8 KiB that holds the value; \
         `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL` is `udp`, accepted is grpc, http/protobuf or http/json; \
         `OTEL_EXPORTER_OTLP_METRICS_HEADERS` is wrong in its pair 1, accepted is name=value,name=value with percent \
         codes in UTF-8"
    );
}

/// An engine by a configuration that sends to a collector, and the hand of its clock.
fn engine(toml: &str) -> (ConfiguredExport, Telemetry, ManualClock) {
    let config = config(toml);
    let (clock, hand) = Clock::manual();
    let mut export = ConfiguredExport::start(&config, &Variables::new(), &clock).unwrap();
    let builder = Telemetry::builder().config(&config).unwrap().clock(clock).ids(IdSource::seeded(1));
    let telemetry = export.attach(builder).build().unwrap();
    export.watch(&telemetry).unwrap();
    (export, telemetry, hand)
}

#[test]
fn kept_traces_wait_for_others_until_the_interval_is_over_or_a_request_is_full() {
    let collector = Collector::start([]);
    let (export, telemetry, hand) = engine(&format!(
        "service_name = \"shop\"\n[tracing]\nbatch_size = 5\nexport_interval_seconds = 60\n[otlp]\nendpoint = \"{}\"\n",
        collector.url()
    ));
    let status = || export.traces().unwrap().status();
    let run = |times: usize| {
        (0..times).for_each(|_| {
            telemetry.start_trace("checkout").end();
        })
    };
    run(1);
    eventually("the first is handed over", || status().queued == 1);
    run(2);
    eventually("the others are", || status().queued == 3);
    eventually("a worker waits for the interval", || hand.sleepers() > 0);
    assert!(collector.seen().is_empty());
    hand.advance(Duration::from_secs(60));
    eventually("they are sent", || status().sent == 3);
    let seen = collector.seen();
    assert_eq!((seen.len(), spans_of(&seen)), (1, 3), "in one request");
    run(5);
    eventually("five are sent without waiting", || status().sent == 8);
    run(1);
    assert!(telemetry.flush_blocking(LONG).complete, "a flush does not wait either");
    assert_eq!(status().sent, 9);
    let resource = &collector.seen()[0].traces().resource_spans[0].resource.clone().unwrap();
    assert!(format!("{resource:?}").contains("shop"));
}

#[test]
fn metrics_are_pushed_every_so_often_and_a_last_time_at_the_end() {
    let collector = Collector::start([]);
    let (export, telemetry, hand) = engine(&format!(
        "[otlp]\nendpoint = \"{}\"\n[metrics]\npush = \"otlp\"\nexport_interval_seconds = 20\nbatch_size = 3\n",
        collector.url()
    ));
    record(&telemetry);
    eventually("the first interval has begun", || hand.sleepers() == 1);
    hand.advance(Duration::from_secs(19));
    assert!(collector.seen().is_empty());
    hand.advance(Duration::from_secs(1));
    eventually("a round has ended", || export.metrics().unwrap().rounds() == 1);
    let seen = collector.seen();
    assert!(seen.iter().all(|seen| seen.path == "/v1/metrics"));
    let most = |seen: &crate::support::Seen| {
        let request = ExportMetricsServiceRequest::decode(seen.body.as_slice()).unwrap();
        let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        scopes.map(|scope| scope.metrics.len()).sum::<usize>()
    };
    assert!(seen.len() > 1 && seen.iter().map(most).max() <= Some(3));
    assert!(telemetry.shutdown_blocking(LONG).complete);
    assert!(export.stop(LONG));
    assert_eq!(collector.seen().len(), 2 * seen.len());
}

#[test]
fn health_knows_how_sending_is() {
    let collector = Collector::start([Reply::Status(503, Vec::new(), Vec::new())]);
    let (export, telemetry, hand) = engine(&format!(
        "[tracing]\nbatch_size = 1\n[otlp]\nendpoint = \"{}\"\nretry_seconds = 0\n[metrics]\npush = \"otlp\"\n",
        collector.url()
    ));
    let status = |name: &str| {
        let report = telemetry.health();
        report.components.iter().find(|part| part.name.as_str() == name).map(|part| part.health.status)
    };
    assert_eq!((status("otlp"), status("metrics_push")), (Some(HealthStatus::Healthy), Some(HealthStatus::Healthy)));
    telemetry.start_trace("checkout").end();
    eventually("the trace is given up", || export.traces().unwrap().status().dropped.retries_exhausted == 1);
    eventually("the first interval has begun", || hand.sleepers() == 1);
    hand.advance(Duration::from_secs(60));
    eventually("a round has ended", || export.metrics().unwrap().rounds() == 1);
    assert_eq!((status("otlp"), status("metrics_push")), (Some(HealthStatus::Degraded), Some(HealthStatus::Degraded)));
    collector.now([Reply::Take]);
    telemetry.start_trace("checkout").end();
    hand.advance(Duration::from_secs(60));
    eventually("both are sent", || status("otlp") == Some(HealthStatus::Healthy));
    eventually("both are sent", || status("metrics_push") == Some(HealthStatus::Healthy));
    drop(export);
    assert_eq!(status("otlp"), None, "nobody is asked any more");
}

#[test]
fn without_async_export_a_run_ends_when_the_collector_has_it() {
    let collector = Collector::start([]);
    let (export, telemetry, _hand) =
        engine(&format!("async_export = false\n[otlp]\nendpoint = \"{}\"\n", collector.url()));
    for runs in 1..=5 {
        telemetry.start_trace("checkout").end();
        assert_eq!((export.traces().unwrap().status().sent, spans_of(&collector.seen())), (runs, runs as usize));
    }
}
