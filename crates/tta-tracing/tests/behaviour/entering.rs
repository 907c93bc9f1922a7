//! Entering and leaving: again, in any order, across polls, in panics, too deep.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use insta::assert_snapshot;
use tracing::{Instrument, Span, info_span};
use tracing_subscriber::prelude::*;
use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, Result, step, with_context, workflow};
use tta_telemetry::SpanStatus;

use crate::support::{engine, find, give_way, here, in_run, only_trace, parent, poll_once};

/// Enters and leaves by hand, as guards cannot in every order.
fn enter(span: &Span) {
    span.with_subscriber(|(id, dispatch)| dispatch.enter(id)).unwrap();
}

fn exit(span: &Span) {
    span.with_subscriber(|(id, dispatch)| dispatch.exit(id)).unwrap();
}

/// Makes a span here, to see below which one it hangs.
fn mark(name: &'static str) {
    drop(info_span!("mark", otel.name = name));
}

#[test]
fn a_span_that_is_entered_again_is_left_when_it_is_left_for_the_last_time() {
    let engine = engine();
    in_run(&engine, |_| {
        let step = here();
        let (a, b) = (info_span!("a"), info_span!("b"));
        let outer = a.enter();
        let place = here();
        {
            let _b = b.enter();
            let again = a.enter();
            assert_eq!(here(), place);
            drop(again);
            mark("in b");
        }
        assert_eq!(here(), place);
        a.in_scope(|| mark("in a"));
        assert_eq!(here(), place);
        drop(outer);
        assert_eq!(here(), step);
    });
    let trace = only_trace(&engine);
    assert_eq!((parent(&trace, "in b"), parent(&trace, "in a")), ("b", "a"));
}

#[test]
fn spans_that_are_left_out_of_order_leave_the_thread_in_the_others() {
    let engine = engine();
    in_run(&engine, |_| {
        let step = here();
        let spans = [info_span!("a"), info_span!("b"), info_span!("c"), info_span!("d")];
        let mut guards: Vec<_> = spans.iter().map(|span| Some(span.enter())).collect();
        // d is left last but one, b and c from below it.
        let innermost = here();
        guards[1] = None;
        guards[2] = None;
        assert_eq!(here(), innermost);
        mark("in d");
        guards[3] = None;
        mark("in a");
        guards[0] = None;
        assert_eq!(here(), step);
    });
    let trace = only_trace(&engine);
    assert_eq!((parent(&trace, "in d"), parent(&trace, "in a")), ("d", "a"));
}

#[test]
fn spans_of_two_runs_that_are_left_out_of_order_leave_the_thread_in_no_run() {
    let (first, second) = (engine(), engine());
    let a = in_run(&first, |_| info_span!("a"));
    let b = in_run(&second, |_| info_span!("b"));
    assert!(Context::current().is_none());
    for swapped in [false, true] {
        let (outer, inner) = (a.enter(), b.enter());
        let inside = Context::current().unwrap();
        let run_of = |cx: &Context| cx.telemetry().engine_id();
        assert_eq!(run_of(&inside), second.telemetry().engine_id());
        if swapped {
            drop(outer);
            assert_eq!(run_of(&Context::current().unwrap()), second.telemetry().engine_id());
            drop(inner);
        } else {
            drop(inner);
            assert_eq!(run_of(&Context::current().unwrap()), first.telemetry().engine_id());
            drop(outer);
        }
        assert!(Context::current().is_none());
    }
}

#[test]
fn a_span_left_inside_a_step_that_is_polled_in_it_is_left_once_the_step_is() {
    let engine = engine();
    in_run(&engine, |cx| {
        let outside = here();
        let span = info_span!("span");
        enter(&span);
        let inside = span.clone();
        let inner = step(move |x: u32| {
            let inside = inside.clone();
            async move {
                exit(&inside);
                mark("in the step");
                Ok::<_, String>(x)
            }
        });
        engine.block_on(inner.run(1, cx)).unwrap();
        mark("after the step");
        assert_eq!(here(), outside);
        drop(span);
    });
    let trace = only_trace(&engine);
    assert_eq!((parent(&trace, "closure"), parent(&trace, "in the step")), ("span", "closure"));
    assert_eq!(parent(&trace, "after the step"), "run");
}

