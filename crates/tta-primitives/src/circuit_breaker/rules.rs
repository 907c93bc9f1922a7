//! What opens a circuit and what closes it: the parameters, as the state machine takes them.

use super::state::CircuitReason;
use super::window::{Span, Tally};

/// What opens a circuit and what closes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rules {
    pub(super) consecutive_failures: Option<u32>,
    pub(super) rates: Option<Rates>,
    pub(super) recovery_ns: u64,
    pub(super) success_threshold: u32,
}

/// Shares of the calls in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    pub(super) span: Span,
    pub(super) minimum_calls: u64,
    pub(super) failure: Option<f64>,
    /// The share, and from how long on a call is slow.
    pub(super) slow: Option<(f64, u64)>,
}

impl Rules {
    /// Whether so many failures one after another, or what the window holds, open the circuit.
    pub(super) fn tripped_by(&self, streak: u32, tally: Tally) -> Option<CircuitReason> {
        if self.consecutive_failures.is_some_and(|most| streak >= most) {
            return Some(CircuitReason::ConsecutiveFailures);
        }
        let rates = self.rates.filter(|rates| tally.calls >= rates.minimum_calls)?;
        // Division, since its result is the nearest to the exact share, as the limit is to its
        // decimal: 3 of 10 is not below 0.3.
        let share = |part: u64| part as f64 / tally.calls as f64;
        if rates.failure.is_some_and(|limit| share(tally.failures) >= limit) {
            return Some(CircuitReason::FailureRate);
        }
        let slow = rates.slow.is_some_and(|(limit, _)| share(tally.slow) >= limit);
        slow.then_some(CircuitReason::SlowCallRate)
    }
}
