//! Flushing, shutting down and dropping: what was kept arrives, what was open is decided, and
//! nothing stays behind.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;
#[path = "common/sinks.rs"]
mod misbehaving;

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use common::{ByHand, LONG, names, roomy};
use misbehaving::{reporting, scripted};
use tta_telemetry::{IdSource, Limits, MemorySink, Sampling, SpanStatus, Telemetry, TraceId};

fn threaded() -> (Telemetry, MemorySink) {
    let memory = MemorySink::new();
    (Telemetry::builder().sink(memory.clone()).build().unwrap(), memory)
}

fn run(telemetry: &Telemetry) -> TraceId {
    let run = telemetry.start_trace("run");
    run.handle().trace_id().unwrap()
}

/// The least that an async runtime does: parks the thread until it is woken.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// A flush once returned while the background thread, or the sink's, still held a trace that had
/// ended before.
#[test]
fn a_flush_delivers_every_run_that_ended_before_it() {
    let memory = MemorySink::new();
    let limits = Limits { spans_per_trace: 100_000, live_bytes: 1 << 30, ..roomy() };
    let telemetry = Telemetry::builder().limits(limits).sink(memory.clone()).build().unwrap();
    // Large enough that the background is mostly in the middle of one.
    let (rounds, runs, spans) = (5, 10, 20_000);
    for round in 1..=rounds {
        for _ in 0..runs {
            let run = telemetry.start_trace("run");
            (0..spans).for_each(|_| run.span("span", "lambda").end());
        }
        assert!(telemetry.flush_blocking(LONG).complete);
        assert_eq!(memory.traces().len(), round * runs);
    }
    assert_eq!(telemetry.sinks()[0].exported_traces as usize, rounds * runs);
}

#[test]
fn a_shutdown_delivers_what_has_ended_and_a_second_one_finds_nothing_to_do() {
    let (telemetry, memory) = threaded();
    run(&telemetry);
    run(&telemetry);
    let first = telemetry.shutdown_blocking(LONG);
    assert_eq!((first.complete, first.open_runs), (true, 0));
    assert_eq!((first.sinks[0].exported_traces, first.sinks[0].waiting_traces), (2, 0));
    assert_eq!(memory.traces().len(), 2);
    assert_eq!(telemetry.shutdown_blocking(LONG), first);
    assert_eq!(telemetry.flush_blocking(LONG), first);
}

#[test]
fn a_shutdown_decides_about_open_runs_as_they_stand_and_reports_them() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let open = by_hand.telemetry.start_trace("open");
    open.span("done", "lambda").end();
    let mut unfinished = open.span("unfinished", "lambda");
    let ended = by_hand.telemetry.start_trace("ended");
    let handle = ended.handle();
    ended.end();
    let report = by_hand.telemetry.shutdown_blocking(LONG);
    assert_eq!((report.complete, report.open_runs), (true, 1));
    let mut traces = by_hand.memory.take();
    traces.sort_by(|a, b| names(a).cmp(&names(b)));
    assert_eq!(traces.iter().map(|trace| names(trace)).collect::<Vec<_>>(), [["done"], ["ended"]]);
    assert!(traces.iter().all(|trace| trace.incomplete));
    // Whoever still works on the run notices nothing, and what they record is counted.
    unfinished.set_status(SpanStatus::Error);
    unfinished.end();
    open.end();
    drop(handle);
    assert_eq!(by_hand.traces(), []);
    let counters = by_hand.telemetry.counters();
    assert_eq!((counters.traces_incomplete, counters.late_lost, counters.live_bytes), (2, 2, 0));
}

