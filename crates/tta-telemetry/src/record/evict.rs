//! Decisions before a run's end: for lack of memory, after `decision_wait`, at shutdown.
//!
//! The trace is decided as it stands, with the same rule as every other, and its memory is given
//! back while its handles live on; what they record later follows the decision.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::Core;
use super::decode;
use super::live::{LiveTrace, Seen};
use super::pool;
use crate::model::DecisionReason;

/// Making room frees at least this part of the bound at once, so that its cost (a look at every
/// trace) is shared by many allocations.
const ROOM_PART: usize = 16;

impl Core {
    /// Frees at least `bytes`: idle traces first, then kept ones that only wait to be sent, then
    /// live ones, oldest first, failed ones last.
    pub(super) fn make_room(&self, bytes: usize, on_behalf_of: Option<usize>) -> bool {
        let _one_at_a_time = self.evicting.lock();
        let target = (self.limits.live_bytes - self.limits.live_bytes / ROOM_PART).saturating_sub(bytes);
        while self.allocated_bytes() > target {
            match self.shared_pool.pop() {
                Some(idle) => pool::free(idle),
                None => break,
            }
        }
        while self.allocated_bytes() > target {
            match self.kept.pop() {
                Some(finished) => {
                    self.send(&finished);
                    pool::free(finished);
                }
                None => break,
            }
        }
        if self.allocated_bytes() <= target {
            return true;
        }
        let mut victims = self.registry.live();
        victims.retain(|(live, _)| Some(live.slot) != on_behalf_of);
        victims.sort_by_cached_key(|(live, _)| (live.saw_error(), live.started()));
        for (victim, seen) in victims {
            if self.allocated_bytes() <= target {
                break;
            }
            if decide_early(&victim, seen, Some(DecisionReason::Evicted)) {
                self.counters.evicted.add(1);
            }
        }
        true
    }

    /// Decides about traces whose root ended longer than `decision_wait` ago.
    pub(super) fn decide_overdue(&self) {
        let now = self.clock.ticks();
        for (live, seen) in self.registry.live() {
            let overdue =
                live.root_ended().is_some_and(|ended| self.clock.between(ended, now) >= self.limits.decision_wait);
            if overdue && decide_early(&live, seen, None) {
                self.counters.incomplete.add(1);
            }
        }
    }

    /// Decides about everything that is still running and refuses new runs. Returns how many runs
    /// were cut short.
    pub(crate) fn close(&self) -> u64 {
        self.closed.store(true, Ordering::SeqCst);
        let mut cut_short = 0;
        for (live, seen) in self.registry.live() {
            let open = live.root_ended().is_none();
            if decide_early(&live, seen, None) {
                self.counters.incomplete.add(1);
                cut_short += u64::from(open);
            }
        }
        self.advance_received(true);
        self.late.refuse();
        cut_short
    }

    /// Waits for a thread that is making room: what it took is in the sinks' queues then.
    pub(crate) fn wait_for_eviction(&self) {
        drop(self.evicting.lock());
    }

    /// Breaks the cycle between the engine and its traces once nothing is left to decide.
    pub(crate) fn forget_traces(&self) {
        while self.shared_pool.pop().is_some() {}
        self.orphans.lock().clear();
        self.registry.clear();
        pool::forget_ended();
    }
}

/// Decides about one trace now. `false` when somebody else decides or has decided, or the run that
/// was seen has ended.
fn decide_early(live: &Arc<LiveTrace>, seen: Seen, reason: Option<DecisionReason>) -> bool {
    if !live.start_deciding(seen) {
        return false;
    }
    let known = live.core.decide(live);
    // Late records wait until the stage says that there is a decision.
    let Some(extent) = live.log.close() else { return false };
    let mut trace = None;
    let mut decided = known.unwrap_or_else(|| {
        let whole = trace.insert(decode::undecided(live, extent, true));
        live.core.policies.decide_whole(live, whole)
    });
    if let Some(reason) = reason {
        decided.decision.reason = reason;
    }
    live.set_decision(decided);
    live.core.note_decision(&decided);
    if decided.decision.keep {
        let trace = trace.unwrap_or_else(|| decode::undecided(live, extent, true));
        live.core.dispatch(decided.of(trace), live.hooked().as_ref());
    } else {
        // Wait for writers in the middle of a record before the memory goes.
        live.log.read(extent, |_| {});
    }
    live.finish_early(extent);
    true
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cardinality::LabelLimiter;
    use crate::clock::Clock;
    use crate::engine::MeasuringSettings;
    use crate::id::IdSource;
    use crate::limits::Limits;
    use crate::measuring::Measuring;
    use crate::model::Sampling;
    use crate::record::core::Settings;

    /// An engine's core that keeps nothing, without sinks and without threads.
    pub(in crate::record) fn core(clock: Clock) -> Arc<Core> {
        Core::new(Settings {
            redactor: crate::redaction::SharedRedactor::default(),
            measuring: Measuring::new(clock.clone(), LabelLimiter::default(), MeasuringSettings::default()),
            overhead: Arc::default(),
            clock,
            ids: IdSource::seeded(1),
            limits: Limits::default(),
            sampling: Sampling::KeepNone,
            sinks: Vec::new(),
            observers: crate::decisions::Observers::default(),
            hooks: None,
            enabled: true,
            export_wait: None,
        })
    }

    /// Looking at all traces and deciding about some of them takes time, in which a run may end
    /// and another begin in the same memory. That one was once decided in its place.
    #[test]
    fn a_run_that_was_not_looked_at_is_not_decided_for_one_that_was() {
        let core = core(Clock::manual().0);
        let start = || core.start_trace("run".into(), &crate::engine::TraceStart::default());
        start().end();
        let looked_at = start();
        let (live, seen) = core.registry.live().remove(0);
        looked_at.end();
        let other = start();
        assert_eq!(live.trace_id(), other.handle().trace_id().unwrap());
        assert!(!decide_early(&live, seen, None));
        assert_eq!(other.handle().decision(), None);
        let (_, now) = core.registry.live().remove(0);
        assert!(decide_early(&live, now, None));
        drop(other);
        core.close();
        core.forget_traces();
    }
}
