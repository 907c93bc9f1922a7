//! The error of a parameter outside its range.

use thiserror::Error;

use crate::model::Name;

/// A parameter of a ledger or a budget that is outside its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}: `{parameter}` is {given}, accepted is {accepted}")]
pub struct CostError {
    /// What was being built: `cost ledger`, or ``budget `name` ``.
    pub what: Name,
    /// Its parameter.
    pub parameter: &'static str,
    /// The value given.
    pub given: String,
    /// The accepted range, in words.
    pub accepted: &'static str,
}

impl CostError {
    /// `Ok` when the parameter is within its range.
    pub(super) fn check(
        what: &Name,
        parameter: &'static str,
        given: impl ToString,
        accepted: &'static str,
        within: bool,
    ) -> Result<(), Self> {
        if within {
            return Ok(());
        }
        Err(Self { what: what.clone(), parameter, given: given.to_string(), accepted })
    }
}
