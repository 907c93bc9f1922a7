//! What users see is the same whether recording is compiled in or out:
//! `cargo test -p tta-primitives --no-default-features --test compiled_out`.
//!
//! Everything here passes in both builds; what differs is asserted for each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Bulkhead, CircuitBreaker, CircuitState, Context, Error, ErrorKind, Hedge, Jitter, RateLimit, Repeat, Result, Retry,
    Route, Timeout, Workflow, blocking, fallback, router, saga, step, switch, sync, traced_fn, try_traced, when,
    with_context, workflow,
};
use tta_telemetry::propagation::extract;
use tta_telemetry::{SpanId, TraceId};

const SECOND: Duration = Duration::from_secs(1);
const IS_COMPILED_IN: bool = cfg!(feature = "record");

async fn double(x: u32) -> Result<u32, String> {
    Ok(x * 2)
}

async fn parse(x: u32) -> Result<u32, std::num::ParseIntError> {
    format!("{x}!").parse()
}

async fn explode(x: u32) -> Result<u32, String> {
    assert!(x > 1_000, "{x} is too small");
    Ok(x)
}

async fn hang(_: u32) -> Result<u32, String> {
    std::future::pending().await
}

async fn sum((a, b): (u32, u32)) -> Result<u32, String> {
    Ok(a + b)
}

fn exact() -> Retry {
    Retry::new().jitter(Jitter::None).build().unwrap()
}

#[test]
fn chains_fans_and_decorators_work() {
    let engine = TestEngine::new();
    let flaky = Mock::new("flaky").fails(2, "not yet").returns(20_u32);
    let nested = workflow("nested", double) >> when(|x: &u32| *x > 1, double);
    let slow = Timeout::after(SECOND).build().unwrap();
    let flow = workflow("all", nested) >> (step(flaky.clone()).retry(exact()) | blocking(|x: u32| Ok::<_, String>(x)));
    let flow = flow >> sum >> step(hang).timeout_or(slow, double) >> sync(|x: u32| x.checked_add(1).ok_or("overflow"));
    let cx = engine.context();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // (1 * 4 + 20) * 2 + 1, after backoffs of 1 s and 2 s and a timeout of 1 s.
    assert_eq!(runtime.block_on(engine.drive(flow.run(1, &cx))).unwrap(), 49);
    assert_eq!((flaky.call_count(), cx.elapsed()), (3, 4 * SECOND));
    assert_eq!(engine.traces().len(), usize::from(IS_COMPILED_IN));
}

#[test]
fn switches_fallbacks_and_loops_work() {
    let engine = TestEngine::new();
    let by_size = switch(|x: &u32| if *x < 10 { "small" } else { "large" }).case("small", double).or_pass_through();
    let loops = step(double).repeat_until(Repeat::at_most(9).delay(SECOND).build().unwrap(), |x| *x > 100);
    let flow = workflow("ways", by_size) >> loops >> step(parse).fallback(fallback(explode).or(double));
    let cx = engine.context();
    // 8, then 16, 32, 64 and 128 with a second between them, then the last of three ways.
    assert_eq!(engine.block_on(flow.run(4, &cx)).unwrap(), 256);
    assert_eq!(cx.elapsed(), 3 * SECOND);
    let failed = |flow: Workflow<u32, u32>| format!("{:?}", engine.block_on(flow.run(3, &cx)).unwrap_err());
    assert_eq!(
        failed(step(parse).or_else(explode)),
        "app error in `parse`: all 2 ways failed: primary: invalid digit found in string; explode: 3 is too small\n  \
         caused by: invalid digit found in string"
    );
    assert_eq!(
        failed(step(switch(|x: &u32| *x).case(4_u32, double).or_fail())),
        "invalid_input error in `switch`: no case for key `3`, accepted is `4`"
    );
    assert_eq!(
        failed(step(double).repeat_until(Repeat::at_most(2).build().unwrap(), |_| false)),
        "limit_reached error in `double`: not done within its `max_iterations` of 2"
    );
}

