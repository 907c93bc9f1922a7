//! Across the border of the process: what a run inherits from its caller and passes on to what it
//! calls.

use tta_telemetry::propagation::{Baggage, HeaderSink, TraceContext, TraceFlags, TraceState, inject};
use tta_telemetry::sampling::RemoteSampling;
use tta_telemetry::{ActiveTrace, Name, Telemetry, TraceHandle, TraceStart};

use super::Context;

/// The baggage entry that carries the correlation id.
pub(super) const CORRELATION_ID: &str = "correlation_id";

/// The flags of a run (W3C Trace Context level 2, section 3.2.2.5): what the caller sampled stays
/// sampled, and whether its trace id is random is not for us to say; our own ids are. A run that is
/// not recorded adds nothing to what its caller said.
pub(super) fn outgoing_flags(remote: Option<&TraceContext>, telemetry: &Telemetry, trace: &TraceHandle) -> TraceFlags {
    let sampled = match trace.head() {
        Some(head) => head.keep,
        None => trace.is_recording() && telemetry.samples_at_head(),
    };
    match remote {
        Some(remote) => remote.flags.with_sampled(sampled || remote.flags.is_sampled()),
        None => TraceFlags::RANDOM.with_sampled(sampled),
    }
}

impl Context {
    /// What a call made here carries: the run's trace with the current span as the parent. Outside
    /// a run it is what the context was [given](crate::ContextBuilder::propagated), if anything.
    #[must_use]
    pub fn trace_context(&self) -> Option<TraceContext> {
        let remote = self.0.common.identity.remote.as_ref();
        let Some(run) = &self.0.common.run else { return remote.cloned() };
        Some(TraceContext {
            trace_id: run.trace_id,
            span_id: self.span_id().unwrap_or(run.unrecorded_span),
            flags: run.flags,
            trace_state: self.outgoing_trace_state(remote),
        })
    }

    /// The baggage as a whole, with the run's correlation id in it: what a call made here carries.
    #[must_use]
    pub fn outgoing_baggage(&self) -> Baggage {
        let mut baggage = self.0.common.identity.baggage.clone();
        if let Some(id) = &self.0.common.correlation_id {
            let id = id.to_string();
            if baggage.get(CORRELATION_ID) != Some(&*id) {
                // Full baggage goes out as it is: what the caller sent along comes first.
                let _ = baggage.insert(CORRELATION_ID, &id);
            }
        }
        baggage
    }

    /// Writes `traceparent`, `tracestate` and `baggage` into the headers of a call, so that what
    /// it does elsewhere becomes a part of this trace. Also when nothing is recorded. Outside a
    /// run, with nothing to pass on, it writes nothing.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use tta_primitives::{Context, Result, step, with_context};
    ///
    /// async fn send(text: String, cx: Context) -> Result<HashMap<String, String>> {
    ///     let mut headers = HashMap::new();
    ///     cx.inject(&mut headers); // any map of strings, or `http::HeaderMap` with `tta-http`
    ///     Ok(headers)
    /// }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let headers = step(with_context(send)).run("hello".to_owned(), &Context::new()).await.unwrap();
    /// assert!(headers["traceparent"].starts_with("00-"));
    /// # });
    /// ```
    pub fn inject<S: HeaderSink + ?Sized>(&self, headers: &mut S) {
        if let Some(trace) = self.trace_context() {
            inject(&trace, &self.outgoing_baggage(), headers);
        }
    }

    /// What the caller said, with our threshold in it where a sampling policy decides.
    fn outgoing_trace_state(&self, remote: Option<&TraceContext>) -> TraceState {
        let none = TraceState::default();
        let received = remote.map_or(&none, |remote| &remote.trace_state);
        match self.0.common.trace.head() {
            Some(head) => head.trace_state(received),
            None => received.clone(),
        }
    }

    /// Starts the trace of a run with this context: below the caller in another process, if there
    /// is one, and as that one decided about it.
    pub(crate) fn start_root(&self, name: &Name, kind: &'static str) -> ActiveTrace {
        let remote = self.0.common.identity.remote.as_ref();
        let telemetry = self.telemetry();
        let key =
            telemetry.samples_by_correlation_id().then(|| self.correlation_id().map(ToString::to_string)).flatten();
        let start = TraceStart {
            kind,
            parent: remote.map(|remote| (remote.trace_id, remote.span_id)),
            remote: remote.map(RemoteSampling::read),
            correlation_id: key.as_deref(),
            is_forced: self.0.common.identity.keeps_traces,
        };
        telemetry.start_trace_with(name.clone(), &start)
    }
}
