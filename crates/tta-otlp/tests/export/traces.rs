//! Everything of a trace arrives, by every protocol and compression.

use std::time::Duration;

use tta_otlp::export::{Compression, ExportSettings, Headers, OtlpSink, Protocol};
use tta_telemetry::{Clock, Sink, Telemetry};

use crate::support::{Collector, LONG, identity, kept, rich_request, settings, sink, spans_of, trace};

#[test]
fn everything_arrives_by_every_protocol_and_compression() {
    let request = rich_request(3);
    for (protocol, path) in [
        (Protocol::HttpProtobuf, "/v1/traces"),
        (Protocol::HttpJson, "/v1/traces"),
        (Protocol::Grpc, "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    ] {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let collector = Collector::start([]);
            let headers = Headers(vec![("authorization".to_owned(), "Bearer abc".to_owned())]);
            let settings = ExportSettings { compression, headers, ..settings(&collector.url(), protocol) };
            let mut sink = sink(&settings);
            sink.export(&[kept(&request)]).unwrap();
            sink.flush().unwrap();
            let seen = collector.seen();
            assert_eq!((seen.len(), seen[0].path.as_str()), (1, path));
            assert_eq!(seen[0].traces(), request, "{protocol:?} {compression:?}");
            assert_eq!(seen[0].header("authorization"), "Bearer abc");
            let status = sink.exporter().status();
            assert_eq!((status.sent, status.attempts, status.dropped.total()), (3, 1, 0));
            assert!(status.last_success_unix_ns.is_some() && status.last_error.is_none());
        }
    }
}

#[test]
fn an_engines_traces_are_sent_in_batches_and_counted_by_the_engine() {
    let collector = Collector::start([]);
    let settings = ExportSettings { batch_size: 4, ..settings(&collector.url(), Protocol::HttpProtobuf) };
    let sink = OtlpSink::start(&settings, identity(), Clock::system()).unwrap();
    let exporter = sink.exporter();
    let telemetry = Telemetry::builder().sink(sink).build().unwrap();
    for _ in 0..5 {
        let run = telemetry.start_trace("import");
        run.span("parse", "lambda").end();
        run.end();
    }
    assert!(telemetry.shutdown_blocking(LONG).complete);
    let seen = collector.seen();
    assert_eq!((spans_of(&seen), exporter.status().sent), (10, 10));
    assert!(seen.iter().all(|seen| spans_of(std::slice::from_ref(seen)) <= 4));
    let export = telemetry.collect_metrics().into_iter().find(|family| family.name == "telemetry_export_seconds");
    assert!(export.unwrap().value(&[("sink", "otlp")]).unwrap().as_f64() >= 1.0);
}

#[test]
fn settings_that_cannot_be_used_are_refused_with_all_reasons() {
    let settings = ExportSettings {
        batch_size: 0,
        max_export_workers: 33,
        timeout: Duration::ZERO,
        headers: Headers(vec![("a b".to_owned(), "x".to_owned()), ("c".to_owned(), "hunter2\n".to_owned())]),
        ..settings("ftp://x", Protocol::Grpc)
    };
    let error = OtlpSink::start(&settings, identity(), Clock::system()).unwrap_err().to_string();
    for part in [
        "`ftp://x`",
        "`batch_size` is 0",
        "is 33",
        "`timeout` is 0ns",
        "a header with other characters in its name",
        "a value of `c`",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(!error.contains("hunter2"));
}

#[test]
fn a_trace_larger_than_a_batch_goes_in_several_requests() {
    let collector = Collector::start([]);
    let settings = ExportSettings { batch_size: 40, ..settings(&collector.url(), Protocol::Grpc) };
    let mut sink = sink(&settings);
    sink.export(&[trace(100)]).unwrap();
    sink.flush().unwrap();
    let mut sizes: Vec<usize> = collector.seen().iter().map(|seen| spans_of(std::slice::from_ref(seen))).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [20, 40, 40]);
}
