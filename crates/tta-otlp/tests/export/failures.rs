//! Collectors that fail: what is tried again, what is given up, and what is counted.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tta_otlp::export::{Delivery, Drops, ExportSettings, Headers, OtlpClient, OtlpSink, OtlpStatus, Protocol, Signal};
use tta_otlp::{ErrorReply, ReplyCode};
use tta_telemetry::{Clock, HealthStatus, Sink};

use crate::support::{Collector, Reply, eventually, identity, settings, sink, spans_of, trace};

const HTTP: Protocol = Protocol::HttpProtobuf;

fn status(code: u16) -> Reply {
    Reply::Status(code, Vec::new(), ErrorReply::new(ReplyCode::Unavailable, "not now").to_protobuf())
}

/// Sends a trace of three spans to a collector that answers so, until it is sent or given up.
fn sent(protocol: Protocol, script: &[Reply]) -> (Collector, OtlpStatus) {
    let collector = Collector::start(script.iter().cloned());
    let mut sink = sink(&settings(&collector.url(), protocol));
    sink.export(&[trace(3)]).unwrap();
    sink.flush().unwrap();
    let status = sink.exporter().status();
    (collector, status)
}

#[test]
fn what_passes_is_tried_again_until_it_is_taken() {
    let unavailable = Reply::Grpc(14, vec![("grpc-message", "not%20now".to_owned())]);
    for (protocol, failure, message) in [
        (HTTP, status(503), "503 Service Unavailable: not now"),
        (HTTP, status(429), "429 Too Many Requests: not now"),
        (HTTP, status(502), "502 Bad Gateway: not now"),
        (HTTP, status(504), "504 Gateway Timeout: not now"),
        (Protocol::Grpc, unavailable, "gRPC status 14 (unavailable): not now"),
        (Protocol::Grpc, status(503), "503 Service Unavailable without a gRPC status"),
    ] {
        let (collector, status) = sent(protocol, &[failure.clone(), failure, Reply::Take]);
        assert_eq!((status.sent, status.attempts, status.retries), (3, 3, 2), "{message}");
        assert_eq!((status.last_error.as_deref(), status.failing_since_unix_ns), (Some(message), None));
        assert_eq!(collector.seen().len(), 3);
    }
}

#[test]
fn what_will_never_be_taken_is_given_up_at_once_and_counted() {
    let invalid = Reply::Grpc(3, vec![("grpc-message", "no".to_owned())]);
    for (protocol, failure) in
        [(HTTP, status(400)), (HTTP, status(401)), (HTTP, status(500)), (Protocol::Grpc, invalid)]
    {
        let (_, status) = sent(protocol, &[failure, Reply::Take]);
        let dropped = Drops { refused: 3, ..Drops::default() };
        assert_eq!((status.sent, status.attempts, status.dropped), (0, 1, dropped));
        assert!(status.failing_since_unix_ns.is_some());
    }
}

#[test]
fn what_is_too_large_is_divided_until_it_is_taken() {
    for protocol in [HTTP, Protocol::Grpc] {
        let (collector, status) = sent(protocol, &[Reply::AtMost(1)]);
        assert_eq!((status.sent, status.dropped.total(), spans_of(&collector.seen())), (3, 0, 3));
        assert_eq!(status.failing_since_unix_ns, None);
        let (_, status) = sent(protocol, &[Reply::AtMost(0)]);
        assert_eq!((status.sent, status.dropped), (0, Drops { too_large: 3, ..Drops::default() }));
    }
}

#[test]
fn partial_success_is_counted_and_not_sent_again() {
    for protocol in [HTTP, Protocol::Grpc] {
        let (collector, status) = sent(protocol, &[Reply::Partial(2, "too old")]);
        assert_eq!((status.sent, status.rejected, status.attempts), (1, 2, 1));
        assert_eq!(status.last_error.as_deref(), Some("2 left out: too old"));
        assert_eq!(collector.seen().len(), 1);
    }
}

