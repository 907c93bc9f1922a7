//! Spans that go from thread to thread, and tasks that are instrumented with them.

use std::sync::{Arc, Barrier};

use insta::assert_snapshot;
use tracing::{Instrument, Span, info, info_span};
use tta_primitives::{Context, Result, step, with_context, workflow};
use tta_telemetry::SpanStatus;

use crate::support::{engine, find, give_way, here, in_run, only_trace, parent};

#[test]
fn a_task_that_is_instrumented_with_a_library_span_is_in_its_run_on_every_thread() {
    let engine = engine();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    async fn fan_out(tasks: u32, cx: Context) -> Result<u32> {
        let trace_id = cx.trace_id();
        let span = info_span!("batch");
        let spawned: Vec<_> = (0..tasks)
            .map(|id| {
                let task = async move {
                    for _ in 0..20 {
                        give_way().await;
                        let cx = Context::current().expect("the task is in the run");
                        assert_eq!(cx.trace_id(), trace_id);
                        info_span!("part").in_scope(|| info!(id, "done"));
                    }
                    let cx = Context::current().unwrap();
                    step(|x: u32| async move { Ok::<_, String>(x) }).named("inner").run(id, &cx).await
                };
                // How libraries spawn; a bare task is what is tested here.
                #[allow(clippy::disallowed_methods)]
                tokio::spawn(task.instrument(info_span!(parent: &span, "task", id)))
            })
            .collect();
        let mut sum = 0;
        for task in spawned {
            sum += task.await.unwrap()?;
        }
        Ok(sum)
    }
    let flow = workflow("orders", with_context(fan_out));
    assert_eq!(runtime.block_on(flow.run(8, &engine.context())).unwrap(), 28);
    drop(runtime);
    let trace = only_trace(&engine);
    let count = |name: &str| trace.spans.iter().filter(|span| span.name == *name).count();
    assert_eq!((count("batch"), count("task"), count("part"), count("inner")), (1, 8, 160, 8));
    let ids = |name: &str| -> Vec<_> {
        trace.spans.iter().filter(|span| span.name == *name).map(|span| Some(span.span_id)).collect()
    };
    let (batch, tasks) = (ids("batch"), ids("task"));
    for span in &trace.spans {
        match span.name.as_str() {
            "task" => assert_eq!(span.parent_span_id, batch[0]),
            "part" | "inner" => assert!(tasks.contains(&span.parent_span_id)),
            _ => {}
        }
    }
}

#[test]
fn many_threads_in_one_span_each_find_their_own_way_back() {
    let engine = engine();
    in_run(&engine, |_| {
        let span = info_span!("shared");
        let meet = Arc::new(Barrier::new(4));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        assert!(Context::current().is_none());
                        let entered = span.enter();
                        meet.wait();
                        let place = here();
                        info_span!("own").in_scope(|| assert_ne!(here(), place));
                        assert_eq!(here(), place);
                        meet.wait();
                        drop(entered);
                    }
                    assert!(Context::current().is_none());
                });
            }
        });
    });
    let trace = only_trace(&engine);
    let shared = Some(find(&trace, "shared").span_id);
    let own: Vec<_> = trace.spans.iter().filter(|span| span.name == "own").collect();
    assert_eq!(own.len(), 400);
    assert!(own.iter().all(|span| span.parent_span_id == shared));
}

#[test]
fn a_span_that_is_left_on_another_thread_moves_neither() {
    let engine = engine();
    in_run(&engine, |_| {
        let span = info_span!("span");
        let enter = |span: &Span| span.with_subscriber(|(id, dispatch)| dispatch.enter(id)).unwrap();
        let exit = |span: &Span| span.with_subscriber(|(id, dispatch)| dispatch.exit(id)).unwrap();
        let outside = here();
        enter(&span);
        let inside = here();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                exit(&span);
                assert!(Context::current().is_none());
            });
        });
        assert_eq!(here(), inside, "this thread has not left it");
        exit(&span);
        assert_eq!(here(), outside);
    });
    assert_eq!(only_trace(&engine).spans.len(), 2);
}

#[test]
fn a_span_may_be_made_entered_and_closed_on_three_threads() {
    let engine = engine();
    let run = engine.context().start_run("run", "test");
    let cx = run.context().clone();
    let span = std::thread::spawn(move || cx.in_scope(|| info_span!("span", rows = 1))).join().unwrap();
    let span = std::thread::spawn(move || {
        span.in_scope(|| info_span!("child").in_scope(|| info!("event")));
        span
    });
    let span = span.join().unwrap();
    std::thread::spawn(move || drop(span)).join().unwrap();
    run.end_as(SpanStatus::Ok);
    assert_snapshot!(engine.tree(), @r"
    run (test)
    ╰─ span (tracing)
       ╰─ child (tracing)
    ");
    assert_eq!(parent(&only_trace(&engine), "child"), "span");
}
