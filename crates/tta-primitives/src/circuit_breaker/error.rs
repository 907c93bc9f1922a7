//! The error of a call that was not let through.

use std::fmt;
use std::time::Duration;

use thiserror::Error;
use tta_telemetry::Name;

use crate::time::rounded;

use super::state::{CircuitReason, CircuitState};

/// A circuit breaker rejected the call: the step did not run. Found inside an
/// [`Error`](crate::Error) of kind [`CircuitOpen`](crate::ErrorKind::CircuitOpen) by
/// [`downcast_ref`](crate::Error::downcast_ref).
///
/// The error around it says nothing about trying again, so that a retry inside the same run does
/// not wait for the circuit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub struct CircuitOpenError {
    /// The breaker.
    pub name: Name,
    /// [`Open`](CircuitState::Open), or [`HalfOpen`](CircuitState::HalfOpen) while its one probe
    /// is under way.
    pub state: CircuitState,
    /// Why it is in that state.
    pub reason: CircuitReason,
    /// How long until a call is let through; `None` when that is not known: it is forced open, or
    /// it waits for its probe.
    pub retry_in: Option<Duration>,
}

impl fmt::Display for CircuitOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, state, reason, retry_in } = self;
        match (state, retry_in) {
            (CircuitState::HalfOpen, _) => write!(f, "circuit `{name}` is half open and its probe is under way"),
            (_, Some(left)) => write!(f, "circuit `{name}` is open ({reason}) for another {:?}", rounded(*left)),
            (_, None) => write!(f, "circuit `{name}` is open ({reason}) until it is released"),
        }
    }
}
