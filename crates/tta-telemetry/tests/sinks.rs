//! Sinks that fail, panic, stall or start slowly, and full queues: what is lost is counted, and
//! nobody else notices.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "common/by_sink.rs"]
mod by_sink;
mod common;
#[path = "common/sinks.rs"]
mod misbehaving;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use by_sink::{by_hand, ids, run, run_with};
use common::{LONG, roomy, sink};
use misbehaving::{gated, reporting, scripted};
use tta_telemetry::{Limits, MemorySink, Sink, SinkError, SinkStatus, SpanStatus, Telemetry, Trace, TraceId};

#[test]
fn a_batch_that_a_sink_refuses_is_counted_and_the_next_one_is_delivered() {
    let memory = MemorySink::new();
    let mut inner = memory.clone();
    let telemetry = by_hand(scripted("disk", move |batch, traces| match batch {
        0 => Err(SinkError::new("disk full")),
        _ => inner.export(traces),
    }))
    .build()
    .unwrap();
    run(&telemetry);
    run(&telemetry);
    let report = telemetry.flush_blocking(LONG);
    let want = SinkStatus {
        name: "disk".to_owned(),
        lost_failed: 2,
        failures: 1,
        last_error: Some("sink failed: disk full".to_owned()),
        ..SinkStatus::default()
    };
    // Refused by the sink and counted is all that a flush can do.
    assert_eq!((report.complete, sink(&report, "disk")), (true, &want));
    let delivered = run(&telemetry);
    let report = telemetry.flush_blocking(LONG);
    assert_eq!(ids(&memory), [delivered]);
    assert_eq!(sink(&report, "disk"), &SinkStatus { exported_traces: 1, exported_spans: 1, ..want });
}

#[test]
fn a_sink_that_panics_is_counted_and_called_again() {
    let memory = MemorySink::new();
    let mut inner = memory.clone();
    let telemetry = Telemetry::builder()
        .sink(scripted("fragile", move |batch, traces| match batch {
            0 => panic!("broken on purpose"),
            _ => inner.export(traces),
        }))
        .build()
        .unwrap();
    run(&telemetry);
    let report = telemetry.flush_blocking(LONG);
    let status = sink(&report, "fragile");
    assert_eq!((status.failures, status.lost_failed), (1, 1));
    assert_eq!(status.last_error.as_deref(), Some("sink panicked: broken on purpose"));
    let delivered = run(&telemetry);
    assert!(telemetry.shutdown_blocking(LONG).complete);
    assert_eq!(ids(&memory), [delivered]);
}

/// The message of an error was once made outside of what catches panics, and the sink's thread
/// died of it.
#[test]
fn an_error_that_panics_when_it_is_shown_is_a_panic_of_the_sink() {
    #[derive(Debug)]
    struct Unspeakable;
    impl fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no words")
        }
    }
    impl std::error::Error for Unspeakable {}
    let telemetry =
        Telemetry::builder().sink(scripted("mute", |_, _| Err(SinkError::new(Unspeakable)))).build().unwrap();
    run(&telemetry);
    let report = telemetry.shutdown_blocking(LONG);
    assert!(report.complete);
    assert_eq!(sink(&report, "mute").last_error.as_deref(), Some("sink panicked: no words"));
}

#[test]
fn a_flush_that_fails_is_counted() {
    struct NoFlush;
    impl Sink for NoFlush {
        fn name(&self) -> &str {
            "no flush"
        }
        fn export(&mut self, _: &[Arc<Trace>]) -> Result<(), SinkError> {
            Ok(())
        }
        fn flush(&mut self) -> Result<(), SinkError> {
            Err(SinkError::new("cannot flush"))
        }
    }
    let telemetry = by_hand(NoFlush).build().unwrap();
    run(&telemetry);
    let report = telemetry.flush_blocking(LONG);
    let status = sink(&report, "no flush");
    assert_eq!((status.failures, status.lost_failed, status.exported_traces), (1, 0, 1));
    assert_eq!(status.last_error.as_deref(), Some("sink failed: cannot flush"));
}

#[test]
fn a_sink_that_stalls_forever_holds_up_neither_the_others_nor_the_caller_nor_the_shutdown() {
    let (stalled, mut gate) = gated("stalled");
    let (healthy, arrived) = reporting("healthy");
    let limits = Limits { queue_spans: 100, ..roomy() };
    let telemetry = Telemetry::builder().limits(limits).sink(stalled).sink(healthy).build().unwrap();
    let first = run(&telemetry);
    gate.wait_until_entered();
    assert_eq!(arrived.recv().unwrap(), first);
    let mut offered = 1;
    for _ in 0..20 {
        // Ten fit into any queue; each must reach the healthy sink although the other one stalls.
        let mut sent: Vec<_> = (0..10).map(|_| run(&telemetry)).collect();
        let mut seen: Vec<_> = (0..10).map(|_| arrived.recv().unwrap()).collect();
        sent.sort_unstable();
        seen.sort_unstable();
        assert_eq!(sent, seen);
        offered += 10;
    }
    let report = telemetry.shutdown_blocking(Duration::from_millis(20));
    assert!(!report.complete);
    let status = sink(&report, "stalled");
    // 75 of 100 places are for ordinary traces, and one is in the sink's hands.
    assert_eq!((status.waiting_traces, status.exported_traces), (76, 0));
    assert_eq!(status.waiting_traces + status.lost_queue_full, offered);
    assert!(arrived.recv().is_err(), "the healthy sink has ended");
    let healthy = telemetry.sinks().remove(1);
    assert_eq!((healthy.exported_traces, healthy.waiting_traces, healthy.lost_queue_full), (offered, 0, 0));
    gate.open();
    assert!(telemetry.shutdown_blocking(LONG).complete);
    assert_eq!(gate.exported.lock().unwrap().len(), 76);
}

