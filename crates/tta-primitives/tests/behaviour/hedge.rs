//! Hedges: when a second attempt is made, which one counts, what becomes of the others, and that
//! the load stays bounded.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Bulkhead, Context, ErrorKind, Hedge, HedgeBuilder, HedgeError, IntoError, Result, RetryHint, Timeout, Workflow,
    named, step, with_context, workflow,
};
use tta_telemetry::{Decision, Severity, Telemetry, Usd};

use super::support::{
    Counted, MS, OnDrop, SECOND, context, double, give_way, on_runtime, poll_once, start_and_drop, wait_a_second,
};

/// What the attempts do, over all calls: each after so long answers with a number or fails.
type Script = Vec<(u32, Result<u32, &'static str>)>;

/// What the attempts did.
type Log = Arc<Mutex<Vec<String>>>;

/// Notes how an attempt ended.
struct Note {
    log: Log,
    cx: Context,
    number: usize,
    began: Duration,
    how: &'static str,
}

impl Drop for Note {
    fn drop(&mut self) {
        let told = if self.cx.is_cancelled() { ", told to stop" } else { "" };
        let line = format!("{}: {:?} to {:?} {}{told}", self.number, self.began, self.cx.elapsed(), self.how);
        self.log.lock().unwrap().push(line);
    }
}

/// A step that does what a script says, delays in milliseconds, and its log.
fn scripted(script: Script) -> (Workflow<u32, u32>, Log) {
    let log = Log::default();
    let (notes, calls) = (Arc::clone(&log), AtomicUsize::new(0));
    let fetch = with_context(move |_: u32, cx: Context| {
        let number = calls.fetch_add(1, Ordering::SeqCst);
        let (delay, result) = script[number];
        let note = Note { log: Arc::clone(&notes), began: cx.elapsed(), cx: cx.clone(), number, how: "dropped" };
        async move {
            let mut note = note;
            cx.sleep(delay * MS).await;
            note.how = "returned";
            result.map_err(|error| error.with_kind(ErrorKind::Upstream))
        }
    });
    (workflow("call", named("fetch", fetch)), log)
}

fn after(delay: Duration) -> HedgeBuilder {
    Hedge::after(delay)
}

fn lines(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

fn outcomes(telemetry: &Telemetry) -> Vec<(&'static str, u64)> {
    let counts = telemetry.decision_counts().into_iter();
    let counts = counts.filter(|count| count.key.family == "hedge" && count.count > 0);
    counts.map(|count| (count.outcome, count.count)).collect()
}

#[test]
fn an_answer_within_the_delay_needs_no_other_attempt() {
    let engine = TestEngine::new();
    let (fetch, log) = scripted(vec![(99, Ok(7))]);
    let hedge = after(100 * MS).build().unwrap();
    let flow = fetch.hedge(hedge.clone());
    assert_eq!(engine.block_on(flow.run(1, &context(&engine))).unwrap(), 7);
    assert_eq!(lines(&log), ["0: 0ns to 99ms returned"]);
    let stats = hedge.stats();
    assert_eq!((stats.calls, stats.hedged, stats.wasted_calls), (1, 0, 0));
    assert_eq!(outcomes(engine.telemetry()), [("not_needed", 1)]);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    call
    │  correlation.id = c-1
    ╰─ fetch
       ╰─ attempt
             attempt.number = 1
    ");
}

#[test]
fn the_first_success_counts_and_the_loser_is_told_and_dropped() {
    let engine = TestEngine::new();
    let (fetch, log) = scripted(vec![(900, Ok(1)), (50, Ok(2))]);
    let hedge = after(100 * MS).cost_per_call(Usd::from_micros(2_500)).build().unwrap();
    let flow = fetch.hedge(hedge.clone());
    let cx = context(&engine);
    assert_eq!((engine.block_on(flow.run(1, &cx)).unwrap(), cx.elapsed()), (2, 150 * MS));
    assert_eq!(lines(&log), ["1: 100ms to 150ms returned", "0: 0ns to 150ms dropped, told to stop"]);
    let stats = hedge.stats();
    assert_eq!((stats.calls, stats.hedged, stats.won_by_hedge, stats.wasted_calls), (1, 1, 1, 1));
    assert_eq!(stats.waste, Usd::from_micros(2_500));
    assert!(!cx.is_cancelled());
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    call
    │  correlation.id = c-1
    ╰─ fetch
       │  hedge.outcome = hedge_won
       │  hedge.attempts = 2
       │  hedge.delay_ns = 100000000
       │  hedge.waste_usd = 0.0025
       ├─ attempt ⊘ cancelled
       │     attempt.number = 1
       ╰─ attempt
             attempt.number = 2
    ");
}

#[test]
fn the_first_attempt_may_still_win() {
    let engine = TestEngine::new();
    let (fetch, log) = scripted(vec![(150, Ok(1)), (900, Ok(2))]);
    let hedge = after(100 * MS).build().unwrap();
    let flow = fetch.hedge(hedge.clone());
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 1);
    assert_eq!(lines(&log), ["0: 0ns to 150ms returned", "1: 100ms to 150ms dropped, told to stop"]);
    let stats = hedge.stats();
    assert_eq!((stats.hedged, stats.won_by_hedge, stats.wasted_calls, stats.waste), (1, 0, 1, Usd::ZERO));
    assert_eq!(outcomes(engine.telemetry()), [("primary_won", 1)]);
    assert!(!engine.tree_with_attributes().contains("waste"), "nothing is known of what a call costs");
}

#[test]
fn further_attempts_follow_a_delay_apart_up_to_the_most() {
    let engine = TestEngine::new();
    let (fetch, log) = scripted(vec![(900, Ok(1)), (900, Ok(2)), (900, Ok(3))]);
    let hedge = after(100 * MS).max_hedges(2).build().unwrap();
    let flow = fetch.hedge(hedge.clone());
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 1);
    let want = [
        "0: 0ns to 900ms returned",
        "1: 100ms to 900ms dropped, told to stop",
        "2: 200ms to 900ms dropped, told to stop",
    ];
    assert_eq!((lines(&log), hedge.stats().wasted_calls), (want.map(str::to_owned).to_vec(), 2));
}

