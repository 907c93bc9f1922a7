//! The decision about a received trace, and its way to the sinks.

use super::assembly::Assembly;
use super::pending::Pending;
use crate::model::{DecisionReason, Name, SamplingDecision, Trace};
use crate::record::ReceivedTrace;
use crate::record::core::Core;
use crate::record::hooks::HookedRun;
use crate::sampling::TailDecision;

/// Stands in a trace until it is decided about.
const UNDECIDED: TailDecision = TailDecision {
    decision: SamplingDecision { keep: true, rate: 1.0, reason: DecisionReason::RateOne, sampler: "undecided" },
    adjusted_count: None,
    is_excluded: false,
};

/// Decides about traces and sends those that are kept.
pub(super) fn decide(core: &Core, assembly: &Assembly, traces: Vec<Pending>) {
    for mut pending in traces {
        if pending.decided.is_none() {
            pending.decided = assembly.decided_meanwhile(&pending);
        }
        match pending.decided {
            Some(decided) if !decided.decision.keep => {}
            Some(decided) => send_late(core, assembly, &pending, decided),
            None => decide_one(core, assembly, &pending),
        }
    }
}

fn decide_one(core: &Core, assembly: &Assembly, pending: &Pending) {
    let counters = &assembly.counters;
    counters.traces.add(1);
    counters.rootless.add(u64::from(!pending.has_root()));
    let service = pending.service().cloned().unwrap_or(Name::from_static(""));
    let start = ReceivedTrace::start(pending.trace_id, pending.remote());
    let hooked = core.hooks.as_deref().map(|hooks| (hooks, hooks.begin(&service, &start, true, &core.counters)));
    let run = hooked.as_ref().map(|(_, run)| run);
    let seen = ReceivedTrace {
        trace_id: pending.trace_id,
        service: Some(&service),
        class: pending.class(),
        duration_ns: pending.duration_ns(),
        bytes: pending.held_bytes() as u64,
        remote: pending.remote(),
        incoming: pending.threshold(),
        hooked: hooked.as_ref().map(|(hooks, run)| (*hooks, run)),
        cells: &core.counters,
    };
    if let Some(decided) = core.policies.decide_received(&seen) {
        core.note_decision(&decided);
        assembly.remember(pending.trace_id, decided);
        if decided.decision.keep {
            send(core, assembly, pending, decided, run);
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
    // A trace of which nothing could be read is no trace.
    if decided.decision.keep && !trace.spans.is_empty() {
        dispatch(core, decided.of(trace), run);
    }
}

fn send_late(core: &Core, assembly: &Assembly, pending: &Pending, decided: TailDecision) {
    let service = pending.service().cloned().unwrap_or(Name::from_static(""));
    let start = ReceivedTrace::start(pending.trace_id, pending.remote());
    // Decided about already; processors see it nevertheless.
    let run = core.hooks.as_deref().map(|hooks| hooks.begin(&service, &start, false, &core.counters));
    send(core, assembly, pending, decided, run.as_ref());
}

fn send(core: &Core, assembly: &Assembly, pending: &Pending, decided: TailDecision, run: Option<&HookedRun>) {
    let (trace, lost) = pending.decode(&*assembly.codec, decided);
    assembly.counters.duplicates.add(lost.duplicates);
    assembly.counters.undecodable.add(lost.undecodable);
    if !trace.spans.is_empty() {
        dispatch(core, trace, run);
    }
}

/// At the pace of sinks that keep up: senders are many, and can wait.
fn dispatch(core: &Core, trace: Trace, run: Option<&HookedRun>) {
    core.dispatch(trace, run);
    core.pace_sinks();
}

impl Core {
    /// Decides about received traces that are due, or about all.
    pub(crate) fn advance_received(&self, all: bool) {
        let assemblies = self.assemblies();
        for assembly in &assemblies {
            // What is due now, so that a round ends under any load.
            let by_ns = (!all).then(|| assembly.now_ns());
            loop {
                let taken = assembly.take(by_ns);
                if taken.is_empty() {
                    break;
                }
                decide(self, assembly, taken);
            }
        }
    }
}
