//! What happens in the background: decoding kept traces, late parts, overdue decisions.
//!
//! Runs on one thread per engine, or by hand in tests. Callers never wake it: it looks every few
//! milliseconds while there is work and ten times less often while there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::core::Core;
use super::decode;
use super::hooks::HookedRun;
use super::live::LiveTrace;
use super::pool;
use crate::clock::Ticks;
use crate::deadline::Deadline;
use crate::model::Trace;
use crate::sink::SinkWorker;

const BUSY_INTERVAL: Duration = Duration::from_millis(10);
const IDLE_INTERVAL: Duration = Duration::from_millis(100);
/// Slow chores (re-anchoring the clock, overdue decisions) run this often.
const SLOW_INTERVAL: Duration = Duration::from_secs(1);

impl Core {
    /// One round. Returns whether there was work.
    pub(crate) fn housekeep(&self) -> bool {
        let _one_at_a_time = self.housekeeping.lock();
        let mut worked = false;
        // Bounded by what was there at the start, so that a round ends under any load.
        for _ in 0..self.kept.len() {
            let Some(live) = self.kept.pop() else { break };
            worked = true;
            self.send(&live);
            live.clear_decision();
            pool::give_to_shared(live);
            self.pace_sinks();
        }
        for live in std::mem::take(&mut *self.orphans.lock()) {
            live.wait_for_decision();
            live.clear_decision();
            pool::give_to_shared(live);
        }
        for group in self.late.take() {
            if let Some(trace) = decode::late(self, &group) {
                let run = group.first().and_then(|record| record.hooked.as_ref());
                self.dispatch(trace, run);
            }
        }
        for sink in &self.sinks {
            sink.wake();
        }
        worked
    }

    /// Hands a finished trace that is kept to the sinks. Its memory is still its own.
    pub(super) fn send(&self, live: &LiveTrace) {
        let Some(extent) = live.log.close() else { return };
        let trace = decode::undecided(live, extent, false);
        let decided = live.decided().unwrap_or_else(|| {
            let decided = self.policies.decide_whole(live, &trace);
            self.note_decision(&decided);
            decided
        });
        if decided.decision.keep {
            self.dispatch(decided.of(trace), live.hooked().as_ref());
        }
    }

    /// The slow chores; also part of a flush.
    pub(crate) fn housekeep_slowly(&self) {
        let _one_at_a_time = self.housekeeping.lock();
        let jump_ns = self.clock.re_anchor();
        self.decide_overdue();
        self.advance_received(false);
        if let Some(share) = self.overhead.measure(self.measuring.spans()) {
            self.policies.observe_overhead(share);
        }
        self.policies.advance(&self.clock);
        self.measuring.housekeep();
        self.policies.learn_latencies(&self.measuring.steps);
        self.vitals.look(self, jump_ns);
    }

    /// Hands a kept trace to every sink's queue, processed and without secrets.
    pub(crate) fn dispatch(&self, mut trace: Trace, run: Option<&HookedRun>) {
        // First, so that nothing they add escapes the redactor.
        if let Some(hooks) = &self.hooks {
            hooks.process(run, &mut trace, &self.limits, &self.counters);
        }
        let found = self.redactor.current().redact(&mut trace).total();
        if found > 0 {
            self.counters.redacted.add(found.into());
        }
        self.measuring.note_exemplars(&trace);
        let trace = Arc::new(trace);
        for sink in &self.sinks {
            sink.offer(&trace);
        }
    }

    /// Asks every sink to export what is queued and to flush; whether all had done so by the deadline.
    pub(crate) fn flush_sinks(&self, deadline: Deadline) -> bool {
        // All are asked first, so that one that stalls does not use up the others' time.
        let tickets: Vec<u64> = self.sinks.iter().map(SinkWorker::ask_flush).collect();
        let waits = self.sinks.iter().zip(tickets);
        let flushed: Vec<bool> = waits.map(|(sink, ticket)| sink.wait_flush(ticket, deadline)).collect();
        !flushed.contains(&false)
    }

    /// The loop of the housekeeping thread; ends when the engine closes.
    pub(crate) fn housekeeping_loop(&self, stop: &super::Stop) {
        let last_slow: AtomicU64 = AtomicU64::new(self.clock.ticks());
        let due = |last: Ticks| self.clock.elapsed(last) >= SLOW_INTERVAL;
        let mut interval = IDLE_INTERVAL;
        while !stop.wait(interval) {
            let worked = self.overhead.background(|| self.housekeep());
            interval = if worked { BUSY_INTERVAL } else { IDLE_INTERVAL };
            if due(last_slow.load(Ordering::Relaxed)) {
                last_slow.store(self.clock.ticks(), Ordering::Relaxed);
                self.overhead.background(|| self.housekeep_slowly());
            }
        }
    }
}
