//! A collector that is away for long, and ends that cannot wait for it.

use std::time::Duration;

use tta_otlp::export::{ExportSettings, OtlpSink, Protocol, RetryPolicy};
use tta_telemetry::{Clock, Sink, Telemetry};

use crate::support::{Collector, LONG, Proxy, Reply, eventually, identity, settings, sink, spans_of, trace};

#[test]
fn an_hour_without_a_collector_costs_bounded_memory_and_it_recovers_by_itself() {
    let collector = Collector::start([Reply::Status(503, Vec::new(), Vec::new())]);
    let (clock, hand) = Clock::manual();
    let settings = ExportSettings {
        batch_size: 10,
        max_queue_size: 50,
        retry: RetryPolicy::default(),
        ..settings(&collector.url(), Protocol::HttpProtobuf)
    };
    let mut sink = OtlpSink::start(&settings, identity(), clock).unwrap();
    let exporter = sink.exporter();
    let mut offered = 0;
    for _ in 0..240 {
        sink.export(&[trace(30)]).unwrap();
        offered += 30;
        // No more requests are under way than there are workers.
        eventually("all workers that have work wait", || {
            let status = exporter.status();
            hand.sleepers() as u64 == status.in_flight / 10 && (status.in_flight == 40 || status.queued == 0)
        });
        let status = exporter.status();
        assert!(status.queued <= 50 && status.in_flight <= 40, "{status:?}");
        hand.advance(Duration::from_secs(15));
    }
    let status = exporter.status();
    assert!(status.dropped.queue_full > 3_000 && status.dropped.retries_exhausted > 1_000, "{status:?}");
    assert_eq!(status.sent, 0);
    assert!(exporter.health_component().health().reason.unwrap().starts_with("503"));
    collector.now([Reply::Take]);
    eventually("what waited is sent", || {
        hand.advance(Duration::from_secs(1));
        let status = exporter.status();
        status.queued + status.in_flight == 0
    });
    let status = exporter.status();
    assert_eq!((status.sent + status.dropped.total(), status.failing_since_unix_ns), (offered, None));
    assert!(status.sent >= 50 && spans_of(&collector.seen()) as u64 == status.sent, "{status:?}");
}

#[test]
fn a_shutdown_ends_at_its_deadline_and_what_is_left_is_counted() {
    let collector = Collector::start([Reply::Hang]);
    let settings =
        ExportSettings { timeout: Duration::from_millis(1_500), ..settings(&collector.url(), Protocol::HttpProtobuf) };
    let sink = OtlpSink::start(&settings, identity(), Clock::system()).unwrap();
    let exporter = sink.exporter();
    let telemetry = Telemetry::builder().sink(sink).build().unwrap();
    telemetry.start_trace("import").end();
    let report = telemetry.shutdown_blocking(Duration::from_millis(200));
    assert!(!report.complete);
    // The sink's own limit ends the rest.
    eventually("the sink has ended", || exporter.status().dropped.shutdown == 1);
    assert_eq!((exporter.status().queued, exporter.status().in_flight), (0, 0));
}

#[test]
fn a_flush_says_what_is_still_on_its_way_and_a_sink_that_goes_counts_it() {
    let collector = Collector::start([Reply::Hang]);
    let settings =
        ExportSettings { timeout: Duration::from_millis(200), ..settings(&collector.url(), Protocol::HttpProtobuf) };
    let mut sink = sink(&settings);
    let exporter = sink.exporter();
    sink.export(&[trace(3)]).unwrap();
    let error = sink.flush().unwrap_err().to_string();
    assert_eq!(error, "sink failed: 3 spans are still on their way after 200ms");
    drop(sink);
    assert_eq!(exporter.status().dropped.shutdown, 3);
}

#[test]
fn requests_are_under_way_side_by_side_up_to_the_number_of_workers() {
    let collector = Collector::start([Reply::Hang]);
    let settings = ExportSettings {
        batch_size: 1,
        max_export_workers: 3,
        timeout: LONG,
        ..settings(&collector.url(), Protocol::HttpProtobuf)
    };
    let mut sink = sink(&settings);
    sink.export(&[trace(8)]).unwrap();
    eventually("three are under way", || collector.seen().len() == 3);
    assert_eq!((sink.exporter().status().in_flight, sink.exporter().status().queued), (3, 5));
}

#[test]
fn a_connection_that_has_died_without_a_word_is_replaced() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let collector = Collector::start([]);
        let proxy = Proxy::to(collector.address);
        let timeout = Duration::from_millis(400);
        let mut sink = sink(&ExportSettings { timeout, ..settings(&format!("http://{}", proxy.address), protocol) });
        let exporter = sink.exporter();
        sink.export(&[trace(3)]).unwrap();
        eventually("the first is taken", || exporter.status().sent == 3);
        proxy.let_connections_die();
        sink.export(&[trace(3)]).unwrap();
        // Not only once the system gives the connection up, after a quarter of an hour.
        eventually("the second is taken over another connection", || exporter.status().sent == 6);
    }
}