#[test]
fn a_failure_does_not_end_a_call_while_others_run_and_starts_none() {
    let engine = TestEngine::new();
    let (fetch, log) = scripted(vec![(150, Err("reset")), (200, Ok(2))]);
    let flow = fetch.hedge(after(100 * MS).max_hedges(1).build().unwrap());
    assert_eq!(engine.block_on(flow.run(1, &context(&engine))).unwrap(), 2);
    assert_eq!(lines(&log), ["0: 0ns to 150ms returned", "1: 100ms to 300ms returned"]);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    call
    │  correlation.id = c-1
    ╰─ fetch
       │  hedge.outcome = hedge_won
       │  hedge.attempts = 2
       │  hedge.delay_ns = 100000000
       ├─ attempt ✗ handled
       │     upstream: reset
       │     attempt.number = 1
       ╰─ attempt
             attempt.number = 2
    ");
}

#[test]
fn a_single_attempt_that_fails_is_the_calls_failure() {
    let engine = TestEngine::new();
    let (fetch, log) = scripted(vec![(50, Err("reset"))]);
    let flow = fetch.hedge(after(100 * MS).build().unwrap());
    let cx = engine.context();
    let error = engine.block_on(flow.run(1, &cx)).unwrap_err();
    assert_eq!(format!("{error:?}"), "upstream error in `fetch`: reset");
    assert_eq!((lines(&log).len(), cx.elapsed()), (1, 50 * MS));
    assert_eq!(outcomes(engine.telemetry()), [("failed", 1)]);
}

#[test]
fn when_all_fail_the_error_holds_every_cause_in_the_order_of_the_attempts() {
    let engine = TestEngine::new();
    let slow_down = "slow down".with_kind(ErrorKind::RateLimited).retry_after(SECOND);
    let fetch = Mock::<u32, u32>::new("fetch").delays(150 * MS).fails(1, slow_down).fails(1, "reset");
    let flow = step(fetch).hedge(after(100 * MS).build().unwrap());
    let error = engine.block_on(flow.run(1, &context(&engine))).unwrap_err();
    assert_eq!(error.to_string(), "all 2 attempts failed: primary: slow down; hedge 1: reset");
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::RateLimited, RetryHint::After(SECOND)));
    let causes = error.downcast_ref::<HedgeError>().unwrap().causes();
    assert_eq!(causes.iter().map(|cause| cause.kind()).collect::<Vec<_>>(), [ErrorKind::RateLimited, ErrorKind::App]);
    assert_eq!(outcomes(engine.telemetry()), [("all_failed", 1)]);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    sequential ✗
    │  rate_limited: all 2 attempts failed: primary: slow down; hedge 1: reset
    │  correlation.id = c-1
    │  error.path = fetch
    ╰─ fetch (mock) ✗
       │  rate_limited: all 2 attempts failed: primary: slow down; hedge 1: reset
       │  caused by: slow down
       │  hedge.outcome = all_failed
       │  hedge.attempts = 2
       │  hedge.delay_ns = 100000000
       ├─ attempt ✗
       │     rate_limited: slow down
       │     attempt.number = 1
       ╰─ attempt ✗
             app: reset
             attempt.number = 2
    ");
}

