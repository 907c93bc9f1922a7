//! Whole inputs and whole runs: `for_each` over a stream, `run_report`.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use futures_util::stream;
use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, Error, Result, parallel, step, sync, with_context, workflow};
use tta_telemetry::{DecisionReason, Sampling, SpanStatus, TraceClass};

use super::support::{MS, OnDrop, SECOND, context, double, give_way, hang, increment, poll_once, refuse};

#[test]
fn results_come_as_they_finish_each_with_the_index_of_its_input() {
    async fn wait(x: u32, cx: Context) -> Result<u32> {
        cx.sleep(SECOND * x).await;
        Ok(x * 10)
    }
    let engine = TestEngine::new();
    let flow = workflow("waits", with_context(wait));
    let cx = engine.context();
    let results: Vec<_> = engine.block_on(flow.for_each(stream::iter([3, 1, 2]), 3, &cx).collect());
    let results: Vec<_> = results.into_iter().map(|(index, result)| (index, result.unwrap())).collect();
    assert_eq!((results, cx.elapsed()), (vec![(1, 10), (2, 20), (0, 30)], 3 * SECOND));
    let inputs: Vec<_> = engine.traces().iter().map(|trace| trace.duration_ns() / 1_000_000_000).collect();
    assert_eq!(inputs, [1, 2, 3], "each input is a run of its own");
}

#[test]
fn no_more_runs_are_under_way_than_were_allowed() {
    for (allowed, most) in [(0, 1), (1, 1), (3, 3), (100, 10)] {
        let engine = TestEngine::new();
        let running = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let gauge = Arc::clone(&running);
        let flow = step(move |x: usize| {
            let gauge = Arc::clone(&gauge);
            async move {
                gauge.1.fetch_max(gauge.0.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..=x % 3 {
                    give_way().await;
                }
                gauge.0.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, String>(x)
            }
        });
        let cx = engine.context();
        let results: Vec<_> = engine.block_on(flow.for_each(stream::iter(0..10), allowed, &cx).collect());
        assert_eq!((results.len(), running.1.load(Ordering::SeqCst)), (10, most), "{allowed} allowed");
    }
}

#[test]
fn a_failed_or_panicking_run_stops_no_other() {
    let engine = TestEngine::new();
    let flow = workflow(
        "picky",
        sync(|x: u32| match x {
            1 => Err("one is refused"),
            2 => panic!("two explodes"),
            x => Ok(x),
        }),
    );
    let cx = engine.context();
    let results: Vec<_> = engine.block_on(flow.for_each(stream::iter(0..4), 2, &cx).collect());
    let mut results: Vec<_> =
        results.into_iter().map(|(index, result)| (index, result.map_err(|error| error.to_string()))).collect();
    results.sort();
    let error = |text: &str| Err(text.to_owned());
    assert_eq!(results, [(0, Ok(0)), (1, error("one is refused")), (2, error("two explodes")), (3, Ok(3))]);
}

#[test]
fn inputs_are_pulled_only_as_runs_finish_so_a_stream_may_be_endless() {
    let engine = TestEngine::new();
    let pulled = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&pulled);
    let endless = stream::repeat_with(move || counter.fetch_add(1, Ordering::SeqCst) as u32);
    let flow = workflow("endless", double);
    let cx = engine.context();
    let results: Vec<_> = engine.block_on(flow.for_each(endless, 4, &cx).take(10).collect());
    assert_eq!(results.len(), 10);
    // Those that were taken, and at most four more under way.
    let pulled = pulled.load(Ordering::SeqCst);
    assert!((10..=14).contains(&pulled), "{pulled}");
}

#[test]
fn dropping_the_stream_cancels_the_runs_under_way() {
    let engine = TestEngine::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&dropped);
    let flow = workflow("waits", move |_: u32| {
        let counter = Arc::clone(&counter);
        async move {
            let _guard = OnDrop(|| {
                counter.fetch_add(1, Ordering::SeqCst);
            });
            hang(1).await
        }
    });
    let cx = engine.context();
    {
        let mut stream = pin!(flow.for_each(stream::iter(0..10), 3, &cx));
        assert!(poll_once(pin!(stream.next())).is_pending());
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 3);
    let classes: Vec<_> = engine.traces().iter().map(|trace| trace.class).collect();
    assert_eq!(classes, [TraceClass::Cancelled; 3]);
}

