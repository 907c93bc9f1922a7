//! One decision for each trace, by what the run came to.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use common::{ByHand, LONG};
use tta_telemetry::{ActiveTrace, DecisionReason, Sampling, SamplingDecision, SpanStatus, TraceClass, TraceHandle};

fn end_with(run: ActiveTrace, status: SpanStatus) -> SamplingDecision {
    let mut run = run;
    run.set_status(status);
    run.end_decided().unwrap()
}

fn failing_span(handle: &TraceHandle, handled: bool) {
    let mut span = handle.span(handle.root_span_id(), "work", "lambda");
    span.set_status(SpanStatus::Error);
    if handled {
        span.set_handled();
    }
    span.end();
}

#[test]
fn every_choice_decides_every_way_to_end_with_its_reason_rate_and_name() {
    use DecisionReason::{Cancelled, RateOne, RateZero, TailError, TailNormal};
    use SpanStatus as Status;
    let cases = [
        (Sampling::KeepAll, Status::Ok, true, RateOne, "keep_all"),
        (Sampling::KeepAll, Status::Error, true, TailError, "keep_all"),
        (Sampling::KeepAll, Status::Cancelled, true, Cancelled, "keep_all"),
        (Sampling::KeepNone, Status::Ok, false, RateZero, "keep_none"),
        (Sampling::KeepNone, Status::Error, false, RateZero, "keep_none"),
        (Sampling::KeepNone, Status::Cancelled, false, RateZero, "keep_none"),
        (Sampling::KeepFailed, Status::Ok, false, TailNormal, "keep_failed"),
        (Sampling::KeepFailed, Status::Error, true, TailError, "keep_failed"),
        (Sampling::KeepFailed, Status::Cancelled, true, Cancelled, "keep_failed"),
    ];
    for (sampling, status, keep, reason, sampler) in cases {
        let by_hand = ByHand::new(sampling);
        let decision = end_with(by_hand.telemetry.start_trace("run"), status);
        let want = SamplingDecision { keep, rate: if keep { 1.0 } else { 0.0 }, reason, sampler };
        assert_eq!(decision, want, "{sampling:?} {status}");
        let counters = by_hand.telemetry.counters();
        assert_eq!((counters.traces_kept, counters.traces_dropped), (u64::from(keep), u64::from(!keep)));
        let arrived: Vec<_> = by_hand.traces().iter().map(|trace| trace.decision).collect();
        assert_eq!(arrived, if keep { vec![want] } else { vec![] });
    }
}

#[test]
fn reasons_have_stable_strings() {
    use DecisionReason::{Cancelled, Evicted, RateOne, RateZero, TailError, TailNormal};
    let strings = [RateZero, RateOne, TailError, TailNormal, Cancelled, Evicted].map(|reason| reason.to_string());
    let want = ["sampling_rate_zero", "sampling_rate_one", "tail_error", "tail_normal", "cancelled", "evicted"];
    assert_eq!(strings, want);
}

#[test]
fn the_class_of_a_kept_trace_is_how_its_run_ended() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    for status in [SpanStatus::Ok, SpanStatus::Error, SpanStatus::Cancelled] {
        end_with(by_hand.telemetry.start_trace("run"), status);
    }
    let classes: Vec<_> = by_hand.traces().iter().map(|trace| trace.class).collect();
    assert_eq!(classes, [TraceClass::Normal, TraceClass::Failed, TraceClass::Cancelled]);
}

#[test]
fn an_error_in_a_step_does_not_fail_a_run_that_succeeded() {
    let by_hand = ByHand::new(Sampling::KeepFailed);
    let run = by_hand.telemetry.start_trace("run");
    let handle = run.handle();
    failing_span(&handle, false);
    failing_span(&handle, true);
    drop(handle);
    assert_eq!(end_with(run, SpanStatus::Ok).reason, DecisionReason::TailNormal);
}

#[test]
fn an_error_in_work_that_the_run_does_not_wait_for_fails_it() {
    let by_hand = ByHand::new(Sampling::KeepFailed);
    let run = by_hand.telemetry.start_trace("run");
    let detached = run.handle().detached();
    // What is cloned from a detached handle is detached, too.
    let clone = detached.clone();
    drop(detached);
    run.end();
    assert!(by_hand.traces().is_empty());
    failing_span(&clone, false);
    drop(clone);
    let trace = by_hand.only_trace();
    assert_eq!(trace.decision.reason, DecisionReason::TailError);
    assert_eq!((trace.class, trace.root().unwrap().status), (TraceClass::Failed, SpanStatus::Ok));
    assert!(trace.failed());
}

#[test]
fn a_handled_error_in_detached_work_does_not_fail_the_run() {
    let by_hand = ByHand::new(Sampling::KeepFailed);
    let run = by_hand.telemetry.start_trace("run");
    let detached = run.handle().detached();
    failing_span(&detached, true);
    run.end();
    drop(detached);
    assert!(by_hand.traces().is_empty());
    assert_eq!(by_hand.telemetry.counters().traces_dropped, 1);
}

#[test]
fn a_trace_is_decided_when_its_last_handle_is_gone_and_not_before() {
    let by_hand = ByHand::new(Sampling::KeepAll);
    let run = by_hand.telemetry.start_trace("run");
    let (first, second) = (run.handle(), run.handle());
    assert_eq!(run.end_decided(), None);
    assert_eq!(first.decision(), None);
    drop(first);
    assert_eq!(by_hand.telemetry.counters().traces_kept, 0);
    drop(second);
    assert_eq!(by_hand.telemetry.counters().traces_kept, 1);
    assert_eq!(by_hand.only_trace().spans.len(), 1);
}

#[test]
fn the_facts_of_one_run_do_not_leak_into_the_next_one_in_the_same_memory() {
    let by_hand = ByHand::new(Sampling::KeepFailed);
    let run = by_hand.telemetry.start_trace("fails in the background");
    failing_span(&run.handle().detached(), false);
    assert_eq!(end_with(run, SpanStatus::Error).reason, DecisionReason::TailError);
    assert_eq!(by_hand.traces().len(), 1);
    for status in [SpanStatus::Cancelled, SpanStatus::Ok] {
        let decision = end_with(by_hand.telemetry.start_trace("run"), status);
        assert_eq!(decision.keep, status == SpanStatus::Cancelled);
        assert_eq!(by_hand.traces().len(), usize::from(decision.keep));
    }
    end_with(by_hand.telemetry.start_trace("run"), SpanStatus::Error);
    assert_eq!(by_hand.traces().len(), 1);
    let open = by_hand.telemetry.start_trace("open at the shutdown");
    assert_eq!(by_hand.telemetry.shutdown_blocking(LONG).open_runs, 1);
    assert_eq!(open.handle().decision().map(|decision| decision.reason), Some(DecisionReason::TailNormal));
}

#[test]
fn counters_tell_kept_from_dropped() {
    let by_hand = ByHand::new(Sampling::KeepFailed);
    for i in 0..10 {
        let status = if i % 5 == 0 { SpanStatus::Error } else { SpanStatus::Ok };
        end_with(by_hand.telemetry.start_trace("run"), status);
    }
    let counters = by_hand.telemetry.counters();
    assert_eq!((counters.traces_kept, counters.traces_dropped, counters.runs_unrecorded), (2, 8, 0));
    assert_eq!((counters.traces_incomplete, counters.traces_evicted), (0, 0));
    assert_eq!(by_hand.traces().len(), 2);
}
