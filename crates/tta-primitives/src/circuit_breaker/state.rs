//! What can be read of a circuit: its state, why it is in it, and its numbers.

use std::fmt;
use std::time::Duration;

/// Whether calls go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CircuitState {
    /// They do.
    #[default]
    Closed,
    /// They are rejected at once.
    Open,
    /// One at a time goes through, to see whether it works again; others are rejected.
    HalfOpen,
}

impl CircuitState {
    /// The stable string: `closed`, `open`, `half_open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            CircuitState::Closed => "closed",
            CircuitState::Open => "open",
            CircuitState::HalfOpen => "half_open",
        }
    }
}

impl fmt::Display for CircuitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a circuit came to be in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CircuitReason {
    /// It opened: so many calls failed one after another.
    ConsecutiveFailures,
    /// It opened: too large a share of the calls in the window failed.
    FailureRate,
    /// It opened: too large a share of the calls in the window was slow.
    SlowCallRate,
    /// It opened again: the call that was let through failed, or was slow.
    ProbeFailed,
    /// It half opened: it was open for its recovery timeout.
    RecoveryTimeout,
    /// It closed: enough calls that were let through succeeded.
    ProbesSucceeded,
    /// It was opened or closed by hand.
    Forced,
    /// It was given back to itself after it had been forced.
    Released,
}

impl CircuitReason {
    /// The stable string, as in `circuit.reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            CircuitReason::ConsecutiveFailures => "consecutive_failures",
            CircuitReason::FailureRate => "failure_rate",
            CircuitReason::SlowCallRate => "slow_call_rate",
            CircuitReason::ProbeFailed => "probe_failed",
            CircuitReason::RecoveryTimeout => "recovery_timeout",
            CircuitReason::ProbesSucceeded => "probes_succeeded",
            CircuitReason::Forced => "forced",
            CircuitReason::Released => "released",
        }
    }
}

impl fmt::Display for CircuitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A circuit at one moment: all of it was true at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CircuitStats {
    /// Whether calls go through.
    pub state: CircuitState,
    /// Why it is in this state; `None` for one that never left its first.
    pub reason: Option<CircuitReason>,
    /// Whether it is kept in this state by hand.
    pub forced: bool,
    /// Since when it is in this state, in nanoseconds since the Unix epoch; `None` before the
    /// first run meets it.
    pub since_unix_ns: Option<u64>,
    /// How long it has been in this state.
    pub in_state: Duration,
    /// How long until the next call is let through; `None` unless it is open and not forced.
    pub retry_in: Option<Duration>,
    /// Whether a call that was let through while half open is under way.
    pub probing: bool,
    /// Probes that succeeded since it half opened.
    pub probe_successes: u32,
    /// Failures one after another, the latest calls; those it opened by while it is not closed.
    pub consecutive_failures: u32,
    /// Calls in the window; those it opened by while it is not closed. 0 when no rate is watched.
    pub calls: u64,
    /// How many of them failed.
    pub failures: u64,
    /// How many of them were slow.
    pub slow: u64,
    /// Calls rejected, ever.
    pub rejected: u64,
    /// How often it opened, ever.
    pub opened: u64,
    /// How often it half opened, ever.
    pub half_opened: u64,
    /// How often it closed, ever.
    pub closed: u64,
}