#[test]
fn a_collector_that_hangs_is_left_after_the_time_limit_and_tried_again() {
    for protocol in [HTTP, Protocol::Grpc] {
        let collector = Collector::start([Reply::Hang, Reply::Take]);
        let timeout = Duration::from_millis(300);
        let mut sink = sink(&ExportSettings { timeout, ..settings(&collector.url(), protocol) });
        let exporter = sink.exporter();
        sink.export(&[trace(3)]).unwrap();
        eventually("the second attempt is taken", || exporter.status().sent == 3);
        let status = exporter.status();
        assert!(status.retries >= 1);
        assert_eq!(status.last_error.as_deref(), Some("no answer within 300ms"));
    }
}

#[test]
fn an_answer_that_breaks_off_is_a_failure_that_passes() {
    for protocol in [HTTP, Protocol::Grpc] {
        let (_, status) = sent(protocol, &[Reply::CloseMidway, Reply::Take]);
        assert_eq!((status.sent, status.retries, status.dropped.total()), (3, 1, 0), "{status:?}");
    }
}

#[test]
fn a_collector_that_comes_back_gets_what_waited_and_health_follows() {
    for protocol in [HTTP, Protocol::Grpc] {
        let address = Collector::start([]).address;
        let mut sink = sink(&settings(&format!("http://{address}"), protocol));
        let exporter = sink.exporter();
        let health = exporter.health_component();
        assert_eq!(health.health().status, HealthStatus::Healthy);
        sink.export(&[trace(3)]).unwrap();
        eventually("an attempt has failed", || exporter.status().retries > 1);
        let failing = health.health();
        assert_eq!((failing.status, failing.last_success_unix_ns), (HealthStatus::Degraded, None));
        assert!(failing.reason.unwrap().contains("refused") && failing.since_unix_ns.is_some());
        let collector = Collector::listen(address, None, []);
        eventually("it is taken", || exporter.status().sent == 3);
        assert_eq!(spans_of(&collector.seen()), 3);
        let well = health.health();
        assert_eq!((well.status, well.reason), (HealthStatus::Healthy, None));
        assert!(well.last_success_unix_ns.is_some());
    }
}

#[test]
fn a_wait_that_the_collector_asks_for_is_kept() {
    let details = ErrorReply::new(ReplyCode::ResourceExhausted, "full").retry_after(Duration::from_secs(40));
    let details = STANDARD_NO_PAD.encode(details.to_protobuf());
    let slow = Reply::Status(503, vec![("retry-after", "40".to_owned())], Vec::new());
    for (protocol, failure) in
        [(HTTP, slow), (Protocol::Grpc, Reply::Grpc(8, vec![("grpc-status-details-bin", details)]))]
    {
        let collector = Collector::start([failure, Reply::Take]);
        let (clock, hand) = Clock::manual();
        let mut sink = OtlpSink::start(&settings(&collector.url(), protocol), identity(), clock).unwrap();
        sink.export(&[trace(3)]).unwrap();
        eventually("it waits", || hand.sleepers() == 1);
        hand.advance(Duration::from_secs(39));
        assert_eq!((hand.sleepers(), sink.exporter().status().attempts), (1, 1));
        // And at most a little longer.
        hand.advance(Duration::from_secs(2));
        eventually("it is taken", || sink.exporter().status().sent == 3);
    }
}

#[test]
fn a_wait_that_the_collector_asks_for_is_not_cut_short_by_the_success_of_another_request() {
    let slow = Reply::Status(503, vec![("retry-after", "40".to_owned())], Vec::new());
    let collector = Collector::start([slow, Reply::Take]);
    let (clock, hand) = Clock::manual();
    let client = OtlpClient::new(&settings(&collector.url(), HTTP), Signal::Metrics, clock).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let moments = async || {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        let asked_to_wait = client.deliver(b"not looked at".to_vec(), 7);
        let other = async {
            while hand.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            assert!(client.status().failing_since_unix_ns.is_some());
            assert_eq!(client.deliver(b"not looked at".to_vec(), 1).await.sent, 1);
            assert_eq!(client.status().failing_since_unix_ns, None);
            // Both are polled by one task: whoever was woken has had its turns.
            moments().await;
            assert_eq!((hand.sleepers(), client.status().attempts), (1, 2));
            hand.advance(Duration::from_secs(39));
            moments().await;
            assert_eq!((hand.sleepers(), client.status().attempts), (1, 2));
            hand.advance(Duration::from_secs(2));
        };
        let (delivery, ()) = futures_util::future::join(asked_to_wait, other).await;
        assert_eq!((delivery.sent, client.status().attempts, collector.seen().len()), (7, 3, 3));
    });
}

