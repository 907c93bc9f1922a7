//! Requests of services that are not axum's, polled by hand: errors, panics, readiness.

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;
use tta_http::TraceRequests;
use tta_primitives::testing::TestEngine;
use tta_primitives::{BoxError, Context, Error, ErrorKind, IntoError, traced_fn};
use tta_telemetry::SpanStatus;

use crate::support::{Answer, OnDrop, only, poll_once, text};

fn layer(engine: &TestEngine) -> TraceRequests {
    TraceRequests::new().telemetry(engine.telemetry().clone())
}

fn request() -> Request<()> {
    Request::new(())
}

/// The root's status, error type and message, after a request to a service that fails so.
fn after_failing<E: std::fmt::Display + std::fmt::Debug + 'static>(error: E) -> (SpanStatus, String, String) {
    let engine = TestEngine::new();
    let mut error = Some(error);
    let mut service = layer(&engine).layer(Answer(move |_: Request<()>| ready(Err(error.take().unwrap()))));
    assert!(engine.block_on(service.call(request())).is_err());
    let trace = only(&engine);
    let root = trace.root().unwrap();
    (root.status, text(root, "error.type"), text(root, "error.message"))
}

#[test]
fn an_error_of_the_service_fails_the_run_and_one_of_ours_keeps_its_kind() {
    let (error, cancelled) = (SpanStatus::Error, SpanStatus::Cancelled);
    assert_eq!(after_failing("no route"), (error, "app".into(), "no route".into()));
    assert_eq!(after_failing("late".with_kind(ErrorKind::Timeout)), (error, "timeout".into(), "late".into()));
    let boxed: BoxError = "full".with_kind(ErrorKind::BulkheadFull).into();
    assert_eq!(after_failing(boxed), (error, "bulkhead_full".into(), "full".into()));
    let stopped = Error::new(ErrorKind::Cancelled, "told to stop");
    assert_eq!(after_failing(stopped), (cancelled, "cancelled".into(), "told to stop".into()));
}

#[test]
fn without_a_router_the_name_is_the_method_and_the_context_is_in_the_extensions() {
    let engine = TestEngine::new();
    let look = |request: Request<()>| {
        let given = request.extensions().get::<Context>().cloned().unwrap();
        // Also what the service does before its first await is in the run.
        assert_eq!(Context::current().unwrap().span_id(), given.span_id());
        traced_fn("in call", || ());
        ready(Ok::<_, Infallible>(Response::new(())))
    };
    engine.block_on(layer(&engine).layer(Answer(look)).call(request())).unwrap();
    assert_eq!(engine.tree(), "GET (http_server)\n╰─ in call (span)\n");
}

#[test]
fn a_panic_goes_on_with_its_payload_wherever_it_happens() {
    let engine = TestEngine::new();
    let explode = |_: Request<()>| -> Ready<Result<Response<()>, Infallible>> { std::panic::panic_any(7_u8) };
    let mut service = layer(&engine).layer(Answer(explode));
    let caught = catch_unwind(AssertUnwindSafe(|| drop(service.call(request()))));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&7_u8));

    let explode = |_: Request<()>| async { panic!("later") as Result<Response<()>, Infallible> };
    let future = layer(&engine).layer(Answer(explode)).call(request());
    let caught = engine.block_on(AssertUnwindSafe(future).catch_unwind());
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"later"));

    let traces = engine.traces();
    let messages = traces
        .iter()
        .map(|trace| trace.root().unwrap())
        .map(|root| (root.status, text(root, "error.type"), text(root, "error.message")));
    let panic = |message: &str| (SpanStatus::Error, "panic".to_owned(), message.to_owned());
    assert_eq!(messages.collect::<Vec<_>>(), [panic("panicked with a value that is not a message"), panic("later")]);
    assert!(Context::current().is_none());
}

#[test]
fn a_response_that_is_dropped_is_a_cancelled_run() {
    let engine = TestEngine::new();
    let hang = |_: Request<()>| pending::<Result<Response<()>, Infallible>>();
    let mut service = layer(&engine).layer(Answer(hang));
    {
        let mut response = pin!(service.call(request()));
        assert!(poll_once(response.as_mut()).is_pending());
        assert!(Context::current().is_none(), "the thread left the run");
    }
    drop(service.call(request()));
    assert_eq!(engine.tree(), "GET (http_server) ⊘ cancelled\n".repeat(2));
}

#[test]
fn what_is_dropped_with_a_response_ends_before_its_run() {
    let engine = TestEngine::new();
    let clock = engine.clock().clone();
    let hang = move |_: Request<()>| {
        let clock = clock.clone();
        let takes_a_second = OnDrop(move || clock.advance(Duration::from_secs(1)));
        async move {
            let _held = takes_a_second;
            pending::<Result<Response<()>, Infallible>>().await
        }
    };
    drop(layer(&engine).layer(Answer(hang)).call(request()));
    assert_eq!(only(&engine).root().unwrap().duration_ns, 1_000_000_000);
}

#[test]
fn the_trace_is_complete_when_the_response_is_there_whoever_still_holds_its_future() {
    let engine = TestEngine::new();
    // A future that keeps its context, which keeps the trace open, for as long as it lives.
    let keep = |request: Request<()>| {
        let cx = request.extensions().get::<Context>().cloned();
        std::future::poll_fn(move |_| {
            assert!(cx.is_some());
            Poll::Ready(Ok::<_, Infallible>(Response::new(())))
        })
    };
    let mut response = pin!(layer(&engine).layer(Answer(keep)).call(request()));
    assert!(poll_once(response.as_mut()).is_ready());
    assert_eq!(engine.tree(), "GET (http_server)\n");
}

/// Never ready.
struct Busy;

impl Service<Request<()>> for Busy {
    type Response = Response<()>;
    type Error = String;
    type Future = Ready<Result<Response<()>, String>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), String>> {
        Poll::Ready(Err("busy".to_owned()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Err("called all the same".to_owned()))
    }
}

#[test]
fn whether_the_service_is_ready_passes_through() {
    let engine = TestEngine::new();
    let mut service = layer(&engine).layer(Busy);
    let ready = service.poll_ready(&mut Task::from_waker(Waker::noop()));
    assert_eq!(ready, Poll::Ready(Err("busy".to_owned())));
    assert!(engine.traces().is_empty());
}