/// A thread keeps the memory of a few ended runs for itself. Runs that found some of it were once
/// recorded after the shutdown, sent nowhere, and kept the engine in memory.
#[test]
fn runs_after_the_shutdown_go_on_unrecorded_on_every_thread() {
    let by_hand = ByHand::new(Sampling::KeepNone);
    let telemetry = by_hand.telemetry.clone();
    let (ready, is_ready) = channel();
    let (go, wait) = channel();
    let other_thread = thread::spawn(move || {
        run(&telemetry);
        ready.send(()).unwrap();
        wait.recv().unwrap();
        telemetry.start_trace("after").is_recording()
    });
    run(&by_hand.telemetry);
    is_ready.recv().unwrap();
    assert!(by_hand.telemetry.shutdown_blocking(LONG).complete);
    go.send(()).unwrap();
    assert!(!other_thread.join().unwrap());
    let mut after = by_hand.telemetry.start_trace("after");
    after.set("key", 1);
    after.span("span", "lambda").end();
    assert!(!after.is_recording());
    after.end();
    let counters = by_hand.telemetry.counters();
    assert_eq!((counters.runs_unrecorded, counters.traces_dropped, counters.live_bytes), (2, 2, 0));
}

#[test]
fn every_run_is_accounted_for_when_the_shutdown_comes_in_the_middle_of_it() {
    const THREADS: usize = 3;
    const EACH: u64 = 300;
    for _ in 0..20 {
        let (telemetry, memory) = threaded();
        let start = Barrier::new(THREADS + 1);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    (0..EACH).for_each(|_| telemetry.start_trace("run").end());
                });
            }
            start.wait();
            let _ = telemetry.shutdown_blocking(LONG);
        });
        let (counters, sink) = (telemetry.counters(), telemetry.sinks().remove(0));
        assert_eq!(counters.traces_kept + counters.runs_unrecorded, THREADS as u64 * EACH);
        let delivered = memory.traces().iter().filter(|trace| !trace.late).count() as u64;
        assert_eq!(delivered + sink.waiting_traces + sink.lost_queue_full, counters.traces_kept);
    }
}

#[test]
fn dropping_the_last_handle_delivers_what_has_ended_and_cuts_short_what_has_not() {
    let (sink, arrived) = reporting("sink");
    let telemetry = Telemetry::builder().sink(sink).build().unwrap();
    let mut want: Vec<_> = (0..10).map(|_| run(&telemetry)).collect();
    let open = telemetry.start_trace("open");
    want.push(open.handle().trace_id().unwrap());
    let span = open.span("span", "lambda");
    drop(telemetry);
    // Ends when the sink is dropped, which its thread does when it has delivered everything.
    let mut delivered: Vec<_> = arrived.into_iter().collect();
    want.sort_unstable();
    delivered.sort_unstable();
    assert_eq!(delivered, want);
    span.end();
    open.end();
}

#[test]
fn an_async_shutdown_needs_no_runtime() {
    let (telemetry, memory) = threaded();
    run(&telemetry);
    let report = block_on(telemetry.flush(LONG));
    assert_eq!((report.complete, memory.traces().len()), (true, 1));
    run(&telemetry);
    let report = block_on(telemetry.shutdown(LONG));
    assert_eq!((report.complete, report.open_runs, memory.traces().len()), (true, 0, 2));
}

#[test]
fn an_async_shutdown_goes_on_when_its_future_is_dropped() {
    let (sink, arrived) = reporting("sink");
    let telemetry = Telemetry::builder().sink(sink).build().unwrap();
    let id = run(&telemetry);
    drop(telemetry.shutdown(LONG));
    assert_eq!(arrived.into_iter().collect::<Vec<_>>(), [id]);
    assert!(!telemetry.start_trace("after").is_recording());
}

