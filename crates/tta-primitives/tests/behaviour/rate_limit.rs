//! Rate limits: who is admitted, who waits, who is turned away, and that the bound holds.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tta_primitives::testing::TestEngine;
use tta_primitives::{
    Context, ErrorKind, Jitter, RateLimit, RateLimitBuilder, RateLimitedError, Retry, RetryHint, Workflow, step,
    workflow,
};
use tta_telemetry::{Decision, Severity, Telemetry};

use super::support::{MS, SECOND, context, double, give_way, poll_once, start_and_drop};

/// One call a second.
fn slow() -> RateLimitBuilder {
    RateLimit::named("api").per_second(1.0)
}

fn limited(limit: &RateLimit) -> Workflow<u32, u32> {
    workflow("limited", double).rate_limit(limit.clone())
}

fn outcomes(telemetry: &Telemetry) -> Vec<(&'static str, u64)> {
    let counts = telemetry.decision_counts().into_iter();
    let counts = counts.filter(|count| count.key.family == "rate_limit" && count.count > 0);
    counts.map(|count| (count.outcome, count.count)).collect()
}

#[test]
fn a_call_over_the_limit_fails_with_when_to_come_again() {
    let engine = TestEngine::new();
    let limit = slow().burst(2).build().unwrap();
    let (flow, cx) = (limited(&limit), engine.context());
    let run = || engine.block_on(flow.run(1, &cx));
    assert!(run().is_ok() && run().is_ok());
    engine.clock().advance(400 * MS);
    let error = run().unwrap_err();
    assert_eq!(format!("{error:?}"), "rate_limited error in `double`: rate limit `api` has no room for 600ms");
    assert_eq!(error.downcast_ref::<RateLimitedError>().unwrap().retry_in, 600 * MS);
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::RateLimited, RetryHint::After(600 * MS)));
    engine.clock().advance(600 * MS);
    assert!(run().is_ok());
    assert_eq!((limit.stats().admitted, limit.stats().shed, limit.stats().waited), (3, 1, 0));
    assert_eq!(outcomes(engine.telemetry()), [("admitted", 3), ("refused", 1)]);
}

#[test]
fn the_burst_comes_back_with_time_and_no_more_than_it() {
    let engine = TestEngine::new();
    let limit = slow().burst(3).build().unwrap();
    let (flow, cx) = (limited(&limit), engine.context());
    let admitted = || (0..10).filter(|_| engine.block_on(flow.run(1, &cx)).is_ok()).count();
    assert_eq!(admitted(), 3);
    engine.clock().advance(2 * SECOND);
    assert_eq!(admitted(), 2);
    engine.clock().advance(3_600 * SECOND);
    assert_eq!(admitted(), 3);
}

#[test]
fn a_retry_around_it_comes_again_when_it_was_told_to() {
    let engine = TestEngine::new();
    let limit = RateLimit::named("api").per(2, 20 * SECOND).build().unwrap();
    let retry = Retry::new().initial_delay(MS).jitter(Jitter::None).max_retries(1).build().unwrap();
    let (flow, cx) = (limited(&limit).retry(retry), engine.context());
    engine.block_on(flow.run(1, &cx)).unwrap();
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap(), 2);
    assert_eq!(cx.elapsed(), 10 * SECOND);
}

#[test]
fn calls_that_may_wait_are_spaced_by_the_interval_in_the_order_in_which_they_came() {
    let engine = TestEngine::new();
    let limit = slow().wait_up_to(10 * SECOND).build().unwrap();
    let cx = engine.context();
    let at = Arc::new(Mutex::new(Vec::new()));
    let (log, clock) = (Arc::clone(&at), cx.clone());
    let flow = step(move |x: u32| {
        log.lock().unwrap().push((x, clock.elapsed()));
        double(x)
    })
    .rate_limit(limit.clone());
    assert!(engine.block_on(join_all((0..4).map(|x| flow.run(x, &cx)))).iter().all(Result::is_ok));
    let want: Vec<_> = (0..4).map(|x| (x, x * SECOND)).collect();
    assert_eq!(*at.lock().unwrap(), want);
    assert_eq!((limit.stats().admitted, limit.stats().waited, limit.stats().waiting), (4, 3, 0));
}