#[test]
fn breakers_open_recover_and_report_their_health() {
    let engine = TestEngine::new();
    let breaker = CircuitBreaker::named("parser").consecutive_failures(1).success_threshold(1).build().unwrap();
    let calls = Mock::new("calls").fails(1, "boom").returns(1_u32);
    let flow = workflow("flow", step(calls.clone()).circuit_breaker(breaker.clone()));
    let run = || engine.block_on(flow.run(1_u32, &engine.context())).map_err(|error| error.to_string());
    assert_eq!(run(), Err("boom".to_owned()));
    let rejected = "circuit `parser` is open (consecutive_failures) for another 60s";
    assert_eq!((run(), calls.call_count()), (Err(rejected.to_owned()), 1));
    let health = engine.telemetry().health();
    assert_eq!(health.component("circuit:parser").unwrap().since_unix_ns, breaker.stats().since_unix_ns);
    engine.clock().advance(60 * SECOND);
    assert_eq!((run(), breaker.state()), (Ok(1), CircuitState::Closed));
    let counts = engine.telemetry().decision_counts();
    assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), if IS_COMPILED_IN { 6 } else { 0 });
}

#[test]
fn sagas_undo_what_they_did_whether_they_fail_or_are_dropped() {
    async fn undo(x: u32, cx: Context) -> Result<()> {
        cx.state().update("undone", |undone: &mut Vec<u32>| undone.push(x)).map_err(Error::from_any)
    }
    let trip = |last: fn() -> Workflow<u32, u32>| {
        let built = saga("trip").step(double).compensate(with_context(undo));
        let built = built.step(double).compensate(with_context(undo)).step(last()).uncompensated();
        step(built.build().unwrap())
    };
    let engine = TestEngine::new();
    let cx = engine.context();
    let error = engine.block_on(trip(|| step(parse)).run(1, &cx)).unwrap_err();
    assert_eq!(format!("{error:#}"), "trip: parse: invalid digit found in string");
    assert_eq!(cx.state().get::<Vec<u32>>("undone"), Ok(Some(vec![4, 2])));
    let (flow, cx) = (trip(|| step(hang)), engine.context());
    {
        let mut run = pin!(flow.run(1, &cx));
        assert!(run.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())).is_pending());
    }
    assert!(engine.telemetry().shutdown_blocking(60 * SECOND).complete);
    assert_eq!(cx.state().get::<Vec<u32>>("undone"), Ok(Some(vec![4, 2])));
}

#[test]
fn joins_work_wherever_their_branches_run() {
    let engine = TestEngine::new();
    let two = NonZeroUsize::new(2).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for spawned in [false, true] {
        let fan = || if spawned { (step(hang) | parse | double).spawned() } else { step(hang) | parse | double };
        let cx = engine.context();
        let run = async {
            let any = step(fan().any()).run(3, &cx).await.unwrap();
            let quorum = step(fan().quorum(two).unwrap()).timeout(Timeout::after(SECOND).build().unwrap());
            let quorum = quorum.run(3, &cx).await.unwrap_err().kind();
            let all_fail = step((step(parse) | explode).any()).run(3, &cx).await.unwrap_err();
            let (settled, other) = step((step(parse) | double).settle()).run(3, &cx).await.unwrap();
            // What the timeout dropped ends when its turn comes.
            tokio::task::yield_now().await;
            let left = tokio::runtime::Handle::current().metrics().num_alive_tasks();
            (any, quorum, all_fail.to_string(), settled.is_err(), other.unwrap(), left)
        };
        let lost = "all 2 branches failed: parse: invalid digit found in string; explode: 3 is too small".to_owned();
        assert_eq!(runtime.block_on(engine.drive(run)), (6, ErrorKind::Timeout, lost, true, 6, 0));
    }
}

#[test]
fn errors_say_the_same_to_the_letter() {
    let engine = TestEngine::new();
    let told = |flow: Workflow<u32, u32>| {
        let error = engine.block_on(flow.run(3, &engine.context())).unwrap_err();
        (format!("{error:#}"), format!("{error:?}"))
    };
    let texts = |long: &str, debug: &str| (long.to_owned(), debug.to_owned());
    assert_eq!(
        told(workflow("outer", double) >> (step(double) | workflow("inner", parse)) >> sum),
        texts(
            "parallel: inner: parse: invalid digit found in string",
            "app error in `parallel > inner > parse`: invalid digit found in string"
        )
    );
    assert_eq!(
        told(workflow("outer", explode)),
        texts("explode: 3 is too small", "panic error in `explode`: 3 is too small")
    );
    assert_eq!(
        told(step(hang).timeout(Timeout::after(SECOND).build().unwrap())),
        texts(
            "hang: no result within its timeout of 1s",
            "timeout error in `hang`: no result within its timeout of 1s"
        )
    );
}

