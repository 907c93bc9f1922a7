//! The way in for spans that other processes recorded.

use std::sync::Arc;

use super::assembly::{Assembly, Gathered};
use super::pending::Pending;
use super::{ReceiverStatus, Refused, SpanHead, decide};
use crate::clock::Ticks;
use crate::cost::Charge;
use crate::engine::CostPlace;
use crate::id::TraceId;
use crate::model::{Source, SpanStatus, StatusCode};
use crate::record::core::Core;

/// The longest that a span counts as having taken: 30 days. One that says it took centuries would end the
/// sum of all durations.
const MOST_COUNTED_NS: u64 = 30 * 86_400 * 1_000_000_000;
/// Bytes of one trace that are gathered at most before they are handed over.
const MOST_GATHERED_BYTES: usize = 64 << 10;

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
        let mut intake = self.intake();
        intake.receive(source, head, bytes);
        intake.finish() == Refused::default()
    }

    /// Takes many spans: those of one trace that follow each other are taken together.
    pub fn intake(&self) -> Intake<'_> {
        Intake { receiver: self, gathered: None, is_empty: true, refused: Refused::default() }
    }

    fn count(&self, source: &Source, head: &SpanHead<'_>, now: Ticks) {
        let measuring = &self.core.measuring;
        let (service, kind) = (&source.resource.service, head.kind.as_str());
        let step = measuring.step(service, head.name, kind);
        let status = if head.status == StatusCode::Error { SpanStatus::Error } else { SpanStatus::Ok };
        step.record(head.duration_ns.min(MOST_COUNTED_NS), status, now);
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

/// Spans on their way in, of one request. See [`Receiver::intake`].
///
/// What it was given last is taken when it is [finished](Self::finish) or dropped.
#[derive(Debug)]
#[must_use]
pub struct Intake<'r> {
    receiver: &'r Receiver,
    /// Its buffers serve one trace after the other.
    gathered: Option<Gathered>,
    is_empty: bool,
    refused: Refused,
}

impl Intake<'_> {
    /// Takes a span, as [`Receiver::receive`] does, and blocks as that.
    pub fn receive(&mut self, source: &Arc<Source>, head: &SpanHead<'_>, bytes: &[u8]) {
        let Receiver { core, assembly } = self.receiver;
        if !core.enabled || core.is_closed() {
            assembly.counters.after_end.add(1);
            self.refused.after_end += 1;
            return;
        }
        let same = |gathered: &Gathered| gathered.trace.trace_id == head.trace_id;
        if self.is_empty || !self.gathered.as_ref().is_some_and(same) {
            self.hand_over();
            self.gather(head.trace_id);
        }
        let Some(gathered) = &mut self.gathered else { return };
        self.receiver.count(source, head, gathered.now);
        gathered.trace.add(source, head, bytes, assembly.limits.spans_per_trace);
        // A trace may be all that comes, and is not to be held twice.
        if gathered.trace.held_bytes() > MOST_GATHERED_BYTES {
            self.hand_over();
        }
    }

    /// Takes what is left, and says what was refused.
    pub fn finish(mut self) -> Refused {
        self.hand_over();
        self.refused
    }

    fn gather(&mut self, trace_id: TraceId) {
        let now = self.receiver.core.clock.ticks();
        match &mut self.gathered {
            Some(gathered) => {
                gathered.trace.clear(trace_id);
                gathered.now = now;
            }
            None => self.gathered = Some(Gathered { trace: Pending::new(trace_id, 0, None), now }),
        }
        self.is_empty = false;
    }

    fn hand_over(&mut self) {
        let Some(gathered) = self.gathered.as_mut().filter(|_| !self.is_empty) else { return };
        self.is_empty = true;
        let Receiver { core, assembly } = self.receiver;
        let all = gathered.all();
        let (taken, victims) = assembly.add(gathered);
        self.refused.over_span_limit += u64::from(all - taken);
        if !victims.is_empty() {
            decide::decide(core, assembly, victims);
        }
        if core.is_closed() {
            // It may have been missed when the engine ended; nobody else will decide about it.
            core.advance_received(true);
        }
    }
}

impl Drop for Intake<'_> {
    fn drop(&mut self) {
        self.hand_over();
    }
}
