//! What users see is the same whether recording is compiled in or out:
//! `cargo test -p tta-primitives --no-default-features --test compiled_out`.
//!
//! Everything here passes in both builds; what differs is asserted for each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, Error, ErrorKind, Jitter, Result, Retry, Timeout, Workflow, blocking, step, sync, when, with_context,
    workflow,
};

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
