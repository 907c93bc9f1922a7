//! The sinks that come with the engine: in memory, and as text.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "common/by_sink.rs"]
mod by_sink;
mod common;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use by_sink::{by_hand, ids, run, run_with};
use common::{LONG, sink};
use tta_telemetry::{MemorySink, SpanStatus, TextSink};

#[test]
fn a_memory_sink_keeps_the_last_traces_and_counts_the_others() {
    let memory = MemorySink::with_capacity(3);
    let telemetry = by_hand(memory.clone()).build().unwrap();
    let sent: Vec<_> = (0..5).map(|_| run(&telemetry)).collect();
    assert!(telemetry.flush_blocking(LONG).complete);
    assert_eq!((ids(&memory), memory.overwritten()), (sent[2..].to_vec(), 2));
    assert_eq!(memory.take().len(), 3);
    assert_eq!((ids(&memory), memory.overwritten()), (vec![], 2));
}

#[test]
fn a_text_sink_writes_one_tree_after_another_and_flushes_its_writer() {
    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>, Arc<AtomicUsize>);
    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }
    let buffer = Buffer::default();
    let telemetry = by_hand(TextSink::new(buffer.clone())).build().unwrap();
    let first = telemetry.start_trace("first");
    first.span("step", "retry").end();
    first.end();
    run_with(&telemetry, SpanStatus::Cancelled);
    assert!(telemetry.flush_blocking(LONG).complete);
    assert_eq!(buffer.1.load(Ordering::Relaxed), 1);
    insta::assert_snapshot!(String::from_utf8_lossy(&buffer.0.lock().unwrap()), @r"
    first                                                  0 ns ▏
    ╰─ step (retry)                                        0 ns ▏

    run ⊘ cancelled                                        0 ns ▏
    ");
}

#[test]
fn a_text_sink_whose_writer_fails_says_so() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("pipe closed"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let telemetry = by_hand(TextSink::new(Broken)).build().unwrap();
    run(&telemetry);
    let report = telemetry.flush_blocking(LONG);
    assert_eq!(sink(&report, "text").last_error.as_deref(), Some("sink failed: pipe closed"));
    assert_eq!(sink(&report, "text").lost_failed, 1);
}