#[test]
fn a_panic_is_a_failure_like_any_other() {
    let engine = TestEngine::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let fetch = with_context(move |x: u32, cx: Context| {
        let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            cx.sleep(150 * MS).await;
            assert!(!first, "the first one falls over");
            Ok::<_, String>(x)
        }
    });
    let flow = step(fetch).hedge(after(100 * MS).build().unwrap());
    let cx = engine.context();
    assert_eq!((engine.block_on(flow.run(9, &cx)).unwrap(), cx.elapsed()), (9, 250 * MS));
}

#[test]
fn a_loser_that_panics_when_dropped_does_not_take_the_answer_with_it() {
    let engine = TestEngine::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let fetch = with_context(move |x: u32, cx: Context| {
        let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let _guard = OnDrop(move || assert!(!first, "the loser falls over"));
            cx.sleep(if first { SECOND } else { MS }).await;
            Ok::<_, String>(x)
        }
    });
    let flow = step(fetch).hedge(after(100 * MS).build().unwrap());
    assert_eq!(engine.block_on(flow.run(9, &engine.context())).unwrap(), 9);
}

#[test]
fn calls_beyond_the_share_go_on_with_one_attempt_and_are_counted() {
    let engine = TestEngine::new();
    let slow = Mock::new("slow").delays(SECOND).returns(1_u32);
    let hedge = after(100 * MS).max_extra_share(0.1).build().unwrap();
    let flow = workflow("call", slow.clone()).hedge(hedge.clone());
    for _ in 0..100 {
        engine.block_on(flow.run(1_u32, &engine.context())).unwrap();
    }
    // Ten that were saved up; a tenth of those calls that came when fewer were.
    let stats = hedge.stats();
    assert_eq!((stats.calls, stats.hedged, stats.skipped), (100, 19, 81));
    assert_eq!(slow.call_count(), 119);
    assert_eq!(outcomes(engine.telemetry()), [("skipped", 81), ("primary_won", 19)]);
    let unbounded = after(100 * MS).max_extra_share(1.0).build().unwrap();
    let flow = step(slow).hedge(unbounded.clone());
    for _ in 0..100 {
        engine.block_on(flow.run(1, &engine.context())).unwrap();
    }
    assert_eq!((unbounded.stats().hedged, unbounded.stats().skipped), (100, 0));
}

#[test]
fn the_percentile_follows_the_latencies() {
    let engine = TestEngine::new();
    let calls = Arc::new(AtomicUsize::new(0));
    // A first attempt of a call with 1 takes ten seconds, all others a hundred milliseconds.
    let fetch = with_context(move |x: u32, cx: Context| {
        let tail = x == 1 && calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        async move {
            cx.sleep(if tail { 10 * SECOND } else { 100 * MS }).await;
            Ok::<_, String>(x)
        }
    });
    let hedge = Hedge::at_percentile(0.9).initial_delay(SECOND).max_extra_share(1.0).build().unwrap();
    let flow = step(fetch).hedge(hedge.clone());
    let took = |x| {
        let cx = engine.context();
        engine.block_on(flow.run(x, &cx)).unwrap();
        cx.elapsed()
    };
    assert_eq!(took(1), SECOND + 100 * MS, "too little is known: the initial delay");
    for call in 0..200_u32 {
        took(u32::from(call % 20 == 0));
    }
    let tail = took(1);
    assert!((195 * MS..210 * MS).contains(&tail), "{tail:?}");
    let stats = hedge.stats();
    assert!(stats.hedged >= 11 && stats.hedged < 40, "{stats:?}");
    assert_eq!(step(double).hedge(hedge).graph().to_text().lines().nth(1), Some("╰─ double [hedge at 0.9]"));
}

