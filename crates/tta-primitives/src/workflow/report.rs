//! A run together with what is known of it.

use std::time::Duration;

use tta_telemetry::{SamplingDecision, TraceId};

use super::{Workflow, chain::Chain, run::OpenRun};
use crate::context::{Context, CorrelationId, Scoped};
use crate::error::{Error, Result};

/// What one run returned, and what is known of it.
#[derive(Clone, Debug)]
pub struct RunReport<Out> {
    /// What the workflow returned.
    pub result: Result<Out>,
    /// The run's trace.
    pub trace_id: Option<TraceId>,
    /// What ties the run to others.
    pub correlation_id: Option<CorrelationId>,
    /// How long it took, on the run's clock.
    pub duration: Duration,
    /// Whether and why the trace is kept; `None` when nothing is recorded, when spans of the run
    /// are still open, or when the run is part of another.
    pub decision: Option<SamplingDecision>,
    /// What the run cost, in nano-dollars, as far as its steps reported it; `None` while nothing
    /// does.
    pub cost_nano_usd: Option<u64>,
}

impl<In: Send + 'static, Out: Send + 'static> Workflow<In, Out> {
    /// [`Workflow::run`], with the trace id, duration and sampling decision beside the result.
    ///
    /// # Cancel safety
    /// As [`Workflow::run`].
    pub async fn run_report(&self, input: In, cx: &Context) -> RunReport<Out> {
        let start = cx.clock().ticks();
        if cx.is_in_run() {
            let result = self.run_by_hand(input, cx).await;
            return RunReport {
                result,
                trace_id: cx.trace_id(),
                correlation_id: cx.correlation_id().cloned(),
                duration: cx.clock().elapsed(start),
                decision: None,
                cost_nano_usd: None,
            };
        }
        let mut run = OpenRun::open(cx, self.label(), self.root.kind, |context| self.root.cells(context));
        let context = run.context();
        let result = Scoped::new(context.clone(), Chain::new(self.nodes(), input, &context)).await;
        let (trace_id, correlation_id) = (context.trace_id(), context.correlation_id().cloned());
        let duration = cx.clock().elapsed(start);
        // This context holds the trace open; with it gone the root is the last.
        drop(context);
        let decision = run.close(&result);
        // See `Workflow::run`.
        let result = result.map_err(Error::on_its_own);
        RunReport { result, trace_id, correlation_id, duration, decision, cost_nano_usd: None }
    }
}
