//! Two engines in one process, and one workflow object used with both.

use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, Result, Workflow, step, when, with_context, workflow};
use tta_telemetry::Telemetry;

use super::support::{context, double, increment, refuse};

fn flow() -> Workflow<u32, u32> {
    workflow("both", double) >> workflow("nested", increment) >> when(|x: &u32| *x > 100, refuse)
}

/// What an engine has counted: runs and failures by step.
fn counted(engine: &TestEngine) -> Vec<(String, u64, u64)> {
    let steps = engine.telemetry().step_statistics();
    steps.iter().map(|step| (format!("{}/{}", step.workflow, step.name), step.runs(), step.failure)).collect()
}

#[test]
fn one_workflow_used_with_two_engines_in_turn_records_into_the_right_one() {
    let (one, two) = (TestEngine::new(), TestEngine::new());
    let flow = flow();
    let run = |engine: &TestEngine, x| engine.block_on(flow.run(x, &engine.context())).is_ok();
    for _ in 0..5 {
        assert!(run(&one, 1) && run(&two, 2) && run(&two, 3) && !run(&two, 60));
    }
    let want = |ok: u64, failed: u64| {
        let all = ok + failed;
        let mut want = vec![
            ("both/both".to_owned(), all, failed),
            ("both/double".to_owned(), all, 0),
            ("both/nested".to_owned(), all, 0),
            ("nested/increment".to_owned(), all, 0),
            ("both/conditional".to_owned(), all, failed),
        ];
        if failed > 0 {
            want.push(("both/refuse".to_owned(), failed, failed));
        }
        want
    };
    assert_eq!((counted(&one), counted(&two)), (want(5, 0), want(10, 5)));
    assert_eq!((one.traces().len(), two.traces().len()), (5, 15));
    assert!(two.traces().iter().all(|trace| trace.spans.len() >= 4), "every trace is whole");
}

#[test]
fn an_engine_that_is_off_beside_one_that_is_on_takes_nothing_from_it() {
    let (on, off) = (TestEngine::new(), TestEngine::with(|builder| builder.enabled(false)));
    let flow = flow();
    for engine in [&off, &on, &off, &on] {
        assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 3);
    }
    assert_eq!((on.traces().len(), off.traces().len()), (2, 0));
    assert!(counted(&on).iter().all(|(_, runs, _)| *runs == 2));
    assert_eq!(counted(&off), []);
}

#[test]
fn a_step_of_one_engines_run_can_run_on_another_engine() {
    let other = TestEngine::new();
    let telemetry = other.telemetry().clone();
    let across = with_context(move |x: u32, _: Context| {
        let telemetry = telemetry.clone();
        async move { flow().run(x, &Context::on(telemetry)).await }
    });
    let engine = TestEngine::new();
    let outer = workflow("outer", step(across).named("across")) >> increment;
    assert_eq!(engine.block_on(outer.run(1, &engine.context())).unwrap(), 4);
    insta::assert_snapshot!(engine.tree(), @r"
    outer
    ├─ across
    │  ╰─ closure
    ╰─ increment
    ");
    insta::assert_snapshot!(other.tree(), @r"
    both
    ├─ double
    ├─ nested
    │  ╰─ increment
    ╰─ conditional
    ");
}

#[test]
fn an_engine_that_was_shut_down_lets_runs_go_on_unrecorded() {
    let (ended, other) = (TestEngine::new(), TestEngine::new());
    let flow = flow();
    assert!(ended.block_on(flow.run(1, &ended.context())).is_ok());
    assert!(ended.telemetry().shutdown_blocking(super::support::SECOND).complete);
    for engine in [&ended, &other, &ended] {
        assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 3);
    }
    assert_eq!(counted(&ended).first().map(|(_, runs, _)| *runs), Some(1));
    assert_eq!(counted(&other).first().map(|(_, runs, _)| *runs), Some(1));
}

#[test]
fn without_an_installed_engine_a_new_context_records_nothing_and_runs_as_ever() {
    async fn look(x: u32, cx: Context) -> Result<(u32, bool, bool)> {
        Ok((x, cx.is_recording(), cx.trace_id().is_some()))
    }
    assert!(!Telemetry::global().is_enabled());
    let engine = TestEngine::new();
    let looked = engine.block_on(workflow("default", with_context(look)).run(1, &Context::new())).unwrap();
    assert_eq!(looked, (1, false, true));
}

/// Engines with the same seed give their runs the same ids; a context of the one run used inside
/// the other was then taken to be in it.
#[test]
fn a_context_of_one_engines_run_keeps_its_place_inside_a_run_of_another_with_the_same_ids() {
    async fn lend(_: u32, cx: Context) -> Result<Context> {
        Ok(cx)
    }
    async fn carry(lent: Context) -> Result<Context> {
        Ok(lent)
    }
    async fn borrow(lent: Context) -> Result<u32, String> {
        lent.span("borrowed").end();
        lent.set("borrowed", true);
        Ok(1)
    }
    let (one, two) = (TestEngine::new(), TestEngine::new());
    let lent = one.block_on(workflow("lends", with_context(lend)).run(1, &context(&one))).unwrap();
    two.block_on((workflow("borrows", carry) >> borrow).run(lent, &context(&two))).unwrap();
    insta::assert_snapshot!(one.tree_with_attributes(), @r"
    lends
    │  correlation.id = c-1
    ╰─ lend
       │  borrowed = true
       ╰─ borrowed (span)
    ");
    insta::assert_snapshot!(two.tree_with_attributes(), @r"
    borrows
    │  correlation.id = c-1
    ├─ carry
    │     step.index = 0
    │     step.total = 2
    ╰─ borrow
          step.index = 1
          step.total = 2
    ");
}