/// Counting only first attempts that were waited for, hedging would cut the tail off what it goes
/// by, and so hedge ever sooner.
#[test]
fn a_first_attempt_that_was_overtaken_counts_with_the_time_it_had() {
    let engine = TestEngine::new();
    let hedge = Hedge::at_percentile(0.9).initial_delay(SECOND).max_extra_share(1.0).build().unwrap();
    let quick = step(Mock::new("quick").delays(100 * MS).returns(1_u32)).hedge(hedge.clone());
    let calls = AtomicUsize::new(0);
    let tail = with_context(move |x: u32, cx: Context| {
        let first = calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        async move {
            cx.sleep(if first { 10 * SECOND } else { 100 * MS }).await;
            Ok::<_, String>(x)
        }
    });
    let tail = step(tail).hedge(hedge.clone());
    for _ in 0..20 {
        engine.block_on(tail.run(1, &engine.context())).unwrap();
        engine.block_on(quick.run(1, &engine.context())).unwrap();
    }
    let cx = engine.context();
    engine.block_on(tail.run(1, &cx)).unwrap();
    assert!(cx.elapsed() > SECOND + 100 * MS, "{:?}", cx.elapsed());
    assert_eq!(hedge.stats().hedged, 21);
}

#[test]
fn a_run_that_is_told_to_stop_ends_with_its_attempts_and_starts_none() {
    let engine = TestEngine::new();
    let fetch = with_context(|_: u32, cx: Context| async move {
        cx.cancelled().await;
        Err::<u32, _>("wound up".with_kind(ErrorKind::Cancelled))
    });
    let hedge = after(100 * MS).max_hedges(3).build().unwrap();
    let (flow, cx) = (step(fetch).hedge(hedge.clone()), engine.context());
    let stop = async {
        engine.context().sleep(150 * MS).await;
        cx.cancel_handle().cancel();
    };
    let (result, ()) = engine.block_on(async { futures_util::join!(flow.run(1, &cx), stop) });
    assert_eq!((result.unwrap_err().to_string(), cx.elapsed()), ("wound up".to_owned(), 150 * MS));
    assert_eq!((hedge.stats().hedged, hedge.stats().wasted_calls), (1, 1));
    assert_eq!(outcomes(engine.telemetry()), [("cancelled", 1)]);

    // One that does not listen is not given company.
    let (fetch, log) = scripted(vec![(900, Ok(1))]);
    let (flow, cx) = (fetch.hedge(hedge.clone()), engine.context());
    let stop = async {
        give_way().await;
        cx.cancel_handle().cancel();
    };
    let (result, ()) = engine.block_on(async { futures_util::join!(flow.run(1, &cx), stop) });
    assert_eq!((result.unwrap(), lines(&log).len()), (1, 1));
}

#[test]
fn no_attempt_starts_after_the_deadline() {
    let engine = TestEngine::new();
    let (fetch, log) = scripted(vec![(900, Ok(1)), (900, Ok(2))]);
    let flow = fetch.hedge(after(100 * MS).max_hedges(9).build().unwrap());
    let cx = Context::builder().telemetry(engine.telemetry().clone()).deadline(200 * MS).build().unwrap();
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap(), 1);
    assert_eq!(lines(&log).len(), 2);
}

