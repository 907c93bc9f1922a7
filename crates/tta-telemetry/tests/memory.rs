//! The byte bound of all traces of an engine: who gives way, that the bound holds, and that every
//! run is accounted for.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::{ByHand, LONG, names, roomy};
use tta_telemetry::{
    ActiveTrace, DecisionReason, Limits, MemorySink, RecorderCounters, Sampling, SpanStatus, Telemetry, Trace,
    TraceCounts, TraceId,
};

const BOUND: usize = 1024 * 1024;
/// A trace holds at least one chunk of 4 KiB.
const MOST_TRACES: usize = BOUND / 4096;
const RUNS: usize = 10_000;

fn bounded() -> Limits {
    Limits { live_bytes: BOUND, ..roomy() }
}

/// Starts a run a nanosecond after the one before, so that there is an oldest.
fn start(by_hand: &ByHand) -> ActiveTrace {
    by_hand.clock.advance(Duration::from_nanos(1));
    by_hand.telemetry.start_trace("run")
}

fn fail_a_step(run: &ActiveTrace, handled: bool) {
    let mut span = run.span("failing", "lambda");
    span.set_status(SpanStatus::Error);
    if handled {
        span.set_handled();
    }
    span.end();
}

fn id_of(run: &ActiveTrace) -> TraceId {
    run.handle().trace_id().unwrap()
}

/// In order of arrival.
fn ids(traces: &[Arc<Trace>]) -> Vec<TraceId> {
    traces.iter().filter(|trace| !trace.late).map(|trace| trace.trace_id).collect()
}

fn decided(counters: &RecorderCounters) -> u64 {
    counters.traces_kept + counters.traces_dropped + counters.runs_unrecorded
}

fn assert_records_again(by_hand: &ByHand) {
    let _ = by_hand.traces();
    let mut run = start(by_hand);
    for _ in 0..500 {
        run.span("after", "lambda").end();
    }
    run.set_status(SpanStatus::Error);
    let id = id_of(&run);
    drop(run);
    let trace = by_hand.only_trace();
    assert_eq!((trace.trace_id, trace.spans.len(), trace.incomplete), (id, 501, false));
}

/// Ten thousand runs open at once, of which every tenth fails, under a bound that holds 256.
fn ten_thousand_at_once(sampling: Sampling) -> (ByHand, Vec<Arc<Trace>>, RecorderCounters) {
    let by_hand = ByHand::with(sampling, bounded());
    let observe = || {
        let live = by_hand.telemetry.counters().live_bytes as usize;
        assert!(live <= BOUND, "{live}");
    };
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let run = start(&by_hand);
        run.span("step", "lambda").end();
        runs.push(run);
        observe();
    }
    let mut arrived = Vec::new();
    for (i, mut run) in runs.into_iter().enumerate() {
        run.set_status(if i % 10 == 0 { SpanStatus::Error } else { SpanStatus::Ok });
        run.end();
        observe();
        if i % 100 == 0 {
            arrived.extend(by_hand.traces());
        }
    }
    arrived.extend(by_hand.traces());
    let counters = by_hand.telemetry.counters();
    assert_eq!(decided(&counters), RUNS as u64);
    assert_eq!(counters.runs_unrecorded, 0);
    assert_eq!(counters.traces_incomplete, 0);
    assert!(counters.traces_evicted as usize >= RUNS - MOST_TRACES, "{counters:?}");
    if sampling != Sampling::KeepNone {
        assert_records_again(&by_hand);
    }
    (by_hand, arrived, counters)
}

#[test]
fn ten_thousand_open_runs_are_all_sent_when_all_are_kept() {
    let (_, arrived, counters) = ten_thousand_at_once(Sampling::KeepAll);
    assert_eq!(counters.traces_kept as usize, RUNS);
    let (late, first): (Vec<_>, Vec<_>) = arrived.iter().partition(|trace| trace.late);
    assert_eq!(first.len(), RUNS);
    let evicted: Vec<_> = first.iter().filter(|trace| trace.incomplete).collect();
    assert_eq!(evicted.len() as u64, counters.traces_evicted);
    assert!(evicted.iter().all(|trace| trace.decision.reason == DecisionReason::Evicted));
    assert!(evicted.iter().all(|trace| names(trace) == ["step"]));
    // The root of a run that was evicted follows it.
    assert_eq!(late.len() as u64, counters.traces_evicted);
    assert!(late.iter().all(|trace| names(trace) == ["run"]));
    let failed = first.iter().chain(&late).filter(|trace| trace.failed()).count();
    assert_eq!(failed, RUNS / 10);
}