#[test]
fn what_was_decided_is_on_the_span_unless_the_call_went_at_once() {
    let engine = TestEngine::new();
    let limit = slow().wait_up_to(SECOND).build().unwrap();
    let flow = limited(&limit);
    let contexts = [context(&engine), context(&engine), context(&engine)];
    let results = engine.block_on(join_all(contexts.iter().map(|cx| flow.run(1, cx))));
    assert!(results[0].is_ok() && results[1].is_ok() && results[2].is_err());
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    limited
    │  correlation.id = c-1
    ╰─ double
    limited ✗
    │  rate_limited: rate limit `api` has no room for 2s
    │  correlation.id = c-1
    │  error.path = double
    ╰─ double ✗
          rate_limited: rate limit `api` has no room for 2s
          rate_limit.outcome = wait_too_long
          rate_limit.name = api
          rate_limit.retry_in_ns = 2000000000
    limited
    │  correlation.id = c-1
    ╰─ double
          rate_limit.outcome = waited
          rate_limit.name = api
          rate_limit.waited_ns = 1000000000
    ");
    assert_eq!(outcomes(engine.telemetry()), [("admitted", 1), ("waited", 1), ("wait_too_long", 1)]);
}

#[test]
fn a_turn_that_comes_too_late_is_refused_at_once_and_takes_nothing() {
    let engine = TestEngine::new();
    let limit = slow().wait_up_to(1_500 * MS).build().unwrap();
    let (flow, cx) = (limited(&limit), engine.context());
    engine.block_on(flow.run(1, &cx)).unwrap();
    let mut first = pin!(flow.run(1, &cx));
    assert!(poll_once(first.as_mut()).is_pending());
    for _ in 0..3 {
        let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
        assert_eq!(error.downcast_ref::<RateLimitedError>().unwrap().retry_in, 2 * SECOND);
    }
    assert_eq!(cx.elapsed(), Duration::ZERO);
    engine.block_on(first).unwrap();
    // Refused calls took nothing: the next turn is a second later.
    engine.block_on(flow.run(1, &cx)).unwrap();
    assert_eq!(cx.elapsed(), 2 * SECOND);
}

#[test]
fn a_turn_at_the_deadline_is_too_late_and_one_before_it_is_not() {
    let engine = TestEngine::new();
    let limit = slow().wait_up_to(10 * SECOND).build().unwrap();
    let flow = limited(&limit);
    let within =
        |deadline| Context::builder().telemetry(engine.telemetry().clone()).deadline(deadline).build().unwrap();
    engine.block_on(flow.run(1, &engine.context())).unwrap();
    let error = engine.block_on(flow.run(1, &within(SECOND))).unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::RateLimited, RetryHint::After(SECOND)));
    let cx = within(SECOND + MS);
    engine.block_on(flow.run(1, &cx)).unwrap();
    assert_eq!(cx.elapsed(), SECOND);
    assert_eq!(outcomes(engine.telemetry()), [("admitted", 1), ("waited", 1), ("deadline_too_close", 1)]);
}

#[test]
fn a_dropped_waiter_gives_its_turn_back_if_it_is_the_last_one() {
    let engine = TestEngine::new();
    let limit = slow().wait_up_to(10 * SECOND).build().unwrap();
    let (flow, cx) = (limited(&limit), engine.context());
    engine.block_on(flow.run(1, &cx)).unwrap();
    start_and_drop(flow.run(1, &cx));
    engine.block_on(flow.run(1, &cx)).unwrap();
    assert_eq!(cx.elapsed(), SECOND);
    assert_eq!((limit.stats().gave_up, limit.stats().waiting), (1, 0));
    assert_eq!(outcomes(engine.telemetry()), [("admitted", 1), ("waited", 1), ("abandoned", 1)]);
}

#[test]
fn a_dropped_waiter_with_others_behind_it_leaves_its_turn_empty() {
    let engine = TestEngine::new();
    let limit = slow().wait_up_to(10 * SECOND).build().unwrap();
    let (flow, cx) = (limited(&limit), engine.context());
    engine.block_on(flow.run(1, &cx)).unwrap();
    let mut behind = pin!(flow.run(1, &cx));
    {
        let mut dropped = pin!(flow.run(1, &cx));
        assert!(poll_once(dropped.as_mut()).is_pending() && poll_once(behind.as_mut()).is_pending());
    }
    engine.block_on(behind).unwrap();
    assert_eq!(cx.elapsed(), 2 * SECOND, "it keeps the turn that it was promised");
}

