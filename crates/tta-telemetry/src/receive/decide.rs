//! The decision about a received trace, and its way to the sinks.

use super::assembly::Assembly;
use super::pending::Pending;
use crate::model::{DecisionReason, SamplingDecision, Trace};
use crate::record::ReceivedTrace;
use crate::record::core::Core;
use crate::sampling::TailDecision;
use crate::sink::SinkWorker;

/// Stands in a trace until it is decided about.
const UNDECIDED: TailDecision = TailDecision {
    decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "undecided" },
    adjusted_count: None,
    is_excluded: false,
};

/// Decides about traces and sends those that are kept.
pub(super) fn decide(core: &Core, assembly: &Assembly, traces: Vec<Pending>) {
    for pending in traces {
        match pending.decided {
            Some(decided) => send(core, assembly, &pending, decided),
            None => decide_one(core, assembly, &pending),
        }
    }
}

fn decide_one(core: &Core, assembly: &Assembly, pending: &Pending) {
    let counters = &assembly.counters;
    counters.traces.add(1);
    counters.rootless.add(u64::from(!pending.has_root()));
    let seen = ReceivedTrace {
        trace_id: pending.trace_id,
        service: pending.service(),
        class: pending.class(),
        duration_ns: pending.duration_ns(),
        bytes: pending.held_bytes() as u64,
        remote: pending.remote(),
        incoming: pending.threshold(),
    };
    if let Some(decided) = core.policies.decide_received(&seen) {
        core.note_decision(&decided);
        assembly.remember(pending.trace_id, decided);
        if decided.decision.keep {
            send(core, assembly, pending, decided);
        }
        return;
    }
    // For rules to say, which look at the whole trace.
    let (trace, lost) = pending.decode(&*assembly.codec, UNDECIDED);
    counters.duplicates.add(lost.duplicates);
    counters.undecodable.add(lost.undecodable);
    let decided = core.policies.decide_received_whole(&seen, &trace);
    core.note_decision(&decided);
    assembly.remember(pending.trace_id, decided);
    if decided.decision.keep {
        dispatch(core, decided.of(trace));
    }
}

fn send(core: &Core, assembly: &Assembly, pending: &Pending, decided: TailDecision) {
    let (trace, lost) = pending.decode(&*assembly.codec, decided);
    assembly.counters.duplicates.add(lost.duplicates);
    assembly.counters.undecodable.add(lost.undecodable);
    // A trace of which nothing could be read is no trace.
    if !trace.spans.is_empty() {
        dispatch(core, trace);
    }
}

/// At the pace of sinks that keep up: senders are many, and can wait.
fn dispatch(core: &Core, trace: Trace) {
    core.dispatch(trace);
    core.sinks.iter().for_each(SinkWorker::pace);
}

impl Core {
    /// Decides about received traces that are due, or about all.
    pub(crate) fn advance_received(&self, all: bool) {
        let assemblies = self.assemblies();
        for assembly in &assemblies {
            loop {
                let taken = assembly.take(all);
                if taken.is_empty() {
                    break;
                }
                decide(self, assembly, taken);
            }
        }
    }
}