#[test]
fn ten_thousand_open_runs_are_sent_or_counted_when_failed_ones_are_kept() {
    let (_, arrived, counters) = ten_thousand_at_once(Sampling::KeepFailed);
    // A run that failed after it was evicted cannot be sent, but it is not forgotten.
    let sent = arrived.iter().filter(|trace| trace.failed()).count() as u64;
    assert_eq!(sent + counters.missed_error_spans, RUNS as u64 / 10);
    assert!(sent > 0);
    assert_eq!(sent, counters.traces_kept);
}

#[test]
fn ten_thousand_open_runs_leave_nothing_behind_when_none_is_kept() {
    let (by_hand, arrived, counters) = ten_thousand_at_once(Sampling::KeepNone);
    assert_eq!(arrived, []);
    assert_eq!(counters.traces_dropped as usize, RUNS);
    // Every tenth run fails, the first one too, and the oldest are evicted.
    assert_eq!(counters.missed_error_spans, counters.traces_evicted.div_ceil(10));
    drop(start(&by_hand));
    assert_eq!(by_hand.telemetry.counters().traces_dropped as usize, RUNS + 1);
    assert!(by_hand.telemetry.shutdown_blocking(LONG).complete);
    assert_eq!(by_hand.telemetry.counters().live_bytes, 0);
}

#[test]
fn the_oldest_runs_are_evicted_first() {
    let by_hand = ByHand::with(Sampling::KeepAll, bounded());
    let runs: Vec<_> = (0..MOST_TRACES + 100).map(|_| start(&by_hand)).collect();
    let started: Vec<_> = runs.iter().map(id_of).collect();
    let evicted = ids(&by_hand.traces());
    assert!(evicted.len() >= 100);
    assert_eq!(evicted, started[..evicted.len()]);
    assert_eq!(by_hand.telemetry.counters().traces_evicted, evicted.len() as u64);
    for (run, evicted) in runs.iter().zip((0..runs.len()).map(|i| i < evicted.len())) {
        let reason = run.handle().decision().map(|decision| decision.reason);
        assert_eq!(reason, evicted.then_some(DecisionReason::Evicted));
    }
}

#[test]
fn runs_with_an_error_are_evicted_last_and_then_oldest_first() {
    let by_hand = ByHand::with(Sampling::KeepAll, bounded());
    let failing: Vec<_> = (0..100).map(|_| start(&by_hand)).collect();
    failing.iter().for_each(|run| fail_a_step(run, false));
    let failing_ids: Vec<_> = failing.iter().map(id_of).collect();
    let others: Vec<_> = (0..MOST_TRACES).map(|_| start(&by_hand)).collect();
    let other_ids: Vec<_> = others.iter().map(id_of).collect();
    let evicted = ids(&by_hand.traces());
    assert!(evicted.len() >= 100);
    assert_eq!(evicted, other_ids[..evicted.len()]);
    // With only failed ones left, the oldest of them have to go.
    let more: Vec<_> = (0..MOST_TRACES).map(|_| start(&by_hand)).inspect(|run| fail_a_step(run, false)).collect();
    let evicted: Vec<_> = ids(&by_hand.traces()).into_iter().filter(|id| !other_ids.contains(id)).collect();
    assert!(evicted.len() >= 100, "{}", evicted.len());
    let failing_ids: Vec<_> = failing_ids.into_iter().chain(more.iter().map(id_of)).collect();
    assert_eq!(evicted, failing_ids[..evicted.len()]);
}