#[test]
fn a_dropped_call_drops_all_attempts_and_counts_what_they_cost() {
    let engine = TestEngine::new();
    let (fetch, log) = scripted(vec![(900, Ok(1)), (900, Ok(2))]);
    let hedge = after(100 * MS).cost_per_call(Usd::from_micros(7)).build().unwrap();
    let flow = fetch.hedge(hedge.clone()).timeout(Timeout::after(300 * MS).build().unwrap());
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(lines(&log), ["0: 0ns to 300ms dropped, told to stop", "1: 100ms to 300ms dropped, told to stop"]);
    assert_eq!((hedge.stats().hedged, hedge.stats().waste), (1, Usd::from_micros(7)));
    assert_eq!(outcomes(engine.telemetry()), [("abandoned", 1)]);
    insta::assert_snapshot!(engine.tree(), @r"
    call ✗
    │  timeout: no result within its timeout of 300ms
    ╰─ fetch ✗
       │  timeout: no result within its timeout of 300ms
       ├─ attempt ⊘ cancelled
       ╰─ attempt ⊘ cancelled
    ");
    start_and_drop(step(Mock::<u32, u32>::new("slow").delays(SECOND)).hedge(hedge).run(1, &engine.context()));
    assert_eq!(outcomes(engine.telemetry()).iter().map(|outcome| outcome.1).sum::<u64>(), 2);
}

#[test]
fn nothing_is_left_behind_and_ready_work_starts_no_timer() {
    let engine = TestEngine::new();
    let (fetch, _) = scripted(vec![(900, Ok(1)), (50, Ok(2))]);
    engine.block_on(fetch.hedge(after(100 * MS).build().unwrap()).run(1, &engine.context())).unwrap();
    assert_eq!(engine.clock().sleepers(), 0);
    let (flow, cx) = (step(double).hedge(after(100 * MS).build().unwrap()), engine.context());
    assert!(poll_once(pin!(flow.run(1, &cx))).is_ready());
    assert_eq!(engine.clock().sleepers(), 0);
}

#[test]
fn what_a_loser_spawned_is_told_and_what_the_winner_spawned_is_not() {
    let engine = TestEngine::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let (log, calls) = (Arc::clone(&told), AtomicUsize::new(0));
    let fetch = with_context(move |x: u32, cx: Context| {
        let number = calls.fetch_add(1, Ordering::SeqCst);
        let (watched, log) = (cx.clone(), Arc::clone(&log));
        let watch = async move {
            watched.cancelled().await;
            log.lock().unwrap().push(number);
            Ok::<_, String>(())
        };
        cx.spawn("watch", watch).detach();
        async move {
            cx.sleep(if number == 0 { SECOND } else { MS }).await;
            Ok::<_, String>(x)
        }
    });
    let flow = step(fetch).hedge(after(100 * MS).build().unwrap());
    let cx = engine.context();
    on_runtime(&engine, async {
        flow.run(1, &cx).await.unwrap();
        give_way().await;
        give_way().await;
    });
    assert_eq!(*told.lock().unwrap(), [0]);
}

#[test]
fn the_input_is_cloned_for_all_attempts_but_the_last_possible_one() {
    let engine = TestEngine::new();
    let (counted, clones) = Counted::new();
    let slow = with_context(|_: Counted, cx: Context| async move {
        cx.sleep(SECOND).await;
        Ok::<_, String>(())
    });
    let flow = step(slow).hedge(after(100 * MS).max_hedges(2).build().unwrap());
    engine.block_on(flow.run(counted, &engine.context())).unwrap();
    assert_eq!(clones.load(Ordering::SeqCst), 2);
}

#[test]
fn workflows_and_engines_share_the_statistics_and_one_that_records_nothing_hedges_too() {
    let engine = TestEngine::new();
    let hedge = after(100 * MS).build().unwrap();
    let (fetch, _) = scripted(vec![(900, Ok(1)), (50, Ok(2))]);
    engine.block_on(fetch.hedge(hedge.clone()).run(1, &engine.context())).unwrap();
    let other = TestEngine::new();
    let (fetch, _) = scripted(vec![(900, Ok(1)), (50, Ok(2))]);
    other.block_on(fetch.hedge(hedge.clone()).run(1, &other.context())).unwrap();
    let stats = hedge.stats();
    assert_eq!((stats.calls, stats.hedged, stats.won_by_hedge), (2, 2, 2));
    assert_eq!(outcomes(other.telemetry()), [("hedge_won", 1)]);
    engine.block_on(step(double).hedge(hedge.clone()).run(1, &Context::on(Telemetry::disabled()))).unwrap();
    assert_eq!(hedge.stats().calls, 3);
}

#[test]
fn observers_hear_of_calls_that_were_hedged() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let observer = move |decision: &Decision<'_>| log.lock().unwrap().push((decision.outcome, decision.severity));
    let engine = TestEngine::with(|builder| builder.observer(observer));
    let hedge = after(100 * MS).build().unwrap();
    let scripts = [vec![(9, Ok(1))], vec![(900, Ok(1)), (50, Ok(2))], vec![(150, Err("a")), (50, Err("b"))]];
    for script in scripts {
        let (fetch, _) = scripted(script);
        let _ = engine.block_on(fetch.hedge(hedge.clone()).run(1, &engine.context()));
    }
    assert_eq!(*heard.lock().unwrap(), [("hedge_won", Severity::Info), ("all_failed", Severity::Warning)]);
}

/// An attempt that a bulkhead inside turned away once counted as a call that was paid for.
#[test]
fn an_attempt_that_was_refused_is_no_waste() {
    let engine = TestEngine::new();
    let bulkhead = Bulkhead::named("db").max_concurrent(1).build().unwrap();
    let hedge = after(100 * MS).cost_per_call(Usd::from_micros(7)).build().unwrap();
    let flow = workflow("call", with_context(wait_a_second)).bulkhead(bulkhead).hedge(hedge.clone());
    assert_eq!(engine.block_on(flow.run(3, &engine.context())).unwrap(), 3);
    start_and_drop(flow.run(3, &engine.context()));
    let stats = hedge.stats();
    assert_eq!((stats.hedged, stats.wasted_calls, stats.waste), (1, 0, Usd::ZERO));
    assert!(!engine.tree_with_attributes().contains("waste"));
}