/// The runs once shared one state, and one that stopped itself stopped them all.
#[test]
fn the_runs_of_a_stream_share_neither_state_nor_cancellation() {
    async fn count(x: u32, cx: Context) -> Result<u32> {
        if x == 1 {
            cx.cancel_handle().cancel();
        }
        let count = |seen: &mut u32| {
            *seen += 1;
            *seen
        };
        cx.state().update("seen", count).map_err(Error::from_any)
    }
    let engine = TestEngine::new();
    let flow = workflow("counts", with_context(count)) >> increment;
    let cx = engine.context();
    let results: Vec<_> = engine.block_on(flow.for_each(stream::iter(0..4), 1, &cx).collect());
    let results: Vec<_> =
        results.into_iter().map(|(_, result)| result.map_err(|error| error.kind().as_str())).collect();
    assert_eq!(results, [Ok(2), Err("cancelled"), Ok(2), Ok(2)]);
}

#[test]
fn stopping_the_context_stops_every_run_of_the_stream() {
    let engine = TestEngine::new();
    let cx = engine.context();
    let flow = workflow("stops", double) >> increment;
    let mut results = pin!(flow.for_each(stream::iter(0..4), 1, &cx));
    let mut next = || engine.block_on(results.next()).map(|(_, result)| result.map_err(|error| error.kind().as_str()));
    assert_eq!((next(), next()), (Some(Ok(1)), Some(Ok(3))));
    cx.cancel_handle().cancel();
    assert_eq!((next(), next(), next()), (Some(Err("cancelled")), Some(Err("cancelled")), None));
}

#[test]
fn inside_a_step_the_runs_are_a_part_of_its_run() {
    async fn each(xs: Vec<u32>, cx: Context) -> Result<u32> {
        let flow = workflow("one", double) >> increment;
        let results: Vec<_> = flow.for_each(stream::iter(xs), 2, &cx).collect().await;
        results.into_iter().map(|(_, result)| result).sum()
    }
    let engine = TestEngine::new();
    let flow = workflow("all", with_context(each));
    assert_eq!(engine.block_on(flow.run(vec![1, 2], &engine.context())).unwrap(), 8);
    assert_eq!(engine.traces().len(), 1);
    let trace = &engine.traces()[0];
    let each = trace.find("each").unwrap().span_id;
    let runs: Vec<_> = trace.children(each).collect();
    assert_eq!(runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), ["one", "one"]);
    let steps = runs.iter().flat_map(|run| trace.children(run.span_id)).map(|span| span.name.as_str());
    assert_eq!(steps.collect::<Vec<_>>(), ["double", "increment", "double", "increment"]);
}

/// Runs a workflow to a report on an engine with this sampling.
fn reported(sampling: Sampling, fails: bool) -> (TestEngine, tta_primitives::RunReport<u32>) {
    async fn slow(x: u32, cx: Context) -> Result<u32> {
        cx.sleep(250 * MS).await;
        Ok(x)
    }
    let engine = TestEngine::with(|builder| builder.sampling(sampling));
    let flow = workflow("reported", with_context(slow));
    let flow = if fails { flow >> refuse } else { flow };
    let cx = context(&engine);
    engine.clock().advance(SECOND);
    let report = engine.block_on(flow.run_report(7, &cx));
    (engine, report)
}