/// An error that was handled is not one, yet it once kept a trace from being evicted and made the
/// evicted trace count as failed.
#[test]
fn a_handled_error_does_not_make_an_evicted_run_a_failed_one() {
    let by_hand = ByHand::with(Sampling::KeepFailed, bounded());
    let oldest = start(&by_hand);
    fail_a_step(&oldest, true);
    let next = start(&by_hand);
    fail_a_step(&next, false);
    let others: Vec<_> = (0..MOST_TRACES).map(|_| start(&by_hand)).collect();
    let decision = oldest.handle().decision().unwrap();
    assert_eq!((decision.keep, decision.reason), (false, DecisionReason::Evicted));
    assert_eq!(next.handle().decision(), None);
    drop(others);
}

/// Traces that had ended and only waited for the background once held the memory, so that runs in
/// the middle of their work were cut short or not recorded at all.
#[test]
fn finished_traces_are_sent_before_running_ones_are_cut_short() {
    let by_hand = ByHand::with(Sampling::KeepAll, bounded());
    let running = start(&by_hand);
    for _ in 0..RUNS {
        start(&by_hand).end();
    }
    running.end();
    let counters = by_hand.telemetry.counters();
    assert_eq!((counters.traces_evicted, counters.runs_unrecorded), (0, 0));
    let traces = by_hand.traces();
    assert_eq!(traces.len(), RUNS + 1);
    assert!(traces.iter().all(|trace| !trace.incomplete && trace.spans.len() == 1));
}

#[test]
fn one_trace_that_grows_beyond_the_bound_keeps_its_beginning_and_its_root() {
    let by_hand = ByHand::with(Sampling::KeepAll, bounded());
    let text = "x".repeat(4_000);
    for _ in 0..2 {
        let mut run = start(&by_hand);
        run.set("text", &text);
        for _ in 0..1_000 {
            run.span("step", "lambda").set("text", &text);
            assert!(by_hand.telemetry.counters().live_bytes as usize <= BOUND);
        }
        run.end();
        let trace = by_hand.only_trace();
        assert_eq!(names(&trace)[..2], ["run", "step"]);
        assert!(trace.root().unwrap().attribute("text").is_some());
        let lost = trace.dropped.over_byte_limit as usize;
        assert!(lost > 0);
        assert_eq!(trace.spans.len() + lost, 1_001, "the root is not lost, and not counted as lost");
    }
}

#[test]
fn a_root_that_finds_no_room_left_is_kept_apart_and_nothing_counts_as_lost() {
    let by_hand = ByHand::with(Sampling::KeepAll, Limits { live_bytes: 65_536, ..roomy() });
    let text = "x".repeat(4_000);
    for attributes in [16, 1] {
        let mut run = start(&by_hand);
        run.span("step", "lambda").end();
        let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];
        keys.iter().take(attributes).for_each(|key| run.set(key, &text));
        run.end();
        let trace = by_hand.only_trace();
        assert_eq!(names(&trace), ["run", "step"]);
        assert_eq!(trace.root().unwrap().attributes.len(), attributes);
        assert_eq!(trace.dropped, TraceCounts::default());
    }
}

#[test]
fn many_threads_stay_within_the_bound_and_lose_no_run() {
    const THREADS: usize = 4;
    const EACH: usize = 1_000;
    let memory = MemorySink::with_capacity(THREADS * EACH * 2);
    let telemetry = Telemetry::builder().limits(bounded()).sink(memory.clone()).build().unwrap();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                let mut open = Vec::new();
                for _ in 0..EACH {
                    let run = telemetry.start_trace("run");
                    run.span("step", "lambda").set("text", "some text that takes room");
                    open.push(run);
                    assert!(telemetry.counters().live_bytes as usize <= BOUND);
                    // More than fit, even if the threads happen to run one after another.
                    if open.len() > MOST_TRACES {
                        open.clear();
                    }
                }
            });
        }
    });
    assert!(telemetry.shutdown_blocking(LONG).complete);
    let counters = telemetry.counters();
    assert!(counters.traces_evicted > 0);
    assert_eq!(decided(&counters), (THREADS * EACH) as u64);
    let arrived = memory.traces().iter().filter(|trace| !trace.late).count() as u64;
    assert_eq!(arrived, counters.traces_kept);
}