/// A flush once asked one sink after the other, so that the first one to stall used up the time
/// of those behind it.
#[test]
fn a_flush_reaches_every_sink_although_the_first_one_stalls() {
    struct Flushed(std::sync::mpsc::Sender<()>);
    impl Sink for Flushed {
        fn name(&self) -> &str {
            "flushed"
        }
        fn export(&mut self, _: &[Arc<Trace>]) -> Result<(), SinkError> {
            Ok(())
        }
        fn flush(&mut self) -> Result<(), SinkError> {
            self.0.send(()).map_err(SinkError::new)
        }
    }
    let (stalled, mut gate) = gated("stalled");
    let (asked, flushes) = std::sync::mpsc::channel();
    let telemetry = Telemetry::builder().sink(stalled).sink(Flushed(asked)).build().unwrap();
    run(&telemetry);
    gate.wait_until_entered();
    assert!(!telemetry.flush_blocking(Duration::ZERO).complete);
    assert_eq!(flushes.recv(), Ok(()));
    let other = telemetry.clone();
    let flush = std::thread::spawn(move || other.flush_blocking(LONG));
    assert_eq!(flushes.recv(), Ok(()));
    gate.open();
    assert!(flush.join().unwrap().complete);
}

#[test]
fn what_comes_while_a_sink_starts_up_slowly_is_delivered_in_order() {
    let (slow, mut gate) = gated("slow");
    let telemetry = Telemetry::builder().sink(slow).build().unwrap();
    let mut sent = vec![run(&telemetry)];
    gate.wait_until_entered();
    sent.extend((0..50).map(|_| run(&telemetry)));
    gate.open();
    assert!(telemetry.flush_blocking(LONG).complete);
    assert_eq!(*gate.exported.lock().unwrap(), sent);
    assert_eq!(telemetry.sinks()[0].exported_traces, 51);
}

/// A burst of kept traces once overran the queue although the sink kept up: the whole burst was
/// handed over before the sink was told of it.
#[test]
fn a_burst_many_times_the_queue_reaches_a_sink_that_keeps_up_whole() {
    let memory = MemorySink::new();
    let limits = Limits { queue_spans: 64, ..Limits::default() };
    let telemetry = Telemetry::builder().limits(limits).sink(memory.clone()).build().unwrap();
    let mut sent: Vec<TraceId> = (0..4_000).map(|_| run(&telemetry)).collect();
    let report = telemetry.shutdown_blocking(LONG);
    let mut seen = ids(&memory);
    sent.sort_unstable();
    seen.sort_unstable();
    assert!(report.complete);
    assert_eq!(report.sinks[0].lost_queue_full, 0);
    assert_eq!(seen, sent);
}

#[test]
fn a_full_queue_loses_ordinary_traces_counts_them_and_keeps_failed_ones() {
    let memory = MemorySink::new();
    let telemetry = by_hand(memory.clone()).limits(Limits { queue_spans: 8, ..Limits::default() }).build().unwrap();
    let ordinary: Vec<_> = (0..10).map(|_| run(&telemetry)).collect();
    let failed: Vec<_> = (0..4).map(|_| run_with(&telemetry, SpanStatus::Error)).collect();
    let report = telemetry.flush_blocking(LONG);
    // Six places for ordinary ones, two more for failed ones, and two taken from ordinary ones.
    let want: Vec<_> = ordinary[2..6].iter().chain(&failed).copied().collect();
    assert_eq!(ids(&memory), want);
    let status = sink(&report, "memory");
    assert_eq!((status.lost_queue_full, status.exported_traces), (6, 8));
}

#[test]
fn the_largest_queue_that_limits_allow_works() {
    let limits = Limits { queue_spans: usize::MAX, queue_bytes: usize::MAX, ..Limits::default() };
    let memory = MemorySink::new();
    let telemetry = by_hand(memory.clone()).limits(limits).build().unwrap();
    let sent: Vec<_> = (0..3).map(|_| run(&telemetry)).collect();
    assert!(telemetry.flush_blocking(LONG).complete);
    assert_eq!(ids(&memory), sent);
}
