//! Where a step is: the current context, and which span things recorded by hand hang under.

use std::pin::pin;
use std::task::Poll;

use tta_primitives::testing::TestEngine;
use tta_primitives::{
    Context, Error, ErrorKind, IntoError, Result, Retry, Timeout, blocking, step, sync, with_context, workflow,
};

use super::support::{MS, SECOND, context, double, give_way, increment, on_runtime, poll_once, refuse};

/// Notes its own name as an attribute of the span it is in, before and after giving way.
async fn mark(x: u32) -> Result<u32, String> {
    mark_here("before")?;
    give_way().await;
    mark_here("after")?;
    Ok(x)
}

fn mark_here(key: &'static str) -> Result<(), String> {
    let cx = Context::current().ok_or("there is no current context")?;
    cx.set(key, cx.correlation_id().map(ToString::to_string).unwrap_or_default().as_str());
    Ok(())
}

#[test]
fn there_is_no_current_context_outside_a_run() {
    let engine = TestEngine::new();
    assert!(Context::current().is_none());
    let flow = step(mark);
    let cx = engine.context();
    let mut run = pin!(flow.run(1, &cx));
    assert!(poll_once(run.as_mut()).is_pending());
    assert!(Context::current().is_none(), "also while a run of this thread waits");
    assert!(poll_once(run.as_mut()).is_ready());
    assert!(Context::current().is_none());
}

#[test]
fn the_current_context_is_the_running_steps_wherever_it_runs() {
    fn mark_sync(x: u32) -> Result<u32, String> {
        mark_here("sync").map(|()| x)
    }
    let engine = TestEngine::new();
    let sum = |(a, b): (u32, u32)| a + b;
    let branches = (step(mark) | sync(mark_sync)).spawned();
    let flow = workflow("marks", mark) >> sync(mark_sync) >> blocking(mark_sync) >> workflow("nested", mark);
    let flow = (flow >> (step(mark) | (step(mark) >> mark))).map(sum) >> branches;
    let again = step(mark).retry(Retry::new().max_retries(1).build().unwrap());
    let bounded = step(mark).timeout(Timeout::after(SECOND).build().unwrap());
    let flow = flow.map(sum) >> again >> bounded;
    on_runtime(&engine, flow.run(1, &context(&engine))).unwrap();
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    marks
    │  correlation.id = c-1
    ├─ mark
    │     step.index = 0
    │     step.total = 10
    │     before = c-1
    │     after = c-1
    ├─ mark_sync
    │     step.index = 1
    │     step.total = 10
    │     sync = c-1
    ├─ mark_sync
    │     step.index = 2
    │     step.total = 10
    │     sync = c-1
    ├─ nested
    │  │  step.index = 3
    │  │  step.total = 10
    │  ╰─ mark
    │        before = c-1
    │        after = c-1
    ├─ parallel
    │  │  step.index = 4
    │  │  step.total = 10
    │  ├─ mark
    │  │     branch.index = 0
    │  │     branch.total = 2
    │  │     before = c-1
    │  │     after = c-1
    │  ╰─ sequential
    │     │  branch.index = 1
    │     │  branch.total = 2
    │     ├─ mark
    │     │     step.index = 0
    │     │     step.total = 2
    │     │     before = c-1
    │     │     after = c-1
    │     ╰─ mark
    │           step.index = 1
    │           step.total = 2
    │           before = c-1
    │           after = c-1
    ├─ closure
    │     code.file.path = crates/tta-primitives/tests/behaviour/current.rs
    │     code.line.number = 49
    │     step.index = 5
    │     step.total = 10
    ├─ parallel
    │  │  step.index = 6
    │  │  step.total = 10
    │  ├─ mark_sync
    │  │     branch.index = 1
    │  │     branch.total = 2
    │  │     sync = c-1
    │  ╰─ mark
    │        branch.index = 0
    │        branch.total = 2
    │        before = c-1
    │        after = c-1
    ├─ closure
    │     code.file.path = crates/tta-primitives/tests/behaviour/current.rs
    │     code.line.number = 52
    │     step.index = 7
    │     step.total = 10
    ├─ mark
    │  │  step.index = 8
    │  │  step.total = 10
    │  ╰─ attempt
    │        attempt.number = 1
    │        before = c-1
    │        after = c-1
    ╰─ mark
          step.index = 9
          step.total = 10
          before = c-1
          after = c-1
    ");
}

#[test]
fn the_current_context_follows_a_run_to_another_thread() {
    let engine = TestEngine::new();
    let (flow, cx) = (workflow("moves", mark) >> mark, context(&engine));
    let mut run = Box::pin(async move { flow.run(1, &cx).await });
    assert!(poll_once(run.as_mut()).is_pending());
    for _ in 0..2 {
        run = std::thread::spawn(move || {
            let _ = poll_once(run.as_mut());
            assert!(Context::current().is_none());
            run
        })
        .join()
        .unwrap();
    }
    drop(run);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    moves
    │  correlation.id = c-1
    ├─ mark
    │     step.index = 0
    │     step.total = 2
    │     before = c-1
    │     after = c-1
    ╰─ mark
          step.index = 1
          step.total = 2
          before = c-1
          after = c-1
    ");
}