#[test]
fn a_guard_that_is_held_across_an_await_ends_with_the_poll() {
    let engine = engine();
    async fn careless(_: u32, _: Context) -> Result<u32> {
        let span = info_span!("span");
        enter(&span);
        mark("in the first poll");
        give_way().await;
        mark("in the second poll");
        exit(&span);
        mark("after the guard");
        Ok(1)
    }
    let flow = workflow("orders", with_context(careless));
    let cx = engine.context();
    let mut run = pin!(flow.run(1, &cx));
    assert!(poll_once(run.as_mut()).is_pending());
    assert!(Context::current().is_none(), "the poll has ended");
    // Another run on the same thread is not disturbed, nor does it disturb.
    let other = self::engine();
    in_run(&other, |_| {
        info_span!("other").in_scope(|| mark("in other"));
    });
    engine.block_on(run).unwrap();
    assert!(Context::current().is_none());
    assert_snapshot!(engine.tree(), @r"
    orders
    ╰─ careless
       ├─ in the second poll (tracing)
       ├─ after the guard (tracing)
       ╰─ span (tracing)
          ╰─ in the first poll (tracing)
    ");
    assert_eq!(parent(&only_trace(&other), "in other"), "other");
}

#[test]
fn an_instrumented_future_is_in_its_span_at_every_poll_and_nowhere_else() {
    let engine = engine();
    let run = engine.context().start_run("run", "test");
    let span = run.context().in_scope(|| info_span!("task"));
    let mut future = pin!(
        async {
            let place = here();
            give_way().await;
            assert_eq!(here(), place);
            mark("in the second poll");
        }
        .instrument(span)
    );
    // On a thread that is in no run.
    assert!(poll_once(future.as_mut()).is_pending());
    assert!(Context::current().is_none());
    assert!(poll_once(future.as_mut()).is_ready());
    assert!(Context::current().is_none());
    run.end_as(SpanStatus::Ok);
    // The future's span is open as long as the future is there.
    assert!(engine.traces().is_empty());
    #[allow(clippy::drop_non_drop)]
    drop(future);
}

#[test]
fn a_panic_leaves_every_span_and_fails_those_it_leaves() {
    let engine = engine();
    in_run(&engine, |_| {
        let step = here();
        let around = info_span!("around").entered();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _outer = info_span!("outer").entered();
            let _inner = info_span!("inner", otel.status_code = "ok").entered();
            let _in_drop = OnDrop(|| info_span!("while unwinding").in_scope(|| mark("in drop")));
            panic!("boom");
        }));
        assert!(caught.is_err());
        mark("after");
        drop(around);
        assert_eq!(here(), step);
    });
    let trace = only_trace(&engine);
    let status = |name| {
        let span = find(&trace, name);
        (span.status.as_str(), span.attribute("error.type").map(ToString::to_string).unwrap_or_default())
    };
    assert_eq!(status("outer"), ("error", "panic".into()));
    assert_eq!(status("inner"), ("error", "panic".into()));
    assert_eq!(status("while unwinding"), ("ok", String::new()));
    assert_eq!(status("around"), ("ok", String::new()));
    assert_eq!((parent(&trace, "in drop"), parent(&trace, "after")), ("while unwinding", "around"));
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn enters_beyond_the_bound_are_not_followed_and_are_counted() {
    let engine = TestEngine::new();
    let layer = tta_tracing::layer();
    let counters = layer.counters();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        in_run(&engine, |_| {
            let step = here();
            let spans: Vec<_> = (0..130).map(|_| info_span!("deep")).collect();
            spans.iter().for_each(enter);
            mark("at the bottom");
            spans.iter().rev().for_each(exit);
            assert_eq!(here(), step);
            // There is room again.
            info_span!("next").in_scope(|| mark("in next"));
        });
    });
    assert_eq!(counters.read().unfollowed_enters, 2);
    let trace = only_trace(&engine);
    assert_eq!((parent(&trace, "at the bottom"), parent(&trace, "in next")), ("deep", "next"));
    let bottom = find(&trace, "at the bottom").parent_span_id;
    let deep: Vec<_> = trace.spans.iter().filter(|span| span.name == "deep").map(|span| span.span_id).collect();
    assert!(deep.iter().position(|id| Some(*id) == bottom).is_some());
    assert_eq!(deep.len(), 130);
}

#[test]
fn guards_that_are_never_dropped_do_not_use_up_the_room_of_others() {
    let engine = TestEngine::new();
    let layer = tta_tracing::layer();
    let counters = layer.counters();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let forget = |x: u32, _: Context| async move {
            let span = info_span!("forgotten");
            enter(&span);
            // Closed without being left: its only handle is dropped.
            Ok::<_, tta_primitives::Error>(x)
        };
        let flow = workflow("orders", with_context(forget));
        for _ in 0..300 {
            engine.block_on(flow.run(1, &engine.context())).unwrap();
            assert!(Context::current().is_none());
        }
        in_run(&engine, |_| info_span!("span").in_scope(|| mark("in span")));
    });
    assert_eq!(counters.read(), Default::default());
    let traces = engine.traces();
    assert_eq!((traces.len(), parent(traces.last().unwrap(), "in span")), (301, "span"));
}
