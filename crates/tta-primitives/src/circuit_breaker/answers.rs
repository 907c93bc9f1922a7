//! What the state machine says: of a call, of its changes, of itself.

use super::state::{CircuitReason, CircuitState};
use super::window::Tally;

/// Whether a call may go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Allowed { generation: u64 },
    Probe { generation: u64 },
    Rejected(Rejection),
}

/// Why a call may not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) state: CircuitState,
    pub(super) reason: CircuitReason,
    /// `None` while it waits for a probe, or for somebody to release it.
    pub(super) retry_in_ns: Option<u64>,
}

/// Changes to one state that nobody has recorded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) to: CircuitState,
    /// Of the last of them.
    pub(super) reason: CircuitReason,
    pub(super) times: u64,
}

/// How often each state was entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entered {
    pub(super) opened: u64,
    pub(super) half_opened: u64,
    pub(super) closed: u64,
}

/// All that can be read, at one moment of the breaker's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) state: CircuitState,
    pub(super) reason: Option<CircuitReason>,
    pub(super) forced: bool,
    pub(super) now_ns: u64,
    pub(super) since_ns: u64,
    pub(super) until_ns: Option<u64>,
    pub(super) probing: bool,
    pub(super) probe_successes: u32,
    pub(super) streak: u32,
    pub(super) tally: Tally,
    pub(super) rejected: u64,
    pub(super) entered: Entered,
}