#[test]
fn a_report_tells_result_trace_duration_and_correlation() {
    let (engine, report) = reported(Sampling::KeepAll, false);
    assert_eq!(report.result.as_ref().ok(), Some(&7));
    assert_eq!(report.duration, 250 * MS);
    assert_eq!(report.correlation_id.map(|id| id.to_string()).as_deref(), Some("c-1"));
    let traces = engine.traces();
    assert_eq!((traces.len(), Some(traces[0].trace_id)), (1, report.trace_id));
    assert_eq!(traces[0].duration_ns(), 250_000_000);
    assert_eq!(Some(traces[0].decision), report.decision);
    assert_eq!(report.cost_nano_usd, None);
}

#[test]
fn a_report_tells_what_was_decided_and_why() {
    let cases = [
        (Sampling::KeepAll, false, (true, "sampling_rate_one")),
        (Sampling::KeepAll, true, (true, "tail_error")),
        (Sampling::KeepNone, false, (false, "sampling_rate_zero")),
        (Sampling::KeepNone, true, (false, "sampling_rate_zero")),
        (Sampling::KeepFailed, false, (false, "tail_normal")),
        (Sampling::KeepFailed, true, (true, "tail_error")),
    ];
    for (sampling, fails, want) in cases {
        let (engine, report) = reported(sampling, fails);
        let decision = report.decision.unwrap();
        assert_eq!((decision.keep, decision.reason.as_str()), want, "{sampling:?}, fails: {fails}");
        assert_eq!((report.result.is_err(), engine.traces().len()), (fails, usize::from(decision.keep)));
        assert!(report.trace_id.is_some(), "also of a dropped trace");
    }
}

#[test]
fn a_cancelled_run_reports_that_it_was_kept_for_that() {
    async fn stop(x: u32, cx: Context) -> Result<u32> {
        cx.cancel_handle().cancel();
        Ok(x)
    }
    let engine = TestEngine::with(|builder| builder.sampling(Sampling::KeepFailed));
    let flow = workflow("stops", with_context(stop)) >> double;
    let report = engine.block_on(flow.run_report(1, &engine.context()));
    assert_eq!(report.decision.map(|decision| decision.reason), Some(DecisionReason::Cancelled));
    assert_eq!(engine.traces()[0].root().map(|root| root.status), Some(SpanStatus::Cancelled));
}

#[test]
fn a_report_of_a_part_of_a_run_names_the_runs_trace_and_leaves_the_decision_to_the_run() {
    async fn report(x: u32, cx: Context) -> Result<String> {
        let report = workflow("part", double).run_report(x, &cx).await;
        let (own, trace) = (cx.trace_id() == report.trace_id, report.trace_id.is_some());
        Ok(format!("{:?} {own} {trace} {:?}", report.result?, report.decision))
    }
    let engine = TestEngine::new();
    let said = engine.block_on(workflow("whole", with_context(report)).run(2, &engine.context())).unwrap();
    assert_eq!(said, "4 true true None");
}

#[test]
fn a_run_that_is_not_recorded_still_reports_and_still_has_a_trace_id() {
    let engine = TestEngine::with(|builder| builder.enabled(false));
    let flow = workflow("off", parallel(vec![step(double), step(increment)]));
    let (first, second) = engine
        .block_on(async { (flow.run_report(3, &engine.context()).await, flow.run_report(3, &engine.context()).await) });
    assert_eq!(first.result.unwrap(), [6, 4]);
    assert_eq!((first.decision, first.trace_id.is_some()), (None, true));
    assert_ne!(first.trace_id, second.trace_id);
    assert_ne!(first.correlation_id, second.correlation_id);
}

#[test]
fn a_report_of_a_run_that_left_spans_open_does_not_wait_for_them() {
    async fn leave(x: u32, cx: Context) -> Result<(u32, Context)> {
        Ok((x, cx))
    }
    let engine = TestEngine::new();
    let report = engine.block_on(workflow("leaves", with_context(leave)).run_report(1, &engine.context()));
    assert_eq!(report.decision, None);
    let (_, left) = report.result.unwrap();
    assert_eq!(engine.traces().len(), 0);
    left.span("afterwards").end();
    drop(left);
    insta::assert_snapshot!(engine.tree(), @r"
    leaves
    ╰─ leave
       ╰─ afterwards (span)
    ");
}
