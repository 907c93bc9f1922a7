//! What all policies share: the error of a parameter outside its range.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

/// A policy's parameter outside its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{policy}: `{parameter}` is {given}, accepted is {accepted}")]
pub struct PolicyError {
    /// The policy.
    pub policy: &'static str,
    /// Its parameter.
    pub parameter: &'static str,
    /// The value given.
    pub given: String,
    /// The accepted range, in words.
    pub accepted: Cow<'static, str>,
}

impl PolicyError {
    /// `Ok` when the parameter is within its range.
    pub(crate) fn check(
        policy: &'static str,
        parameter: &'static str,
        given: impl fmt::Debug,
        accepted: impl Into<Cow<'static, str>>,
        within: bool,
    ) -> Result<(), Self> {
        if within {
            return Ok(());
        }
        Err(Self { policy, parameter, given: format!("{given:?}"), accepted: accepted.into() })
    }
}
