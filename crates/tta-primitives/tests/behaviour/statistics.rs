//! Step statistics: exact for every run, whatever is kept of its trace.

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Context, Result, Retry, step, when, with_context, workflow};
use tta_telemetry::{Sampling, StepStatistics};

use super::support::{MS, SECOND, double, hang, increment, start_and_drop};

/// Takes as many milliseconds as it is told; fails from 100 on.
async fn work(ms: u32, cx: Context) -> Result<u32> {
    cx.sleep(MS * ms).await;
    if ms < 100 { Ok(ms) } else { Err(tta_primitives::Error::from_any(format!("{ms} is too long"))) }
}

/// `workflow/name (kind): ok failed cancelled, total time`.
fn lines(engine: &TestEngine) -> Vec<String> {
    let line = |step: &StepStatistics| {
        let ms = step.durations.sum() / 1_000_000;
        assert_eq!(step.durations.count(), step.runs(), "every execution has a duration");
        format!(
            "{}/{} ({}): {} ok, {} failed, {} cancelled, {ms} ms",
            step.workflow, step.name, step.kind, step.success, step.failure, step.cancelled
        )
    };
    engine.telemetry().step_statistics().iter().map(line).collect()
}

#[test]
fn runs_that_succeed_fail_and_are_cancelled_are_counted_exactly_though_no_trace_is_kept() {
    let engine = TestEngine::with(|builder| builder.sampling(Sampling::KeepNone));
    let flow =
        workflow("main", double) >> with_context(work) >> workflow("rest", increment) >> when(|x: &u32| *x > 40, hang);
    let cx = engine.context();
    for x in 0..10 {
        engine.block_on(flow.run(x, &cx)).unwrap();
    }
    for x in 50..53 {
        engine.block_on(flow.run(x, &cx)).unwrap_err();
    }
    for x in 48..50 {
        let mut run = std::pin::pin!(flow.run(x, &cx));
        assert!(super::support::poll_once(run.as_mut()).is_pending());
        engine.clock().advance_to_next();
        assert!(super::support::poll_once(run.as_mut()).is_pending());
    }
    start_and_drop(flow.run(1, &cx));
    assert_eq!(engine.traces().len(), 0);
    // Times: 0 + 2 + ... + 18 by those that succeed, 100 + 102 + 104 by those that fail, 96 + 98 by
    // those that hang afterwards, nothing by the one that was dropped at once.
    insta::assert_snapshot!(lines(&engine).join("\n"), @r"
    main/main (workflow): 10 ok, 3 failed, 3 cancelled, 590 ms
    main/double (lambda): 16 ok, 0 failed, 0 cancelled, 0 ms
    main/work (lambda): 12 ok, 3 failed, 1 cancelled, 590 ms
    main/rest (workflow): 12 ok, 0 failed, 0 cancelled, 0 ms
    rest/increment (lambda): 12 ok, 0 failed, 0 cancelled, 0 ms
    main/conditional (conditional): 10 ok, 0 failed, 2 cancelled, 0 ms
    main/hang (lambda): 0 ok, 0 failed, 2 cancelled, 0 ms
    ");
}

#[test]
fn a_retried_step_counts_once_and_its_attempts_are_no_steps() {
    let engine = TestEngine::with(|builder| builder.sampling(Sampling::KeepNone));
    let flaky = Mock::<u32, u32>::new("flaky").fails(2, "not yet").returns(1);
    let policy = Retry::new().jitter(tta_primitives::Jitter::None).build().unwrap();
    let flow = workflow("retries", flaky).retry(policy) >> increment;
    engine.block_on(flow.run(1, &engine.context())).unwrap();
    insta::assert_snapshot!(lines(&engine).join("\n"), @r"
    retries/retries (workflow): 1 ok, 0 failed, 0 cancelled, 3000 ms
    retries/flaky (mock): 1 ok, 0 failed, 0 cancelled, 3000 ms
    retries/increment (lambda): 1 ok, 0 failed, 0 cancelled, 0 ms
    ");
}

#[test]
fn branches_are_counted_like_steps_and_losers_as_cancelled() {
    let engine = TestEngine::with(|builder| builder.sampling(Sampling::KeepNone));
    let slow = Mock::<u32, u32>::new("slow").delays(10 * SECOND).returns(1);
    let fails = Mock::<u32, u32>::new("fails").delays(SECOND).fails(1, "no use");
    let flow = workflow("fans", step(slow) | fails | increment);
    engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    insta::assert_snapshot!(lines(&engine).join("\n"), @r"
    fans/fans (workflow): 0 ok, 1 failed, 0 cancelled, 1000 ms
    fans/parallel (parallel): 0 ok, 1 failed, 0 cancelled, 1000 ms
    fans/slow (mock): 0 ok, 0 failed, 1 cancelled, 1000 ms
    fans/fails (mock): 0 ok, 1 failed, 0 cancelled, 1000 ms
    fans/increment (lambda): 1 ok, 0 failed, 0 cancelled, 0 ms
    ");
}

#[test]
fn the_same_step_in_two_workflows_is_counted_apart() {
    let engine = TestEngine::with(|builder| builder.sampling(Sampling::KeepNone));
    let shared = step(double);
    let (one, two) = (workflow("one", shared.clone()), workflow("two", shared) >> double);
    let cx = engine.context();
    for _ in 0..3 {
        engine.block_on(one.run(1, &cx)).unwrap();
        engine.block_on(two.run(1, &cx)).unwrap();
    }
    insta::assert_snapshot!(lines(&engine).join("\n"), @r"
    one/one (workflow): 3 ok, 0 failed, 0 cancelled, 0 ms
    one/double (lambda): 3 ok, 0 failed, 0 cancelled, 0 ms
    two/two (workflow): 3 ok, 0 failed, 0 cancelled, 0 ms
    two/double (lambda): 6 ok, 0 failed, 0 cancelled, 0 ms
    ");
}

#[test]
fn nothing_is_counted_when_nothing_is_recorded() {
    let engine = TestEngine::with(|builder| builder.enabled(false));
    engine.block_on(workflow("off", double).run(1, &engine.context())).unwrap();
    assert_eq!(engine.telemetry().step_statistics(), []);
}

#[test]
fn concurrent_runs_on_several_threads_lose_no_count() {
    const RUNS: u32 = 250;
    let engine = TestEngine::with(|builder| builder.sampling(Sampling::KeepNone));
    let flow = workflow("many", double) >> (step(double) | increment);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (here, cx) = (TestEngine::new(), engine.context());
                for x in 0..RUNS {
                    here.block_on(flow.run(x, &cx)).unwrap();
                }
            });
        }
    });
    let counts: Vec<_> = engine.telemetry().step_statistics().iter().map(|step| (step.success, step.runs())).collect();
    let (once, twice) = ((4 * u64::from(RUNS), 4 * u64::from(RUNS)), (8 * u64::from(RUNS), 8 * u64::from(RUNS)));
    let mut sorted = counts.clone();
    sorted.sort_unstable();
    // The run, `parallel` and `increment` once each; `double` as a step and as a branch.
    assert_eq!(sorted, [once, once, once, twice]);
}
