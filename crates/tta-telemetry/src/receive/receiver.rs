//! The way in for spans that other processes recorded.

use std::sync::Arc;

use super::assembly::Assembly;
use super::{ReceiverStatus, SpanHead, decide};
use crate::cost::Charge;
use crate::engine::CostPlace;
use crate::model::{Source, SpanStatus, StatusCode};
use crate::record::core::Core;

/// Takes spans that other processes recorded. See [`Telemetry::receiver`](crate::Telemetry::receiver).
///
/// Every span is counted, in the same metrics as steps: its service is the workflow, its name the
/// primitive, its kind the type. Its trace is decided about as a whole, by the engine's sampling
/// policy, when it has its root and has waited for others; what is kept goes to the engine's sinks.
#[derive(Clone, Debug)]
pub struct Receiver {
    core: Arc<Core>,
    assembly: Arc<Assembly>,
}

impl Receiver {
    pub(crate) fn new(core: Arc<Core>, assembly: Arc<Assembly>) -> Self {
        Self { core, assembly }
    }

    /// Takes a span. `false` when it could not be: its trace is as long as may be, or the engine has
    /// ended. Both are counted.
    ///
    /// When memory runs out, it decides about older traces and hands those that are kept over at
    /// the pace of the sinks, up to 250 ms for one that stalls: that is what slows senders down to
    /// what can be done. So call it where blocking is allowed.
    pub fn receive(&self, source: &Arc<Source>, head: &SpanHead<'_>, bytes: &[u8]) -> bool {
        let counters = &self.assembly.counters;
        if !self.core.enabled || self.core.is_closed() {
            counters.after_end.add(1);
            return false;
        }
        self.count(source, head);
        let (is_taken, victims) = self.assembly.add(source, head, bytes);
        if !victims.is_empty() {
            decide::decide(&self.core, &self.assembly, victims);
        }
        if self.core.is_closed() {
            // It may have been missed when the engine ended; nobody else will decide about it.
            self.core.advance_received(true);
        }
        is_taken
    }

    fn count(&self, source: &Source, head: &SpanHead<'_>) {
        let measuring = &self.core.measuring;
        let (service, kind) = (&source.resource.service, head.kind.as_str());
        let step = measuring.step(service, head.name, kind);
        let status = if head.status == StatusCode::Error { SpanStatus::Error } else { SpanStatus::Ok };
        step.record(head.duration_ns, status, self.core.clock.ticks());
        if status == SpanStatus::Error {
            step.count_error(if head.error_type.is_empty() { "error" } else { head.error_type });
        }
        if let Some(cost) = head.cost {
            let place =
                CostPlace { workflow: service, name: head.name, kind, category: "received", ..CostPlace::default() };
            measuring.record_cost(&place, &Charge::priced(cost));
        }
    }

    /// What it has done so far.
    #[must_use]
    pub fn status(&self) -> ReceiverStatus {
        self.assembly.status()
    }
}