#[test]
fn a_run_that_is_told_to_stop_gives_its_turn_back() {
    let engine = TestEngine::new();
    let limit = slow().wait_up_to(10 * SECOND).build().unwrap();
    let (flow, cx) = (limited(&limit), engine.context());
    engine.block_on(flow.run(1, &engine.context())).unwrap();
    let stop = async {
        give_way().await;
        cx.cancel_handle().cancel();
    };
    let (result, ()) = engine.block_on(async { futures_util::join!(flow.run(1, &cx), stop) });
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "the run was told to stop while it waited for a rate limit");
    assert_eq!((error.kind(), limit.stats().gave_up), (ErrorKind::Cancelled, 1));
    let cx = engine.context();
    engine.block_on(flow.run(1, &cx)).unwrap();
    assert_eq!(cx.elapsed(), SECOND);
}

#[test]
fn every_key_has_the_limit_for_itself() {
    let engine = TestEngine::new();
    let limit = slow().burst(2).build_keyed::<u32>().unwrap();
    let (flow, cx) = (step(double).rate_limit_by(limit.clone(), |x| x % 3), engine.context());
    let admitted: Vec<_> = (0..9).map(|x| engine.block_on(flow.run(x, &cx)).is_ok()).collect();
    assert_eq!(admitted, [true, true, true, true, true, true, false, false, false]);
    let stats = limit.stats();
    assert_eq!((stats.keys, stats.admitted, stats.shed, stats.evicted_keys), (3, 6, 3, 0));
    let text = flow.graph().to_text();
    assert!(text.contains("double [rate limit api 1/s]"), "{text}");
}

#[test]
fn keys_are_bounded_and_those_that_lost_something_are_counted() {
    let engine = TestEngine::new();
    let limit = slow().max_keys(2).build_keyed::<u32>().unwrap();
    let (flow, cx) = (step(double).rate_limit_by(limit.clone(), |x| *x), engine.context());
    let run = |key| engine.block_on(flow.run(key, &cx)).is_ok();
    assert!(run(1) && run(2) && !run(1) && run(3));
    let stats = limit.stats();
    assert_eq!((stats.keys, stats.expired_keys, stats.evicted_keys), (2, 0, 1));
    engine.clock().advance(SECOND);
    assert!(run(4) && run(5));
    let stats = limit.stats();
    assert_eq!((stats.keys, stats.expired_keys, stats.evicted_keys), (2, 2, 1));
}

#[test]
fn keyed_calls_wait_for_their_own_turn_and_give_it_back() {
    let engine = TestEngine::new();
    let limit = slow().wait_up_to(5 * SECOND).build_keyed::<u32>().unwrap();
    let (flow, cx) = (step(double).rate_limit_by(limit.clone(), |x| *x), engine.context());
    engine.block_on(flow.run(1, &cx)).unwrap();
    start_and_drop(flow.run(1, &cx));
    let results = engine.block_on(join_all([1, 2, 1].map(|x| flow.run(x, &cx))));
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((cx.elapsed(), limit.stats().waited, limit.stats().gave_up), (2 * SECOND, 2, 1));
}

#[test]
fn a_key_function_that_panics_fails_its_call_and_lets_nobody_past() {
    let engine = TestEngine::new();
    let limit = slow().build_keyed::<u32>().unwrap();
    let key = |x: &u32| {
        assert!(*x != 7, "no key for 7");
        *x
    };
    let (flow, cx) = (step(double).rate_limit_by(limit.clone(), key), engine.context());
    for _ in 0..3 {
        let error = engine.block_on(flow.run(7, &cx)).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Panic, "no key for 7".to_owned()));
    }
    assert_eq!((limit.stats().keys, limit.stats().admitted), (0, 0));
    assert!(engine.block_on(flow.run(1, &cx)).is_ok() && engine.block_on(flow.run(1, &cx)).is_err());
}

