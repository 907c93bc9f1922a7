//! What several modules use: the layer for all tests of this process, and small tools.

use std::future::Future;
use std::sync::{Arc, Mutex, Once};

use tracing_subscriber::prelude::*;
use tta_primitives::Context;
use tta_primitives::testing::TestEngine;
use tta_telemetry::{SpanId, SpanRecord, SpanStatus, Trace};

/// An engine, and the layer as the process's subscriber: runs of different engines share it.
pub(crate) fn engine() -> TestEngine {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| tracing_subscriber::registry().with(tta_tracing::layer()).init());
    TestEngine::new()
}

/// Runs `f` in a run of its own, called `run`, without a workflow.
pub(crate) fn in_run<R>(engine: &TestEngine, f: impl FnOnce(&Context) -> R) -> R {
    let run = engine.context().start_run("run", "test");
    let result = run.context().in_scope(|| f(run.context()));
    run.end_as(SpanStatus::Ok);
    result
}

/// The span this thread is in, if it is in a run.
pub(crate) fn here() -> Option<SpanId> {
    Context::current()?.span_id()
}

/// The only trace so far.
pub(crate) fn only_trace(engine: &TestEngine) -> Arc<Trace> {
    let traces = engine.traces();
    assert_eq!(traces.len(), 1, "one run is one trace");
    Arc::clone(&traces[0])
}

/// A span by its name; there must be one.
pub(crate) fn find<'t>(trace: &'t Trace, name: &str) -> &'t SpanRecord {
    let found: Vec<_> = trace.spans.iter().filter(|span| span.name == *name).collect();
    assert_eq!(found.len(), 1, "spans called {name}");
    found[0]
}

/// The name of a span's parent.
pub(crate) fn parent<'t>(trace: &'t Trace, name: &str) -> &'t str {
    let id = find(trace, name).parent_span_id;
    trace.spans.iter().find(|span| Some(span.span_id) == id).map_or("", |span| span.name.as_str())
}

/// Attributes as text, without those that tell where in the source it was.
pub(crate) fn attributes(span: &SpanRecord) -> Vec<String> {
    let is_own = |key: &str| !key.starts_with("code.") && !key.starts_with("tracing.");
    let own = span.attributes.iter().filter(|attribute| is_own(&attribute.key));
    own.map(|attribute| format!("{}={:?}", attribute.key, attribute.value)).collect()
}

/// A writer whose text can be read.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).expect("lines are UTF-8")
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lets other tasks of this thread run.
pub(crate) async fn give_way() {
    let mut first = true;
    std::future::poll_fn(|task| {
        task.waker().wake_by_ref();
        if std::mem::take(&mut first) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
}

/// Polls a future once.
pub(crate) fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}