#[test]
fn runs_that_take_turns_on_one_thread_do_not_mix() {
    let (one, two) = (TestEngine::new(), TestEngine::new());
    let named = |engine: &TestEngine, id: &str| {
        Context::builder().telemetry(engine.telemetry().clone()).correlation_id(id).build().unwrap()
    };
    let (first, second, third) = (named(&one, "1"), named(&two, "2"), named(&one, "3"));
    let flow = workflow("turns", mark) >> (step(mark) | mark);
    one.block_on(async {
        let runs = futures_util::join!(flow.run(1, &first), flow.run(1, &second), flow.run(1, &third));
        assert!(runs.0.is_ok() && runs.1.is_ok() && runs.2.is_ok());
    });
    let marks = |engine: &TestEngine| -> Vec<String> {
        let of_trace = |trace: &std::sync::Arc<tta_telemetry::Trace>| {
            let keys = ["correlation.id", "before", "after"];
            let values =
                |span: &tta_telemetry::SpanRecord| keys.map(|key| span.attribute(key).map(ToString::to_string));
            let mut values: Vec<_> = trace.spans.iter().flat_map(values).flatten().collect();
            values.dedup();
            values.join(" ")
        };
        engine.traces().iter().map(of_trace).collect()
    };
    assert_eq!((marks(&one), marks(&two)), (vec!["1".to_owned(), "3".to_owned()], vec!["2".to_owned()]));
}

#[test]
fn a_run_inside_a_step_of_another_run_has_its_own_context_and_gives_the_outer_one_back() {
    async fn other_run(x: u32) -> Result<u32> {
        let outer = Context::current().ok_or_else(|| Error::from_any("no context"))?;
        let other = Context::builder().telemetry(outer.telemetry().clone()).correlation_id("other").build();
        let flow = workflow("other", mark);
        let result = flow.run(x, &other.map_err(Error::from_any)?).await;
        mark_here("then").map_err(Error::from_any)?;
        result
    }
    let engine = TestEngine::new();
    let flow = workflow("outer", other_run);
    engine.block_on(flow.run(1, &context(&engine))).unwrap();
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    other
    │  correlation.id = other
    ╰─ mark
          before = other
          after = other
    outer
    │  correlation.id = c-1
    ╰─ other_run
          then = c-1
    ");
}

#[test]
fn a_workflow_run_by_hand_on_another_task_has_the_context_it_was_given() {
    async fn hand_over(x: u32, cx: Context) -> Result<u32> {
        let flow = workflow("by hand", mark) >> mark;
        let task = tokio::runtime::Handle::current().spawn(async move { flow.run(x, &cx).await });
        task.await.map_err(Error::from_any)?
    }
    let engine = TestEngine::new();
    let flow = workflow("outer", with_context(hand_over));
    on_runtime(&engine, flow.run(1, &context(&engine))).unwrap();
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    outer
    │  correlation.id = c-1
    ╰─ hand_over
       ╰─ by hand
          ├─ mark
          │     step.index = 0
          │     step.total = 2
          │     before = c-1
          │     after = c-1
          ╰─ mark
                step.index = 1
                step.total = 2
                before = c-1
                after = c-1
    ");
}

#[test]
fn a_bare_branch_is_told_to_stop_through_its_current_context() {
    async fn watchful(x: u32) -> Result<u32> {
        let cx = Context::current().ok_or_else(|| Error::from_any("no context"))?;
        tokio::select! {
            () = cx.cancelled() => {
                cx.set("told", true);
                Err("stopped".with_kind(ErrorKind::Cancelled))
            }
            () = cx.sleep(60 * SECOND) => Ok(x),
        }
    }
    for spawned in [false, true] {
        let engine = TestEngine::new();
        let fan = (step(watchful) | refuse).cancel_grace(SECOND);
        let flow = workflow("fan", if spawned { fan.spawned() } else { fan });
        let cx = engine.context();
        assert_eq!(on_runtime(&engine, flow.run(1, &cx)).unwrap_err().to_string(), "1 is refused");
        let told = engine.traces()[0].find("watchful").unwrap().attribute("told").cloned();
        assert_eq!(told, Some(tta_telemetry::Value::Bool(true)), "spawned: {spawned}");
        assert!(cx.elapsed().is_zero(), "nothing was waited out");
    }
}

#[test]
fn a_bare_step_sees_the_time_its_timeout_leaves_it() {
    async fn look(_: u32) -> Result<String, String> {
        let cx = Context::current().ok_or("no context")?;
        Ok(format!("{:?}", cx.remaining()))
    }
    let engine = TestEngine::new();
    let bounded = step(look).timeout(Timeout::after(SECOND).build().unwrap());
    let flow = workflow("looks", bounded | look);
    let said = engine.block_on(flow.run(1, &engine.context())).unwrap();
    assert_eq!(said, ("Some(1s)".to_owned(), "None".to_owned()));
}

