//! What a circuit does, as a state machine: no clock, no locks, no user code.
//!
//! Time comes as nanoseconds on the breaker's own timeline, by a function that is called only
//! where the time matters. Every change of state starts a new *generation*: what a call came to
//! counts only in the generation that admitted it.

use super::answers::{Admission, Change, Entered, Rejection, Snapshot};
use super::rules::Rules;
use super::state::{CircuitReason, CircuitState};
use super::window::{Ended, Tally, Window};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    /// `None`: until somebody releases it.
    Open {
        until_ns: Option<u64>,
    },
    HalfOpen {
        successes: u32,
    },
}

pub(super) struct Machine {
    rules: Rules,
    phase: Phase,
    reason: Option<CircuitReason>,
    forced: bool,
    generation: u64,
    since_ns: u64,
    /// The one place for a call while half open. It belongs to the breaker, not to a generation:
    /// a probe that outlives its state keeps it until it ends.
    probing: bool,
    /// Failures one after another.
    streak: u32,
    window: Option<Window>,
    /// What the window held when the circuit last ceased to be closed.
    left_closed: Tally,
    rejected: u64,
    entered: Entered,
    unsaid: Vec<Change>,
}

impl Machine {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            phase: Phase::Closed,
            reason: None,
            forced: false,
            generation: 0,
            since_ns: 0,
            probing: false,
            streak: 0,
            window: rules.rates.map(|rates| Window::new(rates.span)),
            left_closed: Tally::default(),
            rejected: 0,
            entered: Entered::default(),
            unsaid: Vec::new(),
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether every call is admitted and nothing waits to be recorded.
    pub(super) fn admits_all(&self) -> bool {
        self.phase == Phase::Closed && self.unsaid.is_empty()
    }

    /// Whether a success of this generation would change nothing.
    pub(super) fn ignores_successes(&self) -> bool {
        self.phase == Phase::Closed && (self.forced || (self.window.is_none() && self.streak == 0))
    }