#[test]
fn ids_contexts_and_state_work() {
    async fn look(_: u32) -> Result<(String, bool, bool)> {
        let cx = Context::current().ok_or_else(|| Error::from_any("no context"))?;
        let count = cx.state().update("looks", |looks: &mut u32| {
            *looks += 1;
            *looks
        });
        assert!(count.is_ok_and(|count| count <= 2));
        let correlation = cx.correlation_id().map(ToString::to_string).unwrap_or_default();
        Ok((correlation, cx.trace_id().is_some(), cx.is_recording()))
    }
    let engine = TestEngine::new();
    let flow = workflow("looks", step(look) | look);
    let run = || engine.block_on(flow.run(1, &engine.context())).unwrap();
    let ((first, again), (other, _)) = (run(), run());
    assert_eq!(first, again);
    assert_eq!((first.1, first.2), (true, IS_COMPILED_IN));
    assert_ne!(first.0, other.0);
    assert!(Context::current().is_none());
}

#[test]
fn a_report_has_ids_and_a_duration_and_a_decision_only_where_there_is_one() {
    async fn wait(x: u32, cx: Context) -> Result<u32> {
        cx.sleep(SECOND).await;
        Ok(x)
    }
    let engine = TestEngine::new();
    let report = engine.block_on(workflow("waits", with_context(wait)).run_report(1, &engine.context()));
    assert_eq!((report.result.unwrap(), report.duration), (1, SECOND));
    assert!(report.trace_id.is_some() && report.correlation_id.is_some());
    assert_eq!(report.decision.is_some(), IS_COMPILED_IN);
}