/// A key whose own code panics while the keys are locked.
#[test]
fn a_key_that_panics_when_compared_does_not_wedge_the_others() {
    #[derive(Clone, PartialEq, Eq)]
    struct Key(u32);
    impl std::hash::Hash for Key {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            assert!(self.0 != 7, "7 has no hash");
            self.0.hash(state);
        }
    }
    let engine = TestEngine::new();
    let limit = slow().build_keyed::<Key>().unwrap();
    let (flow, cx) = (step(double).rate_limit_by(limit.clone(), |x| Key(*x)), engine.context());
    assert!(engine.block_on(flow.run(1, &cx)).is_ok());
    assert_eq!(engine.block_on(flow.run(7, &cx)).unwrap_err().to_string(), "7 has no hash");
    assert!(engine.block_on(flow.run(1, &cx)).is_err() && engine.block_on(flow.run(2, &cx)).is_ok());
    assert_eq!(limit.stats().keys, 2);
}

#[test]
fn workflows_share_a_limit_and_engines_whose_clocks_are_paused_do_not() {
    let (engine, other) = (TestEngine::new(), TestEngine::new());
    let limit = slow().build().unwrap();
    let flows = [limited(&limit), workflow("other", double).rate_limit(limit.clone())];
    other.clock().advance(3_600 * SECOND);
    for engine in [&engine, &other] {
        let cx = engine.context();
        assert!(engine.block_on(flows[0].run(1, &cx)).is_ok());
        assert!(engine.block_on(flows[1].run(1, &cx)).is_err());
        engine.clock().advance(SECOND);
        assert!(engine.block_on(flows[1].run(1, &cx)).is_ok());
    }
    assert_eq!((limit.stats().admitted, limit.stats().shed, limit.stats().forgotten_clocks), (4, 2, 0));
}

#[test]
fn more_paused_clocks_than_are_kept_apart_are_counted() {
    let limit = slow().build().unwrap();
    let flow = limited(&limit);
    for _ in 0..66 {
        let engine = TestEngine::new();
        engine.block_on(flow.run(1, &engine.context())).unwrap();
    }
    assert_eq!(limit.stats().forgotten_clocks, 2);
}

#[test]
fn engines_on_the_system_clock_share_a_limit_also_when_they_record_nothing() {
    let limit = RateLimit::named("api").per(1, 3_600 * SECOND).burst(2).build().unwrap();
    let (flow, engine) = (limited(&limit), TestEngine::new());
    let run = |telemetry| engine.block_on(flow.run(1, &Context::on(telemetry)));
    assert!(run(Telemetry::disabled()).is_ok());
    assert!(run(Telemetry::builder().by_hand().build().unwrap()).is_ok());
    let error = run(Telemetry::disabled()).unwrap_err();
    assert!(error.downcast_ref::<RateLimitedError>().unwrap().retry_in > 3_500 * SECOND);
}

#[test]
fn observers_hear_of_calls_that_are_turned_away_and_of_no_others() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let observer = move |decision: &Decision<'_>| log.lock().unwrap().push((decision.outcome, decision.severity));
    let engine = TestEngine::with(|builder| builder.observer(observer));
    let limit = slow().wait_up_to(SECOND).build().unwrap();
    let (flow, cx) = (limited(&limit), engine.context());
    engine.block_on(join_all((0..3).map(|x| flow.run(x, &cx))));
    assert_eq!(*heard.lock().unwrap(), [("wait_too_long", Severity::Warning)]);
}

/// On the real clock, from many threads: what is admitted never exceeds burst and rate.
#[test]
fn threads_on_the_system_clock_are_admitted_within_burst_and_rate() {
    const RATE: f64 = 20_000.0;
    const BURST: u32 = 50;
    let limit = RateLimit::named("api").per_second(RATE).burst(BURST).build().unwrap();
    let telemetry = Telemetry::builder().by_hand().build().unwrap();
    let flow = limited(&limit);
    let admitted = AtomicU64::new(0);
    let start = telemetry.clock().ticks();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let engine = TestEngine::new();
                let cx = Context::on(telemetry.clone());
                let mine = (0..1_000).filter(|_| engine.block_on(flow.run(1, &cx)).is_ok()).count();
                admitted.fetch_add(mine as u64, Ordering::Relaxed);
            });
        }
    });
    let elapsed = telemetry.clock().elapsed(start).as_secs_f64();
    let admitted = admitted.into_inner();
    assert!(admitted as f64 <= f64::from(BURST) + RATE * elapsed, "{admitted} in {elapsed} s");
    assert!(admitted >= u64::from(BURST), "{admitted}");
    assert_eq!((limit.stats().admitted, limit.stats().shed), (admitted, 4_000 - admitted));
}
