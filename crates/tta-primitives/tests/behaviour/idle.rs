//! Idle timeouts: work may take long, but not without a sign of life.

use insta::assert_snapshot;
use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, ErrorKind, Timeout, step, with_context, workflow};

use crate::support::{MS, SECOND, context};

/// Waits so often a second, and says so in between.
async fn lively(batches: u32, cx: Context) -> Result<u32, String> {
    for _ in 0..batches {
        cx.sleep(SECOND).await;
        cx.progress();
    }
    Ok(batches)
}

/// Waits so often a second.
async fn silent(batches: u32, cx: Context) -> Result<u32, String> {
    for _ in 0..batches {
        cx.sleep(SECOND).await;
    }
    Ok(batches)
}

fn idle(after: std::time::Duration) -> Timeout {
    Timeout::when_idle(after).build().unwrap()
}

#[test]
fn work_that_makes_progress_may_take_any_time() {
    let engine = TestEngine::new();
    let flow = workflow("import", step(with_context(lively)).timeout(idle(1_500 * MS)));
    let cx = engine.context();
    assert_eq!(engine.block_on(flow.run(100, &cx)).unwrap(), 100);
    assert_eq!(cx.elapsed(), 100 * SECOND);
}

#[test]
fn work_without_progress_is_stopped_after_the_idle_timeout_and_says_which_bound_it_was() {
    let engine = TestEngine::new();
    let flow = workflow("import", step(with_context(silent)).timeout(idle(1_500 * MS)));
    let cx = context(&engine);
    let error = engine.block_on(flow.run(100, &cx)).unwrap_err();
    assert_eq!((error.kind(), cx.elapsed()), (ErrorKind::Timeout, 1_500 * MS));
    assert_eq!(error.to_string(), "no progress within its idle timeout of 1.5s");
    assert_snapshot!(engine.tree_with_attributes(), @r"
    import ✗
    │  timeout: no progress within its idle timeout of 1.5s
    │  correlation.id = c-1
    │  error.path = silent
    ╰─ silent ✗
          timeout: no progress within its idle timeout of 1.5s
          timeout.outcome = expired
          timeout.limit_ns = 1500000000
          timeout.idle = true
    ");
}

#[test]
fn the_idle_time_counts_from_the_last_sign_of_life() {
    let engine = TestEngine::new();
    let stall = with_context(|_: u32, cx: Context| async move {
        cx.sleep(SECOND).await;
        cx.progress();
        cx.sleep(100 * SECOND).await;
        Ok::<_, String>(0)
    });
    let flow = workflow("import", step(stall).timeout(idle(2 * SECOND)));
    let cx = engine.context();
    assert!(engine.block_on(flow.run(0, &cx)).is_err());
    assert_eq!(cx.elapsed(), 3 * SECOND);
}

#[test]
fn the_timeout_still_bounds_work_that_makes_progress() {
    let engine = TestEngine::new();
    let both = Timeout::after(5 * SECOND).idle_timeout(1_500 * MS).grace_period(100 * MS).build().unwrap();
    let cx = engine.context();
    let error =
        engine.block_on(workflow("import", step(with_context(lively)).timeout(both)).run(100, &cx)).unwrap_err();
    assert_eq!(error.to_string(), "no result within its timeout of 5s and 100ms of grace");
    assert_eq!(cx.elapsed(), 5_100 * MS);
}

#[test]
fn progress_deep_inside_counts_for_every_idle_timeout_around_it() {
    let engine = TestEngine::new();
    let inner = step(with_context(lively)).timeout(idle(2 * SECOND));
    let outer = workflow("outer", (inner >> step(with_context(lively))).timeout(idle(1_500 * MS)));
    assert_eq!(engine.block_on(outer.run(10, &engine.context())).unwrap(), 10);
    // Outside of any idle timeout it does nothing.
    engine.context().progress();
}

#[test]
fn a_step_that_stops_in_the_grace_after_an_idle_timeout_succeeds() {
    let engine = TestEngine::new();
    let listens = with_context(|_: u32, cx: Context| async move {
        cx.cancelled().await;
        Ok::<_, String>(7)
    });
    let policy = Timeout::when_idle(SECOND).grace_period(SECOND).build().unwrap();
    let flow = workflow("import", step(listens).timeout(policy));
    assert_eq!(engine.block_on(flow.run(0, &engine.context())).unwrap(), 7);
    let traces = engine.traces();
    let step = traces[0].find("closure").unwrap();
    assert_eq!(step.attribute("timeout.in_grace").and_then(|value| value.as_bool()), Some(true));
}