#[test]
fn cancelling_dropping_and_streaming_work() {
    async fn stop(x: u32, cx: Context) -> Result<u32> {
        if x == 1 {
            cx.cancel_handle().cancel();
        }
        Ok(x)
    }
    let engine = TestEngine::new();
    let cx = engine.context();
    let flow = workflow("stops", with_context(stop)) >> double;
    let results: Vec<_> = engine.block_on(flow.for_each(stream::iter(0..3), 1, &cx).collect());
    let results: Vec<_> = results.into_iter().map(|(_, result)| result.map_err(|error| error.kind())).collect();
    assert_eq!(results, [Ok(0), Err(ErrorKind::Cancelled), Ok(4)]);

    struct Guard(Arc<AtomicU32>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let drops = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&drops);
    let holds = workflow("holds", move |x: u32| {
        let guard = Guard(Arc::clone(&counter));
        async move {
            let _guard = guard;
            hang(x).await
        }
    });
    {
        let mut run = pin!(holds.run(1, &cx));
        assert!(run.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn runs_tasks_and_traced_code_by_hand_work() {
    async fn by_hand(x: u32, cx: Context) -> Result<u32> {
        let task = cx.spawn("task", async move { Ok::<_, String>(x + 1) });
        let traced = try_traced("traced", task).await?;
        cx.link((TraceId::new(1).unwrap(), SpanId::new(2).unwrap()), &[]);
        cx.progress();
        Ok(traced_fn("sync", || traced * 2))
    }
    async fn fails(_: u32, cx: Context) -> Result<u32> {
        workflow("inner", parse).run(3, &cx).await
    }
    let engine = TestEngine::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut run = engine.context().start_run("request", "http_server");
    run.set("http.route", "/double");
    run.set_with("computed", || if IS_COMPILED_IN { 1 } else { unreachable!("nothing is recorded") });
    let flow = workflow("flow", with_context(by_hand));
    let result = runtime.block_on(engine.drive(run.scope(flow.run(3, run.context()))));
    assert_eq!(*result.as_ref().unwrap(), 8);
    let _ = run.end(&result);
    let tree =
        "request (http_server)\n╰─ flow\n   ╰─ by_hand\n      ├─ task\n      ├─ traced (span)\n      ╰─ sync (span)\n";
    assert_eq!(engine.tree(), if IS_COMPILED_IN { tree } else { "" });
    let error = engine.block_on(workflow("outer", with_context(fails)).run(1, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:#}"), "fails: inner: parse: invalid digit found in string");
    assert_eq!(size_of::<tta_telemetry::OwnedSpan>() == 0, !IS_COMPILED_IN);
}

#[test]
fn headers_propagate_whether_anything_is_recorded_or_not() {
    async fn send(_: u32, cx: Context) -> Result<HashMap<String, String>> {
        let mut headers = HashMap::new();
        cx.inject(&mut headers);
        Ok(headers)
    }
    let engine = TestEngine::new();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let received = extract(&[("traceparent", parent), ("baggage", "tenant=acme")]);
    let cx = Context::builder().telemetry(engine.telemetry().clone()).correlation_id("c-1").propagated(received);
    let headers = engine.block_on(workflow("sends", with_context(send)).run(1, &cx.build().unwrap())).unwrap();
    assert!(headers["traceparent"].starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    assert_eq!(headers["traceparent"] == parent, !IS_COMPILED_IN);
    assert_eq!(headers["baggage"], "tenant=acme,correlation_id=c-1");
}

#[test]
fn what_is_recorded_by_hand_is_accepted_and_goes_where_recording_goes() {
    async fn annotate(x: u32, cx: Context) -> Result<u32> {
        let mut span = cx.span("query");
        span.set("rows", x);
        span.event("half", &[]);
        span.end();
        cx.set("rows", x);
        cx.checkpoint("done");
        Ok(cx.checkpoints().len() as u32)
    }
    let engine = TestEngine::new();
    let flow = workflow("notes", with_context(annotate));
    assert_eq!(engine.block_on(flow.run(7, &engine.context())).unwrap(), 1);
    let recorded = "notes\n╰─ annotate\n   ╰─ query (span)\n";
    assert_eq!(engine.tree(), if IS_COMPILED_IN { recorded } else { "" });
    assert_eq!(engine.telemetry().step_statistics().len(), if IS_COMPILED_IN { 2 } else { 0 });
    assert_eq!(size_of::<tta_telemetry::Span<'_>>() == 0, !IS_COMPILED_IN);
    assert_eq!(size_of::<tta_telemetry::TraceHandle>() == 0, !IS_COMPILED_IN);
}

#[test]
fn a_router_chooses_reroutes_and_keeps_its_own_numbers() {
    let engine = TestEngine::new();
    let busy = Mock::new("busy").fails(1, Error::new(ErrorKind::RateLimited, "slow down")).returns(7_u32);
    let cost = tta_telemetry::Usd::from_micros;
    let routes = router().route(Route::to("a", busy).cost(cost(1))).route(Route::to("b", double).cost(cost(4)));
    let router = routes.by_cost().latency_percentile(0.5).build().unwrap();
    let flow = workflow("routed", router.clone());
    let answers: Vec<u32> = (0..4).map(|x| engine.block_on(flow.run(x, &engine.context())).unwrap()).collect();
    assert_eq!(answers, [0, 7, 7, 7]);
    let stats = router.handle().stats();
    assert_eq!((stats.cost, stats.savings, router.handle().history().len()), (cost(7), cost(9), 5));
    assert_eq!(stats.routes[0].latency, Some(Duration::ZERO));
    let is_counted = engine.telemetry().decision_counts().iter().any(|count| count.count > 0);
    assert_eq!(is_counted, IS_COMPILED_IN);
}

#[test]
fn bulkheads_rate_limits_and_hedges_hold() {
    let engine = TestEngine::new();
    let bulkhead = Bulkhead::named("db").max_concurrent(1).build().unwrap();
    let limit = RateLimit::named("api").per_second(1.0).wait_up_to(SECOND).build().unwrap();
    let hedge = Hedge::after(SECOND).build().unwrap();
    let bounded = workflow("bounded", double).rate_limit(limit.clone()).bulkhead(bulkhead.clone());
    let cx = engine.context();
    let (first, full) = engine.block_on(async {
        let held = bounded.run(1, &cx).await;
        futures_util::join!(bounded.run(held.unwrap(), &cx), bounded.run(7, &cx))
    });
    assert_eq!((first.unwrap(), full.unwrap_err().kind()), (4, ErrorKind::BulkheadFull));
    assert_eq!((bulkhead.stats().admitted, limit.stats().waited, cx.elapsed()), (2, 1, SECOND));
    let slow = Mock::new("slow").delays(3 * SECOND).returns(1_u32);
    assert_eq!(engine.block_on(step(slow.clone()).hedge(hedge.clone()).run((), &cx)).unwrap(), 1);
    assert_eq!((slow.call_count(), hedge.stats().hedged), (2, 1));
    assert_eq!(engine.telemetry().decision_counts().is_empty(), !IS_COMPILED_IN);
}
