//! An engine that is off, or compiled out: every call works, nothing is recorded, ids still come.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::LONG;
use tta_telemetry::sampling::{IsolatedSampler, Rate, RunStart, Sampler, TraceEdit, TraceProcessor};
use tta_telemetry::{
    Clock, IdSource, MemorySink, Name, RecorderCounters, RuleName, Sampling, ShutdownReport, Span, SpanId, SpanStatus,
    Telemetry, TextSink, TraceHandle, TraceId, ValueRef,
};

/// Every way in which an engine can be off, with the sink that must stay empty.
fn engines() -> Vec<(Telemetry, MemorySink)> {
    let memory = MemorySink::new();
    let built = |enabled: bool| {
        Telemetry::builder()
            .clock(Clock::manual().0)
            .ids(IdSource::seeded(1))
            .sampling(Sampling::KeepAll)
            .sink(memory.clone())
            .sink(TextSink::new(std::io::sink()))
            .enabled(enabled)
    };
    let mut engines = vec![
        (Telemetry::disabled(), memory.clone()),
        (built(false).build().unwrap(), memory.clone()),
        (built(false).by_hand().build().unwrap(), memory.clone()),
    ];
    // Compiled out, an engine is off whatever it is told.
    if cfg!(not(feature = "record")) {
        engines.push((built(true).build().unwrap(), memory.clone()));
        engines.push((built(true).by_hand().build().unwrap(), memory));
    }
    engines
}

fn use_handle(handle: &TraceHandle) {
    let some = SpanId::new(7);
    assert!(!handle.is_recording());
    assert_eq!((handle.trace_id(), handle.root_span_id(), handle.decision()), (None, None, None));
    handle.span(some, "span", "lambda").end();
    handle.span_at(some, "span", "lambda", 5).end_at(9);
    let mut span = Span::off();
    span.restart_at(handle, some, "span", "lambda", 5);
    assert!(!span.is_recording());
    span.stop_at(9);
    handle.annotate(some.unwrap(), &[("key", ValueRef::Bool(true))]);
    handle.event(some.unwrap(), "event", &[("key", ValueRef::F64(0.5))]);
}

fn use_span(mut span: Span<'_>) {
    assert_eq!((span.id(), span.is_recording(), span.start_ticks()), (None, false, None));
    span.set("key", "value");
    span.set_with("dear", || -> i64 { panic!("an attribute was computed for a span that is off") });
    span.event("event", &[]);
    span.set_status(SpanStatus::Error);
    span.set_handled();
    span.end();
}

fn use_everything(telemetry: &Telemetry) {
    let mut run = telemetry.start_trace("run");
    assert!(!run.is_recording());
    assert_eq!(run.root_span_id(), None);
    run.set("key", 1);
    run.set_status(SpanStatus::Error);
    use_span(run.span("span", "lambda"));
    use_span(run.child_of(SpanId::new(7), &Name::from("shared".to_owned()), "lambda"));
    use_span(Span::off());
    let handle = run.handle();
    use_handle(&handle);
    use_handle(&handle.detached());
    use_handle(&handle.clone());
    use_handle(&TraceHandle::default());
    run.end();
    telemetry.start_trace("run").end_at(9);
    let elsewhere = telemetry.start_trace_in("run", "saga", TraceId::new(7).zip(SpanId::new(8)));
    assert_eq!(elsewhere.end_decided(), None);
    let name = Name::from_static("step");
    assert!(telemetry.instruments(&name, &name, &name).is_none());
}

#[test]
fn the_whole_interface_works_and_records_nothing() {
    for (telemetry, memory) in engines() {
        assert!(!telemetry.is_enabled());
        use_everything(&telemetry);
        assert_eq!(telemetry.step_statistics(), []);
        assert_eq!(telemetry.counters(), RecorderCounters::default());
        assert_eq!(telemetry.sinks(), []);
        let done = ShutdownReport { complete: true, open_runs: 0, unfinished: vec![], sinks: vec![] };
        assert_eq!(telemetry.flush_blocking(Duration::ZERO), done);
        assert_eq!(telemetry.shutdown_blocking(Duration::ZERO), done);
        use_everything(&telemetry);
        assert_eq!(memory.traces(), []);
    }
}

#[test]
fn an_async_shutdown_of_an_engine_that_is_off_completes() {
    let mut context = Context::from_waker(Waker::noop());
    for (telemetry, _) in engines() {
        let mut shutdown = pin!(telemetry.shutdown(LONG));
        let report = loop {
            match shutdown.as_mut().poll(&mut context) {
                Poll::Ready(report) => break report,
                Poll::Pending => thread::yield_now(),
            }
        };
        assert!(report.complete);
    }
}

/// Panics when it is asked anything but its name.
struct Never;

impl Sampler for Never {
    fn name(&self) -> RuleName {
        "never".parse().unwrap()
    }

    fn head(&self, _: &Name, _: &RunStart<'_>) -> Option<Rate> {
        panic!("asked")
    }
}

impl TraceProcessor for Never {
    fn name(&self) -> &str {
        "never"
    }

    fn process(&self, _: &mut TraceEdit<'_>) {
        panic!("asked")
    }
}

#[test]
fn an_engine_that_is_off_takes_hooks_and_asks_none() {
    let sampler = IsolatedSampler::new(Never);
    let with_hooks = || {
        let builder = Telemetry::builder().sampler(sampler.clone()).workflow_sampler("run", Never);
        builder.processor(Never).workflow_processor("run", Never).enabled(false)
    };
    let telemetry = with_hooks().build().unwrap();
    use_everything(&telemetry);
    assert!(telemetry.shutdown_blocking(Duration::ZERO).complete);
    assert_eq!((sampler.panics(), telemetry.counters()), (0, RecorderCounters::default()));
    let too_many = (0..61).fold(with_hooks(), |builder, _| builder.processor(Never)).build().unwrap_err();
    assert_eq!(too_many.to_string(), "65 samplers and processors, accepted are at most 64");
}

#[test]
fn ids_and_time_still_come_from_an_engine_that_is_off() {
    for (telemetry, _) in engines().into_iter().skip(1) {
        let expected = IdSource::seeded(1);
        assert_eq!(telemetry.ids().trace_id(), expected.trace_id());
        assert_eq!(telemetry.ids().span_id(), expected.span_id());
        assert_eq!(telemetry.clock().unix_ns(telemetry.clock().ticks()), 1_767_225_600_000_000_000);
    }
    let disabled = Telemetry::disabled();
    assert_ne!(disabled.ids().trace_id(), disabled.ids().trace_id());
}

#[test]
fn engines_that_are_off_can_be_told_apart_but_the_disabled_one_is_one() {
    let ids: Vec<u64> = engines().iter().map(|(telemetry, _)| telemetry.engine_id()).collect();
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len());
    assert!(Telemetry::disabled().same_engine(&Telemetry::disabled()));
}

#[test]
#[cfg(not(feature = "record"))]
fn compiled_out_spans_have_no_size() {
    assert_eq!(std::mem::size_of::<Span<'_>>(), 0);
    assert_eq!(std::mem::size_of::<TraceHandle>(), 0);
    assert_eq!(std::mem::size_of::<tta_telemetry::ActiveTrace>(), 0);
}

#[test]
fn limits_are_checked_for_an_engine_that_is_off_too() {
    let limits = tta_telemetry::Limits { spans_per_trace: 1, ..tta_telemetry::Limits::default() };
    let refused = Telemetry::builder().limits(limits).enabled(false).build().unwrap_err();
    assert_eq!(refused.to_string(), "limit `spans_per_trace` is 1, accepted is 2 to 100000");
}
