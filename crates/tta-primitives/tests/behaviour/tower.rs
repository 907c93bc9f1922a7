//! Tower: services as steps, workflows as services, with tower's own middleware around both.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};

use futures_util::future::join_all;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::timeout::error::Elapsed;
use tower::util::BoxCloneService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};
use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, IntoError, Jitter, Primitive, Result, Retry, Timeout, Workflow, WorkflowService,
    parallel, service, step, with_context, workflow,
};

use super::support::{
    MS, OnDrop, SECOND, context, double, hang, increment, on_runtime, poll_once, refuse, start_and_drop, wait_a_second,
};

/// A runtime whose own clock, which tower's middleware waits on, moves when all else waits.
fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn exact(retries: u32) -> Retry {
    Retry::new().max_retries(retries).jitter(Jitter::None).build().unwrap()
}

/// A workflow as a service whose runs are the engine's.
fn served<Out: Send + 'static>(engine: &TestEngine, flow: Workflow<u32, Out>) -> WorkflowService<u32, Out> {
    let cx = context(engine);
    flow.into_service().with_context(move |_| cx.clone())
}

#[test]
fn a_service_is_a_step_named_after_its_type_or_by_the_user() {
    let engine = TestEngine::new();
    let flow =
        workflow("mixed", increment) >> service(service_fn(double)) >> service(service_fn(double)).named("twice");
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 8);
    insta::assert_snapshot!(engine.tree(), @r"
    mixed
    ├─ increment
    ├─ ServiceFn (service)
    ╰─ twice (service)
    ");
    insta::assert_snapshot!(flow.graph().to_text(), @r"
    mixed (workflow)
    ├─ increment
    ├─ ServiceFn (service)
    ╰─ twice (service)
    ");
}

#[test]
fn a_services_error_keeps_its_type_its_sources_and_the_kind_of_an_error_inside() {
    async fn limited(_: u32) -> Result<u32> {
        Err("slow down".with_kind(ErrorKind::RateLimited).retry_after(SECOND))
    }
    let engine = TestEngine::new();
    let cx = engine.context();
    let failed = |flow: Workflow<u32, u32>| engine.block_on(flow.run(1, &cx)).unwrap_err();
    let io = failed(step(service(service_fn(|_: u32| async { Err::<u32, _>(std::io::Error::other("disk on fire")) }))));
    assert_eq!(format!("{io:?}"), "app error in `ServiceFn`: disk on fire");
    assert!(io.downcast_ref::<std::io::Error>().is_some());
    // Through a layer that boxes errors.
    let boxed = service_fn(limited).map_err(BoxError::from);
    let limited = failed(step(service(boxed).named("limited")));
    assert_eq!(format!("{limited:?}"), "rate_limited error in `limited`: slow down");
    assert_eq!(limited.retry_hint(), tta_primitives::RetryHint::After(SECOND));
    let classified = step(service(service_fn(refuse))).classify(|_| Some(ErrorKind::Upstream));
    assert_eq!(failed(classified).kind(), ErrorKind::Upstream);
}

#[test]
fn a_service_with_layers_is_retried_like_any_step() {
    let engine = TestEngine::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let flaky = service_fn(move |x: u32| {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match call {
                0 => Err("no route to host"),
                // Slower than the layer allows.
                1 => std::future::pending().await,
                _ => Ok(x * 2),
            }
        }
    });
    let layered = ServiceBuilder::new().timeout(SECOND).concurrency_limit(1).map_request(|x: u32| x + 1).service(flaky);
    let flow = workflow("calls", increment) >> step(service(layered).named("fetch")).retry(exact(3)) >> increment;
    let cx = context(&engine);
    let result = paused().block_on(async {
        // Tower's layers wait on the runtime's clock, the retry on the engine's.
        let mut run = pin!(flow.run(1, &cx));
        std::future::poll_fn(|task| {
            let polled = run.as_mut().poll(task);
            engine.clock().advance_to_next();
            polled
        })
        .await
    });
    assert_eq!((result.unwrap(), calls.load(Ordering::SeqCst)), (7, 3));
    insta::assert_snapshot!(engine.tree(), @r"
    calls
    ├─ increment
    ├─ fetch (service)
    │  ├─ attempt ✗ handled
    │  │     app: no route to host
    │  ├─ attempt ✗ handled
    │  │     app: request timed out
    │  ╰─ attempt
    ╰─ increment
    ");
}

#[test]
fn executions_share_what_the_clones_of_a_service_share() {
    let engine = TestEngine::new();
    let one_at_a_time = ConcurrencyLimit::new(service_fn(|x: u32| wait_a_second(x, Context::current().unwrap())), 1);
    let limited = service(one_at_a_time).named("limited");
    let limited: Workflow<u32, u32> = step(limited);
    let flow = step(parallel(vec![limited.clone(), limited.clone(), limited]));
    let cx = engine.context();
    assert_eq!(on_runtime(&engine, flow.run(7, &cx)).unwrap(), [7, 7, 7]);
    assert_eq!(cx.elapsed(), 3 * SECOND, "one after another");
}

/// A service that must be asked whether it is ready, each clone anew.
#[derive(Debug)]
struct Strict {
    is_ready: bool,
    polls_left: u32,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        assert!(!self.is_ready, "a clone of a service that was made ready");
        Self { is_ready: false, polls_left: self.polls_left }
    }
}

