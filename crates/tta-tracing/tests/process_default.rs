//! The process's subscriber, which only one test can set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::{debug, info, info_span};
use tta_primitives::testing::TestEngine;
use tta_telemetry::SpanStatus;
use tta_tracing::logging::{LogFormat, Logging, LoggingCounts, LoggingError};

/// Logs while it is written to, and keeps what it is given.
#[derive(Clone, Default)]
struct Talkative(Arc<Mutex<Vec<u8>>>);

impl Write for Talkative {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        info!("from the writer");
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Records with `tracing` itself while it is formatted.
struct Recording;

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = info_span!("from Debug", inner = ?"value");
        span.record("inner", tracing::field::debug("other"));
        span.in_scope(|| info!(rows = ?3, "event from Debug"));
        f.write_str("recording")
    }
}

#[test]
fn the_process_has_one_subscriber_that_logs_and_records_from_the_same_level_on() {
    let writer = Talkative::default();
    let logging = Logging::builder().format(LogFormat::Json).writer(writer.clone()).build();
    logging.init().unwrap();
    let again = Logging::builder().build().init().unwrap_err();
    assert!(matches!(again, LoggingError::Subscriber(_)));
    assert_eq!(again.to_string(), "the process has a subscriber of `tracing` already");

    let engine = TestEngine::new();
    let run = engine.context().start_run("run", "test");
    run.context().in_scope(|| {
        let span = info_span!("span", first = ?1, value = ?Recording, last = ?2, late = tracing::field::Empty);
        let _entered = span.enter();
        span.record("late", tracing::field::debug(Recording));
        info!(first = ?1, value = ?Recording, last = ?2, "event");
        debug!("below the level");
        let _below = tracing::debug_span!("below the level").entered();
        log::warn!(target: "old_library", "{} left", 3);
    });
    let trace_id = run.context().trace_id().unwrap().to_string();
    run.end_as(SpanStatus::Ok);

    let traces = engine.traces();
    let spans = &traces[0].spans;
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    // The event's value is formatted twice: for its line and for the trace.
    assert_eq!(names.iter().filter(|name| **name == "from Debug").count(), 4, "{names:?}");
    assert_eq!(names.len(), 6, "{names:?}");
    let span = traces[0].find("span").unwrap();
    let attributes: Vec<_> = span.attributes.iter().map(|a| format!("{}={}", a.key, a.value)).collect();
    assert_eq!(attributes[..3], ["first=1", "value=recording", "last=2"]);
    assert_eq!(attributes.last().unwrap(), "late=recording");
    let events: Vec<_> =
        span.events.iter().map(|event| event.name.as_str()).filter(|n| *n != "from the writer").collect();
    assert_eq!(events, ["event", "3 left"]);
    let texts: Vec<_> = span
        .events
        .iter()
        .find(|event| event.name == "event")
        .unwrap()
        .attributes
        .iter()
        .take(3)
        .map(|a| a.value.to_string())
        .collect();
    assert_eq!(texts, ["1", "recording", "2"]);

    let text = String::from_utf8(writer.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
    assert_eq!((of("event").len(), of("event from Debug").len(), of("3 left").len()), (1, 4, 1));
    assert_eq!(of("event")[0]["fields"], serde_json::json!({"first": "1", "value": "recording", "last": "2"}));
    assert_eq!((&of("3 left")[0]["target"], &of("3 left")[0]["level"]), (&"old_library".into(), &"WARN".into()));
    assert!(lines.iter().all(|line| line["trace_id"] == *trace_id.as_str()), "{text}");
    assert_eq!(lines.len(), 6);
    let counts = LoggingCounts { written_lines: 6, recursive_lines: 6, ..LoggingCounts::default() };
    assert_eq!(logging.counters().read(), counts);
}