    /// Changes of state since the last time this was asked, each to be recorded once.
    pub(super) fn take_unsaid(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.unsaid)
    }

    /// A call wants to go through.
    pub(super) fn admit(&mut self, now: impl Fn() -> u64) -> Admission {
        let mut left = None;
        if let Phase::Open { until_ns: Some(until) } = self.phase {
            let now = now();
            self.pass_time(now);
            left = Some(until.saturating_sub(now));
        }
        match self.phase {
            Phase::Closed => Admission::Allowed { generation: self.generation },
            Phase::HalfOpen { .. } if !self.probing => {
                self.probing = true;
                Admission::Probe { generation: self.generation }
            }
            Phase::HalfOpen { .. } => self.reject(None),
            Phase::Open { .. } => self.reject(left),
        }
    }

    fn reject(&mut self, retry_in_ns: Option<u64>) -> Admission {
        self.rejected += 1;
        // Only its first state, which is closed, has no reason.
        let reason = self.reason.unwrap_or(CircuitReason::Forced);
        Admission::Rejected(Rejection { state: self.state(), reason, retry_in_ns })
    }

    /// A call of a generation has ended. One of an earlier generation changes nothing.
    pub(super) fn ended(&mut self, generation: u64, ended: Ended, now: impl Fn() -> u64) {
        if generation != self.generation {
            return;
        }
        match self.phase {
            Phase::Closed if !self.forced => self.ended_closed(ended, now),
            Phase::HalfOpen { successes } => self.ended_probe(successes, ended, now),
            _ => {}
        }
    }

    /// The probe has ended, whatever it came to: the next call may be one.
    pub(super) fn free_probe(&mut self) {
        debug_assert!(self.probing, "a probe ends once");
        self.probing = false;
    }

    fn ended_closed(&mut self, ended: Ended, now: impl Fn() -> u64) {
        self.streak = if ended.failed { self.streak.saturating_add(1) } else { 0 };
        let tally = self.window.as_mut().map(|window| window.add(ended, &now)).unwrap_or_default();
        if let Some(reason) = self.rules.tripped_by(self.streak, tally) {
            self.open(reason, now());
        }
    }

    fn ended_probe(&mut self, successes: u32, ended: Ended, now: impl Fn() -> u64) {
        // A circuit that opened because calls were slow must not close by slow ones.
        if ended.failed || ended.slow {
            return self.open(CircuitReason::ProbeFailed, now());
        }
        let successes = successes + 1;
        self.phase = Phase::HalfOpen { successes };
        if successes >= self.rules.success_threshold {
            self.enter(Phase::Closed, CircuitReason::ProbesSucceeded, now());
        }
    }

    /// Half opens when the recovery timeout has passed: at that moment, whoever looks first.
    pub(super) fn pass_time(&mut self, now_ns: u64) {
        if let Phase::Open { until_ns: Some(until) } = self.phase
            && now_ns >= until
        {
            self.enter(Phase::HalfOpen { successes: 0 }, CircuitReason::RecoveryTimeout, until);
        }
    }

    pub(super) fn force_open(&mut self, now_ns: u64) {
        self.pass_time(now_ns);
        self.force(Phase::Open { until_ns: None }, now_ns);
    }

    pub(super) fn force_closed(&mut self, now_ns: u64) {
        self.pass_time(now_ns);
        self.force(Phase::Closed, now_ns);
    }

    fn force(&mut self, phase: Phase, now_ns: u64) {
        let before = self.state();
        if before == state_of(phase) {
            if !self.forced {
                self.start_over(phase);
                self.reason = Some(CircuitReason::Forced);
            }
        } else {
            self.enter(phase, CircuitReason::Forced, now_ns);
        }
        self.forced = true;
    }

    /// Gives a forced circuit back to itself: one forced closed is closed and knows of no calls,
    /// one forced open half opens.
    pub(super) fn release(&mut self, now_ns: u64) {
        if !std::mem::take(&mut self.forced) {
            return;
        }
        match self.phase {
            Phase::Open { .. } => self.enter(Phase::HalfOpen { successes: 0 }, CircuitReason::Released, now_ns),
            phase => {
                self.start_over(phase);
                self.reason = Some(CircuitReason::Released);
            }
        }
    }

    fn open(&mut self, reason: CircuitReason, now_ns: u64) {
        let until_ns = Some(now_ns.saturating_add(self.rules.recovery_ns));
        self.enter(Phase::Open { until_ns }, reason, now_ns);
    }

    /// A new generation in a phase, without a change of state.
    fn start_over(&mut self, phase: Phase) {
        self.generation += 1;
        self.phase = phase;
        if phase == Phase::Closed {
            self.streak = 0;
            if let Some(window) = &mut self.window {
                window.clear();
            }
        }
    }

    fn enter(&mut self, phase: Phase, reason: CircuitReason, at_ns: u64) {
        if self.phase == Phase::Closed {
            self.left_closed = self.tally(at_ns);
        }
        self.start_over(phase);
        self.reason = Some(reason);
        self.since_ns = at_ns;
        let to = state_of(phase);
        let entered = match to {
            CircuitState::Open => &mut self.entered.opened,
            CircuitState::HalfOpen => &mut self.entered.half_opened,
            CircuitState::Closed => &mut self.entered.closed,
        };
        *entered += 1;
        // At most one entry for each state, the latest last: bounded however long nobody calls.
        let earlier = self.unsaid.iter().position(|change| change.to == to);
        let times = earlier.map_or(0, |at| self.unsaid.remove(at).times) + 1;
        self.unsaid.push(Change { to, reason, times });
    }

    fn tally(&self, now_ns: u64) -> Tally {
        self.window.as_ref().map(|window| window.sum(now_ns)).unwrap_or_default()
    }

    fn state(&self) -> CircuitState {
        state_of(self.phase)
    }

    /// What is true at a moment, at which time has passed.
    pub(super) fn snapshot(&mut self, now_ns: u64) -> Snapshot {
        self.pass_time(now_ns);
        let (until_ns, probe_successes, tally) = match self.phase {
            Phase::Closed => (None, 0, self.tally(now_ns)),
            Phase::Open { until_ns } => (until_ns, 0, self.left_closed),
            Phase::HalfOpen { successes } => (None, successes, self.left_closed),
        };
        Snapshot {
            state: self.state(),
            reason: self.reason,
            forced: self.forced,
            now_ns,
            since_ns: self.since_ns,
            until_ns,
            probing: self.probing,
            probe_successes,
            streak: self.streak,
            tally,
            rejected: self.rejected,
            entered: self.entered,
        }
    }
}

fn state_of(phase: Phase) -> CircuitState {
    match phase {
        Phase::Closed => CircuitState::Closed,
        Phase::Open { .. } => CircuitState::Open,
        Phase::HalfOpen { .. } => CircuitState::HalfOpen,
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