impl Service<u32> for Strict {
    type Response = u32;
    type Error = String;
    type Future = std::future::Ready<Result<u32, String>>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), String>> {
        match self.polls_left {
            u32::MAX => return Poll::Pending,
            0 => {}
            1 => return Poll::Ready(Err("broken for good".to_owned())),
            _ => {
                self.polls_left -= 2;
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, input: u32) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called before it was ready");
        std::future::ready(Ok(input))
    }
}

fn strict(polls_left: u32) -> Workflow<u32, u32> {
    step(service(Strict { is_ready: false, polls_left }))
}

#[test]
fn every_execution_waits_until_its_own_clone_is_ready() {
    let engine = TestEngine::new();
    let cx = engine.context();
    for polls in [0, 6] {
        let flow = strict(polls);
        for x in 0..3 {
            assert_eq!(engine.block_on(flow.run(x, &cx)).unwrap(), x);
        }
    }
    let error = engine.block_on(strict(1).run(7, &cx)).unwrap_err();
    assert_eq!(format!("{error:?}"), "app error in `Strict`: broken for good");
}

#[test]
fn a_service_that_never_becomes_ready_is_given_up_with_its_step() {
    let engine = TestEngine::new();
    let never = || strict(u32::MAX);
    let cx = engine.context();
    start_and_drop(workflow("dropped", never()).run(7, &cx));

    let bounded = never().timeout(Timeout::after(SECOND).grace_period(SECOND).build().unwrap());
    let error = engine.block_on(workflow("bounded", bounded).run(7, &cx)).unwrap_err();
    assert_eq!((error.kind(), cx.elapsed()), (ErrorKind::Timeout, SECOND));

    let told = workflow("told", never());
    let stop = async { cx.cancel_handle().cancel() };
    let error = engine.block_on(async { futures_util::join!(told.run(7, &cx), stop).0.unwrap_err() });
    let expected = "cancelled error in `Strict`: the run was told to stop before the service was ready";
    assert_eq!(format!("{error:?}"), expected);
    insta::assert_snapshot!(engine.tree(), @r"
    dropped ⊘ cancelled
    ╰─ Strict (service) ⊘ cancelled
    bounded ✗
    │  timeout: no result within its timeout of 1s and 1s of grace
    ╰─ Strict (service) ✗
          timeout: no result within its timeout of 1s and 1s of grace
    told ⊘ cancelled
    ╰─ Strict (service) ⊘ cancelled
    ");
}

#[test]
fn a_call_that_was_made_goes_on_when_the_run_is_told_to_stop() {
    let engine = TestEngine::new();
    let flow = step(service(service_fn(|x: u32| wait_a_second(x, Context::current().unwrap()))));
    let cx = engine.context();
    let stop = async { cx.cancel_handle().cancel() };
    assert_eq!(engine.block_on(async { futures_util::join!(flow.run(7, &cx), stop).0 }).unwrap(), 7);
    assert_eq!(cx.elapsed(), SECOND);
}

#[test]
fn a_service_that_is_not_sync_will_do() {
    let engine = TestEngine::new();
    let boxed: BoxCloneService<u32, u32, String> = BoxCloneService::new(service_fn(double));
    let flow = step((step(service(boxed.clone())) | service(boxed)).spawned());
    assert_eq!(on_runtime(&engine, flow.run(7, &engine.context())).unwrap(), (14, 14));
}

#[test]
fn a_workflow_is_a_service_for_towers_middleware() {
    let engine = TestEngine::new();
    let flow = workflow("numbers", with_context(wait_a_second)) >> double;
    let served = served(&engine, flow);
    let results = paused().block_on(engine.drive(async {
        let limited = ServiceBuilder::new().buffer(8).timeout(60 * SECOND).concurrency_limit(2).service(served);
        join_all((1..5).map(|x| limited.clone().oneshot(x))).await
    }));
    let results: Vec<u32> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(results, [2, 4, 6, 8]);
    // Two at a time, a second each.
    let traces = engine.traces();
    let start = traces[0].spans[0].start_unix_ns;
    let starts: Vec<_> = traces.iter().map(|trace| (trace.spans[0].start_unix_ns - start) / 1_000_000_000).collect();
    assert_eq!(starts, [0, 0, 1, 1]);
    assert!(engine.tree().starts_with("numbers\n├─ wait_a_second\n╰─ double\nnumbers\n"), "{}", engine.tree());
}

#[test]
fn middleware_that_drops_a_call_cancels_its_run() {
    let engine = TestEngine::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&dropped);
    let holds = move |x: u32| {
        let seen = Arc::clone(&seen);
        async move {
            let _guard = OnDrop(|| {
                seen.fetch_add(1, Ordering::SeqCst);
            });
            hang(x).await
        }
    };
    let hasty = ServiceBuilder::new().timeout(SECOND).service(served(&engine, workflow("slow", double) >> holds));
    let error = paused().block_on(hasty.oneshot(7)).unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    insta::assert_snapshot!(engine.tree(), @r"
    slow ⊘ cancelled
    ├─ double
    ╰─ closure ⊘ cancelled
    ");
}

#[test]
fn a_call_that_is_never_polled_leaves_nothing_and_the_error_of_one_that_fails_is_the_workflows() {
    let engine = TestEngine::new();
    let mut numbers = served(&engine, workflow("fails", refuse));
    let mut task = Task::from_waker(std::task::Waker::noop());
    assert!(matches!(Service::<u32>::poll_ready(&mut numbers, &mut task), Poll::Ready(Ok(()))));
    drop(numbers.call(1));
    assert_eq!(engine.tree(), "");
    let error: Error = engine.block_on(numbers.call(2)).unwrap_err();
    assert_eq!(format!("{error:?}"), "app error in `refuse`: 2 is refused");
    // Through a buffer, which boxes errors, it is still itself.
    let boxed = paused().block_on(async { Buffer::new(numbers, 1).oneshot(3).await.unwrap_err() });
    assert_eq!(format!("{:?}", Error::from_any(boxed)), "app error in `refuse`: 3 is refused");
}

#[test]
fn a_call_inside_a_run_is_a_part_of_it_and_one_outside_a_run_of_its_own() {
    async fn whose(_: u32) -> Result<String, String> {
        let cx = Context::current().ok_or("no context")?;
        Ok(cx.trace_id().map(|id| id.to_string()).unwrap_or_default())
    }
    let engine = TestEngine::new();
    let looks = workflow("looks", whose).into_service();
    let inner = looks.clone();
    let calls = with_context(move |x: u32, cx: Context| {
        let mut looks = inner.clone();
        async move { Ok::<_, Error>((cx.trace_id().map(|id| id.to_string()).unwrap_or_default(), looks.call(x).await?)) }
    });
    let (outer, inner) = engine.block_on(workflow("outer", calls).run(7, &context(&engine))).unwrap();
    assert_eq!(outer, inner);
    insta::assert_snapshot!(engine.tree(), @r"
    outer
    ╰─ closure
       ╰─ looks
          ╰─ whose
    ");
    // Runs on the default engine, which this engine knows nothing of.
    let outside = || engine.block_on(looks.clone().call(7)).unwrap();
    let (first, second) = (outside(), outside());
    assert!(!first.is_empty() && first != second && first != outer);
    assert_eq!(engine.traces().len(), 1);
}

#[test]
fn the_context_of_a_call_can_be_decided_by_its_input() {
    async fn who(_: u32, cx: Context) -> Result<String> {
        Ok(cx.correlation_id().map(ToString::to_string).unwrap_or_default())
    }
    let engine = TestEngine::new();
    let telemetry = engine.telemetry().clone();
    let served = workflow("who", with_context(who)).into_service().with_context(move |request: &u32| {
        let builder = Context::builder().telemetry(telemetry.clone());
        builder.correlation_id(format!("request-{request}")).build().unwrap()
    });
    let cx = engine.context();
    // Also inside a run, where it would be a part of that one otherwise.
    let inside = step(service(served.clone()));
    assert_eq!(engine.block_on(inside.run(1, &cx)).unwrap(), "request-1");
    assert_eq!(engine.block_on(served.clone().call(2)).unwrap(), "request-2");
    assert_eq!(engine.tree(), "who\n╰─ who\nsequential\n╰─ WorkflowService (service)\nwho\n╰─ who\n");
}

#[test]
fn a_workflow_that_becomes_a_service_and_a_step_again_is_one_run() {
    let engine = TestEngine::new();
    let inner = workflow("inner", increment) >> with_context(wait_a_second);
    let limited = ServiceBuilder::new().concurrency_limit(1).service(inner.into_service());
    let flow = workflow("outer", double) >> service(limited).named("round trip") >> double;
    let cx = engine.context();
    assert_eq!(engine.block_on(flow.run(1, &cx)).unwrap(), 6);
    insta::assert_snapshot!(engine.tree(), @r"
    outer
    ├─ double
    ├─ round trip (service)
    │  ╰─ inner
    │     ├─ increment
    │     ╰─ wait_a_second
    ╰─ double
    ");
    // Dropped half-way, everything closes.
    let mut run = Box::pin(flow.run(1, &cx));
    assert!(poll_once(run.as_mut()).is_pending());
    drop(run);
    assert!(engine.tree().contains("wait_a_second ⊘ cancelled"), "{}", engine.tree());
}

#[test]
fn clones_of_a_served_workflow_run_side_by_side() {
    let engine = TestEngine::new();
    let mock = Mock::new("waits").delays(100 * MS).returns(1_u32);
    let served = served(&engine, workflow("waits", mock.clone()));
    let cx = engine.context();
    let results = engine.block_on(join_all((0..3).map(|x| served.clone().call(x))));
    assert_eq!(results.into_iter().map(Result::unwrap).sum::<u32>(), 3);
    assert_eq!((mock.calls(), cx.elapsed()), (vec![0, 1, 2], 100 * MS));
}

/// A service whose clone panics, once.
struct Fragile(Arc<Mutex<bool>>);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        let is_first = std::mem::replace(&mut *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()), false);
        assert!(!is_first, "cannot be cloned yet");
        Self(Arc::clone(&self.0))
    }
}

impl Service<u32> for Fragile {
    type Response = u32;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<u32>> + Send>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, input: u32) -> Self::Future {
        Box::pin(async move { Ok(input) })
    }
}

#[test]
fn a_service_that_panics_when_cloned_fails_its_step_and_the_next_one_runs() {
    let engine = TestEngine::new();
    let flow = step(service(Fragile(Arc::new(Mutex::new(true)))));
    let cx = engine.context();
    let error = engine.block_on(flow.run(7, &cx)).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `Fragile`: cannot be cloned yet");
    assert_eq!(engine.block_on(flow.run(7, &cx)).unwrap(), 7);
    assert_eq!(Primitive::<u32>::kind(&service(Fragile(Arc::default()))), "service");
}