#[test]
fn a_wait_longer_than_anybody_has_patience_for_gives_up() {
    let slow = Reply::Status(503, vec![("retry-after", "3600".to_owned())], Vec::new());
    let (_, status) = sent(HTTP, &[slow, Reply::Take]);
    assert_eq!((status.attempts, status.dropped), (1, Drops { retries_exhausted: 3, ..Drops::default() }));
}

#[test]
fn no_secret_is_in_an_error_even_when_the_collector_repeats_it() {
    let echo = Reply::Status(401, Vec::new(), b"unknown token hunter2".to_vec());
    let collector = Collector::start([echo]);
    let headers = Headers(vec![("authorization".to_owned(), "Bearer hunter2".to_owned())]);
    let mut sink = sink(&ExportSettings { headers, ..settings(&collector.url(), HTTP) });
    sink.export(&[trace(1)]).unwrap();
    sink.flush().unwrap();
    let shown = format!("{sink:?} {:?} {:?}", sink.exporter().status(), sink.exporter().health_component().health());
    assert!(shown.contains("unknown token ***") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_sink_that_waits_says_what_was_not_sent() {
    let collector = Collector::start([status(400), Reply::Take]);
    let settings = ExportSettings { async_export: false, ..settings(&collector.url(), HTTP) };
    let mut sink = OtlpSink::start(&settings, identity(), Clock::system()).unwrap();
    let error = sink.export(&[trace(3)]).unwrap_err().to_string();
    assert_eq!(error, "sink failed: 3 of 3 spans were not sent: 400 Bad Request: not now");
    sink.export(&[trace(3)]).unwrap();
    // Without a flush: it has been waited for.
    assert_eq!((sink.exporter().status().sent, spans_of(&collector.seen())), (3, 3));
}

/// Delivers a request of seven items without a sink.
fn delivered(signal: Signal, script: &[Reply]) -> (Delivery, OtlpStatus) {
    let collector = Collector::start(script.iter().cloned());
    let client = OtlpClient::new(&settings(&collector.url(), HTTP), signal, Clock::system()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let delivery = runtime.block_on(client.deliver(b"not looked at".to_vec(), 7));
    (delivery, client.status())
}

#[test]
fn metrics_that_are_too_large_are_a_failure_that_health_tells() {
    let (delivery, status) = delivered(Signal::Metrics, &[status(413)]);
    let dropped = Drops { too_large: 7, ..Drops::default() };
    assert_eq!((delivery.dropped, status.dropped), (dropped, dropped));
    let said = Some("413 Payload Too Large: not now");
    assert_eq!((status.last_error.as_deref(), delivery.message.as_deref()), (said, said));
    assert!(status.failing_since_unix_ns.is_some());
}

#[test]
fn remote_write_is_tried_again_after_every_failure_of_the_server() {
    // "MUST retry write requests on HTTP 5xx responses" (Prometheus remote write 1.0), other than OTLP.
    for code in [500, 501, 503, 599] {
        let (delivery, status) = delivered(Signal::RemoteWrite, &[status(code), Reply::Take]);
        assert_eq!((delivery.sent, status.attempts, status.dropped.total()), (7, 2, 0), "{code}");
    }
    let (delivery, _) = delivered(Signal::RemoteWrite, &[status(400), Reply::Take]);
    assert_eq!(delivery.dropped, Drops { refused: 7, ..Drops::default() });
    let (delivery, _) = delivered(Signal::Metrics, &[status(500), Reply::Take]);
    assert_eq!(delivery.dropped, Drops { refused: 7, ..Drops::default() });
}
