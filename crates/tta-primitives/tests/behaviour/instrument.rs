//! Recording by hand: traced futures, tasks of a run, runs without a workflow, attributes.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use insta::assert_snapshot;
use tta_primitives::testing::TestEngine;
use tta_primitives::{
    Context, Error, ErrorKind, IntoError, Result, step, traced, traced_fn, try_traced, with_context, workflow,
};
use tta_telemetry::{SpanId, SpanStatus, Telemetry, TraceId};

use crate::support::{SECOND, context, double, give_way, on_runtime, poll_once, start_and_drop};

#[test]
fn what_a_traced_future_records_hangs_below_it() {
    let engine = TestEngine::new();
    async fn load(x: u32, _: Context) -> Result<u32> {
        let rows = traced("query", async {
            let cx = Context::current().unwrap();
            cx.set("db.system", "sqlite");
            cx.event("row", &[]);
            let inner = traced("decode", async { x + 1 }).await;
            (step(double).run(inner, &cx)).await
        });
        rows.await
    }
    let flow = workflow("load", with_context(load));
    assert_eq!(engine.block_on(flow.run(1, &context(&engine))).unwrap(), 4);
    assert_snapshot!(engine.tree_with_attributes(), @r"
    load
    │  correlation.id = c-1
    ╰─ load
       ╰─ query (span)
          │  db.system = sqlite
          │  • row
          ├─ decode (span)
          ╰─ double
    ");
}

#[test]
fn a_traced_error_ends_its_span_as_failed_and_passes_through() {
    let engine = TestEngine::new();
    let fail = |kind: ErrorKind, _: Context| async move {
        let text = try_traced("texts", async { Err::<(), _>("boom") }).await.unwrap_err();
        assert_eq!(text, "boom");
        let own: Result<()> = try_traced("own", async { Err("late".with_kind(kind)) }).await;
        let fine = try_traced("fine", async { Ok::<_, String>(3) }).await.unwrap();
        assert_eq!((own.unwrap_err().kind(), fine), (kind, 3));
        Ok::<_, Error>(())
    };
    let flow = workflow("run", with_context(fail));
    engine.block_on(flow.run(ErrorKind::Timeout, &context(&engine))).unwrap();
    engine.block_on(flow.run(ErrorKind::Cancelled, &context(&engine))).unwrap();
    let traces = engine.traces();
    let facts = |trace: usize, name: &str| {
        let span = traces[trace].find(name).unwrap();
        let text = |key| span.attribute(key).map(ToString::to_string).unwrap_or_default();
        (span.status, text("error.type"), text("error.message"))
    };
    assert_eq!(facts(0, "texts"), (SpanStatus::Error, "app".into(), "boom".into()));
    assert_eq!(facts(0, "own"), (SpanStatus::Error, "timeout".into(), "late".into()));
    assert_eq!(facts(0, "fine"), (SpanStatus::Ok, String::new(), String::new()));
    assert_eq!(facts(1, "own"), (SpanStatus::Cancelled, "cancelled".into(), "late".into()));
}

#[test]
fn a_traced_future_that_is_dropped_or_panics_says_so_and_leaves_the_thread_where_it_was() {
    let engine = TestEngine::new();
    let hang = |_: (), _: Context| async { try_traced("hang", std::future::pending::<Result<()>>()).await };
    start_and_drop(workflow("dropped", with_context(hang)).run((), &engine.context()));
    let explode = |_: (), cx: Context| async move {
        let here = cx.span_id();
        let caught = std::panic::catch_unwind(|| traced_fn("sync", || panic!("first")));
        assert_eq!((caught.is_err(), cx.span_id()), (true, here));
        traced("async", async { panic!("second") }).await
    };
    let flow = workflow(
        "panics",
        with_context(move |(): (), cx: Context| async move {
            explode((), cx).await;
            Ok::<_, Error>(())
        }),
    );
    assert_eq!(engine.block_on(flow.run((), &engine.context())).unwrap_err().kind(), ErrorKind::Panic);
    let traces = engine.traces();
    let status = |trace: usize, name| traces[trace].find(name).unwrap().status;
    assert_eq!(status(0, "hang"), SpanStatus::Cancelled);
    assert_eq!((status(1, "sync"), status(1, "async")), (SpanStatus::Error, SpanStatus::Error));
    let message = traces[1].find("async").unwrap().attribute("error.message").unwrap().to_string();
    assert_eq!(message, "second");
}

#[test]
#[should_panic(expected = "a traced future was polled after its end")]
fn a_traced_future_that_is_polled_after_its_end_says_so() {
    let mut future = pin!(traced("once", async {}));
    assert!(poll_once(future.as_mut()).is_ready());
    let _ = poll_once(future.as_mut());
}

#[test]
fn outside_a_run_traced_code_runs_and_records_nothing() {
    let engine = TestEngine::new();
    let value = engine.block_on(async {
        assert!(Context::current().is_none());
        traced("future", async { traced_fn("function", || 7) }).await
    });
    assert_eq!((value, engine.traces().len()), (7, 0));
}

#[test]
fn attributes_by_closure_are_not_computed_when_nothing_is_recorded() {
    let off = Telemetry::builder().enabled(false).build().unwrap();
    let engine = TestEngine::new();
    for (telemetry, expected) in [(off, false), (engine.telemetry().clone(), true)] {
        let computed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&computed);
        let look = move |_: (), cx: Context| {
            cx.set_with("dear", || {
                flag.store(true, Ordering::SeqCst);
                17
            });
            std::future::ready(Ok::<_, Error>(()))
        };
        engine.block_on(workflow("run", with_context(look)).run((), &Context::on(telemetry))).unwrap();
        assert_eq!(computed.load(Ordering::SeqCst), expected);
    }
    let dear = engine.traces()[0].find("closure").unwrap().attribute("dear").and_then(|dear| dear.as_i64());
    assert_eq!(dear, Some(17));
}