#[test]
fn engines_on_one_thread_do_not_mix() {
    let (all, none) = (ByHand::new(Sampling::KeepAll), ByHand::new(Sampling::KeepNone));
    assert!(!all.telemetry.same_engine(&none.telemetry));
    assert!(all.telemetry.same_engine(&all.telemetry.clone()));
    assert_ne!(all.telemetry.engine_id(), none.telemetry.engine_id());
    for _ in 0..20 {
        let outer = all.telemetry.start_trace("outer");
        let inner = none.telemetry.start_trace("inner");
        inner.span("of inner", "lambda").end();
        outer.span("of outer", "lambda").end();
        inner.end();
        all.telemetry.start_trace("second").end();
        outer.end();
    }
    let traces = all.traces();
    assert_eq!(traces.len(), 40);
    assert!(traces.iter().all(|trace| names(trace) == ["outer", "of outer"] || names(trace) == ["second"]));
    assert_eq!(none.traces(), []);
    let (all_counters, none_counters) = (all.telemetry.counters(), none.telemetry.counters());
    assert_eq!((all_counters.traces_kept, all_counters.traces_dropped), (40, 0));
    assert_eq!((none_counters.traces_kept, none_counters.traces_dropped), (0, 20));
    // Both draw from the same seed, each for itself: 3 numbers for a run and 1 for a span.
    let expected = IdSource::seeded(1);
    let drawn: Vec<u64> = (0..=40 * 3 + 20).map(|_| expected.next_u64()).collect();
    assert_eq!(all.telemetry.ids().next_u64(), drawn[140]);
    // One engine ends, the other goes on.
    assert!(none.telemetry.shutdown_blocking(LONG).complete);
    let outer = all.telemetry.start_trace("outer");
    assert!(!none.telemetry.start_trace("inner").is_recording());
    outer.end();
    assert_eq!(names(&all.only_trace()), ["outer"]);
}

#[cfg(target_os = "linux")]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
#[cfg(target_os = "linux")]
fn engines_that_come_and_go_leave_no_threads_and_no_sinks_behind() {
    let alive = Arc::new(());
    let count = || Arc::strong_count(&alive) - 1;
    let before = threads();
    for i in 0..200 {
        let token = Arc::clone(&alive);
        let builder = Telemetry::builder().sink(scripted("counted", move |_, _| {
            let _ = &token;
            Ok(())
        }));
        let telemetry = if i % 4 == 0 { builder.by_hand() } else { builder }.build().unwrap();
        let open = telemetry.start_trace("open");
        run(&telemetry);
        match i % 3 {
            0 => drop(telemetry),
            1 => assert!(telemetry.shutdown_blocking(LONG).complete),
            _ => {
                drop(open);
                assert!(telemetry.flush_blocking(LONG).complete);
            }
        }
    }
    // Threads that were told to end are given turns until they have.
    for _ in 0..1_000_000 {
        if threads() <= before && count() == 0 {
            break;
        }
        thread::yield_now();
    }
    assert_eq!(count(), 0);
    // Other tests of this file run meanwhile and have threads of their own.
    assert!(threads() < before + 40, "{} threads, {before} before", threads());
}

/// Whoever undoes what a lost run left behind has to get the time for it, and a trace.
#[test]
fn a_shutdown_waits_for_pending_work_and_what_it_records_is_kept() {
    let (telemetry, memory) = threaded();
    let work = telemetry.pending_work("undoing");
    let (started, begun) = channel();
    let worker = {
        let telemetry = telemetry.clone();
        thread::spawn(move || {
            begun.recv().unwrap();
            run(&telemetry);
            drop(work);
        })
    };
    started.send(()).unwrap();
    let report = telemetry.shutdown_blocking(LONG);
    assert_eq!((report.complete, report.open_runs, report.unfinished.len()), (true, 0, 0));
    assert_eq!(memory.traces().len(), 1);
    worker.join().unwrap();
}

#[test]
fn work_that_outlasts_a_shutdown_is_named_and_the_rest_is_done_all_the_same() {
    let (telemetry, memory) = threaded();
    run(&telemetry);
    let _work = telemetry.pending_work("undoing");
    assert!(telemetry.flush_blocking(LONG).complete, "a flush does not wait for work");
    let report = telemetry.shutdown_blocking(std::time::Duration::from_millis(40));
    assert_eq!((report.complete, report.unfinished), (false, vec!["undoing".to_owned()]));
    assert_eq!((memory.traces().len(), report.sinks[0].waiting_traces), (1, 0));
}

#[test]
fn engines_do_not_wait_for_each_others_work_and_one_that_is_off_waits_for_its_own() {
    let off = || Telemetry::builder().enabled(false).build().unwrap();
    let (mine, other) = (off(), off());
    let work = mine.pending_work("undoing");
    assert!(other.shutdown_blocking(LONG).complete);
    assert_eq!(mine.shutdown_blocking(std::time::Duration::ZERO).unfinished, ["undoing"]);
    drop(work);
    assert!(mine.shutdown_blocking(LONG).complete);
}