async fn open_spans(x: u32, cx: Context) -> Result<u32> {
    let mut query = cx.span("query");
    query.set("rows", x);
    give_way().await;
    cx.span("inner").end();
    query.event("half", &[]);
    give_way().await;
    query.end();
    cx.event("done", &[("rows", tta_telemetry::ValueRef::from(x))]);
    Ok(x)
}

#[test]
fn spans_opened_by_hand_hang_under_the_step_they_were_opened_in() {
    let engine = TestEngine::new();
    let again = Retry::new().max_retries(1).initial_delay(MS).build().unwrap();
    let failing = |x: u32, cx: Context| async move {
        cx.span("tried").end();
        refuse(x).await
    };
    let flow = workflow("spans", with_context(open_spans))
        >> workflow("nested", with_context(open_spans))
        >> (step(with_context(open_spans)) | (step(double) >> with_context(open_spans)));
    let flow = flow.map(|(a, b)| a + b) >> step(with_context(failing)).retry(again);
    assert!(engine.block_on(flow.run(2, &context(&engine))).is_err());
    insta::assert_snapshot!(engine.tree(), @r"
    spans ✗
    │  app: 6 is refused
    ├─ open_spans
    │  ├─ inner (span)
    │  ╰─ query (span)
    ├─ nested
    │  ╰─ open_spans
    │     ├─ inner (span)
    │     ╰─ query (span)
    ├─ parallel
    │  ├─ open_spans
    │  │  ├─ inner (span)
    │  │  ╰─ query (span)
    │  ╰─ sequential
    │     ├─ double
    │     ╰─ open_spans
    │        ├─ inner (span)
    │        ╰─ query (span)
    ├─ closure
    ╰─ closure ✗
       │  app: 6 is refused
       ├─ attempt ✗ handled
       │  │  app: 6 is refused
       │  ╰─ tried (span)
       ╰─ attempt ✗
          │  app: 6 is refused
          ╰─ tried (span)
    ");
}

#[test]
fn a_context_that_moved_to_a_task_or_a_thread_still_stands_at_its_step() {
    async fn scatter(x: u32, cx: Context) -> Result<u32> {
        let (on_task, on_thread) = (cx.clone(), cx.clone());
        let task = tokio::runtime::Handle::current().spawn(async move {
            give_way().await;
            on_task.span("on a task").end();
            on_task.set("task", true);
        });
        task.await.map_err(Error::from_any)?;
        let thread = std::thread::spawn(move || on_thread.span("on a thread").end());
        thread.join().map_err(|_| Error::from_any("the thread panicked"))?;
        Ok(x)
    }
    let engine = TestEngine::new();
    let flow = workflow("scatters", increment) >> (step(with_context(scatter)) | with_context(scatter));
    on_runtime(&engine, flow.run(1, &context(&engine))).unwrap();
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    scatters
    │  correlation.id = c-1
    ├─ increment
    │     step.index = 0
    │     step.total = 2
    ╰─ parallel
       │  step.index = 1
       │  step.total = 2
       ├─ scatter
       │  │  branch.index = 0
       │  │  branch.total = 2
       │  │  task = true
       │  ├─ on a task (span)
       │  ╰─ on a thread (span)
       ╰─ scatter
          │  branch.index = 1
          │  branch.total = 2
          │  task = true
          ├─ on a task (span)
          ╰─ on a thread (span)
    ");
}

#[test]
fn a_step_that_is_moved_to_another_thread_while_it_waits_still_records_into_its_own_run() {
    let engine = TestEngine::new();
    let flow = workflow("moves", with_context(open_spans));
    let (first, second) = (context(&engine), context(&engine));
    let (mut one, mut two) = (Box::pin(flow.run(1, &first)), Box::pin(flow.run(2, &second)));
    assert!(poll_once(one.as_mut()).is_pending() && poll_once(two.as_mut()).is_pending());
    std::thread::scope(|scope| {
        let crossed = scope.spawn(|| (poll_once(two.as_mut()).is_ready(), poll_once(one.as_mut()).is_ready()));
        assert_eq!(crossed.join().unwrap(), (false, false));
    });
    assert!(matches!(poll_once(two.as_mut()), Poll::Ready(Ok(2))));
    assert!(matches!(poll_once(one.as_mut()), Poll::Ready(Ok(1))));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    moves
    │  correlation.id = c-1
    ╰─ open_spans
       │  • done rows=2
       ├─ inner (span)
       ╰─ query (span)
             rows = 2
             • half
    moves
    │  correlation.id = c-1
    ╰─ open_spans
       │  • done rows=1
       ├─ inner (span)
       ╰─ query (span)
             rows = 1
             • half
    ");
}