async fn consume(cause: (TraceId, SpanId), cx: Context) -> Result<()> {
    cx.link(cause, &[("messaging.batch", 1.into())]);
    Ok(())
}

#[test]
fn a_step_links_to_what_caused_it() {
    let engine = TestEngine::new();
    let cause = (TraceId::new(5).unwrap(), SpanId::new(6).unwrap());
    engine.block_on(workflow("run", with_context(consume)).run(cause, &context(&engine))).unwrap();
    assert_snapshot!(engine.tree_with_attributes(), @r"
    run
    │  correlation.id = c-1
    ╰─ consume
          → 0000000000000006 in 00000000000000000000000000000005 messaging.batch=1
    ");
}

async fn spawn_and_wait(x: u32, cx: Context) -> Result<u32> {
    let task = cx.spawn("task", async move {
        give_way().await;
        let cx = Context::current().ok_or("no context in the task")?;
        cx.set("task.input", x);
        step(double).run(x, &cx).await.map_err(|error| error.to_string())
    });
    task.await
}

#[test]
fn a_task_belongs_to_the_step_that_spawned_it() {
    let engine = TestEngine::new();
    let flow = workflow("run", with_context(spawn_and_wait));
    assert_eq!(on_runtime(&engine, flow.run(4, &context(&engine))).unwrap(), 8);
    assert_snapshot!(engine.tree_with_attributes(), @r"
    run
    │  correlation.id = c-1
    ╰─ spawn_and_wait
       ╰─ task
          │  task.input = 4
          ╰─ double
    ");
}

/// What the step that spawned it does with a failing task.
#[derive(Clone, Copy, Debug)]
enum Then {
    Await,
    Detach,
    DropAtOnce,
    DropLater,
}

async fn spawn_failing(then: Then, cx: Context) -> Result<()> {
    let task = cx.spawn("task", async { Err::<(), _>("boom") });
    match then {
        Then::Await => assert!(task.await.is_err()),
        Then::Detach => task.detach(),
        Then::DropAtOnce => drop(task),
        Then::DropLater => {
            while !task.is_finished() {
                give_way().await;
            }
            drop(task);
        }
    }
    give_way().await;
    Ok(())
}

#[test]
fn a_task_that_fails_makes_the_run_a_failed_one_unless_somebody_takes_the_error() {
    for (then, failed) in
        [(Then::Await, false), (Then::Detach, true), (Then::DropAtOnce, true), (Then::DropLater, true)]
    {
        let engine = TestEngine::new();
        on_runtime(&engine, async {
            workflow("run", with_context(spawn_failing)).run(then, &engine.context()).await.unwrap();
            while engine.traces().is_empty() {
                give_way().await;
            }
        });
        let traces = engine.traces();
        assert_eq!((traces[0].failed(), traces[0].root().unwrap().status), (failed, SpanStatus::Ok), "{then:?}");
        assert_eq!(traces[0].find("task").unwrap().status, SpanStatus::Error);
    }
}

#[test]
fn an_error_that_is_handled_inside_a_task_does_not_fail_the_run() {
    let engine = TestEngine::new();
    let start = |_: (), cx: Context| async move {
        let handles = async {
            let inner: Result<(), _> = try_traced("inner", async { Err("inside") }).await;
            assert!(inner.is_err());
            Ok::<_, String>(())
        };
        cx.spawn("task", handles).detach();
        give_way().await;
        Ok::<_, Error>(())
    };
    on_runtime(&engine, async {
        workflow("run", with_context(start)).run((), &engine.context()).await.unwrap();
        while engine.traces().is_empty() {
            give_way().await;
        }
    });
    let traces = engine.traces();
    assert_eq!((traces[0].failed(), traces[0].find("inner").unwrap().status), (false, SpanStatus::Error));
}

#[test]
fn a_task_that_is_aborted_before_it_began_is_cancelled_and_drops_its_work_first() {
    let engine = TestEngine::new();
    let start = |_: (), cx: Context| async move {
        let inside = cx.clone();
        let guard = crate::support::OnDrop(move || inside.span("dropped").end());
        let task = cx.spawn("task", async move {
            let _guard = guard;
            Ok::<_, String>(())
        });
        task.abort();
        assert_eq!(task.await.unwrap_err().kind(), ErrorKind::Cancelled);
        Ok::<_, Error>(())
    };
    on_runtime(&engine, workflow("run", with_context(start)).run((), &engine.context())).unwrap();
    let trace = &engine.traces()[0];
    assert_eq!(trace.find("task").unwrap().status, SpanStatus::Cancelled);
    assert!(trace.find("dropped").is_some() && !trace.failed());
}

#[test]
fn a_task_that_panics_or_is_aborted_gives_a_typed_error() {
    let engine = TestEngine::new();
    async fn start(_: (), cx: Context) -> Result<()> {
        let panics = cx.spawn("panics", async { panic!("at the task") as Result<(), String> });
        assert_eq!(panics.await.unwrap_err().kind(), ErrorKind::Panic);
        let hangs = cx.spawn("hangs", std::future::pending::<Result<(), String>>());
        give_way().await;
        assert!(!hangs.is_finished());
        hangs.abort();
        assert_eq!(hangs.await.unwrap_err().kind(), ErrorKind::Cancelled);
        Ok(())
    }
    on_runtime(&engine, workflow("run", with_context(start)).run((), &engine.context())).unwrap();
    assert_snapshot!(engine.tree(), @r"
    run
    ╰─ start
       ├─ panics (task) ✗
       │     panic: at the task
       ╰─ hangs (task) ⊘ cancelled
    ");
}

#[test]
fn a_task_without_a_runtime_is_an_error_not_a_panic() {
    let engine = TestEngine::new();
    let flow = workflow("run", with_context(spawn_and_wait));
    let error = engine.block_on(flow.run(4, &engine.context())).unwrap_err();
    assert_eq!(error.to_string(), "a task needs a tokio runtime, none is running here");
    // Also when nobody waits for it.
    let start = |_: (), cx: Context| {
        cx.spawn("task", async { Ok::<_, String>(()) }).detach();
        std::future::ready(Ok::<_, Error>(()))
    };
    engine.block_on(workflow("run", with_context(start)).run((), &engine.context())).unwrap();
    let trace = &engine.traces()[1];
    assert_eq!((trace.failed(), trace.find("task").unwrap().status), (true, SpanStatus::Error));
}

#[test]
fn a_task_of_a_run_that_is_dropped_is_told() {
    let engine = TestEngine::new();
    let told = Arc::new(AtomicBool::new(false));
    on_runtime(&engine, async {
        let flag = Arc::clone(&told);
        let start = move |_: (), cx: Context| {
            let (inside, flag) = (cx.clone(), Arc::clone(&flag));
            cx.spawn("watch", async move {
                inside.cancelled().await;
                flag.store(true, Ordering::SeqCst);
                Ok::<_, Error>(())
            })
            .detach();
            std::future::pending::<Result<()>>()
        };
        let (flow, cx) = (workflow("run", with_context(start)), engine.context());
        let mut run = Box::pin(flow.run((), &cx));
        assert!(poll_once(pin!(&mut run)).is_pending());
        give_way().await;
        assert!(!told.load(Ordering::SeqCst));
        drop(run);
        give_way().await;
        give_way().await;
    });
    assert!(told.load(Ordering::SeqCst));
}

#[test]
fn a_run_by_hand_is_a_trace_with_statistics_and_workflows_join_it() {
    let engine = TestEngine::new();
    let flow = workflow("double", double);
    let mut run = context(&engine).start_run("orders", "consumer");
    run.set("messaging.system", "kafka");
    run.set_with("dear", || 1);
    engine.clock().advance(SECOND);
    let result = engine.block_on(run.scope(async {
        let cx = Context::current().unwrap();
        flow.run(2, &cx).await
    }));
    assert!(run.end(&result).is_some_and(|decision| decision.keep));
    let failed = context(&engine).start_run("orders", "consumer");
    let _ = failed.end(&Err::<(), _>("boom".with_kind(ErrorKind::Upstream)));
    let refused = context(&engine).start_run("orders", "consumer");
    let _ = refused.end_as(SpanStatus::Error);
    drop(context(&engine).start_run("orders", "consumer"));
    assert_snapshot!(engine.tree_with_attributes(), @r"
    orders (consumer)
    │  correlation.id = c-1
    │  messaging.system = kafka
    │  dear = 1
    ╰─ double
       ╰─ double
    orders (consumer) ✗
       upstream: boom
       correlation.id = c-1
    orders (consumer) ✗
       correlation.id = c-1
    orders (consumer) ⊘ cancelled
       correlation.id = c-1
    ");
    let statistics = engine.telemetry().step_statistics();
    let orders = statistics.iter().find(|step| step.name == "orders").unwrap();
    assert_eq!((orders.success, orders.failure, orders.cancelled), (1, 2, 1));
}
